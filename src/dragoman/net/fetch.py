"""The fetch of addresses that users give, and the post to them: neither reaches an inner network.

A URL is read once, its host is resolved once, every address found must be public, and
the connection goes to one of those and no other: a name that means something else the
second time (DNS rebinding) is not asked a second time. Redirects are followed by the
same rules, and by a post never. No proxy is used, since it would resolve the name
itself; nothing that could tell who asks is sent.
"""

import asyncio
import re
from collections.abc import Callable, Collection, Coroutine, Sequence
from contextlib import suppress
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any, Literal, TypeVar
from urllib.parse import urljoin

from msgspec import Struct

from dragoman.core.clock import Clock
from dragoman.net.addresses import Address, address_of, is_public, literal
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.media import is_of, may_be, media_type_of
from dragoman.net.options import FetchOptions
from dragoman.net.resolver import Resolver, SystemResolver
from dragoman.net.types import Limits, NetError, Request, Response
from dragoman.net.url import Location, locate

T = TypeVar("T")

_NAME = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?\.?")

Headers = tuple[tuple[str, str], ...]
Reason = Literal["url", "address", "redirect", "status", "kind", "size", "time", "network"]

_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_KEEPALIVE_S = 5.0
_PER_HOST = 8
_BODY_S = 1.0
_IN_ALL = 64


class FetchRefused(Exception):
    """What was asked for was not fetched. The detail is for the operator's log alone.

    A stranger who is told more than that it failed can map the network behind us.
    """

    def __init__(self, reason: Reason, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


class Fetched(Struct, frozen=True):
    """What was found: where, the bytes, and the media type that those show, lower case."""

    url: str
    media_type: str
    body: bytes


class Permit:
    """What may be connected to, by the operator's settings."""

    __slots__ = ("_names", "_networks", "_options")

    def __init__(self, options: FetchOptions) -> None:
        self._options = options
        self._names: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in options.allow:
            try:
                self._networks.append(ip_network(entry, strict=False))
            except ValueError:
                if not _NAME.fullmatch(entry):
                    form = "a host name, an address or a network, without scheme and port"
                    raise ValueError(f"`allow`: {entry!r} is not {form}") from None
                self._names.add(entry.lower().rstrip("."))

    def location(self, url: str) -> Location:
        """Return the parts of a URL that may be fetched. Raises FetchRefused."""
        try:
            location = locate(url)
            address = literal(location.origin.host)
        except ValueError as error:
            raise FetchRefused("url", str(error)) from None
        origin = location.origin
        if origin.scheme != "https" and not self._options.allow_http:
            raise FetchRefused("url", "only https is fetched")
        usual_http = origin.scheme == "http" and origin.port == 80
        if origin.port not in self._options.ports and not usual_http:
            raise FetchRefused("url", f"port {origin.port} is not fetched from")
        if address is None and not all(origin.host.split(".")):
            raise FetchRefused("url", "a host name has no empty parts")
        if address is not None and not self._admits(address):
            raise FetchRefused("address", f"{address} is not public")
        return location

    def check(self, host: str, addresses: Collection[str]) -> None:
        """Raise FetchRefused unless every address of `host` may be connected to."""
        if host in self._names:
            return
        for text in addresses:
            address = address_of(text)
            if address is None or not self._admits(address):
                raise FetchRefused("address", f"{host} is at {text}, which is not public")

    def _admits(self, address: Address) -> bool:
        return is_public(address) or any(address in network for network in self._networks)


class SafeFetch:
    """Fetches what users name. Its owner runs `run` while it is in use, and `aclose` at the end."""

    def __init__(
        self,
        clock: Clock,
        options: FetchOptions,
        *,
        ca_file: str | None = None,
        resolve: Resolver | None = None,
    ) -> None:
        self._options = options
        self._permit = Permit(options)
        self._resolve = resolve or SystemResolver()
        self._client = HttpClient(
            clock,
            ca_file=ca_file,
            pool=PoolOptions(per_host=_PER_HOST, total=_IN_ALL, keepalive_s=_KEEPALIVE_S),
            resolve=self._resolved,
        )
        self._limits = Limits(
            head_s=options.timeout_s, idle_s=options.timeout_s, body_bytes=options.max_bytes
        )

    async def run(self) -> None:
        """Keep the deadlines, until cancelled."""
        await self._client.run()

    async def aclose(self) -> None:
        """Cut every connection, and wait until they are gone."""
        await self._client.aclose()

    async def fetch(self, url: str, kinds: tuple[str, ...]) -> Fetched:
        """Return what is at `url`, if it is of one of the media types `kinds`.

        `image/` stands for all images that are told by their first bytes. Raises
        FetchRefused, and nothing else.
        """
        return await self._in_time(self._follow(url, kinds))

    async def post(self, url: str, headers: Headers, body: bytes) -> int:
        """Send `body` to `url`; return the status of the answer, whatever it is.

        A redirect is an answer, and not followed. Of the answer's body no more is read than
        `max_bytes`, for a second, and nothing kept. Raises FetchRefused, and nothing else.
        """
        return await self._in_time(self._post(url, headers, body))

    def check(self, url: str) -> None:
        """Raise FetchRefused for a URL that would be refused before its name is resolved."""
        self._permit.location(url)

    async def _in_time(self, work: Coroutine[Any, Any, T]) -> T:
        try:
            async with asyncio.timeout(self._options.timeout_s):
                return await work
        except TimeoutError:
            detail = f"not there within {self._options.timeout_s:g} s"
            raise FetchRefused("time", detail) from None
        except NetError as error:
            reason: Reason = "time" if error.timed_out else "network"
            reason = "size" if error.phase == "too_large" else reason
            raise FetchRefused(reason, str(error)) from error

    async def _post(self, url: str, headers: Headers, body: bytes) -> int:
        self._permit.location(url)
        request = Request(method="POST", url=url, headers=headers, body=body)
        response = await self._client.send(request, self._limits)
        try:  # a connection whose body was read can be kept; the status counts in any case
            with suppress(NetError, TimeoutError):
                async with asyncio.timeout(_BODY_S):
                    await response.pour(_counting(self._options.max_bytes))
        finally:
            response.close()
        return response.status

    async def _follow(self, url: str, kinds: tuple[str, ...]) -> Fetched:
        for _ in range(self._options.redirects + 1):
            self._permit.location(url)
            request = Request(method="GET", url=url, headers=(("Accept", _accept(kinds)),))
            response = await self._client.send(request, self._limits)
            try:
                if response.status not in _REDIRECTS:
                    return await self._read(url, response, kinds)
                url = _next(url, response)
            finally:
                response.close()
        raise FetchRefused("redirect", f"more than {self._options.redirects} redirects")

    async def _read(self, url: str, response: Response, kinds: tuple[str, ...]) -> Fetched:
        if response.status != 200:
            raise FetchRefused("status", f"the host answered {response.status}")
        headers = response.headers
        said = headers.get("content-type", "").partition(";")[0].strip().lower()
        if not may_be(said, kinds):
            raise FetchRefused("kind", f"the host sent {said!r}")
        announced = headers.get("content-length", "0")
        if int(announced) > self._options.max_bytes:
            raise FetchRefused("size", f"{announced} bytes are too many")
        body = await response.read()
        media_type = media_type_of(said, body)
        if not is_of(media_type, kinds):
            raise FetchRefused("kind", f"{media_type or 'nothing known'}, called {said!r}")
        return Fetched(url, media_type, body)

    async def _resolved(self, host: str, port: int) -> Sequence[str]:
        """Resolve for the client, which connects to what this returns and asks nobody else."""
        addresses = await self._resolve(host, port)
        self._permit.check(host, addresses)
        return addresses


def _counting(most: int) -> Callable[[bytes], bool]:
    """Return what takes a body that nobody reads, and has enough of it after so many bytes."""
    left = most

    def take(chunk: bytes) -> bool:
        nonlocal left
        left -= len(chunk)
        return left > 0

    return take


def _accept(kinds: tuple[str, ...]) -> str:
    return ", ".join(f"{kind}*" if kind.endswith("/") else kind for kind in kinds)


def _next(url: str, response: Response) -> str:
    """Return where a redirect leads. Its fragment is for browsers (RFC 9110, 10.2.2)."""
    target = response.headers.get("location", "")
    if not target:
        raise FetchRefused("redirect", f"{response.status} that leads nowhere")
    try:
        return urljoin(url, target).partition("#")[0]
    except ValueError:
        raise FetchRefused("redirect", "to what is no URL") from None
