"""The bodies of the catalog's routes, read by the official clients' own models."""

from typing import Any

import msgspec
import pytest
from openai.types import Model as OpenAiModel
from openrouter.components import ModelResponse, ModelsListResponse
from openrouter.operations import ListEndpointsResponse, ListProvidersResponse

from dragoman.catalog import listing, shipped
from dragoman.catalog.assemble import assemble
from dragoman.catalog.hosts import hosts
from dragoman.catalog.rows import ModelRow
from dragoman.catalog.types import Catalog, Endpoint, Model, Price, Provider
from dragoman.core.money import PicoUsd

CHEAP = Price(
    prompt=PicoUsd(150_000),
    completion=PicoUsd(600_000),
    cache_read=PicoUsd(75_000),
    image=PicoUsd(10**9),
)
DEAR = Price(prompt=PicoUsd(2_500_000), completion=PicoUsd(10_000_000), reasoning=PicoUsd(1))
FREE = Price(prompt=PicoUsd(0), completion=PicoUsd(0))


def endpoint(provider: str, price: Price | None, **fields: Any) -> Endpoint:
    id_ = f"{provider}|meta-llama/llama-4-x" + (":free" if fields.get("free") else "")
    known = {"id": id_, "model": "meta-llama/llama-4-x", "provider": provider, "tag": provider}
    return Endpoint(
        **{**known, "provider_name": provider.title(), "upstream": "m", "price": price, **fields}
    )


def model(*endpoints: Endpoint, **fields: Any) -> Model:
    known = {"id": "meta-llama/llama-4-x", "name": "Llama 4 X", "created": 1_700_000_000}
    return Model(endpoints=endpoints, **{**known, **fields})


def catalog(*models: Model) -> Catalog:
    return Catalog(models={each.id: each for each in models}, providers={})


def one(*endpoints: Endpoint) -> ModelRow:
    (row,) = listing.model_rows(catalog(model(*endpoints)))
    return row


def body(value: object) -> Any:
    return msgspec.json.decode(msgspec.json.encode(value))


@pytest.fixture(scope="module")
def whole() -> Catalog:
    """Return the shipped catalog with every host configured, the demo and a stranger besides."""
    package = shipped.load()
    keys = {row.keys[0]: "k" for row in package.providers.values() if row.keys}
    found = hosts(package.providers, {}, keys)
    stranger = model(endpoint("groq", None), id="house/x:1b", name="x", created=0)
    return assemble(package, found, {}, {}, discovered=[stranger], demo="on")


def test_the_official_sdk_reads_the_list(whole: Catalog) -> None:
    answer = body(listing.page(listing.model_rows(whole)))
    read = ModelsListResponse.model_validate(answer)
    assert read.total_count == len(read.data) == len(answer["data"]) >= 50
    mini = next(each for each in read.data if each.id == "openai/gpt-4o-mini")
    assert (mini.pricing.prompt, mini.pricing.completion) == ("0.00000015", "0.0000006")


def test_the_official_sdk_reads_one_model(whole: Catalog) -> None:
    found = listing.find(whole, "openai/gpt-oss-120b")
    assert found is not None
    answer = body({"data": listing.model_row(found)})
    assert ModelResponse.model_validate(answer).data.id == "openai/gpt-oss-120b"


def test_the_official_sdk_reads_the_endpoints(whole: Catalog) -> None:
    for each in whole.models.values():
        answer = body({"data": listing.model_endpoints(each)})
        read = ListEndpointsResponse.model_validate(answer).data
        assert [row.tag for row in read.endpoints] == [row.tag for row in each.endpoints]


def test_the_official_sdk_reads_the_providers(whole: Catalog) -> None:
    read = ListProvidersResponse.model_validate(body({"data": listing.provider_rows(whole)}))
    slugs = [each.slug for each in read.data]
    assert len(slugs) == len(whole.providers)
    assert slugs.index("anthropic") < slugs.index("groq") < slugs.index("xai")


def test_openais_sdk_reads_a_row(whole: Catalog) -> None:
    row = body(listing.model_rows(whole)[0])
    read = OpenAiModel.model_validate(row, strict=True)
    assert (read.object, read.owned_by) == ("model", row["id"].partition("/")[0])


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
    (row,) = listing.model_rows(catalog(told))
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
    assert one(*endpoints).pricing["prompt"] == prompt


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
    rows = listing.model_rows(catalog(model(*endpoints)))
    assert [row.id for row in rows] == ids


def test_a_free_row_costs_nothing() -> None:
    row = one(endpoint("a", FREE, free=True))
    assert (row.name, row.pricing["prompt"], row.pricing["completion"]) == (
        "Llama 4 X (free)",
        "0",
        "0",
    )


def test_the_newest_model_comes_first() -> None:
    new = model(endpoint("a", CHEAP), id="z/new", created=9)
    old = model(endpoint("a", CHEAP), id="a/old", created=1)
    same = model(endpoint("a", CHEAP), id="b/new", created=9)
    rows = listing.model_rows(catalog(old, new, same))
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
    ],
)
def test_pages(offset: int, limit: int | None, ids: list[str], following: str | None) -> None:
    models = [model(endpoint("a", CHEAP), id=f"x/{n}", created=i) for i, n in enumerate("abc")]
    told = listing.page(listing.model_rows(catalog(*models)), offset=offset, limit=limit)
    assert [row.id for row in told.data] == [f"x/{name}" for name in ids]
    assert (told.total_count, told.links.next) == (3, following)
    assert told.has_more is (following is not None)
    assert told.first_id == (f"x/{ids[0]}" if ids else None)
    assert told.last_id == (f"x/{ids[-1]}" if ids else None)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("meta-llama/llama-4-x", 2),
        ("Meta-Llama/LLAMA-4-X", 2),
        ("meta-llama/llama-4-x:nitro", 2),
        ("meta-llama/llama-4-x:free:online", 1),
        ("meta-llama/llama-4-x:mystery", None),
        ("meta-llama/llama-4-y", None),
        ("", None),
    ],
)
def test_a_model_is_found_in_any_case_and_with_variants(name: str, found: int | None) -> None:
    told = listing.find(catalog(model(endpoint("a", CHEAP), endpoint("a", FREE, free=True))), name)
    assert (len(told.endpoints) if told else None) == found


def test_a_model_without_a_free_tier_has_no_free_variant() -> None:
    assert listing.find(catalog(model(endpoint("a", CHEAP))), "meta-llama/llama-4-x:free") is None


def test_a_name_with_a_colon_of_its_own_is_found() -> None:
    told = catalog(model(endpoint("a", CHEAP), id="house/qwen3:8b"))
    assert listing.find(told, "house/qwen3:8b") is not None
    assert listing.find(told, "house/qwen3:8b:floor") is not None


def test_a_single_model_is_shown_callable_or_not_and_paid_before_free() -> None:
    free = endpoint("a", FREE, free=True)
    both = model(free, endpoint("a", CHEAP, configured=False))
    assert listing.model_row(both).id == "meta-llama/llama-4-x"
    assert listing.model_row(model(free)).id == "meta-llama/llama-4-x:free"


def test_an_endpoint_row_says_what_is_unknown_in_the_sdks_way() -> None:
    told = listing.model_endpoints(
        model(
            endpoint("a", None),
            endpoint(
                "b",
                CHEAP,
                configured=False,
                supports=frozenset({"tool_choice"}),
                quantization="fp8",
            ),
            endpoint("c", FREE, free=True),
        )
    )
    bare, full, free = body(told)["endpoints"]
    assert (bare["context_length"], bare["pricing"]) == (0, {"prompt": "-1", "completion": "-1"})
    assert (bare["status"], bare["configured"], bare["supports_implicit_caching"]) == (
        0,
        True,
        False,
    )
    assert (full["status"], full["configured"], full["supports_implicit_caching"]) == (
        -1,
        False,
        True,
    )
    assert full["supports_tool_choice"] == dict.fromkeys(
        ("auto", "none", "required", "function"), True
    )
    assert (full["name"], full["quantization"]) == ("B | meta-llama/llama-4-x", "fp8")
    assert free["model_id"] == "meta-llama/llama-4-x:free"


def test_a_provider_row() -> None:
    row = Provider(
        slug="acme",
        name="Acme",
        dialect="openai",
        base_url="http://h",
        datacenters=("DE",),
        headquarters="DE",
        terms_url="https://acme.example/terms",
    )
    told = listing.provider_rows(Catalog(models={}, providers={"acme": row}))
    assert body(told) == [
        {
            "name": "Acme",
            "slug": "acme",
            "privacy_policy_url": None,
            "terms_of_service_url": "https://acme.example/terms",
            "status_page_url": None,
            "headquarters": "DE",
            "datacenters": ["DE"],
        }
    ]


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
