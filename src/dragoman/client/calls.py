"""What the client asks: where the gateway is, with which key, and the requests to it. Pure.

How they are carried there is told in `blocking` and `dragoman.net`.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import quote, urlencode

import msgspec
from msgspec import Struct

from dragoman import __version__
from dragoman.core.secret import Secret
from dragoman.net.types import Limits, Request
from dragoman.net.url import locate
from dragoman.wire.address import HERE, api_base
from dragoman.wire.model_query import needs, order

Message = Mapping[str, Any]

PREFERENCES: Mapping[str, str] = {"cost": "price", "speed": "throughput"}
"""Word of `routing_preference` -> value of `provider.sort`, where they differ."""


class Calls(Struct, frozen=True, kw_only=True):
    """Makes the requests to one gateway."""

    url: str
    key: Secret
    headers: tuple[tuple[str, str], ...]
    limits: Limits
    retries: int

    def get(self, path: str, query: Mapping[str, str] | None = None) -> Request:
        """Return a request for what is at `path`."""
        tail = f"?{urlencode(query)}" if query else ""
        return Request(method="GET", url=f"{self.url}{path}{tail}", headers=self._headers())

    def post(self, path: str, body: Mapping[str, Any]) -> Request:
        """Return a request that carries `body` to `path`. Raises TypeError for what is no JSON."""
        return Request(
            method="POST",
            url=self.url + path,
            headers=(*self._headers(), ("Content-Type", "application/json")),
            body=msgspec.json.encode(body),
        )

    def models(
        self, sort_by: str | None, capability: str | Iterable[str], filters: Mapping[str, Any]
    ) -> Request:
        """Return the request for a list of models; `filters` are parameters of `GET /models`."""
        words = [capability] if isinstance(capability, str) else capability
        query = needs(word for word in words if word)
        if sort_by is not None:
            query["sort"] = order(sort_by)
        return self.get("/models", query | {name: _text(value) for name, value in filters.items()})

    def model(self, id_: str) -> Request:
        """Return the request for one model."""
        return self.get(f"/model/{quote(id_)}")

    def endpoints(self, id_: str) -> Request:
        """Return the request for the endpoints of a model."""
        return self.get(f"/models/{quote(id_)}/endpoints")

    def _headers(self) -> tuple[tuple[str, str], ...]:
        key = self.key.reveal()
        return (*self.headers, ("Authorization", f"Bearer {key}")) if key else self.headers


def calls_to(
    given: tuple[str | None, str | None],
    environ: Mapping[str, str],
    headers: Mapping[str, str],
    timeout_s: float,
    retries: int,
) -> Calls:
    """Return the calls to the gateway with this (base URL, key), each from `environ` if None.

    Raises ValueError for an address or a key that cannot be used.
    """
    base_url, api_key = given
    url = api_base(base_url or environ.get("DRAGOMAN_URL") or HERE)
    locate(url)
    names = ("DRAGOMAN_API_KEY", "OPENROUTER_API_KEY")
    key = api_key or next((environ[name] for name in names if environ.get(name)), "")
    if not (key.isascii() and key.isprintable()):
        raise ValueError("the key holds characters that no key has")
    return Calls(
        url=url,
        key=Secret(key),
        headers=(("User-Agent", f"dragoman-client/{__version__}"), *headers.items()),
        limits=Limits(head_s=timeout_s, idle_s=timeout_s, pool_s=timeout_s),
        retries=retries,
    )


def chat_body(
    wishes: Mapping[str, Any], routing_preference: str | None, fallback_models: Sequence[str]
) -> dict[str, Any]:
    """Return the body of a chat request: `wishes` with the preference and fallbacks added.

    A preference becomes `provider.sort`, where an explicit one wins; fallbacks come after
    the `models` that are named already.
    """
    body = dict(wishes)
    if routing_preference is not None:
        sort = PREFERENCES.get(routing_preference, routing_preference)
        body["provider"] = {"sort": sort, **(body.get("provider") or {})}
    if fallback_models:
        body["models"] = [*(body.get("models") or ()), *fallback_models]
    return body


def _text(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str) or not isinstance(value, Iterable):
        return str(value)
    return ",".join(map(str, value))
