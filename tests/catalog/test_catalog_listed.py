"""What known hosts list beside what is shipped."""

from typing import Any

import msgspec
import pytest

from dragoman.catalog.discover import MODEST, listed
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import hosts
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.types import Model, Provider

HOUSE = Provider(
    slug="house", name="House", dialect="openai", base_url="https://h/v1", keys=("HOUSE_KEY",)
)
KEY = {"HOUSE_KEY": "k"}


def tell(*rows: Any) -> tuple[Model, ...]:
    return listed(HOUSE, ProviderOptions(), msgspec.json.encode({"data": rows}))


@pytest.mark.parametrize(
    ("name", "id_"),
    [
        ("big-8b", "house/big-8b"),
        ("meta/big-8b", "meta/big-8b"),
        ("models/gemini-9", "house/gemini-9"),
    ],
)
def test_a_model_joins_under_the_name_it_is_listed_by(name: str, id_: str) -> None:
    (model,) = tell({"id": name})
    (endpoint,) = model.endpoints
    assert (model.id, endpoint.upstream) == (id_, name.removeprefix("models/"))
    assert endpoint.price is None


def test_google_says_what_a_model_is_for_and_how_long_it_reads() -> None:
    """ai.google.dev/api/models, `Model`."""
    chats = {
        "name": "models/gemini-9-flash",
        "displayName": "Gemini 9 Flash",
        "inputTokenLimit": 1_048_576,
        "outputTokenLimit": 65_536,
        "supportedGenerationMethods": ["generateContent", "countTokens"],
    }
    other = {"name": "models/aqa", "supportedGenerationMethods": ["generateAnswer"]}
    (model,) = listed(HOUSE, ProviderOptions(), msgspec.json.encode({"models": [chats, other]}))
    (endpoint,) = model.endpoints
    assert (model.name, endpoint.upstream) == ("Gemini 9 Flash", "gemini-9-flash")
    assert (endpoint.context, endpoint.max_output) == (1_048_576, 65_536)


def test_what_a_host_does_not_say_is_supported_is_not() -> None:
    (silent,) = tell({"id": "big"})
    assert silent.endpoints[0].supports == MODEST
    (telling,) = tell({"id": "big", "supported_parameters": ["tools", "telepathy"]})
    assert telling.endpoints[0].supports == {"tools"}


@pytest.mark.parametrize(
    "name",
    [
        "text-embedding-9",
        "nomic-embed-text",
        "whisper-9",
        "gpt-9-audio-preview",
        "tts-1-hd",
        "dall-e-4",
        "gpt-image-2",
        "omni-moderation-latest",
        "gpt-9-realtime",
        "gpt-9-transcribe",
        "veo-9",
        "models/imagen-9",
        "BAAI/bge-m3",
        "rerank-v9",
        "black-forest-labs/FLUX.3",
        "",
        "x" * 200,
    ],
)
def test_models_for_something_else_than_chat_are_left_out(name: str) -> None:
    assert tell({"id": name}) == ()


@pytest.mark.parametrize("name", ["reimage-70b", "mattspeech", "latte", "reflux"])
def test_a_name_is_not_judged_by_its_middle(name: str) -> None:
    assert len(tell({"id": name})) == 1


@pytest.mark.parametrize(
    ("facts", "talks"),
    [
        ({"type": "chat"}, True),
        ({"type": "image"}, False),
        ({"type": ["odd"]}, True),
        ({"capabilities": {"completion_chat": True}}, True),
        ({"capabilities": {"completion_chat": False}}, False),
        ({"capabilities": "odd"}, True),
        ({"architecture": {"output_modalities": ["text", "image"]}}, True),
        ({"architecture": {"output_modalities": ["image"]}}, False),
        ({"architecture": {"output_modalities": "odd"}}, True),
    ],
)
def test_what_a_host_says_of_a_model_tells_whether_it_talks(
    facts: dict[str, Any], *, talks: bool
) -> None:
    assert bool(tell({"id": "big"} | facts)) is talks


def test_an_answer_that_is_no_list_is_refused() -> None:
    with pytest.raises(CatalogError, match=r"^providers.house: its list of models: is not a list"):
        listed(HOUSE, ProviderOptions(), b"{}")


@pytest.mark.parametrize(
    ("changes", "option", "environ", "asked"),
    [
        ({}, None, KEY, True),
        ({}, None, {}, False),
        ({}, ProviderOptions(api_key="k"), {}, True),
        ({}, ProviderOptions(discover=False), KEY, False),
        ({}, ProviderOptions(enabled=False), KEY, False),
        ({"lists": False}, None, KEY, False),
        ({"kind": "aggregator"}, None, KEY, False),
        ({"kind": "plan"}, None, KEY, False),
        ({"dialect": "vertex"}, None, KEY, False),
    ],
)
def test_a_known_host_that_can_be_called_is_asked_unless_there_is_a_reason(
    changes: dict[str, Any],
    option: ProviderOptions | None,
    environ: dict[str, str],
    *,
    asked: bool,
) -> None:
    rows = {"house": msgspec.structs.replace(HOUSE, **changes)}
    found = hosts(rows, {"house": option} if option else {}, environ)
    assert found.listing == ({"house"} if asked else set())
    assert found.discover == set()


def test_a_host_that_is_told_to_be_asked_is_asked_as_ones_own() -> None:
    found = hosts({"house": HOUSE}, {"house": ProviderOptions(discover=True)}, KEY)
    assert found.discover == {"house"}
    assert found.listing == set()


def test_a_host_of_ones_own_is_not_a_known_host() -> None:
    mine = ProviderOptions(base_url="http://m/v1")
    found = hosts({}, {"mine": mine}, {})
    assert found.discover == {"mine"}
    assert found.listing == set()
