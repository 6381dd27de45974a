"""Money over HTTP: what an account has left, and the proof."""

import pytest

from dragoman.catalog import tariff
from dragoman.core.money import NanoUsd
from dragoman.ledger.types import DEFAULT
from dragoman.office import credits as office
from dragoman.office.premises import Premises
from dragoman.office.price_book import prices_of
from dragoman.records import prices
from tests.app.node import Node


async def test_credits_are_totals_of_what_was_given_and_used(premises: Premises) -> None:
    given = office.add(DEFAULT, NanoUsd(2_500_000_000), reference="r", grant=False, now=0.0)
    premises.ledger.run_now(given)
    node = Node(premises)
    async with node.running():
        client = await node.get("/api/v1/credits")
        assert client.json() == {"data": {"total_credits": 2.5, "total_usage": 0.0}}
        paid = (await node.chat()).json()["usage"]["cost"]
        client = await node.get("/api/v1/credits")
    assert paid > 0
    assert client.json() == {"data": {"total_credits": 2.5, "total_usage": paid}}


async def test_the_proof_says_whether_the_books_add_up(premises: Premises) -> None:
    node = Node(premises)
    node.key = node.mint("boss", kind="management")
    async with node.running():
        data = (await node.get("/api/v1/ledger/proof")).json()["data"]
    assert data["holds"]
    assert (data["accounts"], data["violations"]) == (6, [])


async def test_a_running_node_keeps_the_prices_that_it_charges(premises: Premises) -> None:
    node = Node(premises)
    endpoint = prices_of(node.background.upkeep.shelf.catalog())
    wanted = {tariff.version(price) for price in endpoint}
    async with node.running():
        assert premises.records.read_now(prices.find(wanted)).keys() == wanted
    assert wanted


@pytest.mark.parametrize("path", ["/api/v1/credits", "/api/v1/ledger/proof"])
async def test_money_is_shown_to_nobody_without_a_key(premises: Premises, path: str) -> None:
    node = Node(premises)
    node.key = ""
    async with node.running():
        assert (await node.get(path)).status == 401
