"""What an endpoint is told by the installation: its route, status and price; and the indexes."""

import datetime as dt
from typing import Any

import msgspec
import pytest

from dragoman.catalog.assemble import Shipped, assemble, dangling
from dragoman.catalog.hosts import hosts
from dragoman.catalog.options import Declared, ProvidersOptions
from dragoman.catalog.types import (
    Catalog,
    DataPolicy,
    Endpoint,
    Model,
    Price,
    PriceTier,
    Renamed,
)
from dragoman.core.money import PicoUsd
from tests.catalog.assembly import CHEAP, SHIPPED, acme, build, served


def offered(catalog: Catalog, model: str = "meta/llama") -> dict[str, Endpoint]:
    return {each.provider: each for each in catalog.models[model].endpoints}


def shipping(*models: Model, **fields: Any) -> Shipped:
    return Shipped(providers=SHIPPED.providers, models=models, **fields)


EVERYWHERE = shipping(served("meta/llama", "north", "broker", "subscription", "box"))


def test_only_hosts_are_a_default_route_by_themselves() -> None:
    endpoints = offered(build(shipped=EVERYWHERE))
    assert {slug: each.default_route for slug, each in endpoints.items()} == {
        "north": True, "broker": False, "subscription": False, "box": False,
    }  # fmt: skip


def test_what_the_operator_declares_is_a_default_route_wherever_it_is() -> None:
    declared = {slug: {"models": {"meta/llama": {}}, "api_key": "k"} for slug in ("broker", "box")}
    endpoints = offered(build(declared, shipped=EVERYWHERE))
    assert {slug for slug, each in endpoints.items() if each.default_route} == {
        "north", "broker", "box",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("slug", "options", "expected"),
    [
        ("broker", {}, False),
        ("broker", {"discover": True}, True),
        ("subscription", {}, False),
        ("box", {}, True),
        ("north", {}, True),
    ],
)
def test_what_a_host_tells_of_is_a_default_route_if_its_kind_is_or_the_operator_asked(
    slug: str, options: dict[str, Any], *, expected: bool
) -> None:
    catalog = build({slug: options}, keys=(slug,), lists={slug: [{"id": "new/model"}]})
    assert offered(catalog, "new/model")[slug].default_route is expected


@pytest.mark.parametrize(
    ("dialects", "status"),
    [(None, "active"), (frozenset({"openai"}), "active"), (frozenset({"demo"}), "inactive")],
)
def test_an_endpoint_whose_dialect_is_not_spoken_is_inactive(
    dialects: frozenset[str] | None, status: str
) -> None:
    found = hosts(SHIPPED.providers, {}, {"NORTH_API_KEY": "k"})
    catalog = assemble(SHIPPED, found, Declared(), dialects=dialects)
    assert offered(catalog)["north"].status == status
    assert catalog.configured == ({"north"} if status == "active" else frozenset())


def test_a_withdrawn_endpoint_stays_withdrawn_in_any_dialect() -> None:
    gone = shipping(served("meta/llama", "north", status="deprecated"))
    found = hosts(gone.providers, {}, {})
    catalog = assemble(gone, found, Declared(), dialects=frozenset())
    assert offered(catalog)["north"].status == "deprecated"


def test_prices_are_those_of_the_moment() -> None:
    options = {
        "acme": acme(
            price={"prompt": 1e-6, "completion": 2e-6},
            upcoming=[
                {"from": "1970-01-02", "price": {"prompt": 0.5, "completion": 1}},
                {"from": dt.date(1970, 1, 3)},
            ],
        )
    }
    declared = Declared(providers=msgspec.convert(options, ProvidersOptions))
    found = hosts(SHIPPED.providers, declared.providers, {})

    def price(now: int) -> Price | None:
        catalog = assemble(SHIPPED, found, declared, now=now)
        return offered(catalog, "acme/turbo")["acme"].price

    later = Price(prompt=PicoUsd(5 * 10**11), completion=PicoUsd(10**12))
    assert [price(0), price(86_399), price(86_400), price(172_800)] == [CHEAP, CHEAP, later, None]


def test_a_price_in_full() -> None:
    price = {
        "prompt": 1e-6, "completion": 2e-6, "cache_write_1h": 3e-6, "audio": 4e-6,
        "audio_output": 5e-6,
        "tiers": [{"above": 200_000, "prompt": 2e-6}, {"above": 400_000, "completion": "0.1"}],
    }  # fmt: skip
    model = acme(price=price, region="eu", policy={"zdr": True})
    (endpoint,) = build({"acme": model}).models["acme/turbo"].endpoints
    assert endpoint.price == Price(
        prompt=PicoUsd(1_000_000),
        completion=PicoUsd(2_000_000),
        cache_write_1h=PicoUsd(3_000_000),
        audio=PicoUsd(4_000_000),
        audio_output=PicoUsd(5_000_000),
        tiers=(
            PriceTier(min_prompt_tokens=200_000, prompt=PicoUsd(2_000_000)),
            PriceTier(min_prompt_tokens=400_000, completion=PicoUsd(10**11)),
        ),
    )
    assert (endpoint.region, endpoint.policy) == ("eu", DataPolicy(zdr=True))


def rename(name: str, target: str) -> dict[str, Renamed]:
    return {name: Renamed(name=name, target=target, dated="2026-07", reason="retired")}


@pytest.mark.parametrize(
    ("name", "target", "keys", "kept"),
    [
        ("meta/old", "meta/llama", (), True),
        ("meta/old", "meta/unheard-of", (), False),
        ("meta/llama", "demo/parrot", (), True),
        ("meta/llama", "demo/parrot", ("south",), False),
        ("fast", "meta/llama", (), False),
    ],
)
def test_a_renamed_id_counts_while_nothing_of_its_name_can_be_called(
    name: str, target: str, keys: tuple[str, ...], *, kept: bool
) -> None:
    shipped = shipping(*SHIPPED.models, renamed=rename(name, target))
    catalog = build(None, {"fast": ["meta/llama"]}, keys=keys, shipped=shipped, demo="on")
    assert (name in catalog.renamed) is kept


def test_the_indexes_hold_what_can_be_named() -> None:
    shipped = shipping(
        served("meta/llama", "north", "broker"),
        msgspec.structs.replace(served("meta/tiny", "south", free=True), family="tiny"),
        msgspec.structs.replace(served("meta/big-2", "north"), family="big"),
    )
    catalog = build(None, {"Fast": ["meta/llama"]}, keys=("south", "broker"), shipped=shipped)
    assert catalog.spellings["fast"] == "Fast"
    assert catalog.spellings["llama"] == "meta/llama"
    assert catalog.free == ("meta/tiny",)
    assert catalog.latest == {"~meta/big-latest": "meta/big-2"}
    assert catalog.configured == {"south", "broker"}


def test_targets_of_aliases_may_be_written_as_models_may_be() -> None:
    shipped = shipping(*SHIPPED.models, renamed=rename("meta/old", "meta/llama"))
    targets = ["meta/old", "META/Llama:nitro", "meta/lama"]
    catalog = build(None, {"fast": targets}, shipped=shipped)
    assert dangling(catalog) == (("fast", "meta/lama"),)


@pytest.mark.parametrize(("dialects", "shown"), [({"openai"}, False), ({"demo"}, True)])
def test_a_host_that_nobody_here_can_speak_to_hides_no_demo(
    dialects: set[str], *, shown: bool
) -> None:
    found = hosts(SHIPPED.providers, {}, {"NORTH_API_KEY": "x"})
    catalog = assemble(SHIPPED, found, Declared(), dialects=frozenset(dialects))
    assert ("demo/parrot" in catalog.models) is shown
