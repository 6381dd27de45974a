"""The filters of `GET /models`, each with what it lets through and what it refuses to read."""

from typing import Any

import pytest

from dragoman.catalog.filters import passing, read
from dragoman.catalog.listing import listed
from dragoman.catalog.types import Catalog, DataPolicy, Price, Provider
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import PicoUsd
from tests.catalog.models import CHEAP, DEAR, FREE, endpoint, model

NOW = 1_760_000_000
DAY = 86_400
TEXT, IMAGE = frozenset({"text"}), frozenset({"text", "image"})


def host(slug: str, *datacenters: str) -> Provider:
    return Provider(
        slug=slug, name=slug.title(), dialect="openai", base_url="x", datacenters=datacenters
    )


def shown() -> Catalog:
    """Return five models that differ in all that can be asked for."""
    models = (
        model(
            endpoint("north", CHEAP, context=8_000, supports=frozenset({"tools", "seed"})),
            endpoint("south", DEAR, context=200_000, inputs=IMAGE, tag="south/turbo"),
            id="openai/gpt-x",
            name="GPT X",
            created=NOW - 10 * DAY,
        ),
        model(
            endpoint("west", DEAR, policy=DataPolicy(zdr=True), distillable=True),
            id="meta-llama/llama-4-x",
            name="Llama 4 X",
            created=NOW - 100 * DAY,
        ),
        model(
            endpoint("north", None, region="eu-west-1"),
            id="anthropic/claude-x",
            name="Claude X",
            created=0,
            family="claude-sonnet",
        ),
        model(
            endpoint("north", FREE, free=True),
            id="house/gift",
            name="Gift",
            created=NOW - 200 * DAY,
        ),
        model(
            endpoint("north", CHEAP, outputs=frozenset({"embeddings"})),
            id="openai/embed",
            name="Embed",
            created=NOW,
        ),
        model(endpoint("north", CHEAP, configured=False), id="house/away", created=NOW),
    )
    slugs = {"north": ("DE", "FR"), "south": ("US",), "west": ("US", "DE")}
    rows = {slug: host(slug, *places) for slug, places in slugs.items()}
    return Catalog(
        models={each.id: each for each in models},
        providers=rows,
        provider_names={name: slug for slug in rows for name in (slug, f"{slug} gmbh")},
    )


def ids(**query: str) -> set[str]:
    """Return what passes, without the authors."""
    told = shown()
    filters = read(query, told)
    rows = listed(told, filters.availability)
    return {each.row.id.partition("/")[2] for each in passing(rows, filters, told, NOW)}


ALL = {"gpt-x", "llama-4-x", "claude-x", "gift:free"}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ({}, ALL),
        ({"unheard_of": "1", "q": "", "context": "null"}, ALL),
        ({"availability": "callable"}, ALL),
        ({"availability": "all"}, {*ALL, "away"}),
        ({"q": "GPT"}, {"gpt-x"}),
        ({"q": "x claude"}, {"claude-x"}),
        ({"q": "nothing"}, set()),
        ({"supported_parameters": "tools"}, {"gpt-x"}),
        ({"supported_parameters": "seed, TOOLS"}, {"gpt-x"}),
        ({"supported_parameters": "tools", "input_modalities": "image"}, set()),
        ({"input_modalities": "text"}, ALL),
        ({"input_modalities": "text,image"}, {"gpt-x"}),
        ({"output_modalities": "embeddings"}, {"embed"}),
        ({"output_modalities": "text,embeddings"}, {*ALL, "embed"}),
        ({"output_modalities": "all"}, {*ALL, "embed"}),
        ({"output_modalities": "speech"}, set()),
        ({"context": "8000"}, {"gpt-x"}),
        ({"context": "200001"}, set()),
        ({"context": "0"}, ALL),
        ({"max_price": "0.15"}, {"gpt-x", "gift:free"}),
        ({"min_price": "0.15"}, {"gpt-x", "llama-4-x"}),
        ({"min_price": "0.1501"}, {"llama-4-x"}),
        ({"min_price": "0"}, {"gpt-x", "llama-4-x", "gift:free"}),
        ({"max_price": "0"}, {"gift:free"}),
        ({"min_output_price": "0.7"}, {"llama-4-x"}),
        ({"max_output_price": "0.6", "min_output_price": "1e-1"}, {"gpt-x"}),
        ({"max_age_days": "30"}, {"gpt-x"}),
        ({"min_age_days": "30", "max_age_days": "150"}, {"llama-4-x"}),
        ({"arch": "GPT"}, {"gpt-x"}),
        ({"arch": "llama"}, {"llama-4-x"}),
        ({"arch": "claude-sonnet"}, {"claude-x"}),
        ({"arch": "gpt,Claude"}, {"gpt-x", "claude-x"}),
        ({"model_authors": "OpenAI"}, {"gpt-x"}),
        ({"model_authors": "anthropic,house"}, {"claude-x", "gift:free"}),
        ({"providers": "south"}, {"gpt-x"}),
        ({"providers": "South GmbH/turbo"}, {"gpt-x"}),
        ({"providers": "south/slow"}, set()),
        ({"providers": "west,south"}, {"gpt-x", "llama-4-x"}),
        ({"providers": "north", "context": "100000"}, set()),
        ({"distillable": "true"}, {"llama-4-x"}),
        ({"distillable": "false"}, ALL - {"llama-4-x"}),
        ({"zdr": "true"}, {"llama-4-x"}),
        ({"zdr": "false"}, ALL),
        ({"region": "eu"}, {"gpt-x", "claude-x", "gift:free"}),
        ({"region": "US"}, {"gpt-x"}),
    ],
)
def test_what_passes(query: dict[str, str], found: set[str]) -> None:
    assert ids(**query) == found


@pytest.mark.parametrize(
    ("name", "value", "hint"),
    [
        ("availability", "none", "'none' is not one of callable, all"),
        ("supported_parameters", "tools,wings", "'wings' is not one of frequency_penalty, "),
        ("input_modalities", "smell", "'smell' is not one of text, image, file, audio, video"),
        ("input_modalities", "all", "'all' is not one of text"),
        ("output_modalities", "Dance", "'Dance' is not one of text, image, embeddings"),
        ("context", "-1", "'-1' is not a whole number from 0"),
        ("context", "1.5", "'1.5' is not a whole number"),
        ("context", "٣", "is not a whole number"),
        ("context", "9" * 500, "999…' is not a whole number"),
        ("min_price", "cheap", "'cheap' is not a number of 0 or more"),
        ("max_price", "-1", "'-1' is not a number"),
        ("max_output_price", "nan", "'nan' is not a number"),
        ("min_output_price", "inf", "'inf' is not a number"),
        ("max_age_days", "old", "'old' is not a number"),
        ("arch", "Abacus", "'Abacus' is not one of GPT, Claude"),
        ("model_authors", "openia", "'openia' is not one of openai, "),
        ("providers", "sauth", "'sauth' is not one of south, "),
        ("distillable", "maybe", "'maybe' is not one of true, false"),
        ("zdr", "1", "'1' is not one of true, false"),
        ("region", "mars", "'mars' is not one of eu, us"),
        ("sort", "best", "'best' is not one of newest, pricing-low-to-high"),
        ("category", "programming", "no data on what models are used for"),
        ("min_intelligence_index", "50", "no data on benchmarks"),
        ("max_agentic_index", "50", "no data on benchmarks"),
        ("min_tool_success_rate", "0.9", "no data on how often tool calls succeed"),
    ],
)
def test_what_is_not_known_is_named(name: str, value: str, hint: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        ids(**{name: value})
    assert refused.value.message.startswith(f"{name}: ")
    assert hint in refused.value.message


def test_a_very_small_price_is_compared_exactly() -> None:
    price = Price(prompt=PicoUsd(1), completion=PicoUsd(1))
    told = Catalog(models={"x/y": model(endpoint("a", price), id="x/y")}, providers={})

    def found(**query: Any) -> int:
        return len(passing(listed(told), read(query, told), told, NOW))

    assert found(min_price="0.000001", max_price="0.000001") == 1
    assert found(max_price="0.00000099") == 0


@pytest.mark.parametrize(
    ("tagged", "datacenters", "regions"),
    [
        ("eu", (), "eu"),
        ("europe-west4", ("US",), "eu"),
        ("DE", (), "eu"),
        ("us-east-1", ("DE",), "us"),
        ("us", (), "us"),
        ("global", ("US",), ""),
        (None, ("us",), "us"),
        (None, ("DE", "FR"), "eu"),
        (None, ("DE", "GB"), ""),
        (None, (), ""),
    ],
)
def test_regions(tagged: str | None, datacenters: tuple[str, ...], regions: str) -> None:
    told = Catalog(
        models={"x/y": model(endpoint("a", CHEAP, region=tagged), id="x/y")},
        providers={"a": host("a", *datacenters)},
    )
    rows = listed(told)
    found = [r for r in ("eu", "us") if passing(rows, read({"region": r}, told), told, NOW)]
    assert found == regions.split()


def test_an_endpoint_whose_provider_has_no_row_lies_nowhere() -> None:
    told = Catalog(models={"x/y": model(endpoint("a", CHEAP), id="x/y")}, providers={})
    assert not passing(listed(told), read({"region": "eu"}, told), told, NOW)
