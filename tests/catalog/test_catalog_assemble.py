"""Shipped, own and discovered models become one catalog."""

import random
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.assemble import Shipped, assemble, dangling
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import hosts
from dragoman.catalog.names import letters
from dragoman.catalog.options import Declared, Demo
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import DataPolicy, Endpoint, Price
from dragoman.core.money import PicoUsd
from tests.catalog.assembly import CHEAP, POLICY, SHIPPED, acme, build, served


def test_letters_of_all_names_are_there_before_anybody_misspells_one() -> None:
    catalog = build({"acme": acme()}, {"fast": ("acme/turbo",)})
    assert catalog.letters == {each: letters(each) for each in (*catalog.models, "fast")}


def test_the_same_model_at_two_own_hosts_has_two_endpoints() -> None:
    catalog = build({"acme": acme(upstream="a"), "acme-2": acme(upstream="b")})
    endpoints = catalog.models["acme/turbo"].endpoints
    assert [(each.id, each.upstream) for each in endpoints] == [
        ("acme-2|acme/turbo", "b"),
        ("acme|acme/turbo", "a"),
    ]


def test_an_own_model_in_full() -> None:
    fields = {
        "upstream": "gpt-4o",
        "name": "Turbo",
        "context": 128000,
        "max_output": 16384,
        "price": {"prompt": 0.0000025, "completion": "0.00001", "cache_read": 1e-6},
        "supports": ["tools", "reasoning"],
        "inputs": ["image"],
        "quantization": "fp8",
    }
    model = build({"acme": acme(**fields)}).models["acme/turbo"]
    assert (model.name, model.context, model.reasoning) == ("Turbo", 128000, True)
    assert model.endpoints == (
        Endpoint(
            id="acme|acme/turbo",
            model="acme/turbo",
            provider="acme",
            provider_name="acme",
            tag="acme",
            upstream="gpt-4o",
            price=Price(
                prompt=PicoUsd(2_500_000),
                completion=PicoUsd(10_000_000),
                cache_read=PicoUsd(1_000_000),
            ),
            context=128000,
            max_output=16384,
            inputs=frozenset({"text", "image"}),
            supports=frozenset({"tools", "reasoning"}),
            quantization="fp8",
        ),
    )


def test_what_an_own_model_leaves_out_is_unknown_but_for_its_parameters() -> None:
    (endpoint,) = build({"acme": acme()}).models["acme/turbo"].endpoints
    assert endpoint.upstream == "turbo"
    assert (endpoint.price, endpoint.context, endpoint.quantization) == (None, None, "unknown")
    assert endpoint.supports == PARAMETERS


def test_the_price_of_a_host_is_that_of_its_models_unless_they_have_one() -> None:
    price = {"prompt": 0.000001, "completion": 0.000002}
    models = {"acme/a": {}, "acme/b": {"price": {"prompt": 0, "completion": 0.1}}}
    host = {"base_url": "http://h/v1", "price": price, "models": models}
    catalog = build({"acme": host})
    assert catalog.models["acme/a"].endpoints[0].price == CHEAP
    other = catalog.models["acme/b"].endpoints[0].price
    assert other == Price(prompt=PicoUsd(0), completion=PicoUsd(10**11))


def test_a_price_of_nothing_is_unknown_unless_declared_free() -> None:
    nothing = {"prompt": 0, "completion": 0}
    (unknown,) = build({"acme": acme(price=nothing)}).models["acme/turbo"].endpoints
    (free,) = build({"acme": acme(free=True)}).models["acme/turbo"].endpoints
    assert (unknown.price, unknown.free) == (None, False)
    assert (free.price, free.free) == (Price(prompt=PicoUsd(0), completion=PicoUsd(0)), True)
    assert free.id == "acme|acme/turbo:free"


def test_a_free_tier_stands_beside_its_paid_one() -> None:
    host = {"base_url": "http://h/v1", "models": {"acme/turbo": {}, "acme/turbo:free": {}}}
    endpoints = build({"acme": host}).models["acme/turbo"].endpoints
    assert [(each.id, each.free) for each in endpoints] == [
        ("acme|acme/turbo", False),
        ("acme|acme/turbo:free", True),
    ]


def test_an_own_host_joins_a_shipped_model_under_its_spelling() -> None:
    host = {
        "base_url": "http://h/v1",
        "models": {"Meta/LLaMA": {"context": 5000, "inputs": ["image"]}},
    }
    model = build({"acme": host}, keys=("north",)).models["meta/llama"]
    assert [each.id for each in model.endpoints] == [
        "acme|meta/llama",
        "north|meta/llama",
        "south|meta/llama",
    ]
    assert (model.name, model.context) == ("Shipped meta/llama", 5000)
    assert model.inputs == {"text", "image"}


def test_the_operator_has_the_last_word_on_a_shipped_endpoint() -> None:
    price = {"prompt": 0.5, "completion": 0.5}
    host = {"models": {"meta/llama": {"upstream": "mine", "price": price}}, "api_key": "k"}
    endpoints = build({"north": host}).models["meta/llama"].endpoints
    north = next(each for each in endpoints if each.provider == "north")
    assert north.upstream == "mine"
    assert north.price == Price(prompt=PicoUsd(5 * 10**11), completion=PicoUsd(5 * 10**11))
    assert len(endpoints) == 2


def test_endpoints_say_who_can_be_called_and_carry_the_policy_of_their_provider() -> None:
    endpoints = (
        build({"south": {"name": "Deep South"}}, keys=("north",)).models["meta/llama"].endpoints
    )
    assert [(each.provider_name, each.configured, each.policy) for each in endpoints] == [
        ("North", True, POLICY),
        ("Deep South", False, DataPolicy()),
    ]


def test_a_policy_of_an_endpoint_itself_is_kept() -> None:
    own = DataPolicy(trains=True)
    shipped = Shipped(
        providers=SHIPPED.providers, models=(served("meta/llama", "north", policy=own),)
    )
    catalog = assemble(shipped, hosts(shipped.providers, {}, {}), Declared())
    assert catalog.models["meta/llama"].endpoints[0].policy == own


@pytest.mark.parametrize(
    ("demo", "keys", "shown"),
    [
        ("auto", (), True),
        ("auto", ("north",), False),
        ("auto", ("broker",), True),
        ("auto", ("broker", "subscription"), True),
        ("on", ("north",), True),
        ("off", (), False),
    ],
)
def test_when_the_demo_models_are_there(demo: Demo, keys: tuple[str, ...], shown: bool) -> None:  # noqa: FBT001
    catalog = build(keys=keys, demo=demo)
    assert ("demo/parrot" in catalog.models) is shown
    assert ("demo-swift" in catalog.providers) is shown
    assert ("demo-swift" in catalog.provider_names) is shown
    if shown:
        assert catalog.models["demo/parrot"].endpoints[0].configured


def test_every_name_of_a_provider_leads_to_its_slug() -> None:
    names = build({"acme": {**acme(), "name": "ACME Inc"}}).provider_names
    assert names["acme"] == names["acme inc"] == "acme"
    assert names["the-south"] == names["south"] == "south"


def test_a_discovered_model_is_priceless_and_joins_what_is_known() -> None:
    house = {"house": {"base_url": "http://h/v1"}}
    catalog = build(house, lists={"house": [{"id": "Meta/Llama"}, {"id": "qwen3:8b"}]})
    assert "house|meta/llama" in {each.id for each in catalog.models["meta/llama"].endpoints}
    (endpoint,) = catalog.models["house/qwen3:8b"].endpoints
    assert (endpoint.upstream, endpoint.price) == ("qwen3:8b", None)


def test_what_is_declared_or_shipped_is_not_discovered_again() -> None:
    host = {**acme(upstream="gpt-4o"), "discover": True}
    catalog = build(
        {"acme": host, "north": {"discover": True, "api_key": "k"}},
        lists={"acme": [{"id": "gpt-4o"}, {"id": "new"}], "north": [{"id": "north-name"}]},
    )
    assert set(catalog.models) == {"acme/turbo", "acme/new", "meta/llama"}


def test_a_discovered_model_does_not_take_the_name_of_an_alias() -> None:
    host = {"acme": {**acme(), "discover": True}}
    catalog = build(host, {"acme/Fast": ["acme/turbo"]}, lists={"acme": [{"id": "fast"}]})
    assert "acme/fast" not in catalog.models
    assert "acme/Fast" in catalog.aliases


def test_aliases_have_weights_in_the_order_of_their_targets() -> None:
    aliases = build(
        {"acme": acme()}, {"fast": {"meta/llama:nitro": 3, "acme/turbo": 0.5}, "any": ["a/b"]}
    ).aliases
    assert aliases["fast"].targets == (("acme/turbo", 0.5), ("meta/llama:nitro", 3.0))
    assert aliases["any"].targets == (("a/b", 1.0),)


def test_targets_that_nobody_serves_are_told() -> None:
    catalog = build(None, {"fast": ["Meta/llama", "meta/llama:free", "meta/lama"]})
    assert dangling(catalog) == (("fast", "meta/lama"),)


@pytest.mark.parametrize(
    ("providers", "aliases", "message"),
    [
        (
            {"acme": acme(supports=["tool"])},
            {},
            r"^providers.acme.models.acme/turbo.supports: tool",
        ),
        (
            {"acme": acme(price={"prompt": -1, "completion": 1})},
            {},
            r"^providers.acme.models.acme/turbo.price.prompt: ",
        ),
        (
            {"acme": acme(price={"prompt": 1, "completion": "x"})},
            {},
            r"^providers.acme.models.acme/turbo.price.completion: ",
        ),
        (
            {"acme": acme(price={"prompt": 1, "completion": 1, "cache_read": 1e-13})},
            {},
            r"turbo.price.cache_read: .* finer",
        ),
        (
            {"acme": acme(price={"prompt": 1, "completion": 1, "tiers": [{"above": 5}]})},
            {},
            r"^providers.acme.models.acme/turbo.price.tiers.0: names no price",
        ),
        (
            {
                "acme": acme(
                    price={
                        "prompt": 1,
                        "completion": 1,
                        "tiers": [{"above": 5, "prompt": 1}, {"above": 5, "prompt": 2}],
                    }
                )
            },
            {},
            r"turbo.price.tiers: each must begin above",
        ),
        (
            {
                "acme": acme(
                    price={
                        "prompt": 1,
                        "completion": 1,
                        "tiers": [{"above": 5, "prompt": 1}, {"above": 6, "completion": -2}],
                    }
                )
            },
            {},
            r"turbo.price.tiers.1.completion: ",
        ),
        (
            {"acme": acme(upcoming=[{"from": "2030-01-02"}, {"from": "2030-01-01"}])},
            {},
            r"^providers.acme.models.acme/turbo.upcoming: each must begin after",
        ),
        (
            {
                "acme": acme(
                    upcoming=[{"from": "2030-01-02", "price": {"prompt": 1, "completion": 5000}}]
                )
            },
            {},
            r"turbo.upcoming.0.price.completion: ",
        ),
        ({"acme": acme(upstream=" ")}, {}, r"^providers.acme.models.acme/turbo.upstream: is empty"),
        (
            {"acme": {**acme(), "price": {"prompt": 5000, "completion": 1}}},
            {},
            r"^providers.acme.price.prompt: ",
        ),
        ({"acme": {"base_url": "http://h", "models": {"turbo": {}}}}, {}, r"models.turbo: write"),
        ({"acme": {"base_url": "http://h", "models": {"a/b c": {}}}}, {}, r"models.a/b c: write"),
        (
            {"acme": {"base_url": "http://h", "models": {"a/b": {}, "A/B": {}}}},
            {},
            r"^providers.acme.models.a?A?/[bB]: is declared twice",
        ),
        (
            {"acme": {"base_url": "http://h", "models": {"a/b": {"free": True}, "a/b:free": {}}}},
            {},
            "is declared twice",
        ),
        ({"acme": acme()}, {"Acme/Turbo": ["meta/llama"]}, r"^aliases.Acme/Turbo: is the id of"),
        ({}, {"fast": {}}, r"^aliases.fast: names no model"),
        ({}, {"fast": {"a/b": 0}}, r"^aliases.fast.a/b: a weight"),
        ({}, {"fast": {"a/b": float("nan")}}, r"^aliases.fast.a/b: a weight"),
        ({}, {"fast": ["quick"], "quick": ["a/b"]}, r"^aliases.fast.quick: is an alias itself"),
        ({}, {"fast": ["nobody"]}, r"^aliases.fast.nobody: is not a model's id"),
        ({}, {"a b": ["a/b"]}, r"^aliases.a b: a name is"),
        ({}, {"fast:nitro": ["a/b"]}, r"^aliases.fast:nitro: a name is"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(
    providers: dict[str, Any], aliases: dict[str, Any], message: str
) -> None:
    with pytest.raises(CatalogError, match=message):
        build(providers, aliases)


@given(st.randoms(use_true_random=False))
def test_the_order_in_which_things_come_in_does_not_matter(shuffle: random.Random) -> None:
    providers: dict[str, Any] = {
        "acme": {
            "base_url": "http://h/v1",
            "discover": True,
            "models": {"x/one": {"name": "One"}, "Meta/Llama": {}, "x/two": {"context": 5}},
        },
        "bond": {
            "base_url": "http://i/v1",
            "discover": True,
            "models": {"X/ONE": {"name": "Uno"}, "x/three": {}},
        },
    }
    lists: dict[str, Any] = {
        "acme": [{"id": "y/one", "max_model_len": 9}, {"id": "y/two"}],
        "bond": [{"id": "Y/One"}, {"id": "x/one"}],
    }
    expected = build(providers, keys=("south",), lists=lists)

    def stirred(mapping: Mapping[str, Any]) -> dict[str, Any]:
        items = list(mapping.items())
        shuffle.shuffle(items)
        return dict(items)

    mixed = {
        slug: {**options, "models": stirred(options["models"])}
        for slug, options in stirred(providers).items()
    }
    assert build(mixed, keys=("south",), lists=stirred(lists)) == expected
    ids = [each.id for model in expected.models.values() for each in model.endpoints]
    assert len(ids) == len(set(ids))


def test_what_is_no_chat_is_spoken_of_in_a_dialect_of_its_own() -> None:
    models = {
        "acme/embed": {"outputs": ["embeddings"]},
        "acme/rank": {
            "outputs": ["rerank"], "price": {"prompt": 0, "completion": 0, "search": 0.002},
        },
    }  # fmt: skip
    catalog = build({"acme": {"base_url": "http://h/v1", "models": models}})
    (embed,) = catalog.models["acme/embed"].endpoints
    (rank,) = catalog.models["acme/rank"].endpoints
    assert embed.dialect == "openai-embeddings"
    assert embed.outputs == {"embeddings"}
    assert not embed.supports
    assert rank.dialect == "openai-rerank"
    assert rank.price is not None
    assert rank.price.search == 2 * 10**9
    assert build({"acme": acme()}).models["acme/turbo"].endpoints[0].dialect is None


def test_what_is_no_chat_stands_alone() -> None:
    with pytest.raises(CatalogError, match=r"outputs: embeddings must stand alone"):
        build({"acme": acme(outputs=["text", "embeddings"])})


@pytest.mark.parametrize(("dialect", "takes"), [("anthropic", True), ("openai", False)])
def test_hosts_of_messages_take_typed_tools(dialect: str, *, takes: bool) -> None:
    catalog = build({"acme": {**acme(), "dialect": dialect}})
    assert catalog.models["acme/turbo"].endpoints[0].typed_tools is takes
