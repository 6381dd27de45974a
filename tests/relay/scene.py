"""A desk before hosts in memory: a and b serve `acme/turbo`, a first, at $1 a million in, $2 out.

Everything between a client's request and a host's bytes is the real thing.
"""

import json
from collections.abc import Sequence
from contextlib import aclosing
from random import Random
from typing import Any

import msgspec

from dragoman.access.types import Caller
from dragoman.catalog.types import Catalog, Endpoint, Model
from dragoman.core.clock import Clock
from dragoman.providers.registry import DIALECTS
from dragoman.records.types import Generation
from dragoman.relay.chat import Reply, answer_chat, stream_chat
from dragoman.relay.visit import Desk, Visit
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.failover import Upstream
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.options import UpstreamOptions
from tests.access.fakes import HandClock
from tests.upstream.hosts import Hosts, Script
from tests.upstream.scenery import Calm, chat, credential, provider, step

CALLER = Caller(key_hash="f" * 64, key_name="laptop", key_label="sk-dm-v1-abc...xyz")
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
        self.made: list[Generation] = []
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
            record=self.made.append,
            clock=clock,
            rng=Random(7),
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
        async with aclosing(stream_chat(self.desk, visit)) as events:
            return Heard([event async for event in events])

    async def answer(self, *, routed: bool = False, **body: Any) -> Reply:
        """Serve a request whose answer comes whole."""
        return await answer_chat(self.desk, self.visit(routed=routed, **body))

    async def whole(self, *, routed: bool = False, **body: Any) -> Any:
        """Serve a request whose answer comes whole; return its body."""
        return json.loads((await self.answer(routed=routed, **body)).body)

    @property
    def record(self) -> Generation:
        """The one generation there must be."""
        (made,) = self.made
        return made


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
