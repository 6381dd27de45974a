"""Generations that were charged, at a price that was wrong: the scene of charging them anew."""

from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, func, select

from dragoman.access.audit import Act
from dragoman.catalog import tariff
from dragoman.catalog.types import Price
from dragoman.core.money import PicoUsd
from dragoman.ledger import leases, settle
from dragoman.ledger.entries import every_account
from dragoman.ledger.proof import prove
from dragoman.ledger.types import Settled
from dragoman.office import rerate
from dragoman.office.rerate import Done
from dragoman.records import prices
from dragoman.records.corrections import Span, page
from dragoman.records.faces import Face
from dragoman.records.reader import Reader
from dragoman.records.recorder import store
from dragoman.records.tables import generation, rollup
from dragoman.records.types import Generation
from dragoman.store.sql import Database
from tests.records.samples import NOON, PLAIN

OLD = Price(prompt=PicoUsd(100_000), completion=PicoUsd(100_000))
LOWER = Price(prompt=PicoUsd(50_000), completion=PicoUsd(100_000))
HIGHER = Price(prompt=PicoUsd(300_000), completion=PicoUsd(100_000))
SPAN = Span(since=NOON - 10, until=NOON + 10_000, model="acme/turbo")
ACT = Act(actor="cli", at=NOON + 20_000)
Homes = tuple[Database, Database]


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
