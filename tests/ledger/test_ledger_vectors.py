"""Golden vectors: usage as providers document it, and its cost to the last nano-dollar.

Each sum stands there twice: as a bill that is added up here in decimals, by no code of
ours, and in nano-dollars.
"""

from decimal import ROUND_CEILING, Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from msgspec.structs import replace

from dragoman.catalog import shipped, tariff
from dragoman.catalog.options import PriceOptions
from dragoman.catalog.own import read_price
from dragoman.catalog.types import Endpoint, Price, Provider
from dragoman.ledger.belief import Seen, believed
from dragoman.ledger.bound import Size, most
from dragoman.ledger.cost import cost_of
from dragoman.providers.usage import read_usage

VECTORS: list[dict[str, Any]] = yaml.safe_load(
    Path(__file__).with_name("vectors.yaml").read_text(encoding="utf-8")
)
APIECE = {"image", "request", "search", "rates", "tiers", "above"}
MILLION = Decimal(1_000_000)
NOBODY = Provider(slug="nobody", name="Nobody", dialect="openai", base_url="https://nobody")
ROWS = shipped.load().providers
SEEN = Seen(prompt_most=10**7, text_bytes=0, produced_bytes=10**7, elapsed_s=60.0)

vectors = pytest.mark.parametrize("vector", VECTORS, ids=[each["name"] for each in VECTORS])


def host(vector: dict[str, Any]) -> Provider:
    return ROWS[vector["provider"]] if "provider" in vector else NOBODY


def per_token(amounts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if name in APIECE else str(Decimal(str(value)) / MILLION)
        for name, value in amounts.items()
    }


def price_of(vector: dict[str, Any]) -> Price:
    """Return the price that counts: what the vector names, on the terms of its host."""
    amounts = per_token(vector["price"])
    amounts["tiers"] = [per_token(tier) for tier in amounts.get("tiers", ())]
    free_of_tokens = amounts["prompt"] == amounts["completion"] == "0"
    options = msgspec.convert(amounts | ({"prompt": 1} if free_of_tokens else {}), PriceOptions)
    price = read_price(options, vector["name"])
    assert price is not None
    if free_of_tokens:
        price = msgspec.structs.replace(price, prompt=0)
    priced = tariff.on_terms(endpoint(price, vector.get("model", "m")), host(vector).billing).price
    assert priced is not None
    return priced


def endpoint(price: Price, upstream: str = "m") -> Endpoint:
    return Endpoint(
        id="e",
        model="a/m",
        provider="p",
        provider_name="P",
        tag="p",
        upstream=upstream,
        price=price,
    )


def by_hand(vector: dict[str, Any]) -> int:
    """Return the sum of the bill, in nano-dollars."""
    lines = (units * Decimal(str(million)) / MILLION for units, million in vector["bill"])
    tokens = sum(lines, Decimal(0)) * Decimal(str(vector.get("rate", 1)))
    usd = tokens + Decimal(str(vector.get("fees", 0)))
    return int((usd * 10**9).to_integral_value(ROUND_CEILING))


@vectors
def test_the_cost_is_that_of_the_bill_to_the_last_nano_dollar(vector: dict[str, Any]) -> None:
    said = read_usage(msgspec.json.encode(vector["usage"]))
    price = price_of(vector)
    assert said is not None
    seen = SEEN if said.completion else replace(SEEN, produced_bytes=0)
    usage = believed(said, seen, host(vector), price).usage
    cost = cost_of(usage, price, vector.get("service_tier"))
    assert cost is not None
    assert (cost.total, by_hand(vector)) == (vector["nanos"], vector["nanos"])


@vectors
def test_what_is_held_is_enough_where_the_price_list_counts(vector: dict[str, Any]) -> None:
    price = price_of(vector)
    said = read_usage(msgspec.json.encode(vector["usage"]))
    assert said is not None
    usage = msgspec.structs.replace(said, cost_usd=None)
    size = Size(
        body_bytes=usage.prompt,
        output_tokens=usage.completion,
        searches=usage.searches,
        service_tier=vector.get("service_tier"),
        terms=usage.terms,
    )
    held = most(size, [(endpoint(price), "openai")])
    cost = cost_of(usage, price, vector.get("service_tier"))
    assert held is not None
    assert cost is not None
    assert cost.total <= held


@vectors
def test_a_price_reads_back_from_what_its_version_is_made_of(vector: dict[str, Any]) -> None:
    price = price_of(vector)
    again = msgspec.json.decode(tariff.canonical(price), type=Price)
    assert (again, tariff.version(again)) == (price, tariff.version(price))


def test_each_vector_says_where_it_stands_and_how_far_its_figures_do() -> None:
    assert {vector["figures"] for vector in VECTORS} <= {"page", "answer", "ours", "unread"}
    assert all(vector["source"] for vector in VECTORS)


def test_a_version_is_of_the_amounts_alone() -> None:
    versions = {tariff.version(price_of(vector)) for vector in VECTORS}
    prices = {price_of(vector) for vector in VECTORS}
    assert len(versions) == len(prices)
