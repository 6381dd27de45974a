"""Charging the past anew: what is found, what is left alone, and that every run ends the same."""

import asyncio
from collections import Counter
from typing import Any

import pytest
from sqlalchemy import Connection

from dragoman.access import audit
from dragoman.catalog import tariff
from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.ledger import adjust
from dragoman.ledger.proof import prove
from dragoman.office import rerate
from dragoman.office.rerate import Differences, Done
from dragoman.records import prices
from dragoman.wire.usage import Usage
from tests.office.past import (
    HIGHER,
    LOWER,
    OLD,
    SPAN,
    Homes,
    at,
    costs,
    made,
    owes,
    recorded,
    run,
)
from tests.records.samples import NOON


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
        (
            {"price_id": None, "cost_nanos": NanoUsd(0), "status": 502},
            "it was free, since it failed or brought nothing",
        ),
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
