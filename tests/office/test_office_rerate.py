"""Charging the past anew: what is found, what is left alone, and that every run ends the same."""

import asyncio
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from dragoman.access import audit
from dragoman.access import migrations as access
from dragoman.access.audit import Act
from dragoman.catalog import tariff
from dragoman.catalog.types import Price
from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd, PicoUsd
from dragoman.ledger import adjust, leases, settle
from dragoman.ledger import migrations as money
from dragoman.ledger.entries import every_account
from dragoman.ledger.proof import prove
from dragoman.ledger.types import Settled
from dragoman.office import keys, rerate
from dragoman.office.rerate import Differences, Done
from dragoman.records import migrations as records
from dragoman.records import prices
from dragoman.records.corrections import Span, page
from dragoman.records.faces import Face
from dragoman.records.reader import Reader
from dragoman.records.recorder import store
from dragoman.records.tables import generation, rollup
from dragoman.records.types import Generation
from dragoman.store.custody import Pepper
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from dragoman.wire.usage import Usage
from tests.postgres import open_database
from tests.records.samples import NOON, PLAIN

OLD = Price(prompt=PicoUsd(100_000), completion=PicoUsd(100_000))
LOWER = Price(prompt=PicoUsd(50_000), completion=PicoUsd(100_000))
HIGHER = Price(prompt=PicoUsd(300_000), completion=PicoUsd(100_000))
SPAN = Span(since=NOON - 10, until=NOON + 10_000, model="acme/turbo")
ACT = Act(actor="cli", at=NOON + 20_000)
ROOMS = (
    (access.ROOM, access.MIGRATIONS),
    (money.ROOM, money.MIGRATIONS),
    (records.ROOM, records.MIGRATIONS),
)
Homes = tuple[Database, Database]


@pytest.fixture
def homes(tmp_path: Path, state: DatabaseOptions) -> Iterator[Homes]:
    """The databases of the ledger and of the records, as they are on each kind of server."""
    ledger = open_database(state, tmp_path / "ledger.db")
    archive = open_database(state, tmp_path / "records.db")
    for database in {ledger, archive} if state.server is None else {ledger}:
        for room, steps in ROOMS:
            database.run_now(partial(migrate, room=room, migrations=steps, now=0.0))
    yield ledger, archive
    ledger.close()
    archive.close()


@pytest.fixture
def key(homes: Homes) -> str:
    """The hash of a key of the default account."""
    work = keys.create("k", prefix="sk-", pepper=Pepper(bytes(32)), now=0.0)
    return homes[0].run_now(work)[1].hash


def made(key: str, number: int = 0, **changes: Any) -> Generation:
    """A generation of ten tokens in and five out: 1,500 nano-dollars at the old price."""
    plain = replace(
        PLAIN,
        id=f"gen-1718884800-{number:020}",
        created_at=NOON + number,
        key_hash=key,
        price_id=tariff.version(OLD),
        user="ada",
        tags={"team": "red"},
    )
    return replace(plain, **changes)


def recorded(homes: Homes, *generations: Generation) -> None:
    ledger, archive = homes
    old = {tariff.version(OLD): tariff.canonical(OLD)}
    archive.run_now(prices.keep(old, 0.0))
    archive.run_now(lambda connection: store(connection, generations))
    settled = [
        Settled(offset=place, account="default", cost=each.cost_nanos)
        for place, each in enumerate(generations, 1)
    ]
    ledger.run_now(leases.open_journal("life", "node", 0.0))
    ledger.run_now(settle.apply("life", settled, len(settled), 1.0))


def at(price: Price | None) -> rerate.NewPrice:
    return lambda _: price


def owes(homes: Homes) -> int:
    return -{each.id: each.balance_nanos for each in homes[0].run_now(every_account)}["default"]


def run(homes: Homes, price: Price, *, charge_more: bool = False) -> Done:
    done = rerate.rerate(homes, SPAN, at(price), ACT, charge_more=charge_more)
    assert homes[0].run_now(prove).violations == ()
    (cost, *sums) = homes[1].read_now(spent)
    assert sums == [cost] * len(Face), "reports say what the generations do"
    return done


def spent(connection: Connection) -> list[int]:
    """Return what all generations cost, by their rows and by the sums of each face."""
    total = func.sum(rollup.c.cost_nanos)
    queries = [select(func.sum(generation.c.cost_nanos))]
    queries += [select(total).where(rollup.c.face == int(face)) for face in Face]
    return [int(connection.execute(query).scalar_one()) for query in queries]


async def costs(homes: Homes, key: str) -> tuple[list[int], int]:
    """Return the cost of each generation on record, and what the key has spent in sum."""
    reader = Reader(homes[1])
    span = page(SPAN, 100)
    rows = homes[1].read_now(span)
    return [each.cost_nanos for each in rows], (await reader.usage(key, NOON)).total


async def test_a_lower_price_is_given_back_in_ledger_and_records(homes: Homes, key: str) -> None:
    recorded(homes, made(key), made(key, 1))
    found = rerate.differences(homes[1], SPAN, at(LOWER))
    (line,) = found.lines
    assert (line.generations, line.charged, line.owed) == (2, 3_000, 2_000)
    assert (line.less, line.more, line.was) == (1_000, 0, tariff.version(OLD))
    assert run(homes, LOWER) == Done(booked=2, given_back=1_000)
    assert owes(homes) == 2_000
    assert await costs(homes, key) == ([1_000, 1_000], 2_000)


async def test_a_second_run_finds_nothing_to_do(homes: Homes, key: str) -> None:
    recorded(homes, made(key))
    run(homes, LOWER)
    assert rerate.differences(homes[1], SPAN, at(LOWER)) == Differences(
        lines=(), skipped={"it stands at that price already": 1}
    )
    assert run(homes, LOWER) == Done()
    assert owes(homes) == 1_000


async def test_a_run_that_broke_off_between_the_databases_is_taken_up(
    homes: Homes, key: str
) -> None:
    one = made(key)
    recorded(homes, one)
    half = adjust.Settlement(
        generation=one.id,
        account="default",
        cost=one.cost_nanos,
        owed=NanoUsd(1_000),
        price=tariff.version(LOWER),
    )
    homes[0].run_now(adjust.adjust([half], 2.0, charge_more=False))
    assert owes(homes) == 1_000
    assert run(homes, LOWER) == Done()
    assert owes(homes) == 1_000
    assert await costs(homes, key) == ([1_000], 1_000)


async def test_a_higher_price_waits_for_the_word(homes: Homes, key: str) -> None:
    recorded(homes, made(key))
    assert run(homes, HIGHER) == Done(left=1)
    assert await costs(homes, key) == ([1_500], 1_500)
    assert run(homes, HIGHER, charge_more=True) == Done(booked=1, charged=2_000)
    assert owes(homes) == 3_500
    assert await costs(homes, key) == ([3_500], 3_500)


async def test_there_and_back_again(homes: Homes, key: str) -> None:
    recorded(homes, made(key))
    for price, cost in ((LOWER, 1_000), (OLD, 1_500), (LOWER, 1_000), (HIGHER, 3_500)):
        run(homes, price, charge_more=True)
        assert owes(homes) == cost
        assert await costs(homes, key) == ([cost], cost)


async def test_an_unknown_price_becomes_known_and_is_charged(homes: Homes, key: str) -> None:
    recorded(homes, made(key, cost_nanos=NanoUsd(0), price_known=False, price_id=None))
    assert run(homes, OLD) == Done(left=1)
    assert run(homes, OLD, charge_more=True) == Done(booked=1, charged=1_500)
    assert owes(homes) == 1_500


async def test_the_fee_of_the_time_is_upon_the_corrected_cost(homes: Homes, key: str) -> None:
    recorded(homes, made(key, fee_ppm=50_000, cost_nanos=NanoUsd(1_575)))
    assert run(homes, LOWER) == Done(booked=1, given_back=525)
    assert owes(homes) == 1_050


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        (
            {"usage": Usage(prompt=10, completion=5, cost_usd=0.0000015)},
            "its provider reported the cost",
        ),
        (
            {"is_byok": True, "price_id": None, "price_known": False, "cost_nanos": NanoUsd(0)},
            "the account's own credential served it",
        ),
        ({"price_id": None}, "the price it was charged at is not on record"),
        ({"price_id": "f" * 16}, "the price it was charged at is not on record"),
        ({"cost_nanos": NanoUsd(0)}, "its cost is not what its price makes of it"),
        (
            {"service_tier": "flex", "cost_nanos": NanoUsd(9)},
            "its cost is not what its price makes of it",
        ),
    ],
)
async def test_what_a_price_list_did_not_make_is_left_alone(
    homes: Homes, key: str, changes: dict[str, Any], why: str
) -> None:
    recorded(homes, made(key, **changes))
    assert rerate.differences(homes[1], SPAN, at(LOWER)).skipped == {why: 1}
    before = owes(homes)
    assert run(homes, LOWER) == Done()
    assert owes(homes) == before


async def test_only_what_was_asked_for_is_looked_at(homes: Homes, key: str) -> None:
    recorded(
        homes,
        made(key),
        made(key, 1, model="acme/other"),
        made(key, 2, created_at=NOON + 50_000),
        made(key, 3, endpoint=None),
    )
    assert run(homes, LOWER).booked == 1
    assert rerate.differences(homes[1], SPAN, at(None)).skipped == {
        "no corrected price for its endpoint": 1
    }


async def test_many_are_done_page_by_page(
    homes: Homes, key: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rerate, "PAGE", 3)
    twins = [made(key, number, created_at=NOON) for number in range(8)]
    recorded(homes, *twins)
    assert run(homes, LOWER) == Done(booked=8, given_back=4_000)
    assert await costs(homes, key) == ([1_000] * 8, 8_000)


async def test_the_audit_log_tells_of_it(homes: Homes, key: str) -> None:
    recorded(homes, made(key))
    run(homes, LOWER)
    entry, *_ = homes[0].run_now(audit.latest(5))
    assert (entry.action, entry.subject, entry.actor) == (
        "prices.rerate",
        "model:acme/turbo",
        "cli",
    )
    assert (entry.detail["booked"], entry.detail["given_back"]) == (1, 500)


def test_what_is_kept_of_prices_is_kept_once(homes: Homes) -> None:
    versions = {tariff.version(each): tariff.canonical(each) for each in (OLD, LOWER)}

    def work(connection: Connection) -> tuple[int, int]:
        return prices.keep(versions, 1.0)(connection), prices.keep(versions, 2.0)(connection)

    assert homes[1].run_now(work) == (2, 0)
    found = homes[1].read_now(prices.find([tariff.version(OLD), "none"]))
    assert {id_: row.first_seen for id_, row in found.items()} == {tariff.version(OLD): 1.0}


async def test_two_who_correct_the_same_past_at_once_book_it_once(homes: Homes, key: str) -> None:
    twins = [made(key, number) for number in range(40)]
    recorded(homes, *twins)
    settlements = [
        adjust.Settlement(
            generation=each.id,
            account="default",
            cost=each.cost_nanos,
            owed=NanoUsd(1_000),
            price=tariff.version(LOWER),
        )
        for each in twins
    ]

    async def corrected() -> tuple[adjust.Adjusted, ...]:
        while True:
            try:
                return await homes[0].run(adjust.adjust(settlements, 2.0, charge_more=False))
            except Unavailable:  # the other one has the lock, and is slow
                continue

    both = await asyncio.gather(corrected(), corrected())
    outcomes = Counter(each.outcome for found in both for each in found)
    assert outcomes == {"booked": 40, "same": 40}
    assert owes(homes) == 40 * 1_000
    assert homes[0].run_now(prove).violations == ()
