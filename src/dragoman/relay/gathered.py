"""A whole answer that comes as a stream: measured, paid and written down as it grows.

A `dragoman.upstream.gatherer.Watch`. What the provider's stream brings is metered like any
stream, so that its hold grows with it, and a worker that dies leaves behind what had come.
"""

from typing import Protocol

from msgspec import Struct

from dragoman.core.errors import GatewayError
from dragoman.relay.meter import Meter
from dragoman.relay.tab import Tab
from dragoman.routing.types import Step
from dragoman.wire.hub import Chunk, Text


class Growing(Protocol):
    """A request whose answer is gathered."""

    meter: Meter
    step: Step | None
    tab: Tab | None

    def follow(self) -> None:
        """Have what came written down each second."""

    def forget(self) -> None:
        """Take what came for nothing."""


class Gathered(Struct, frozen=True):
    """Watches the answer of one request."""

    turn: Growing

    def begin(self, step: Step) -> None:
        """Learn that an answer begins."""
        self.turn.step = step
        self.turn.follow()

    def take(self, chunks: list[Chunk | Text], now: float) -> GatewayError | None:
        """Measure what came at `now`; return the error that ends it, if it cannot be paid."""
        turn = self.turn
        meter = turn.meter
        for chunk in chunks:
            if isinstance(chunk, Text):
                meter.hear(chunk, now)
            else:
                meter.see(chunk, now)
        return None if turn.tab is None else turn.tab.grown(meter.produced_bytes)

    def void(self) -> None:
        """Forget what came: the answer broke, and what it brought is free."""
        if self.turn.step is not None:
            self.turn.forget()
