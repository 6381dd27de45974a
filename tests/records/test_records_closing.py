"""Reports say the same before, while and after speeds are packed, and whatever comes late."""

import asyncio

import pytest
from sqlalchemy import Connection, func, select, text

from dragoman.records import analysis, closing
from dragoman.records.analysis import answer
from dragoman.records.closing import LATE_S, pack
from dragoman.records.faces import SUMS
from dragoman.records.metrics import METRICS, Totals
from dragoman.records.questions import Filter, Question
from dragoman.records.recorder import store
from dragoman.records.retention import forget_sums
from dragoman.records.tables import rollup, speed, speed_page
from dragoman.records.types import Generation
from dragoman.store.sql import Database
from tests.records.samples import DAY_S, sample
from tests.records.test_records_analysis import ALL, END, START, asked, many, values

QUESTIONS = (
    asked(),
    asked(dimensions=("api_key_id",)),
    asked(dimensions=("api_key_id",), granularity="day"),
    asked(dimensions=("model", "variant"), granularity="week"),
    asked(dimensions=("provider",), granularity="hour"),
    asked(dimensions=("endpoint",), start=START + 5 * 3600, end=END - 7 * 3600),
    asked(filters=(Filter(field="api_key_id", operator="eq", values=("0" * 64,)),)),
    asked(filters=(Filter(field="model", operator="neq", values=("acme/m1",)),)),
    asked(dimensions=("external_user", "model"), start=START + DAY_S),
    asked(dimensions=("tag",), granularity="day", metrics=("p50_latency", "p99_throughput")),
    asked(account=None, granularity="month"),
    asked(account="other", dimensions=("api_key_id",)),
)
Found = dict[object, Totals]
LATER = END + LATE_S
"""When all days of what is written here are over."""


async def write(db: Database, *made: Generation) -> None:
    await db.run(lambda connection: store(connection, made))


async def answers(db: Database, questions: tuple[Question, ...] = QUESTIONS) -> list[Found]:
    found: list[Found] = []
    for question in questions:
        lines = (await db.read(answer(question))).lines
        found.append({(line.at, line.values): line.totals for line in lines})
    return found


async def loose(db: Database, before: float = LATER) -> int:
    query = select(func.count()).select_from(speed).where(speed.c.start < before)
    return int(await db.read(lambda connection: connection.execute(query).scalar_one()))


async def pages(db: Database) -> int:
    query = select(func.count()).select_from(speed_page)
    return int(await db.read(lambda connection: connection.execute(query).scalar_one()))


async def pack_all(db: Database, now: float = LATER) -> int:
    steps = 0
    while await db.run(pack(now)):
        steps += 1
    return steps


@pytest.fixture
async def filled(db: Database, monkeypatch: pytest.MonkeyPatch) -> Database:
    monkeypatch.setattr(closing, "ROWS_AT_ONCE", 25)
    await write(db, *many(200))
    return db


async def test_reports_are_the_same_at_every_step(filled: Database) -> None:
    expected, steps = await answers(filled), 0
    assert any(expected)
    while await filled.run(pack(LATER)):
        steps += 1
        if steps % 20 == 0:
            assert await answers(filled) == expected
    assert steps > 40
    assert await loose(filled) == 0
    assert await answers(filled) == expected


async def test_what_comes_late_counts_at_once_and_is_packed_later(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    await pack_all(filled)
    await write(filled, *many(450)[200:])
    assert await loose(filled) > 0
    expected = await answers(filled)
    before = await pages(filled)
    assert await pack_all(filled) > 0
    assert await loose(filled) == 0
    assert await pages(filled) > before
    assert await answers(filled) == expected
    question = asked(dimensions=("api_key_id",))
    from_pages = values((await filled.read(answer(question))).lines, ALL)
    monkeypatch.setattr(analysis, "_face", lambda *_: None)
    from_rows = values((await filled.read(answer(question))).lines, ALL)
    assert from_pages.keys() == from_rows.keys()
    for key, row in from_pages.items():
        assert row == pytest.approx(from_rows[key])


async def test_a_day_is_left_alone_until_it_has_been_over_for_an_hour(filled: Database) -> None:
    assert await pack_all(filled, now=END + LATE_S - 1) > 0
    assert await loose(filled, END - DAY_S) == 0
    today = await loose(filled)
    assert today > 0
    assert await pack_all(filled, now=END + LATE_S - 1) == 0
    assert await pack_all(filled, now=END + LATE_S) > 0
    assert await loose(filled) == 0


async def test_who_writes_meanwhile_loses_nothing(filled: Database) -> None:
    late = [sample(1000 + n, created_at=START + n * 3600, latency_ms=40) for n in range(60)]

    async def write_late() -> None:
        for each in late:
            await write(filled, each)

    before = await answers(filled, (asked(),))
    await asyncio.gather(write_late(), pack_all(filled))
    await pack_all(filled)
    assert await loose(filled) == 0
    found = [counted(each) for each in (*before, *await answers(filled, (asked(),)))]
    assert found[1] == found[0] + 2 * len(late)


def counted(found: Found) -> int:
    return sum(sum(totals.speeds.values()) for totals in found.values())


async def test_what_is_packed_is_forgotten_with_its_day(filled: Database) -> None:
    await pack_all(filled)
    until = START + 2 * DAY_S
    expected = await answers(filled, (asked(dimensions=("api_key_id",), start=until),))
    while await filled.run(forget_sums(until)):
        pass
    assert await answers(filled, (asked(dimensions=("api_key_id",)),)) == expected
    oldest = [select(func.min(table.c.start)) for table in (rollup, speed_page)]
    found = [await filled.read(lambda c, q=each: c.execute(q).scalar_one()) for each in oldest]  # type: ignore[misc]
    assert found == [until, until]


async def test_nothing_is_packed_while_another_node_is_at_it(filled: Database) -> None:
    if await filled.read(lambda connection: connection.dialect.name) == "sqlite":
        return
    held, go_on = asyncio.Event(), asyncio.get_running_loop()

    def hold(connection: Connection) -> None:
        connection.execute(select(func.pg_advisory_xact_lock(closing.LOCK)))
        go_on.call_soon_threadsafe(held.set)
        connection.execute(text("SELECT pg_sleep(1)"))

    other = asyncio.create_task(filled.run(hold))
    await held.wait()
    assert await filled.run(pack(LATER)) is False
    assert await pages(filled) == 0
    await other
    assert await filled.run(pack(LATER)) is True


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_needs_the_sums_that_it_names_and_no_other(name: str) -> None:
    metric = METRICS[name]
    known = frozenset(metric.sums)
    metric.of(Totals([7] * len(SUMS), {}, known))
    for each in known:
        with pytest.raises(KeyError):
            metric.of(Totals([7] * len(SUMS), {}, known - {each}))


async def test_nobody_reads_a_sum_that_was_not_asked_for(filled: Database) -> None:
    (line,) = (await filled.read(answer(asked(metrics=("error_count",))))).lines
    assert line.totals.of("requests") == 200
    assert line.totals.of("errors") > 0
    with pytest.raises(KeyError):
        line.totals.of("cost_nanos")
