"""What the HTTP client is asked, what it answers, and how it fails.

`Transport` is the seam: the pool of real connections fulfils it, and so do the
demo providers and the tests' scripted upstreams.
"""

from collections.abc import AsyncIterator, Callable
from typing import Literal, Protocol

from msgspec import Struct

Phase = Literal[
    "dns", "connect", "proxy", "tls", "refused", "send", "head", "idle", "reset", "eof", "protocol",
    "too_large", "pool",
]  # fmt: skip


STALE_S = 1.0
"""Whoever has closed a connection says so as soon as he is asked over it; later, he was at work."""


class NetError(Exception):
    """A call that broke below HTTP.

    `phase` says where: `dns`, `refused`, `proxy` and `tls` are answers; `connect`, `head`,
    `idle` and `pool` are waits that ran out; `reset` and `eof` are connections that
    ended early, `send` one before anything of the request had left; `protocol` and `too_large`
    are answers nobody can read. `reused` is true when a kept-alive connection died before
    its first byte of an answer, and no later than one dies of age (`STALE_S`): the one case in
    which sending again is worth it. That the peer had not begun is certain for `send` alone.
    """

    def __init__(self, phase: Phase, detail: str, *, reused: bool = False) -> None:
        super().__init__(f"{phase}: {detail}")
        self.phase = phase
        self.detail = detail
        self.reused = reused

    @property
    def timed_out(self) -> bool:
        """Whether a wait ran out, rather than the peer saying no."""
        return self.phase in {"connect", "head", "idle", "pool"}


class Request(Struct, frozen=True, kw_only=True, gc=False):
    """One call. `url` is absolute, `headers` go out as they stand, Host and length are added."""

    method: str
    url: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


class Limits(Struct, frozen=True, kw_only=True):
    """How long each phase may take, in seconds, and how much may come, in bytes."""

    dns_s: float = 2.0
    connect_s: float = 3.0
    tls_s: float = 3.0
    head_s: float = 600.0
    idle_s: float = 60.0
    pool_s: float = 0.5
    head_bytes: int = 16 * 1024
    head_fields: int = 256
    body_bytes: int = 64 * 1024 * 1024


class Response(Protocol):
    """An answer whose head has arrived. Whoever holds it must close it."""

    status: int
    idle_s: float
    """How long it may be silent while somebody waits for it. Whoever holds it may expect less."""

    @property
    def headers(self) -> dict[str, str]:
        """Names in lower case; of repeated headers the last."""

    def chunks(self) -> AsyncIterator[bytes]:
        """Yield the body as it arrives. Raises NetError when it breaks off."""

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        """Hand the body over where it arrives; return whether all of it came.

        It did not when `take` said False, and wants no more: what comes then
        is for the next reader. `take` does not wait; what it raises breaks the body off.
        Raises NetError when it breaks off.
        """

    async def read(self) -> bytes:
        """Return the whole body. Raises NetError when it breaks off or is over the limit."""

    def close(self) -> None:
        """Give the connection back if the body has been read to its end, else cut it."""

    def release(self) -> None:
        """Close an answer whose content is complete though its body has not ended yet.

        What is missing is awaited for a moment, in the background, so that the
        connection can be kept.
        """


class Transport(Protocol):
    """Something that carries a request to an upstream and brings its answer."""

    async def send(self, request: Request, limits: Limits) -> Response:
        """Return the answer once its head is in. Raises NetError."""


class Carrier(Protocol):
    """The connection under an exchange."""

    @property
    def reused(self) -> bool:
        """Whether it has carried an exchange before this one."""

    def pause(self) -> None:
        """Stop reading from the peer."""

    def resume(self) -> None:
        """Go on reading from the peer."""

    def cut(self) -> None:
        """Break the connection off now."""

    def finish(self) -> None:
        """Part from the exchange, to be kept for another one unless cut."""
