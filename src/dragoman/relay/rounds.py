"""The rounds: each second, what every stream under way has brought so far is written down."""

import asyncio
from typing import Protocol

from dragoman.store.turns import Pace

ROUND_S = 1.0


class Streaming(Protocol):
    """A request whose answer is on its way."""

    def note_progress(self) -> None:
        """Write down what came so far, unless nothing came since."""


class Rounds:
    """The streams under way."""

    def __init__(self) -> None:
        self._streams: dict[Streaming, None] = {}

    @property
    def under_way(self) -> tuple[Streaming, ...]:
        """The streams that are looked after."""
        return tuple(self._streams)

    def begin(self, stream: Streaming) -> None:
        """Look after a stream from now on."""
        self._streams[stream] = None

    def end(self, stream: Streaming) -> None:
        """Look after it no more."""
        self._streams.pop(stream, None)

    async def run(self) -> None:
        """Go round, until cancelled."""
        while True:
            await asyncio.sleep(ROUND_S)
            pace = Pace()
            for stream in self.under_way:
                stream.note_progress()
                await pace.keep()
