"""A whole answer that comes as a stream: measured, paid and written down as it grows.

A `dragoman.upstream.gatherer.Watch`. What the provider's stream brings is metered like any
stream, so that its hold grows with it, and a worker that dies leaves behind what had come.
"""

from typing import Protocol

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


class Gathered:
    """Watches the answer of one request."""

    __slots__ = ("_turn",)

    def __init__(self, turn: Growing) -> None:
        self._turn = turn

    def begin(self, step: Step) -> None:
        """Learn that an answer begins."""
        self._turn.step = step
        self._turn.follow()

    def take(self, chunks: list[Chunk | Text], now: float) -> GatewayError | None:
        """Measure what came at `now`; return the error that ends it, if it cannot be paid."""
        turn = self._turn
        meter = turn.meter
        for chunk in chunks:
            if isinstance(chunk, Text):
                meter.hear(chunk, now)
            else:
                meter.see(chunk, now)
        return None if turn.tab is None else turn.tab.grown(meter.produced_bytes)

    def void(self) -> None:
        """Forget what came: the answer broke, and what it brought is free."""
        if self._turn.step is not None:
            self._turn.forget()
