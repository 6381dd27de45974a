"""Gathers a stream into a whole answer, for a client that wants it whole.

The first that ends it ends it: its own end, a break, an error in it, or whoever watches it.
"""

from typing import Protocol

from dragoman.core.errors import GatewayError
from dragoman.providers.dialect import Fault
from dragoman.providers.openai.faults import fault_of_stream
from dragoman.routing.types import Step
from dragoman.upstream.faults import AttemptFailed, cut_off, gave_up, nonsense
from dragoman.upstream.stream import UpstreamStream
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, Chunk, Text


class Watch(Protocol):
    """Sees a whole answer that comes as a stream, as it comes."""

    def begin(self, step: Step) -> None:
        """Learn that an answer begins."""

    def take(self, chunks: list[Chunk | Text], now: float) -> GatewayError | None:
        """Learn what came at monotonic time `now`; return the error that ends it, if one must."""

    def void(self) -> None:
        """Forget what came: the answer broke, and another may be tried."""


class Gatherer:
    """Gathers one stream. It may take `most_bytes` of memory, about."""

    __slots__ = ("_error", "_fault", "_gathering", "_most_bytes", "_upstream", "_watch")

    def __init__(self, upstream: UpstreamStream, watch: Watch, most_bytes: int) -> None:
        self._upstream = upstream
        self._watch = watch
        self._gathering = Gathering()
        self._most_bytes = most_bytes
        self._fault: Fault | None = None
        self._error: GatewayError | None = None

    @property
    def complete(self) -> bool:
        """Whether every choice that has begun has ended, and there is one."""
        return self._gathering.complete

    def answer(self) -> Answer:
        """Return what was gathered."""
        return self._gathering.answer()

    async def all_after(self, first: list[Chunk | Text], now: float) -> Answer:
        """Return the whole answer, which begins with `first`, that came at `now`.

        Raises AttemptFailed, and the error that the watch ends it with. A stream that breaks
        when every choice has ended was whole already.
        """
        gathering = self._gathering
        if self._take(first, now):
            try:
                await self._upstream.pour(self._take)
            except AttemptFailed:
                if not gathering.complete:
                    raise
        if self._fault is not None:
            raise AttemptFailed(self._fault)
        if gathering.complete or self._upstream.said_done:
            return gathering.answer()
        raise self._error or AttemptFailed(cut_off())

    def _take(self, chunks: list[Chunk | Text], now: float) -> bool:
        """Take in what came at `now`; say whether more is wanted."""
        gathering = self._gathering
        for chunk in chunks:
            if isinstance(chunk, Text):
                gathering.hear(chunk)
                continue
            fault = fault_in(chunk)
            if fault is None:
                gathering.see(chunk)
            elif not gathering.said_all:
                self._fault = fault
                return False
        if gathering.size > self._most_bytes:
            self._fault = nonsense(f"an answer over {self._most_bytes} bytes")
            return False
        self._error = self._watch.take(chunks, now)
        return self._error is None


def fault_in(chunk: Chunk) -> Fault | None:
    """Return the fault that a chunk tells of, None if it tells of none."""
    if chunk.fault is not None:
        return fault_of_stream(chunk.fault)
    return gave_up() if any(piece.finish_reason == "error" for piece in chunk.pieces) else None
