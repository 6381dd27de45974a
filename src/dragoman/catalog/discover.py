"""Read what a host says of itself: its answer to `GET /models`.

OpenAI's list is the common form (`data[].id`). Hosts add what they know: vLLM
`max_model_len`, llama.cpp `meta.n_ctx_train`, OpenRouter and its kin
`context_length`, `top_provider`, `supported_parameters`; Ollama's own `/api/tags`
has `models[].name`. What is odd is left out rather than refused, for one strange
row must not hide the others. Prices are never taken from a host: they are what
the operator says they are. Asking the host is done elsewhere.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.own import endpoint_id, is_model_id, read_price
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import Endpoint, Model, Price, Provider

MOST_MODELS = 5_000
MOST_TOKENS = 1_000_000_000
LONGEST_NAME = 160
LAST_SECOND = 253_402_300_799
"""Unix time of the last second of the year 9999, beyond which no date can be written."""

_decode = msgspec.json.decode


def discovered(provider: Provider, options: ProviderOptions, body: bytes) -> tuple[Model, ...]:
    """Return the models that `provider` lists, each with its one endpoint.

    A name without an author is given the provider's slug as one. Raises
    CatalogError when the answer is no list of models, or one of more than 5,000.
    """
    place = f"providers.{provider.slug}"
    price = read_price(options.price, f"{place}.price")
    models: dict[str, Model] = {}
    for row in _rows(body, f"{place}: its list of models"):
        name = row.get("id") or row.get("name")
        if not isinstance(name, str) or len(name) > LONGEST_NAME:
            continue
        id_ = model_id(provider.slug, name)
        if id_ is not None and id_.lower() not in models:
            models[id_.lower()] = _model(provider, price, id_, name, row)
    return tuple(models.values())


def model_id(slug: str, name: str) -> str | None:
    """Return the catalog's id for a model that a host calls `name`, None if it can have none.

    `meta/llama` stays; `llama3.2:3b` and `/models/llama.gguf` belong to the host.
    """
    if name.startswith("/") or "\\" in name or name.endswith(".gguf"):
        name = name.replace("\\", "/").rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    if not is_model_id(name):
        name = f"{slug}/{name}"
    return name if is_model_id(name) and not name.endswith(":free") else None


def _rows(body: bytes, place: str) -> Iterable[Mapping[str, Any]]:
    try:
        answer = _decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise CatalogError(place, "is not JSON") from None
    if isinstance(answer, dict):
        answer = next((v for k in ("data", "models") if isinstance(v := answer.get(k), list)), None)
    if not isinstance(answer, list):
        raise CatalogError(place, "is not a list")
    if len(answer) > MOST_MODELS:
        raise CatalogError(place, f"holds {len(answer)} models, more than {MOST_MODELS}")
    return [row for row in answer if isinstance(row, dict)]


def _model(
    provider: Provider, price: Price | None, id_: str, name: str, row: Mapping[str, Any]
) -> Model:
    top = _mapping(row, "top_provider")
    supported = row.get("supported_parameters")
    listed = PARAMETERS.intersection(_texts(supported))
    created = row.get("created")
    title = row.get("name")
    endpoint = Endpoint(
        id=endpoint_id(provider.slug, id_),
        model=id_,
        provider=provider.slug,
        provider_name=provider.name,
        tag=provider.slug,
        upstream=name,
        price=price,
        context=_context(row),
        max_output=_tokens(top.get("max_completion_tokens")),
        inputs=frozenset({"text", *_inputs(row)}),
        supports=listed or PARAMETERS,
    )
    return Model(
        id=id_,
        name=title if isinstance(title, str) and title and title.isprintable() else id_,
        created=created if isinstance(created, int) and 0 <= created <= LAST_SECOND else 0,
        endpoints=(endpoint,),
        reasoning="reasoning" in listed,
    )


def _context(row: Mapping[str, Any]) -> int | None:
    """Return the first of the known names of the context window that holds a sane number."""
    meta = _mapping(row, "meta")
    found = (
        row.get("max_model_len"),
        row.get("context_length"),
        row.get("context_window"),
        row.get("max_context_length"),
        meta.get("n_ctx"),
        meta.get("n_ctx_train"),
    )
    return next((tokens for value in found if (tokens := _tokens(value))), None)


def _inputs(row: Mapping[str, Any]) -> Iterable[str]:
    known = {"text", "image", "file", "audio", "video"}
    return known.intersection(_texts(_mapping(row, "architecture").get("input_modalities")))


def _tokens(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= MOST_TOKENS else None


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _mapping(row: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    value = row.get(name)
    return value if isinstance(value, dict) else {}
