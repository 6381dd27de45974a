"""Fresh records on their way to an applier in the same process, so that no file is read again.

Bounded: what does not fit is left out, and the applier reads it from the file.
"""

import asyncio
from collections import deque

from dragoman.store.journal.frames import FRAME_BYTES, Record
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
        size = chunk.end - chunk.start
        if self._held + size <= self._capacity:
            self._held += size
            self._chunks.append(chunk)

    def take(self, offset: int, most: int) -> list[Record]:
        """Return up to `most` records from `offset` on; none if the next one is not here.

        What lies before `offset` is forgotten.
        """
        chunks = self._chunks
        records: list[Record] = []
        while chunks and len(records) < most and chunks[0].start <= offset:
            chunk = chunks.popleft()
            end = chunk.start
            for number, payload in enumerate(chunk.payloads):
                if len(records) == most:
                    chunks.appendleft(Chunk(end, chunk.end, chunk.payloads[number:]))
                    break
                end += FRAME_BYTES + len(payload)
                if end > offset:  # else it was taken before
                    records.append(Record(end, payload))
            offset = max(offset, end)
            self._held -= end - chunk.start
        return records
