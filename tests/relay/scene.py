"""A desk before hosts in memory: a and b serve `acme/turbo`, a first, at $1 a million in, $2 out.

Everything between a client's request and a host's bytes is the real thing.
"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from random import Random
from typing import Any

import msgspec

from dragoman.access.types import Caller
from dragoman.catalog.types import Catalog, Endpoint, Model
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.ledger.acts import Progress, Start
from dragoman.ledger.cashier import Cashier
from dragoman.ledger.purses import Balance, Refusal, Taken, refusal
from dragoman.providers.registry import DIALECTS
from dragoman.records.types import Generation
from dragoman.relay.books import Charge
from dragoman.relay.chat import Reply, answer_chat, stream_chat
from dragoman.relay.linger import Lingers
from dragoman.relay.rounds import Rounds
from dragoman.relay.visit import Desk, Visit
from dragoman.routing.pools import Pools
from dragoman.shaping.targets import Meanings
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.failover import Upstream
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.options import UpstreamOptions
from tests.access.fakes import HandClock
from tests.upstream.hosts import Hosts, Script
from tests.upstream.scenery import Calm, chat, credential, provider, step

CALLER = Caller(key_hash="f" * 64)
WALL = 1_760_000_000.0


class Scene:
    """The desk, the hosts, and the generations that were recorded."""

    def __init__(
        self,
        *endpoints: Endpoint,
        options: UpstreamOptions | None = None,
        **scripts: Script | Sequence[Script],
    ) -> None:
        self.clock = HandClock()
        self.hosts = Hosts(self.clock, **scripts)
        self.health = HealthBoard()
        self.books = ListedBooks()
        self.bank = LedgerInMemory()
        clock = Clock(wall=lambda: WALL, monotonic=self.clock)
        offered = endpoints or tuple(endpoint(slug) for slug in sorted(scripts))
        upstream = Upstream(
            transports={"http": self.hosts},
            dialects=DIALECTS,
            wallet=Wallet(credential(slug) for slug in scripts),
            health=self.health,
            options=options or UpstreamOptions(),
            clock=clock,
            rng=Calm(),
        )
        self.desk = Desk(
            catalog=lambda: catalog(*offered),
            upstream=upstream,
            books=self.books,
            cashier=Cashier(self.bank, "test", clock),
            rounds=Rounds(),
            lingers=Lingers(options or UpstreamOptions()),
            clock=clock,
            rng=Random(7),
            pools=Pools(),
            meanings=Meanings(),
        )

    def visit(self, *, routed: bool = False, **body: Any) -> Visit:
        """Return a request that just came in."""
        return Visit(
            id="gen-1760000000-abcdefghijklmnopqrst",
            caller=CALLER,
            call=chat(**({"provider": {"order": ["a", "b"]}} | body)),
            arrived=self.clock.now,
            created=WALL,
            session_id="session-1",
            referer="https://app.example",
            title="App",
            user_agent="pytest",
            wants_metadata=routed,
        )

    async def stream(self, *, routed: bool = False, **body: Any) -> "Heard":
        """Serve a request as a stream, to its end."""
        visit = self.visit(routed=routed, stream=True, **body)
        ear = Ear()
        await stream_chat(self.desk, visit, ear)
        return Heard(ear.writes)

    async def answer(self, *, routed: bool = False, **body: Any) -> Reply:
        """Serve a request whose answer comes whole."""
        return await answer_chat(self.desk, self.visit(routed=routed, **body))

    async def whole(self, *, routed: bool = False, **body: Any) -> Any:
        """Serve a request whose answer comes whole; return its body."""
        return json.loads((await self.answer(routed=routed, **body)).body)

    @property
    def made(self) -> list[Generation]:
        """The generations on record."""
        return self.books.made

    @property
    def record(self) -> Generation:
        """The one generation there must be."""
        (made,) = self.made
        return made


class ListedBooks:
    """Books in memory."""

    def __init__(self) -> None:
        self.started: list[Start] = []
        self.noted: list[Progress] = []
        self.made: list[Generation] = []
        self.charges: list[Charge] = []
        self.full = False

    def start(self, start: Start) -> None:
        if self.full:
            raise Unavailable("full")
        self.started.append(start)

    def progress(self, progress: Progress) -> None:
        self.noted.append(progress)

    def final(self, made: Generation, charge: Charge) -> None:
        self.made.append(made)
        self.charges.append(charge)


class LedgerInMemory:
    """A bank whose purses are in `balances`: purse -> (limit, spent, leased)."""

    def __init__(self) -> None:
        self.balances: dict[str, list[int]] = {}
        self.taken: list[dict[str, int]] = []
        self.silent = False

    async def take(self, _incarnation: str, wanted: Mapping[str, int]) -> Taken:
        self.taken.append(dict(wanted))
        if self.silent:
            raise Unavailable("silent")
        refused = tuple(
            Refusal(purse, Balance(*self.balances[purse]), reason)
            for purse, amount in wanted.items()
            if (reason := refusal(Balance(*self.balances[purse]), amount)) is not None
        )
        if refused:
            return Taken({}, refused)
        for purse, amount in wanted.items():
            self.balances[purse][2] += amount
        return Taken(dict(wanted))

    async def give_back(self, _incarnation: str, amounts: Mapping[str, int]) -> None:
        for purse, amount in amounts.items():
            self.balances[purse][2] -= amount

    async def disclaim(self, _incarnation: str, purses: tuple[str, ...], _written: int) -> bool:
        for purse in purses:
            self.balances[purse][2] = 0
        return True

    async def renew(self, _incarnation: str) -> None:
        if self.silent:
            raise Unavailable("silent")

    async def purse_changes(self, _since: int) -> tuple[int, tuple[str, ...]]:
        return 1, tuple(self.balances)


class Ear:
    """The outlet to a client. One that `lags` has to be waited for after every write.

    It stops reading at write number `stops_at`.
    """

    def __init__(self, *, lags: bool = False, stops_at: int | None = None) -> None:
        self.writes: list[bytes] = []
        self.waits = 0
        self._lags = lags
        self._stops_at = stops_at
        self._behind = False

    def put(self, events: bytes, now: float) -> bool:  # noqa: ARG002 - the clock is the scene's
        assert not self._behind, "something was put before the client was ready"
        self.writes.append(events)
        self._behind = self._lags or len(self.writes) == self._stops_at
        return not self._behind

    def finish(self, events: bytes) -> None:
        assert not self._behind, "the end came before the client was ready"
        self.writes.append(events)

    async def ready(self) -> None:
        if self._behind:
            self.waits += 1
            try:
                await asyncio.sleep(0)
                if len(self.writes) == self._stops_at:
                    await asyncio.Event().wait()
            finally:
                self._behind = False


class Heard:
    """All that a client was sent of a stream."""

    def __init__(self, writes: list[bytes]) -> None:
        self.writes = writes
        blocks = b"".join(writes).decode().split("\n\n")
        assert blocks.pop() == ""
        assert all(block.startswith("data: ") and "\n" not in block for block in blocks)
        self.data = [block.removeprefix("data: ") for block in blocks]
        self.chunks: list[Any] = [json.loads(each) for each in self.data if each != "[DONE]"]

    @property
    def last(self) -> Any:
        """The last event that is not the mark of the end."""
        return self.chunks[-1]

    @property
    def finished(self) -> bool:
        """Whether the stream ended with the mark."""
        return self.data[-1] == "[DONE]"

    def text(self, index: int = 0) -> str:
        """Return the content of one choice."""
        deltas = (c["delta"] for e in self.chunks for c in e["choices"] if c["index"] == index)
        return "".join(delta.get("content") or "" for delta in deltas)


def endpoint(slug: str, **changes: Any) -> Endpoint:
    """Return an endpoint of `acme/turbo` at a host."""
    return msgspec.structs.replace(step(slug).endpoint, **changes)


def catalog(*endpoints: Endpoint) -> Catalog:
    """Return a catalog with these endpoints of `acme/turbo`. Hosts a and b are always known."""
    model = Model(id="acme/turbo", name="Turbo", created=0, endpoints=endpoints)
    slugs = {"a", "b", *(each.provider for each in endpoints)}
    return Catalog(
        models={model.id: model},
        providers={slug: provider(slug) for slug in slugs},
        provider_names={slug: slug for slug in slugs},
    )
