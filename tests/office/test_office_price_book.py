"""The price book: every price of a catalog is on record before anybody is charged by it."""

import asyncio
import threading

import pytest

from dragoman.catalog import tariff
from dragoman.catalog.types import Catalog, DatedPrice, Endpoint, Model, Price
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.core.money import PicoUsd
from dragoman.office.price_book import PriceBook
from dragoman.records import prices
from dragoman.store.sql import Database, Work

NOW = Price(prompt=PicoUsd(1), completion=PicoUsd(2))
LATER = Price(prompt=PicoUsd(3), completion=PicoUsd(4))
CHANGED = Price(prompt=PicoUsd(5), completion=PicoUsd(6))


def catalog(*offers: Price | None) -> Catalog:
    endpoints = tuple(
        Endpoint(
            id=f"e{number}",
            model="a/m",
            provider="p",
            provider_name="P",
            tag="p",
            upstream="m",
            price=price,
            upcoming=(DatedPrice(since=9, price=LATER), DatedPrice(since=10, price=None)),
        )
        for number, price in enumerate(offers)
    )
    model = Model(id="a/m", name="M", created=0, endpoints=endpoints)
    return Catalog(models={"a/m": model}, providers={}, aliases={})


def kept(db: Database) -> set[str]:
    wanted = [tariff.version(each) for each in (NOW, LATER, CHANGED)]
    return set(db.read_now(prices.find(wanted)))


async def test_all_prices_are_kept_those_to_come_too(records_db: Database) -> None:
    present = catalog(NOW, NOW, None)
    await PriceBook(records_db.run, lambda: present, Clock()).keep()
    assert kept(records_db) == {tariff.version(NOW), tariff.version(LATER)}


async def test_versions_are_made_where_no_stream_waits(
    records_db: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[threading.Thread] = []

    def version(price: Price) -> str:
        seen.append(threading.current_thread())
        return price_version(price)

    price_version = tariff.version
    monkeypatch.setattr(tariff, "version", version)
    await PriceBook(records_db.run, lambda: catalog(NOW), Clock()).keep()
    assert seen
    assert threading.current_thread() not in seen


async def test_a_new_catalog_is_kept_and_an_old_one_not_written_again(records_db: Database) -> None:
    shelf = [catalog(NOW)]
    writes: list[int] = []

    async def write(work: Work[int]) -> int:
        writes.append(await records_db.run(work))
        return writes[-1]

    book = PriceBook(write, lambda: shelf[-1], Clock())
    await book.keep()
    await book.keep()
    assert writes == [2]
    shelf.append(catalog(CHANGED))
    await book.keep()
    assert writes == [2, 1]
    assert kept(records_db) == {tariff.version(each) for each in (NOW, LATER, CHANGED)}


async def test_what_could_not_be_written_is_tried_again(records_db: Database) -> None:
    present = catalog(NOW)
    failures = [Unavailable("not just now", retry_after_s=1)]
    done = asyncio.Event()

    async def write(work: Work[int]) -> int:
        if failures:
            raise failures.pop()
        new = await records_db.run(work)
        done.set()
        return new

    watch = asyncio.create_task(PriceBook(write, lambda: present, Clock(), look_s=0.0).run())
    await done.wait()
    watch.cancel()
    assert kept(records_db) == {tariff.version(NOW), tariff.version(LATER)}
