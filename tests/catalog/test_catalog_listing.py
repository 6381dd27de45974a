"""The rows of `GET /models`, field by field, and its pages."""

from typing import Any

import pytest
from msgspec import structs
from openrouter.components import ModelResponse

from dragoman.catalog import listing
from dragoman.catalog.rows import ModelRow
from dragoman.catalog.types import Endpoint, Price, PriceTier
from dragoman.core.money import PicoUsd
from tests.catalog.models import CHEAP, DEAR, FREE, body, catalog, endpoint, model, model_rows


def one(*endpoints: Endpoint) -> ModelRow:
    (row,) = model_rows(catalog(model(*endpoints)))
    return row


def test_a_row_in_full() -> None:
    told = model(
        endpoint(
            "north",
            CHEAP,
            context=1000,
            max_output=100,
            inputs=frozenset({"text", "image"}),
            supports=frozenset({"tools", "seed"}),
        ),
        endpoint("south", DEAR, context=2000, supports=frozenset({"stop", "seed"})),
        description="Nice.",
        knowledge="2024-08",
        hugging_face_id="meta-llama/X",
    )
    (row,) = model_rows(catalog(told))
    assert body(row) == {
        "id": "meta-llama/llama-4-x",
        "name": "Llama 4 X",
        "display_name": "Llama 4 X",
        "canonical_slug": "meta-llama/llama-4-x",
        "created": 1_700_000_000,
        "created_at": "2023-11-14T22:13:20Z",
        "owned_by": "meta-llama",
        "description": "Nice.",
        "context_length": 2000,
        "architecture": {
            "modality": "text+image->text",
            "input_modalities": ["text", "image"],
            "output_modalities": ["text"],
            "tokenizer": "Llama4",
            "instruct_type": None,
        },
        "pricing": {
            "prompt": "0.00000015",
            "completion": "0.0000006",
            "request": "0",
            "image": "0.001",
            "input_cache_read": "0.000000075",
        },
        "top_provider": {
            "context_length": 1000,
            "max_completion_tokens": 100,
            "is_moderated": False,
        },
        "supported_parameters": ["seed", "stop", "tools"],
        "links": {"details": "/api/v1/models/meta-llama/llama-4-x/endpoints"},
        "hugging_face_id": "meta-llama/X",
        "knowledge_cutoff": "2024-08",
        "object": "model",
        "type": "model",
        "per_request_limits": None,
        "default_parameters": None,
        "supported_voices": None,
        "expiration_date": None,
        "lifecycle": "active",
        "max_input_tokens": 2000,
        "max_tokens": 100,
        "callable": True,
    }


@pytest.mark.parametrize(
    ("endpoints", "prompt"),
    [
        ((endpoint("a", DEAR), endpoint("b", CHEAP)), "0.00000015"),
        ((endpoint("a", DEAR), endpoint("b", CHEAP, configured=False)), "0.0000025"),
        ((endpoint("a", None), endpoint("b", DEAR)), "0.0000025"),
        ((endpoint("a", None),), "-1"),
    ],
)
def test_the_price_shown_is_the_lowest_that_is_known_and_can_be_had(
    endpoints: tuple[Endpoint, ...], prompt: str
) -> None:
    assert one(*endpoints).pricing.prompt == prompt


@pytest.mark.parametrize(
    ("endpoints", "ids"),
    [
        ((), []),
        ((endpoint("a", CHEAP, configured=False),), []),
        ((endpoint("a", CHEAP, status="inactive"),), []),
        ((endpoint("a", CHEAP, status="deprecated"),), []),
        ((endpoint("a", CHEAP),), ["meta-llama/llama-4-x"]),
        ((endpoint("a", FREE, free=True),), ["meta-llama/llama-4-x:free"]),
        (
            (endpoint("a", CHEAP), endpoint("a", FREE, free=True)),
            ["meta-llama/llama-4-x", "meta-llama/llama-4-x:free"],
        ),
    ],
)
def test_what_can_be_called_is_listed(endpoints: tuple[Endpoint, ...], ids: list[str]) -> None:
    rows = model_rows(catalog(model(*endpoints)))
    assert [row.id for row in rows] == ids


def test_a_free_row_costs_nothing() -> None:
    row = one(endpoint("a", FREE, free=True))
    assert (row.name, row.pricing.prompt, row.pricing.completion) == (
        "Llama 4 X (free)",
        "0",
        "0",
    )


def test_the_newest_model_comes_first() -> None:
    new = model(endpoint("a", CHEAP), id="z/new", created=9)
    old = model(endpoint("a", CHEAP), id="a/old", created=1)
    same = model(endpoint("a", CHEAP), id="b/new", created=9)
    rows = model_rows(catalog(old, new, same))
    assert [row.id for row in rows] == ["b/new", "z/new", "a/old"]


@pytest.mark.parametrize(
    ("offset", "limit", "ids", "following"),
    [
        (0, None, ["c", "b", "a"], None),
        (0, 2, ["c", "b"], "/api/v1/models?offset=2&limit=2"),
        (2, 2, ["a"], None),
        (1, 2, ["b", "a"], None),
        (7, 2, [], None),
        (1, None, ["b", "a"], None),
        (2**40, 2, [], None),
    ],
)
def test_pages(offset: int, limit: int | None, ids: list[str], following: str | None) -> None:
    models = [model(endpoint("a", CHEAP), id=f"x/{n}", created=i) for i, n in enumerate("abc")]
    told = listing.page(model_rows(catalog(*models)), offset=offset, limit=limit)
    assert [row.id for row in told.data] == [f"x/{name}" for name in ids]
    assert (told.total_count, told.links.next) == (3, following)
    assert told.has_more is (following is not None)
    assert told.first_id == (f"x/{ids[0]}" if ids else None)
    assert told.last_id == (f"x/{ids[-1]}" if ids else None)


def test_the_next_page_keeps_what_was_asked() -> None:
    models = [model(endpoint("a", CHEAP), id=f"x/{name}") for name in "ab"]
    rows = model_rows(catalog(*models))
    told = listing.page(rows, limit=1, path="/api/v1/models?q=x")
    assert told.links.next == "/api/v1/models?q=x&offset=1&limit=1"


def test_all_models_are_listed_on_demand_and_say_whether_they_can_be_called() -> None:
    told = catalog(
        model(endpoint("a", CHEAP, configured=False), endpoint("a", FREE, free=True)),
        model(endpoint("b", CHEAP, default_route=False), id="x/named-only"),
    )
    assert {each.row.id: each.row.callable for each in listing.listed(told, "all")} == {
        "meta-llama/llama-4-x": False,
        "meta-llama/llama-4-x:free": True,
        "x/named-only": False,
    }
    assert [row.id for row in model_rows(told)] == ["meta-llama/llama-4-x:free"]


@pytest.mark.parametrize(
    ("fields", "reasoning"),
    [
        ({}, None),
        ({"reasoning": True}, {"mandatory": False, "supported_efforts": None}),
        (
            {"reasoning": True, "efforts": ("high", "low")},
            {"mandatory": False, "supported_efforts": ["high", "low"]},
        ),
    ],
)
def test_how_a_model_reasons(fields: dict[str, Any], reasoning: object) -> None:
    row = body(listing.model_row(model(endpoint("a", CHEAP), **fields)))
    assert row.get("reasoning") == reasoning


@pytest.mark.parametrize(
    ("id_", "efforts", "mandatory"),
    [
        ("openai/o4-mini", ("high", "low"), True),
        ("openai/gpt-5.1", ("high", "none"), False),
        ("openai/new", (), False),
        ("deepseek/deepseek-v4-pro", ("max", "high"), False),
    ],
)
def test_whether_a_model_reasons_in_any_case(
    id_: str, efforts: tuple[str, ...], *, mandatory: bool
) -> None:
    found = structs.replace(model(endpoint("a", CHEAP)), id=id_, reasoning=True, efforts=efforts)
    assert body(listing.model_row(found))["reasoning"]["mandatory"] is mandatory


def test_a_deprecated_model_says_so_to_anthropics_clients() -> None:
    assert listing.model_row(model(endpoint("a", CHEAP), deprecated=True)).lifecycle == "deprecated"


def test_a_price_with_everything() -> None:
    price = Price(
        prompt=PicoUsd(2_500_000),
        completion=PicoUsd(10_000_000),
        cache_write=PicoUsd(3_000_000),
        cache_write_1h=PicoUsd(5_000_000),
        audio=PicoUsd(1_000_000),
        audio_output=PicoUsd(2_000_000),
        request=PicoUsd(10**9),
        tiers=(
            PriceTier(min_prompt_tokens=200_000, prompt=PicoUsd(5_000_000)),
            PriceTier(
                min_prompt_tokens=500_000,
                completion=PicoUsd(20_000_000),
                cache_read=PicoUsd(1),
                cache_write=PicoUsd(0),
            ),
        ),
    )
    answer = body({"data": listing.model_row(model(endpoint("a", price)))})
    assert answer["data"]["pricing"] == {
        "prompt": "0.0000025",
        "completion": "0.00001",
        "request": "0.001",
        "image": "0",
        "audio": "0.000001",
        "audio_output": "0.000002",
        "input_cache_write": "0.000003",
        "input_cache_write_1h": "0.000005",
        "overrides": [
            {"min_prompt_tokens": 200_000, "prompt": "0.000005"},
            {
                "min_prompt_tokens": 500_000,
                "completion": "0.00002",
                "input_cache_read": "0.000000000001",
                "input_cache_write": "0",
            },
        ],
    }
    read = ModelResponse.model_validate(answer).data.pricing
    assert read.overrides is not None
    assert read.overrides[0].min_prompt_tokens == 200_000


def test_a_single_model_is_shown_callable_or_not_and_paid_before_free() -> None:
    free = endpoint("a", FREE, free=True)
    both = model(free, endpoint("a", CHEAP, configured=False))
    assert listing.model_row(both).id == "meta-llama/llama-4-x"
    assert listing.model_row(model(free)).id == "meta-llama/llama-4-x:free"


@pytest.mark.parametrize(
    ("id_", "tokenizer"),
    [
        ("openai/gpt-5", "GPT"),
        ("google/gemma-4", "Gemma"),
        ("google/gemini-3", "Gemini"),
        ("Qwen/Qwen3-8B", "Qwen3"),
        ("house/x", "Other"),
    ],
)
def test_the_family_of_tokenizer_is_known_by_the_id(id_: str, tokenizer: str) -> None:
    row = listing.model_row(model(endpoint("a", CHEAP), id=id_))
    assert row.architecture.tokenizer == tokenizer


def test_modalities_have_one_order_and_strangers_come_last() -> None:
    inputs = frozenset({"video", "smell", "file", "text"})
    row = one(endpoint("a", CHEAP, inputs=inputs))
    assert row.architecture.modality == "text+file+video+smell->text"
