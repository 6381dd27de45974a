"""What hosts answer to `GET /models`."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.discover import MOST_MODELS, discovered, model_id
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import PriceOptions, ProviderOptions
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import Model, Provider
from dragoman.core.money import PicoUsd

HOUSE = Provider(slug="house", name="House", dialect="openai", base_url="http://h/v1")


def tell(answer: Any, options: ProviderOptions | None = None) -> tuple[Model, ...]:
    return discovered(HOUSE, options or ProviderOptions(), msgspec.json.encode(answer))


def tell_one(row: dict[str, Any]) -> Model:
    (model,) = tell({"object": "list", "data": [row]})
    return model


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("gpt-4o", "house/gpt-4o"),
        ("meta-llama/Llama-3.3-70B", "meta-llama/Llama-3.3-70B"),
        ("llama3.2:3b", "house/llama3.2:3b"),
        ("accounts/fireworks/models/glm", "accounts/fireworks/models/glm"),
        ("/models/qwen3-8b-q4.gguf", "house/qwen3-8b-q4"),
        ("models/qwen3.gguf", "house/qwen3"),
        ("C:\\models\\phi.gguf", "house/phi"),
        ("/data/llama/", "house/llama"),
        ("with space", None),
        ("zoë", None),
        ("tab\t", None),
        ("meta/llama:free", None),
        ("/", None),
        ("", None),
        ("a/" + "b" * 300, None),
    ],
)
def test_the_id_of_a_model_by_its_name_at_the_host(name: str, expected: str | None) -> None:
    assert model_id("house", name) == expected


@pytest.mark.parametrize(
    ("row", "context"),
    [
        ({"id": "m"}, None),
        ({"id": "m", "max_model_len": 32768}, 32768),
        ({"id": "m", "meta": {"n_ctx_train": 8192, "n_params": 7}}, 8192),
        ({"id": "m", "meta": {"n_ctx_train": 8192, "n_ctx": 4096}}, 4096),
        ({"id": "m", "meta": None}, None),
        ({"id": "m", "context_length": 200000}, 200000),
        ({"id": "m", "context_window": 131072}, 131072),
        ({"id": "m", "max_context_length": 32000}, 32000),
        ({"id": "m", "max_model_len": "32768"}, None),
        ({"id": "m", "max_model_len": True}, None),
        ({"id": "m", "max_model_len": -1}, None),
        ({"id": "m", "max_model_len": 10**30, "context_length": 5}, 5),
    ],
)
def test_the_context_window_as_each_kind_of_host_tells_it(
    row: dict[str, Any], context: int | None
) -> None:
    model = tell_one(row)
    assert model.endpoints[0].context == context


def test_a_plain_row_supports_what_the_dialect_can_say_and_has_no_price() -> None:
    model = tell_one({"id": "gpt-4o", "object": "model", "created": 1715367049, "owned_by": "x"})
    endpoint = model.endpoints[0]
    assert (model.id, model.name, model.created) == ("house/gpt-4o", "house/gpt-4o", 1715367049)
    assert (endpoint.id, endpoint.upstream) == ("house|house/gpt-4o", "gpt-4o")
    assert (endpoint.supports, endpoint.price, model.reasoning) == (PARAMETERS, None, False)


def test_a_row_like_openrouters_tells_more() -> None:
    model = tell_one(
        {
            "id": "meta/llama",
            "name": "Llama",
            "pricing": {"prompt": "0", "completion": "0"},
            "architecture": {"input_modalities": ["text", "image", "smell", 3]},
            "top_provider": {"max_completion_tokens": 4096},
            "supported_parameters": ["tools", "reasoning", "mystery", None],
        }
    )
    endpoint = model.endpoints[0]
    assert (model.name, model.reasoning) == ("Llama", True)
    assert endpoint.price is None
    assert endpoint.inputs == {"text", "image"}
    assert endpoint.supports == {"tools", "reasoning"}
    assert endpoint.max_output == 4096


def test_ollamas_own_list_and_a_bare_list_are_read() -> None:
    assert [model.id for model in tell({"models": [{"name": "qwen3:8b"}]})] == ["house/qwen3:8b"]
    assert [model.id for model in tell([{"id": "a/b"}])] == ["a/b"]


def test_the_operators_price_is_the_price() -> None:
    options = ProviderOptions(price=PriceOptions(prompt=0.000001, completion=0.000002))
    (model,) = tell({"data": [{"id": "m", "pricing": {"prompt": "9"}}]}, options)
    price = model.endpoints[0].price
    assert price is not None
    assert (price.prompt, price.completion) == (PicoUsd(1_000_000), PicoUsd(2_000_000))


def test_odd_rows_are_left_out_and_the_others_stay() -> None:
    rows = [1, None, {}, {"id": 7}, {"id": "x" * 500}, {"id": "a b"}, {"id": "m"}, {"id": "M"}]
    assert [model.id for model in tell({"data": rows})] == ["house/m"]


@pytest.mark.parametrize("created", [-1, "now", 10**15, 1.5, None])
def test_an_odd_date_is_no_date(created: object) -> None:
    assert tell_one({"id": "m", "created": created}).created == 0


@pytest.mark.parametrize("name", ["", "a\nb", 7, None])
def test_an_odd_title_is_no_title(name: object) -> None:
    assert tell_one({"id": "m", "name": name}).name == "house/m"


@pytest.mark.parametrize(
    ("body", "problem"),
    [
        (b"", "is not JSON"),
        (b"<html>", "is not JSON"),
        (b'{"data": [', "is not JSON"),
        (b'{"data": "\xff"}', "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"7", "is not a list"),
        (b"{}", "is not a list"),
        (b'{"data": {}, "error": "no"}', "is not a list"),
        (msgspec.json.encode([{"id": f"m{i}"} for i in range(MOST_MODELS + 1)]), "more than 5000"),
    ],
)
def test_what_is_no_list_of_models_is_refused(body: bytes, problem: str) -> None:
    with pytest.raises(CatalogError, match=r"^providers\.house: its list of models: ") as caught:
        discovered(HOUSE, ProviderOptions(), body)
    assert problem in str(caught.value)


def test_as_many_models_as_allowed_are_read() -> None:
    assert len(tell([{"id": f"m{i}"} for i in range(MOST_MODELS)])) == MOST_MODELS


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=4,
)
FIELDS = (
    "id",
    "name",
    "created",
    "meta",
    "max_model_len",
    "architecture",
    "top_provider",
    "supported_parameters",
)


ROWS = st.lists(st.dictionaries(st.sampled_from(FIELDS), JSON, max_size=4), max_size=4)


@given(ROWS)
def test_no_row_can_break_the_reading(rows: list[dict[str, Any]]) -> None:
    ids = [model.id.lower() for model in tell({"data": rows})]
    assert len(ids) == len(set(ids))


@given(st.binary())
def test_any_bytes_are_a_list_or_a_refusal(body: bytes) -> None:
    try:
        told = discovered(HOUSE, ProviderOptions(), body)
    except CatalogError:
        return
    assert len(told) <= len(body)
