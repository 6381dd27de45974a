"""A request on arrival, and the desk that serves it."""

from collections.abc import Callable
from random import Random
from typing import Protocol

from msgspec import Struct, field

from dragoman.access.permits import FreeRequests, Permit
from dragoman.access.types import Caller
from dragoman.catalog.types import Catalog
from dragoman.core.clock import Clock
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.cashier import Cashier
from dragoman.ledger.margin import Margins
from dragoman.ledger.options import LedgerOptions
from dragoman.records.content import Content
from dragoman.relay.books import Books
from dragoman.relay.linger import Lingers, Stays
from dragoman.relay.rounds import Rounds
from dragoman.relay.warmth import Warmth
from dragoman.routing.pools import Pools
from dragoman.shaping.targets import Meanings
from dragoman.upstream.failover import Upstream
from dragoman.wire.chat import ChatCall
from dragoman.wire.chat_dialect import CHAT
from dragoman.wire.dialect import ClientDialect


class Visit(Struct, frozen=True, kw_only=True):
    """One request: who asks, what for, and what its headers say. `arrived` is monotonic."""

    id: str
    caller: Caller
    call: ChatCall
    arrived: float
    created: float
    dialect: ClientDialect = CHAT
    """What its client speaks."""
    session_id: str | None = None
    referer: str | None = None
    title: str | None = None
    user_agent: str | None = None
    wants_metadata: bool = False
    wants_cache: bool = False
    """Whether it may be answered with what an equal request was: nothing does that yet."""
    wants_replay: bool = False
    """Whether it may be answered with what the same one was before: nothing does that yet."""
    left: Callable[[], bool] = lambda: True
    """Whether the client has hung up: asked when the request is cancelled, which may
    also mean that the server stops."""
    on_leave: Callable[[Stays], None] = lambda _: None
    """Takes what is asked when the client hangs up, before the request is cancelled."""
    permit: Permit | None = None
    """What its rate limits gave it, where there are any. Whoever made the visit closes it."""


class Shelves(Protocol):
    """Where what was said goes, of accounts that let it be stored."""

    def put(self, content: Content) -> None:
        """Have it kept, if there is room. Never blocks, never fails."""


class Desk(Struct, frozen=True, kw_only=True):
    """What requests are served with. The catalog is read once per request."""

    catalog: Callable[[], Catalog]
    upstream: Upstream
    books: Books
    cashier: Cashier
    rounds: Rounds
    lingers: Lingers
    clock: Clock
    rng: Random
    pools: Pools
    meanings: Meanings
    byok: ByokOptions = ByokOptions()
    ledger: LedgerOptions = LedgerOptions()
    margins: Margins = field(default_factory=Margins)
    warmth: Warmth = field(default_factory=Warmth)
    free: FreeRequests | None = None
    """Counts requests to free endpoints, where they are limited."""
    contents: Shelves | None = None
    """Without it nothing that was said is kept, whatever accounts want."""
