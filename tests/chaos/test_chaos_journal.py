"""Writers are killed at any moment: what they had acknowledged is read back, all of it, once."""

import asyncio
import sys
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Final

from dragoman.core.errors import Unavailable
from dragoman.store.journal.applier import Applier, ApplierOptions
from dragoman.store.journal.folder import Ending
from dragoman.store.journal.sources import Batch
from tests.chaos import journal_writer

KILLS: Final = 20
TOGETHER: Final = 4
ROOT: Final = Path(__file__).parents[2]


class Books:
    """Keeps what is applied, and is unavailable now and then, before or after it counts."""

    def __init__(self, random: Random) -> None:
        self.random = random
        self.records: defaultdict[str, list[bytes]] = defaultdict(list)
        self.offsets: defaultdict[str, int] = defaultdict(int)
        self.ended: dict[str, Ending] = {}

    async def applied(self, incarnation: str) -> int | None:
        return None if incarnation in self.ended else self.offsets[incarnation]

    async def apply(self, batch: Batch) -> None:
        if self.random.random() < 0.02:
            raise Unavailable("before")
        for record in batch.after(self.offsets[batch.incarnation]):
            self.records[batch.incarnation].append(record.payload)
        self.offsets[batch.incarnation] = batch.offset
        if self.random.random() < 0.02:
            raise Unavailable("after")

    async def end(self, incarnation: str, ending: Ending) -> None:
        self.ended[incarnation] = ending


async def killed_writer(root: Path, random: Random) -> tuple[str, int]:
    """Let a writer work for a moment, kill it, and return what it acknowledged last."""
    writer = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        journal_writer.__name__,
        root,
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    assert writer.stdout is not None
    try:
        lines = [await writer.stdout.readline()]
        await asyncio.sleep(random.random() / 10)
    finally:
        writer.kill()
    lines += (await writer.stdout.read()).splitlines(keepends=True)
    await writer.wait()
    incarnation, count = next(line for line in reversed(lines) if line.endswith(b"\n")).split()
    return incarnation.decode(), int(count)


async def test_what_was_acknowledged_before_a_kill_is_applied_once(tmp_path: Path) -> None:
    random = Random(0)
    books = Books(random)
    eager = ApplierOptions(interval_s=0.001, longest_pause_s=0.002, adoption_s=0.01)
    applying = asyncio.create_task(Applier(tmp_path, "node-1", books, options=eager).run())
    acknowledged: dict[str, int] = {}
    for _ in range(KILLS // TOGETHER):
        writers = [killed_writer(tmp_path, random) for _ in range(TOGETHER)]
        acknowledged |= dict(await asyncio.gather(*writers))
    async with asyncio.timeout(60):
        while books.ended.keys() < acknowledged.keys():
            assert not applying.done()
            await asyncio.sleep(0.01)
    applying.cancel()
    await asyncio.gather(applying, return_exceptions=True)
    assert len(acknowledged) == KILLS
    for incarnation, count in acknowledged.items():
        records = books.records[incarnation]
        assert len(records) >= count
        assert records == [journal_writer.body(number) for number in range(len(records))]
    assert any(len(list((tmp_path / name).glob("*.journal"))) > 1 for name in acknowledged)
