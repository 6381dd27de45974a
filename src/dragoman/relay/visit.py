"""A request on arrival, and the desk that serves it."""

from collections.abc import Callable
from random import Random

from msgspec import Struct

from dragoman.access.types import Caller
from dragoman.catalog.types import Catalog
from dragoman.core.clock import Clock
from dragoman.records.types import Generation
from dragoman.upstream.failover import Upstream
from dragoman.wire.chat import ChatCall


class Visit(Struct, frozen=True, kw_only=True):
    """One request: who asks, what for, and what its headers say. `arrived` is monotonic."""

    id: str
    caller: Caller
    call: ChatCall
    arrived: float
    created: float
    session_id: str | None = None
    referer: str | None = None
    title: str | None = None
    user_agent: str | None = None
    wants_metadata: bool = False
    left: Callable[[], bool] = lambda: True
    """Whether the client has hung up: asked when the request is cancelled, which may
    also mean that the server stops."""


class Desk(Struct, frozen=True, kw_only=True):
    """What requests are served with. The catalog is read once per request."""

    catalog: Callable[[], Catalog]
    upstream: Upstream
    record: Callable[[Generation], None]
    clock: Clock
    rng: Random
