"""What is done beside the requests: here, that days which are over are packed and reports stay."""

from sqlalchemy import func, select

from dragoman.core.clock import Clock
from dragoman.office.housekeeping import Housekeeping
from dragoman.records.options import RecordsOptions
from dragoman.records.questions import Question
from dragoman.records.reader import Reader
from dragoman.records.recorder import store
from dragoman.records.tables import speed, speed_page
from dragoman.store.sql import Database
from tests.records.samples import DAY_S, NOON, sample


async def test_days_that_are_over_are_packed_and_reports_stay(records_db: Database) -> None:
    made = [sample(n, created_at=NOON - n * DAY_S, latency_ms=100 * n + 1) for n in range(3)]
    await records_db.run(lambda connection: store(connection, made))
    question = Question(
        account="default",
        metrics=("request_count", "p50_latency", "p99_latency"),
        dimensions=("api_key_id",),
        start=NOON - 5 * DAY_S,
        end=NOON,
    )
    before = await Reader(records_db).answer(question)
    keeping = Housekeeping(
        records=records_db, options=RecordsOptions(), clock=Clock(wall=lambda: NOON), pause_s=0
    )
    await keeping.tidy()
    assert (await Reader(records_db).answer(question)).lines == before.lines
    today = NOON // DAY_S * DAY_S
    oldest = select(func.min(speed.c.start))
    assert await records_db.read(lambda c: c.execute(oldest).scalar_one()) == today
    latest = select(func.max(speed_page.c.start))
    assert await records_db.read(lambda c: c.execute(latest).scalar_one()) < today
