"""What a writer has appended: which part waits, and which part may not be on disk yet.

Positions are offsets, and always synced <= taken <= appended. What was taken
(handed to the kernel, or at least tried) is kept until it is known to be on
disk, so that it can be written again to another file when this one fails.
"""

from collections import deque
from collections.abc import Sequence
from itertools import chain

from msgspec import Struct

from dragoman.store.journal.frames import FRAME_BYTES, Record, frame, salt_of


class Chunk(Struct, frozen=True, gc=False):
    """Records that were taken together: where they begin, and end, and what is in them."""

    start: int
    end: int
    records: Sequence[Record]


class Tail:
    """The end of one journal, from what is surely on disk to what was appended last."""

    __slots__ = ("_kept", "_pieces", "_records", "_salt", "appended", "synced", "taken")

    def __init__(self, incarnation: str) -> None:
        self._salt = salt_of(incarnation)
        self._pieces: list[bytes] = []
        self._records: list[Record] = []
        self._kept: deque[tuple[int, bytes]] = deque()
        self.appended = 0
        self.taken = 0
        self.synced = 0

    @property
    def waiting(self) -> bool:
        """Whether something was appended since the last `take`."""
        return self.appended != self.taken

    @property
    def unsynced(self) -> int:
        """How many bytes are held here, since they may not be on disk."""
        return self.appended - self.synced

    def append(self, payload: bytes) -> int:
        """Add a record and return the offset behind it."""
        begins = self.appended
        self._pieces += (frame(payload, self._salt, begins), payload)
        self.appended = end = begins + FRAME_BYTES + len(payload)
        self._records.append(Record(end, payload))
        return end

    def take(self) -> tuple[Chunk, bytes]:
        """Return what was appended since the last time, and its bytes, kept until it is synced."""
        start, end, records = self.taken, self.appended, self._records
        data = b"".join(self._pieces)
        self._pieces, self._records = [], []
        self._kept.append((end, data))
        self.taken = end
        return Chunk(start, end, records), data

    def sync(self, offset: int) -> None:
        """Learn that everything taken before `offset`, the `taken` of some moment, is on disk."""
        kept = self._kept
        while kept and kept[0][0] <= offset:
            kept.popleft()
        self.synced = offset

    def again(self) -> bytes:
        """Return all that was taken and is not known to be on disk; it begins at `synced`."""
        return b"".join(chain(data for _, data in self._kept))
