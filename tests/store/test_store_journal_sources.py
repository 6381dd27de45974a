"""Where records come from: in parts, and none is lost in between."""

import asyncio
from pathlib import Path

import pytest

from dragoman.store.journal import sources
from dragoman.store.journal.sources import Batch, Source
from dragoman.store.journal.writer import JournalOptions
from tests.store.journal_disk import opened

BODIES = [b"%d" % number for number in range(10)]


@pytest.mark.parametrize("from_file", [False, True])
async def test_who_is_cancelled_while_it_gathers_loses_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, from_file: bool
) -> None:
    monkeypatch.setattr(sources, "GATHERED_AT_ONCE", 1)
    with opened(tmp_path, options=JournalOptions(feed_bytes=0 if from_file else 1 << 20)) as own:
        for body in BODIES:
            own.append(body)
        own.write()
        source = Source(own.path, "node-1", None, own)
        for turns in range(1, 5):
            gathering = asyncio.create_task(source.next(9))
            for _ in range(turns):
                await asyncio.sleep(0)
            gathering.cancel()
            await asyncio.wait([gathering])
        batch = await source.next(9)
        assert isinstance(batch, Batch)
        assert [record.payload for record in batch.records] == BODIES[:9]
