"""Ours beside theirs: sums per model and day, names of snapshots, and what only one side has."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.catalog import tariff
from dragoman.catalog.types import Price
from dragoman.core.money import NanoUsd, PicoUsd
from dragoman.office.exports import Row
from dragoman.office.reconcile import Drift, Side, reconcile
from dragoman.records import prices
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from dragoman.store.sql import Database
from dragoman.wire.usage import Usage
from tests.records.samples import PLAIN

DAY = date(2024, 6, 20)
NOON = datetime(2024, 6, 20, 12, tzinfo=UTC).timestamp()
NAMES = {"acme|acme/turbo": "turbo-2024-05-13"}


def made(number: int, **changes: Any) -> Generation:
    plain = replace(
        PLAIN,
        id=f"gen-1718884800-{number:020}",
        created_at=NOON + number,
        endpoint="acme|acme/turbo",
        usage=Usage(prompt=100, completion=50),
        cost_nanos=NanoUsd(250_000),
    )
    return replace(plain, **changes)


def compared(db: Database, generations: list[Generation], *export: Row) -> tuple[Drift, ...]:
    db.run_now(lambda connection: store(connection, generations))
    return reconcile(db, "acme", export, NAMES)


def theirs(**changes: Any) -> Row:
    plain = Row(
        day=DAY, model="turbo-2024-05-13", prompt=200, completion=100, usd=Decimal("0.0005")
    )
    return replace(plain, **changes)


def test_what_agrees_has_no_drift(records_db: Database) -> None:
    (row,) = compared(records_db, [made(1), made(2)], theirs())
    assert row.ours == Side(prompt=200, completion=100, requests=2, usd=Decimal("0.0005"))
    assert (row.drift, row.day, row.model) == (0.0, "2024-06-20", "turbo-2024-05-13")


@pytest.mark.parametrize(
    ("changes", "tokens", "usd"),
    [
        ({"prompt": 250}, 0.2, 0.0),
        ({"completion": 80}, 0.25, 0.0),
        ({"usd": Decimal("0.0004")}, 0.0, 0.25),
        ({"usd": None}, 0.0, 0.0),
        ({"usd": Decimal(0)}, 0.0, 1.0),
        ({"prompt": 1}, 1.0, 0.0),
    ],
)
def test_drift_is_a_part_of_theirs(
    records_db: Database, changes: dict[str, Any], tokens: float, usd: float
) -> None:
    (row,) = compared(records_db, [made(1), made(2)], theirs(**changes))
    assert row.tokens_drift == pytest.approx(tokens)
    assert row.usd_drift == pytest.approx(usd)
    assert row.drift == max(row.tokens_drift, row.usd_drift)


def test_a_day_on_which_they_count_nothing_is_drift_where_we_counted(records_db: Database) -> None:
    (row,) = compared(records_db, [made(1)], Row(day=DAY, model=None))
    assert (row.theirs, row.drift, row.model) == (None, 1.0, "turbo")
    assert reconcile(records_db, "nobody", [Row(day=DAY, model=None)], {}) == ()


def test_several_rows_of_one_model_and_day_are_one(records_db: Database) -> None:
    parts = (
        theirs(prompt=150, usd=None),
        theirs(prompt=50, completion=None, usd=Decimal("0.0002")),
        theirs(prompt=None, completion=None, usd=Decimal("0.0003")),
    )
    (row,) = compared(records_db, [made(1), made(2)], *parts)
    assert row.drift == 0.0


def test_a_snapshot_counts_for_its_model_where_only_one_side_tells_it(records_db: Database) -> None:
    (row,) = compared(records_db, [made(1), made(2)], theirs(model="turbo"))
    assert (row.model, row.drift) == ("turbo", 0.0)


@pytest.mark.parametrize(
    ("ours", "name"),
    [
        ("acme/old", "old"),
        ("acme/old:free", "old-2024-05-13"),
        ("acme/claude-3.5", "claude-3-5-20241022"),
    ],
)
def test_a_model_that_left_the_catalog_is_known_by_its_own_name(
    records_db: Database, ours: str, name: str
) -> None:
    gone = made(1, endpoint="acme|acme/gone", model=ours)
    (row,) = compared(records_db, [gone], theirs(model=name, prompt=100, completion=50, usd=None))
    assert row.drift == 0.0


def test_what_only_one_side_has_is_all_drift(records_db: Database) -> None:
    other = made(3, endpoint="acme|acme/other", model="acme/other")
    rows = compared(records_db, [made(1), made(2), other], theirs(), theirs(model="unheard-of"))
    assert {row.model: (row.ours is None, row.theirs is None, row.drift) for row in rows} == {
        "turbo-2024-05-13": (False, False, 0.0),
        "acme/other": (False, True, 1.0),
        "unheard-of": (True, False, 1.0),
    }


def test_a_sum_over_all_models_is_compared_with_our_sum(records_db: Database) -> None:
    other = made(3, endpoint="acme|acme/other", model="acme/other")
    whole = theirs(model=None, prompt=None, completion=None, usd=Decimal("0.00075"))
    (row,) = compared(records_db, [made(1), made(2), other], whole)
    assert (row.model, row.usd_drift, row.tokens_drift) == ("(all)", 0.0, 0.0)


def test_other_days_and_providers_do_not_count(records_db: Database) -> None:
    strangers = [
        made(3, provider="other"),
        made(4, created_at=NOON + 86_400),
        made(5, created_at=NOON - 86_400),
    ]
    (row,) = compared(records_db, [made(1), made(2), *strangers], theirs())
    assert row.drift == 0.0


def test_the_fee_of_an_account_is_no_cost_of_the_provider(records_db: Database) -> None:
    dearer = made(1, cost_nanos=NanoUsd(525_000), fee_ppm=50_000)
    (row,) = compared(records_db, [dearer], theirs(prompt=100, completion=50))
    assert row.drift == 0.0


@pytest.mark.parametrize("reported", [None, 0.0005])
def test_what_the_house_bore_is_on_the_bill_too(
    records_db: Database, reported: float | None
) -> None:
    price = Price(prompt=PicoUsd(2_500_000), completion=PicoUsd(5_000_000))
    version = tariff.version(price)
    records_db.run_now(prices.keep({version: tariff.canonical(price)}, 0.0))
    overran = made(
        1,
        price_id=version,
        usage=Usage(prompt=100, completion=50, cost_usd=reported),
        fee_ppm=50_000,
        cost_nanos=NanoUsd(100_000),
        draws=(("key:x", 100_000),),
    )
    free = replace(overran, id="gen-1718884800-free", cost_nanos=NanoUsd(0), price_id=None)
    (row,) = compared(records_db, [overran, free], theirs())
    assert row.ours == Side(prompt=200, completion=100, requests=2, usd=Decimal("0.0005"))
    assert row.drift == 0.0


def test_what_own_credentials_served_is_on_another_bill(records_db: Database) -> None:
    own = made(2, is_byok=True, cost_nanos=NanoUsd(12_500), byok_nanos=NanoUsd(250_000))
    export = theirs(prompt=100, completion=50, usd=Decimal("0.00025"))
    (row,) = compared(records_db, [made(1), own], export)
    assert row.drift == 0.0


def test_an_empty_export_compares_nothing(records_db: Database) -> None:
    assert compared(records_db, [made(1)]) == ()
