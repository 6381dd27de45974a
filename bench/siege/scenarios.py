"""The scenarios: who attacks, for how long, and what honest clients may notice of it."""

from typing import Final

import msgspec

from bench.load import FLOOD, HOLD, PLAIN_20, Load
from bench.siege.hostile import Kind
from bench.siege.settings import BODY, HEAD, STALL, Deadline

STREAMS: Final = 10_000
SPARE_FILES: Final = 1000
HONEST_RATE: Final = 50.0
HONEST_S: Final = 8.0


class Host(msgspec.Struct, frozen=True, kw_only=True):
    """So many of a kind. `deadline` is when each must have been closed; None for never.

    The deadline counts from when a client is found wanting: `lead_s` after it came, when
    what is on its way to it has filled the buffers of the kernel.
    """

    kind: Kind
    count: int
    load: Load = PLAIN_20
    sources: int = 250
    deadline: Deadline | None = None
    lead_s: float = 0.0


class Scenario(msgspec.Struct, frozen=True, kw_only=True):
    """Hosts that attack at the same time, and the limits.

    `honest_p99_ms` is for new connections of honest clients meanwhile, `kb_each` for
    what the gateway's process may hold for each hostile connection. Streams that are idle
    last beyond the first of the comments that keep them alive, each 15 s.
    """

    name: str
    hosts: tuple[Host, ...]
    honest_p99_ms: float
    lasting_s: float = HONEST_S
    kb_each: float | None = None

    @property
    def count(self) -> int:
        """How many connections attack."""
        return sum(host.count for host in self.hosts)


def streams(most_files: int) -> int:
    """Return how many streams a gateway may hold, with two sockets each, of 10,000 wanted."""
    return min(STREAMS, (most_files - SPARE_FILES) // 2)


def scenarios(most_files: int) -> tuple[Scenario, ...]:
    """Return all, for processes that may open so many files."""
    return (
        Scenario(
            name="idle streams",
            hosts=(Host(kind="stream", count=streams(most_files), load=HOLD),),
            honest_p99_ms=50,
            lasting_s=25.0,
            kb_each=60,
        ),
        Scenario(
            name="slow-loris",
            hosts=(
                Host(kind="head", count=2500, deadline=HEAD),
                Host(kind="body", count=2500, deadline=BODY),
            ),
            honest_p99_ms=100,
        ),
        Scenario(
            name="silent connections, one address",
            hosts=(Host(kind="silent", count=5000, sources=1, deadline=HEAD),),
            honest_p99_ms=100,
        ),
        Scenario(
            name="slow readers",
            hosts=(Host(kind="reader", count=100, load=FLOOD, deadline=STALL, lead_s=8.0),),
            honest_p99_ms=100,
            kb_each=256,
        ),
        Scenario(
            name="connection flood",
            hosts=(Host(kind="flood", count=2000),),
            honest_p99_ms=200,
        ),
    )
