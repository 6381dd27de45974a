"""Fresh records on their way to an applier in the same process, so that no file is read again.

Bounded: what does not fit is left out, and the applier reads it from the file.
"""

import asyncio
from collections import deque

from dragoman.store.journal.frames import Record
from dragoman.store.journal.tail import Chunk

CAPACITY_BYTES = 8 << 20


class Feed:
    """The newest records of one journal, as far as there is room. Put in order, read by offset."""

    def __init__(self, capacity_bytes: int = CAPACITY_BYTES) -> None:
        self._capacity = capacity_bytes
        self._chunks: deque[Chunk] = deque()
        self._held = 0
        self.fresh = asyncio.Event()
        """Set with every chunk; whoever waits for it clears it."""

    def put(self, chunk: Chunk) -> None:
        """Offer a chunk. Without room it is left out."""
        self.fresh.set()
        held = self._held + chunk.end - chunk.start
        if held <= self._capacity:
            self._held = held
            self._chunks.append(chunk)

    def take(self, offset: int, most: int) -> list[Record]:
        """Return up to `most` records from `offset` on; none if the next one is not here.

        What lies before `offset` is forgotten.
        """
        chunks = self._chunks
        records: list[Record] = []
        while chunks and len(records) < most and chunks[0].start <= offset:
            chunk = chunks.popleft()
            here, end = chunk.records, chunk.end
            if chunk.start < offset:  # some of it was taken before
                here = [record for record in here if record.offset > offset]
            room = most - len(records)
            if len(here) > room:
                rest, here = here[room:], here[:room]
                end = here[-1].offset
                chunks.appendleft(Chunk(end, chunk.end, rest))
            if here:
                records += here
                offset = end
            self._held -= end - chunk.start
        return records
