"""A destination in memory that keeps offsets as a transaction would, and fails on command."""

from collections import defaultdict
from collections.abc import Iterable

from dragoman.core.errors import Unavailable
from dragoman.store.journal.folder import Ending
from dragoman.store.journal.sources import Batch


class Books:
    """What was applied. Of `troubles`, each is had once: before a commit, or after it."""

    def __init__(self, troubles: Iterable[str] = ()) -> None:
        self.troubles = list(troubles)
        self.offsets: defaultdict[str, int] = defaultdict(int)
        self.applied_of: defaultdict[str, list[bytes]] = defaultdict(list)
        self.endings: dict[str, Ending] = {}
        self.batches: list[int] = []
        self.order: list[str] = []

    async def applied(self, incarnation: str) -> int | None:
        self._fail("asked")
        return None if incarnation in self.endings else self.offsets[incarnation]

    async def apply(self, batch: Batch) -> None:
        self._fail("before")
        new = batch.after(self.offsets[batch.incarnation])
        self.batches.append(len(batch.records))
        self.order.append(batch.incarnation)
        self.applied_of[batch.incarnation] += [record.payload for record in new]
        self.offsets[batch.incarnation] = max(self.offsets[batch.incarnation], batch.offset)
        self._fail("after")

    async def end(self, incarnation: str, ending: Ending) -> None:
        self._fail("end")
        assert incarnation not in self.endings, "ended twice"
        self.endings[incarnation] = ending

    def _fail(self, when: str) -> None:
        if self.troubles and self.troubles[0] == when:
            self.troubles.pop(0)
            raise Unavailable("locked")
