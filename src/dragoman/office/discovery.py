"""Asks configured hosts which models they serve, and keeps their last good answers."""

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from functools import partial

from dragoman.catalog.discover import discovered, listed
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import Credential, Hosts
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.types import Model, Provider
from dragoman.net.types import Limits, NetError, Request, Transport

LIMITS = Limits(head_s=5.0, idle_s=5.0, body_bytes=8 * 1024 * 1024)
PATH = "/models"
NEVER_SENT = frozenset({"none", "sigv4", "gcp", "entra"})
"""Ways to let in whose secret is not what is sent."""
WHOLE = {"gemini": "?pageSize=1000"}
"""Dialect -> what makes the list come on one page, where it does not by itself."""

_log = logging.getLogger(__name__)


class Discovery:
    """What the hosts said when last asked. `problems` says who did not answer, and how.

    `known` is what they said to a process before this one.
    """

    def __init__(
        self,
        hosts: Hosts,
        options: Mapping[str, ProviderOptions],
        transport: Transport,
        known: Iterable[Model] = (),
    ) -> None:
        self.problems: dict[str, str] = {}
        self._hosts = hosts
        self._options = options
        self._transport = transport
        self._found = _by_host(known)

    @property
    def models(self) -> tuple[Model, ...]:
        """The models of all hosts, as far as they are known."""
        return tuple(model for slug in sorted(self._found) for model in self._found[slug])

    async def ask(self, slugs: Iterable[str]) -> bool:
        """Ask these hosts once, all at the same time; say whether anything changed."""
        return any(await asyncio.gather(*map(self._ask, sorted(slugs))))

    async def _ask(self, slug: str) -> bool:
        provider = self._hosts.providers[slug]
        options = self._options.get(slug, ProviderOptions())
        credential = next((c for c in self._hosts.credentials if c.provider == slug), None)
        read = listed if slug in self._hosts.listing else discovered
        try:
            body = await fetch_models(self._transport, provider, credential)
            before = self._found.get(slug)
            # In a thread: a list of thousands takes a tenth of a second to read.
            reading = partial(read, provider, options, body)
            found, changed = await asyncio.to_thread(_compared, reading, before)
        except (NetError, CatalogError) as error:
            if self.problems.get(slug) != str(error):
                _log.warning("discovery.failed provider=%s problem=%s", slug, error)
            self.problems[slug] = str(error)
            return False
        self._found[slug] = found
        self.problems.pop(slug, None)
        return changed


def _compared(
    reading: Callable[[], tuple[Model, ...]], before: tuple[Model, ...] | None
) -> tuple[tuple[Model, ...], bool]:
    """Return the models that were read, and whether they are others than before."""
    found = reading()
    return found, found != before


def _by_host(models: Iterable[Model]) -> dict[str, tuple[Model, ...]]:
    """Return what was found before by who told it: all endpoints of such a model are theirs."""
    found: dict[str, list[Model]] = {}
    for model in models:
        found.setdefault(model.endpoints[0].provider, []).append(model)
    return {slug: tuple(theirs) for slug, theirs in found.items()}


async def fetch_models(
    transport: Transport, provider: Provider, credential: Credential | None
) -> bytes:
    """Return a host's own list of models. Raises NetError, also for a refusal."""
    secret = credential.secret.reveal() if credential else ""
    headers = [*provider.headers.items(), ("Accept", "application/json")]
    if secret and provider.auth not in NEVER_SENT:
        bearer = provider.auth == "bearer"
        headers.append(("Authorization", f"Bearer {secret}") if bearer else (provider.auth, secret))
    request = Request(
        method="GET",
        url=provider.base_url + PATH + WHOLE.get(provider.dialect, ""),
        headers=tuple(headers),
    )
    response = await transport.send(request, LIMITS)
    try:
        body = await response.read()
    finally:
        response.close()
    if response.status != 200:
        raise NetError("protocol", f"{PATH} answered {response.status}")
    return body
