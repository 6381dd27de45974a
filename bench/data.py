"""Ten million generations: what lists and reports take over them, and what forgetting some costs.

`python -m bench.data [--rows N] [--only sqlite|postgresql]` fills a database of each kind by
SQL (through a journal it would take an hour), packs the speeds of all days but the last, as a
server does that runs, measures through the code that serves the API, and
prints a table; results go to `bench/results/data.json`. PostgreSQL is the server that
`DRAGOMAN_TEST_DATABASE_URL` names, else that of the wheel the tests use, not tuned.
"""

import argparse
import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec
from msgspec.structs import replace
from sqlalchemy import Connection, text

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.office.activity import activity_body, activity_question
from dragoman.office.analytics import query_body, question, read_query
from dragoman.office.housekeeping import Housekeeping
from dragoman.records import partitions, trail
from dragoman.records.closing import LATE_S, pack
from dragoman.records.faces import DAY_S, HOUR_S, SUMS
from dragoman.records.migrations import MIGRATIONS, ROOM
from dragoman.records.options import RecordsOptions
from dragoman.records.reader import Reader, Wanted
from dragoman.records.recorder import store
from dragoman.records.tables import series
from dragoman.records.types import Generation
from dragoman.store.bulk import insert_rows
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.postgres import PostgresDatabase, make_schema
from dragoman.store.sql import Database, be_patient
from dragoman.store.sqlite import LARGE_PAGE, SqliteDatabase
from tests import postgres

DAYS: Final = 31
KEYS: Final = 500
ENDPOINTS: Final = 40
PER_KEY: Final = 4
RARE_EVERY: Final = 100_003
"""Every so many generations one is of the rarest key."""
NARROW: Final = 1_000_000
TIMES: Final = 5
LIMIT_MS: Final = 300
RESULTS: Final = Path(__file__).parent / "results" / "data.json"

# A cheap dice: the same numbers in both databases.
DICE = "((n * 2654435761) % 4294967296)"
KEY = (
    f"CASE WHEN n % {RARE_EVERY} = 7 THEN 0"
    f" ELSE 1 + (({DICE} / 4096 % 997) * ({DICE} / 65536 % 499)) % {KEYS - 1} END"
)


def key_hash(number: int) -> str:
    """Return the hash of a key by its number; 0 is the rarest."""
    return f"{number * 7919 + 11:08x}" * 8


def endpoint_of(key: int, choice: int) -> int:
    return (key * 7 + choice) % ENDPOINTS


def fill(database: Database, rows: int, end: int) -> None:
    """Write `rows` generations of the days before `end`, and all that is kept of them."""
    database.run_now(lambda connection: migrate(connection, ROOM, MIGRATIONS, 0.0))
    for day in range(DAYS + 1):
        at = end - day * DAY_S
        database.run_now(lambda connection, at=at: partitions.prepare(connection, at))  # type: ignore[misc]
    database.run_now(_write_series)
    for day in range(DAYS):
        span = (day * rows // DAYS, (day + 1) * rows // DAYS)
        start = end - (DAYS - day) * DAY_S
        database.run_now(lambda c, span=span, start=start: _write_day(c, span, start))  # type: ignore[misc]
    if isinstance(database, SqliteDatabase):
        while not database.run_now(trail.extend):
            pass
        database.run_now(lambda c: c.execute(text("ANALYZE")))
    else:
        database.run_now(_vacuumed)


def close(database: Database, end: int) -> dict[str, float]:
    """Pack the speeds of all days but the last; return how long it took, the longest step, too."""
    steps, more = [], True
    while more:
        began = time.perf_counter()
        more = database.run_now(pack(end - DAY_S + LATE_S))
        steps.append(time.perf_counter() - began)
    return {"seconds": sum(steps), "longest step, ms": max(steps) * 1000, "steps": len(steps)}


def _vacuumed(connection: Connection) -> None:
    be_patient(connection)
    connection.execute(text("ANALYZE"))


def _write_series(connection: Connection) -> None:
    wide = [
        (key * PER_KEY + choice, "default", key_hash(key), *_endpoint(endpoint_of(key, choice)))
        for key in range(KEYS)
        for choice in range(PER_KEY)
    ]
    narrow = [(NARROW + number, "default", "", *_endpoint(number)) for number in range(ENDPOINTS)]
    insert_rows(connection, series, wide + narrow)


def _endpoint(number: int) -> tuple[str, ...]:
    model, provider = f"author{number % 7}/model-{number % 25}", f"provider-{number % 12}"
    return (model, provider, provider.title(), f"{provider}|{model}", "", "")


def _write_day(connection: Connection, span: tuple[int, int], start: int) -> None:
    """Write the generations from `span[0]` to `span[1]`, evenly over the day that begins then."""
    be_patient(connection)
    sqlite = connection.dialect.name == "sqlite"
    first, last = span
    if last == first:
        return
    numbers = (
        "WITH RECURSIVE numbers(n) AS (SELECT :first UNION ALL"
        " SELECT n + 1 FROM numbers WHERE n < :last - 1)"
        if sqlite
        else "WITH numbers AS (SELECT generate_series(CAST(:first AS bigint), :last - 1) AS n)"
    )
    thrown = (
        f"{numbers}, thrown AS (SELECT n, {DICE} AS d, {KEY} AS k,"
        f" CAST({start} AS bigint) + (n - :first) * {DAY_S} / (:last - :first) AS at FROM numbers)"
    )
    wide = f"k * {PER_KEY} + d / 64 % {PER_KEY}"
    narrow = f"{NARROW} + (k * 7 + d / 64 % {PER_KEY}) % {ENDPOINTS}"
    asked = {"first": first, "last": last}
    connection.execute(text(_generations(thrown, wide)), asked)
    for face, length, id_ in ((3, DAY_S, wide), (2, DAY_S, narrow), (1, HOUR_S, narrow)):
        group = f"{face}, at / {length} * {length}, {id_}"
        sums = ", ".join(_SUMS.get(name, "0") for name in SUMS)
        connection.execute(
            text(
                f"INSERT INTO rollup (face, start, series, {', '.join(SUMS)}) {thrown}"
                f" SELECT {group}, {sums} FROM thrown GROUP BY 1, 2, 3"
            ),
            asked,
        )
        for code in ("40 + d / 128 % 16", "256 + 50 + d / 256 % 16", "512 + 20 + d / 512 % 16"):
            connection.execute(
                text(
                    f"INSERT INTO speed (face, start, series, code, requests) {thrown}"
                    f" SELECT {group}, {code}, count(*) FROM thrown GROUP BY 1, 2, 3, 4"
                ),
                asked,
            )
    date = time.strftime("%Y-%m-%d", time.gmtime(start))
    usage = (
        f"SELECT s.key_hash, CAST('{date}' AS {'text' if sqlite else 'date'}), count(*), 900, 90,"
        f" sum(1000), max(at) FROM thrown JOIN series s ON s.id = {wide} GROUP BY 1"
    )
    connection.execute(
        text(
            "INSERT INTO key_usage (key_hash, day, requests, prompt_tokens, completion_tokens,"
            f" cost_nanos, last_at) {thrown} {usage}"
        ),
        asked,
    )


_SUMS = {
    "requests": "count(*)",
    "errors": "sum(CASE WHEN d / 1024 % 50 = 0 THEN 1 ELSE 0 END)",
    "fallbacks": "sum(CASE WHEN d / 2048 % 30 = 0 THEN 1 ELSE 0 END)",
    "prompt_tokens": "sum(d / 32 % 4000)",
    "completion_tokens": "sum(d / 16 % 900)",
    "cost_nanos": "sum(1000 + d % 1000000)",
    "timed": "count(*)",
    "latency_ms": "sum(100 + d / 128 % 1500)",
    "generation_ms": "sum(500)",
    "generated_tokens": "sum(d / 16 % 900)",
}


def _generations(thrown: str, wide: str) -> str:
    return (
        "INSERT INTO generation (id, created_at, key_hash, requested, model, provider,"
        " provider_name, endpoint, upstream_id, api_type, strategy, streamed, cancelled, status,"
        " finish_reason, usage, cost_nanos, price_known, latency_ms, generation_ms, attempts,"
        f" notes, tags, account) {thrown} SELECT 'gen-' || at || '-' || n || d, at, s.key_hash,"
        " s.model, s.model, s.provider, s.provider_name, s.endpoint, 'chatcmpl-' || d,"
        " 'completions', 'direct', true, false,"
        " CASE WHEN d / 1024 % 50 = 0 THEN 502 ELSE 200 END, 'stop',"
        """ '{"prompt":' || (d / 32 % 4000) || ',"completion":' || (d / 16 % 900) || '}',"""
        " 1000 + d % 1000000, true, 100 + d / 128 % 1500, 500, '[]', '[]', '{}', s.account"
        f" FROM thrown JOIN series s ON s.id = {wide}"
    )


Question = Callable[[], Awaitable[object]]


def questions(database: Database, end: int) -> dict[str, Question]:
    """Return what is measured, by its name."""
    reader = Reader(database)

    async def activity(**query: str) -> None:
        found = await reader.answer(activity_question(query, "default", end + 3600.0))
        msgspec.json.encode(activity_body(found, by_workspace=False))

    async def analytics(**body: object) -> None:
        iso = [
            time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(at)) for at in (end - 30 * DAY_S, end)
        ]
        body["time_range"] = {"start": iso[0], "end": iso[1]}
        query = read_query(msgspec.json.encode(body))
        found = await reader.answer(question(query, "default", end))
        msgspec.json.encode(query_body(query, found, {}, 0.0))

    def latest(**wanted: str) -> Question:
        return lambda: reader.latest(Wanted(**wanted), 50)  # type: ignore[arg-type]

    sums = ["request_count", "total_usage", "tokens_total", "error_rate"]
    return {
        "/activity": activity,
        "/activity of a key": lambda: activity(api_key_hash=key_hash(5)),
        "30 days by model": lambda: analytics(metrics=sums, dimensions=["model"]),
        "30 days by model and day, p50 p99": lambda: analytics(
            metrics=[*sums, "p50_latency", "p99_latency"], dimensions=["model"], granularity="day"
        ),
        "30 days by key": lambda: analytics(metrics=sums, dimensions=["api_key_id"]),
        "30 days by key, p50 p99": lambda: analytics(
            metrics=[*sums, "p50_latency", "p99_latency"], dimensions=["api_key_id"]
        ),
        "latest 50": latest(),
        "latest 50 of a busy key": latest(key_hash=key_hash(5)),
        "latest 50 of the rarest key": latest(key_hash=key_hash(0)),
        "latest 50 of an unknown key": latest(key_hash="f" * 64),
        "usage of a key": lambda: reader.usage(key_hash(5), float(end)),
    }


async def measure(database: Database, end: int) -> dict[str, float]:
    """Return the median of some runs of each question, in milliseconds."""
    found = {}
    for name, ask in questions(database, end).items():
        took = []
        for _ in range(TIMES):
            began = time.perf_counter()
            await ask()
            took.append((time.perf_counter() - began) * 1000)
        found[name] = statistics.median(took)
    return found


async def forget(database: Database, end: int, days: int) -> dict[str, float]:
    """Forget the oldest days while a writer goes on; return how long it took, and who waited."""
    keep = DAYS - days
    options = RecordsOptions(keep_days=keep)
    keeping = Housekeeping(
        records=database, options=options, clock=Clock(wall=lambda: float(end)), pause_s=0.02
    )
    waits: list[float] = []
    began = time.perf_counter()
    tidying = asyncio.create_task(keeping.tidy())
    while not tidying.done():
        await _written(database, end, len(waits), waits)
        await asyncio.sleep(0.01)
    await tidying
    seconds = time.perf_counter() - began
    for number in range(20):
        await _written(database, end, 10**6 + number, waits)
    return {"seconds": seconds, "longest write, ms": max(waits), "writes": len(waits)}


async def _written(database: Database, end: int, number: int, waits: list[float]) -> None:
    one = replace(_ONE, id=f"gen-{end}-late{number:012d}", created_at=float(end) + number / 1000)
    began = time.perf_counter()
    while True:
        try:
            await database.run(lambda connection: store(connection, [one]))
        except Unavailable:
            continue
        break
    waits.append((time.perf_counter() - began) * 1000)


_ONE = Generation(
    id="",
    created_at=0,
    key_hash=key_hash(5),
    requested="author/model",
    model="author/model",
    provider="p",
    provider_name="P",
    endpoint="p|author/model",
)


@contextmanager
def databases(only: str | None) -> Iterator[list[tuple[str, Database]]]:
    """Have an empty database of each kind."""
    with tempfile.TemporaryDirectory(prefix="dragoman-data-") as directory:
        found: list[tuple[str, Database]] = []
        if only != "postgresql":
            path = Path(directory) / "records.db"
            kept = SqliteDatabase(path, synchronous="NORMAL", page_bytes=LARGE_PAGE)
            found.append(("sqlite", kept))
        if only == "sqlite":
            yield found
        else:
            with postgres.server() as url, postgres.schema(url) as options:
                found.append(("postgresql", _opened(options)))
                yield found
                found[-1][1].close()
        if only != "postgresql":
            found[0][1].close()


def _opened(options: DatabaseOptions) -> Database:
    assert options.server is not None
    database = PostgresDatabase(options.server, options.schema)
    database.run_now(make_schema(options.schema))
    return database


def run(rows: int, only: str | None) -> dict[str, dict[str, float]]:
    """Measure each kind of database; return what was found."""
    end = int(time.time() // DAY_S) * DAY_S
    results: dict[str, dict[str, float]] = {}
    with databases(only) as found:
        for name, database in found:
            began = time.perf_counter()
            fill(database, rows, end)
            filled = time.perf_counter() - began
            print(f"{name}: {rows:,} generations written in {filled:.0f} s", flush=True)
            packed = close(database, end)
            print(f"  packing: {packed}", flush=True)
            results[name] = asyncio.run(measure(database, end))
            for what, took in results[name].items():
                verdict = "" if took < LIMIT_MS else f"  over {LIMIT_MS}"
                print(f"  {what:<36}{took:>10.1f} ms{verdict}", flush=True)
            days = max(1, -(-DAYS * min(1_000_000, rows // 10) // rows))
            gone = asyncio.run(forget(database, end, days))
            print(f"  forgetting {days * rows // DAYS:,}: {gone}", flush=True)
            results[name] |= {f"forgetting: {what}": value for what, value in gone.items()}
            results[name] |= {f"packing: {what}": value for what, value in packed.items()}
    return results


def main() -> None:
    """Measure as the arguments say."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=200_000)
    parser.add_argument("--only", choices=("sqlite", "postgresql"))
    given = parser.parse_args()
    results = run(given.rows, given.only)
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps({"rows": given.rows, "results": results}, indent=2) + "\n")


if __name__ == "__main__":
    main()
