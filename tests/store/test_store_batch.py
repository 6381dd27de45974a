"""The queue of writes: in order, in batches, bounded, and patient with the store."""

import asyncio
import logging
from collections.abc import Sequence

import pytest

from dragoman.core.errors import Unavailable
from dragoman.store.batch import Batch, BatchOptions

QUICK = BatchOptions(capacity=1000, size=3, interval_s=0.01, longest_pause_s=0.02, closing_s=0.1)


class Shelf:
    """Takes batches; each of `troubles` is raised in turn before that."""

    def __init__(self, *troubles: Exception) -> None:
        self.troubles = list(troubles)
        self.batches: list[list[int]] = []
        self.calls = 0
        self.open = asyncio.Event()
        self.open.set()

    async def write(self, items: Sequence[int]) -> None:
        self.calls += 1
        await self.open.wait()
        if self.troubles:
            raise self.troubles.pop(0)
        self.batches.append(list(items))

    @property
    def items(self) -> list[int]:
        return [item for batch in self.batches for item in batch]


async def until(shelf: Shelf, count: int) -> None:
    async with asyncio.timeout(30):
        while True:
            if len(shelf.items) >= count:
                return
            await asyncio.sleep(0.001)


async def test_flush_writes_what_was_put_in_order_and_in_bounded_batches() -> None:
    shelf = Shelf()
    batch = Batch(shelf.write, QUICK)
    assert all(batch.put(n) for n in range(7))
    assert len(batch) == 7
    await batch.flush()
    assert shelf.batches == [[0, 1, 2], [3, 4, 5], [6]]
    await batch.flush()
    assert shelf.calls == 3, "nothing waits, nothing is written"


async def test_what_does_not_fit_is_dropped_and_counted() -> None:
    shelf = Shelf()
    batch = Batch(shelf.write, BatchOptions(capacity=2))
    assert [batch.put(n) for n in range(4)] == [True, True, False, False]
    assert batch.dropped == 2
    await batch.flush()
    assert shelf.items == [0, 1]
    assert batch.put(9)


async def test_running_writes_a_few_after_a_while_and_many_at_once() -> None:
    shelf = Shelf()
    batch = Batch(shelf.write, QUICK)
    running = asyncio.create_task(batch.run())
    batch.put(0)
    await until(shelf, 1)
    running.cancel()

    patient = Batch(shelf.write, BatchOptions(size=3, interval_s=3600))
    running = asyncio.create_task(patient.run())
    await asyncio.sleep(0)
    for n in range(1, 4):
        patient.put(n)
    await until(shelf, 4)
    running.cancel()
    assert shelf.items == [0, 1, 2, 3]


async def test_an_unavailable_store_is_tried_again_and_order_is_kept() -> None:
    shelf = Shelf(Unavailable("locked"), Unavailable("locked"), Unavailable("locked"))
    batch = Batch(shelf.write, QUICK)
    running = asyncio.create_task(batch.run())
    for n in range(7):
        batch.put(n)
    await until(shelf, 7)
    running.cancel()
    assert shelf.items == list(range(7))
    assert batch.dropped == 0


async def test_flush_says_when_the_store_is_unavailable_and_keeps_the_items() -> None:
    shelf = Shelf(Unavailable("locked"))
    batch = Batch(shelf.write, QUICK)
    batch.put(1)
    with pytest.raises(Unavailable):
        await batch.flush()
    await batch.flush()
    assert shelf.items == [1]


async def test_callers_who_flush_together_share_one_effort() -> None:
    shelf = Shelf(Unavailable("locked"))
    batch = Batch(shelf.write, QUICK)
    batch.put(1)
    results = await asyncio.gather(*(batch.flush() for _ in range(10)), return_exceptions=True)
    assert {type(result) for result in results} == {Unavailable}
    assert shelf.calls == 1


async def test_what_is_put_during_a_flush_is_flushed_for_who_asks_then() -> None:
    shelf = Shelf()
    shelf.open.clear()
    batch = Batch(shelf.write, QUICK)
    batch.put(1)
    first = asyncio.create_task(batch.flush())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    batch.put(2)
    second = asyncio.create_task(batch.flush())
    await asyncio.sleep(0)
    shelf.open.set()
    await second
    assert shelf.items == [1, 2]
    await first


async def test_a_caller_who_leaves_does_not_stop_the_writing() -> None:
    shelf = Shelf()
    shelf.open.clear()
    batch = Batch(shelf.write, QUICK)
    batch.put(1)
    impatient = asyncio.create_task(batch.flush())
    await asyncio.sleep(0.005)
    impatient.cancel()
    await asyncio.gather(impatient, return_exceptions=True)
    shelf.open.set()
    await batch.flush()
    assert shelf.items == [1]
    assert shelf.calls == 1


async def test_a_batch_that_is_refused_for_good_is_dropped_counted_and_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf(ValueError("poison"))
    batch = Batch(shelf.write, QUICK)
    running = asyncio.create_task(batch.run())
    for n in range(5):
        batch.put(n)
    await until(shelf, 2)
    running.cancel()
    assert shelf.items == [3, 4]
    assert batch.dropped == 3
    assert caplog.record_tuples == [("dragoman.store.batch", logging.ERROR, "store.batch.refused")]


async def test_closing_writes_the_rest_through_a_short_silence() -> None:
    shelf = Shelf(Unavailable("locked"), Unavailable("locked"))
    batch = Batch(shelf.write, QUICK)
    for n in range(4):
        batch.put(n)
    await batch.close()
    assert shelf.items == [0, 1, 2, 3]
    await batch.close()
    assert batch.dropped == 0


async def test_closing_with_nothing_to_write_writes_nothing() -> None:
    shelf = Shelf()
    await Batch(shelf.write, QUICK).close()
    assert shelf.calls == 0


async def test_closing_gives_up_in_the_end_and_says_how_much_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    shelf = Shelf(*(Unavailable("locked") for _ in range(1000)))
    batch = Batch(shelf.write, QUICK)
    for n in range(4):
        batch.put(n)
    await batch.close()
    assert (len(batch), batch.dropped, shelf.items) == (0, 4, [])
    assert [record.message for record in caplog.records] == ["store.batch.abandoned"]


async def test_closing_does_not_wait_for_a_write_that_hangs() -> None:
    shelf = Shelf()
    shelf.open.clear()
    batch = Batch(shelf.write, QUICK)
    batch.put(1)
    async with asyncio.timeout(30):
        await batch.close()
    assert batch.dropped == 1


async def test_a_burst_during_a_write_does_not_keep_the_task_spinning_afterwards(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shelf = Shelf()
    shelf.open.clear()
    batch = Batch(shelf.write, QUICK)
    flushes = 0
    flush = batch.flush

    async def counted() -> None:
        nonlocal flushes
        flushes += 1
        await flush()

    monkeypatch.setattr(batch, "flush", counted)
    task = asyncio.create_task(batch.run())
    for n in range(6):
        batch.put(n)
        await asyncio.sleep(0)
    shelf.open.set()
    await until(shelf, 6)
    before = flushes
    for _ in range(50):
        await asyncio.sleep(0)
    assert flushes - before <= 2
    task.cancel()
