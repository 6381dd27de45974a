"""What sums say is what the rows say, whichever are asked; what would never end is refused."""

import random
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from dragoman.core.errors import InvalidRequest, RequestTooSlow
from dragoman.core.money import NanoUsd
from dragoman.records import analysis, labels
from dragoman.records.analysis import answer
from dragoman.records.metrics import METRICS
from dragoman.records.questions import Filter, Granularity, Line, Question, bucket_start
from dragoman.records.recorder import store
from dragoman.records.rollup import OTHERS
from dragoman.records.types import Generation
from dragoman.store.sql import Database
from dragoman.wire.usage import Usage
from tests.records.samples import DAY_S, FULL, NOON, sample

MIDNIGHT = NOON + DAY_S / 2
START, END = MIDNIGHT - 4 * DAY_S, MIDNIGHT
ALL = tuple(METRICS)


def many(count: int = 300) -> list[Generation]:
    """Return generations of four days, odd ones among them."""
    dice = random.Random(7)
    made = []
    for number in range(count):
        which = dice.randrange(3)
        made.append(
            sample(
                number,
                created_at=START + dice.random() * (END - START),
                key_hash=f"{which % 2:064d}",
                model=f"acme/m{which}" + (":free" if which == 2 else ""),
                provider_name=f"P{which}",
                endpoint=f"e{which}",
                status=dice.choice([200, 200, 502, 499]),
                attempts=FULL.attempts if dice.random() < 0.2 else (),
                usage=Usage(prompt=dice.randrange(5000), completion=dice.randrange(50), cached=3),
                cost_nanos=NanoUsd(dice.randrange(10**9)),
                latency_ms=dice.choice([None, 5, 700, 20_000]),
                generation_ms=dice.choice([None, 0, 400]),
                title=dice.choice([None, "App", "Other"]),
                user=dice.choice([None, "ann", "bob"]),
                tags=dice.choice([{}, {"team": "a"}, {"team": "b", "env": "x"}]),
                finish_reason=dice.choice([None, "stop"]),
                session_id=dice.choice([None, "s1"]),
            )
        )
    return made


def asked(**changes: object) -> Question:
    usual: dict[str, object] = {"account": "default", "metrics": ALL, "start": START, "end": END}
    return Question(**(usual | changes))  # type: ignore[arg-type]


def values(lines: list[Line], names: Sequence[str]) -> dict[object, list[object]]:
    return {
        (line.at, line.values): [METRICS[name].of(line.totals) for name in names] for line in lines
    }


@pytest.fixture
async def filled(db: Database) -> Database:
    made = many()
    for start in range(0, len(made), 40):
        part = made[start : start + 40]
        await db.run(lambda connection, part=part: store(connection, part))  # type: ignore[misc]
    return db


@pytest.mark.parametrize(
    ("dimensions", "granularity", "filters"),
    [
        ((), None, ()),
        (("model",), None, ()),
        (("model", "variant"), "day", ()),
        (("provider",), "hour", ()),
        (("endpoint",), "week", ()),
        (("api_key_id", "app"), "month", ()),
        (("app",), None, (Filter(field="api_key_id", operator="eq", values=("0" * 64,)),)),
        (("external_user", "model"), None, ()),
        (("tag",), "day", (Filter(field="model", operator="neq", values=("acme/m1",)),)),
        ((), None, (Filter(field="app", operator="in", values=("App",), unset=True),)),
        (("api_key_id",), None, (Filter(field="endpoint", operator="gte", values=("e1",)),)),
    ],
)
async def test_sums_and_rows_say_the_same(
    filled: Database,
    monkeypatch: pytest.MonkeyPatch,
    dimensions: tuple[str, ...],
    granularity: str | None,
    filters: tuple[Filter, ...],
) -> None:
    question = asked(dimensions=dimensions, granularity=granularity, filters=filters)
    from_sums = values((await filled.read(answer(question))).lines, ALL)
    monkeypatch.setattr(analysis, "_face", lambda *_: None)
    from_rows = values((await filled.read(answer(question))).lines, ALL)
    labelled = "external_user" in dimensions or "tag" in dimensions
    if labelled:  # sums know only those that have a user or a tag
        place = dimensions.index("tag" if "tag" in dimensions else "external_user")
        from_rows = {k: v for k, v in from_rows.items() if k[1][place] is not None}  # type: ignore[index]
    assert from_sums
    assert from_sums.keys() == from_rows.keys()
    for key, row in from_sums.items():
        assert row == pytest.approx(from_rows[key])


async def test_hours_at_the_edges_are_not_widened_to_days(filled: Database) -> None:
    start, end = START + 5 * 3600, END - 7 * 3600
    question = asked(start=start, end=end, metrics=("request_count",))
    (line,) = (await filled.read(answer(question))).lines
    assert line.totals.of("requests") == sum(start <= m.created_at < end for m in many())


async def test_a_range_that_is_widened_says_so(filled: Database) -> None:
    found = await filled.read(answer(asked(start=START + 1, dimensions=("api_key_id",))))
    assert "whole UTC days" in found.warnings[0]
    assert sum(line.totals.of("requests") for line in found.lines) == 300


async def test_what_is_in_no_sum_is_read_from_rows(filled: Database) -> None:
    found = await filled.read(answer(asked(dimensions=("session_id", "finish_reason"))))
    assert {line.values for line in found.lines} >= {("s1", "stop"), (None, None)}
    lengths = await filled.read(answer(asked(dimensions=("context_length_bucket", "status"))))
    assert {line.values[0] for line in lengths.lines} == {"1K", "10K"}


async def test_another_account_sees_nothing(filled: Database) -> None:
    for dimensions in ((), ("api_key_id",), ("session_id",)):
        question = asked(account="other", dimensions=dimensions)
        assert (await filled.read(answer(question))).lines == []


@pytest.mark.parametrize(
    "changes",
    [
        {"dimensions": ("session_id",), "end": START + 32 * DAY_S},
        {"granularity": "minute"},
        {"dimensions": ("app",), "granularity": "hour", "end": START + 32 * DAY_S},
    ],
)
def test_rows_are_read_for_a_month_at_most(changes: dict[str, object]) -> None:
    with pytest.raises(InvalidRequest):
        answer(asked(**changes))


async def test_too_many_rows_are_given_up(
    filled: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(analysis, "PATIENCE_S", -1.0)
    with pytest.raises(RequestTooSlow):
        await filled.read(answer(asked(dimensions=("session_id",))))


async def test_a_name_that_is_one_too_many_is_one_of_the_others(
    db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels, "MOST", 2)
    for number in range(5):
        made = sample(number, title=f"app {number}", user=f"u{number}", tags={"n": str(number)})
        await db.run(lambda connection, made=made: store(connection, [made]))  # type: ignore[misc]
    for name in ("app", "external_user", "tag"):
        question = asked(dimensions=(name,), start=NOON - 3600, end=NOON + DAY_S)
        lines = (await db.read(answer(question))).lines
        assert {line.values[0]: line.totals.of("requests") for line in lines}[OTHERS] == 3


@pytest.mark.parametrize(
    ("granularity", "expected"),
    [
        ("minute", "2024-06-20T12:34"),
        ("hour", "2024-06-20T12:00"),
        ("day", "2024-06-20T00:00"),
        ("week", "2024-06-16T00:00"),
        ("month", "2024-06-01T00:00"),
    ],
)
def test_time_is_cut_where_people_cut_it(granularity: Granularity, expected: str) -> None:
    moment = datetime.fromtimestamp(bucket_start(NOON + 34 * 60 + 9, granularity), UTC)
    assert moment.isoformat().startswith(expected)
