"""Read what a host says of itself: its answer to `GET /models`.

OpenAI's list is the common form (`data[].id`). Hosts add what they know: vLLM
`max_model_len`, llama.cpp `meta.n_ctx_train`, OpenRouter and its kin
`context_length`, `top_provider`, `supported_parameters`, Anthropic `capabilities`; Ollama's
own `/api/tags` has `models[].name`. What is odd is left out rather than refused, for one strange
row must not hide the others. Prices are never taken from a host: they are what
the operator says they are. Asking the host is done elsewhere.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.catalog import capabilities
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

MODEST = frozenset({"max_completion_tokens", "max_tokens", "stop", "temperature", "top_p"})
OTHER_TYPES = ("audio", "embedding", "image", "moderation", "rerank", "transcribe", "video")
OTHER_USE = re.compile(
    r"(?<![a-z])(?:asr|audio|babbage|bge|dall-e|davinci|embed|flux|image|imagen|moderation|ocr|"
    r"realtime|rerank|sdxl|sora|speech|stable-diffusion|transcribe|tts|veo|voice|whisper)"
)
"""How the names of models begin, or go on after a sign, that are for something else than chat."""

Row = Mapping[str, Any]

_decode = msgspec.json.decode


def discovered(provider: Provider, options: ProviderOptions, body: bytes) -> tuple[Model, ...]:
    """Return the models that `provider` lists, each with its one endpoint.

    A name without an author is given the provider's slug as one. Raises
    CatalogError when the answer is no list of models, or one of more than 5,000.
    """
    host = _host(provider, options, PARAMETERS)
    return _models(host, ((_name(row), row) for row in _rows(provider, body)))


def listed(provider: Provider, options: ProviderOptions, body: bytes) -> tuple[Model, ...]:
    """Return the chat models that a known host lists, whether or not they are shipped.

    Such hosts list embeddings, voices and pictures as well: what the host says of a
    model tells, or its name does. What it does not say is supported is not. Raises
    CatalogError as `discovered` does.
    """
    host = _host(provider, options, MODEST)
    rows = ((_name(row).removeprefix("models/"), row) for row in _rows(provider, body))
    return _models(host, ((name, row) for name, row in rows if _talks(name, row)))


def model_id(slug: str, name: str) -> str | None:
    """Return the catalog's id for a model that a host calls `name`, None if it can have none.

    `meta/llama` stays; `llama3.2:3b` and `/models/llama.gguf` belong to the host.
    """
    if name.startswith("/") or "\\" in name or name.endswith(".gguf"):
        name = name.replace("\\", "/").rstrip("/").rpartition("/")[2].removesuffix(".gguf")
    if not is_model_id(name):
        name = f"{slug}/{name}"
    return name if is_model_id(name) and not name.endswith(":free") else None


class _Host(Struct, frozen=True):
    """Who lists models, what each costs, and what one supports of which nothing is said."""

    provider: Provider
    price: Price | None
    supports: frozenset[str]


def _host(provider: Provider, options: ProviderOptions, supports: frozenset[str]) -> _Host:
    price = read_price(options.price, f"providers.{provider.slug}.price")
    return _Host(provider, price, supports)


def _models(host: _Host, rows: Iterable[tuple[str, Row]]) -> tuple[Model, ...]:
    models: dict[str, Model] = {}
    for name, row in rows:
        id_ = model_id(host.provider.slug, name) if 0 < len(name) <= LONGEST_NAME else None
        if id_ is not None and id_.lower() not in models:
            models[id_.lower()] = _model(host, id_, name, row)
    return tuple(models.values())


def _name(row: Row) -> str:
    name = row.get("id") or row.get("name")
    return name if isinstance(name, str) else ""


def _talks(name: str, row: Row) -> bool:
    """Say whether a model answers a chat in text, as far as the host and the name tell.

    Together says `type`, Mistral `capabilities`, OpenRouter and its kin `architecture`, Google
    `supportedGenerationMethods`.
    """
    outputs = _texts(_mapping(row, "architecture").get("output_modalities"))
    methods = _texts(row.get("supportedGenerationMethods"))
    return (
        row.get("type") not in OTHER_TYPES
        and (not methods or "generateContent" in methods)
        and row.get("lifecycle") != "retired"
        and _mapping(row, "capabilities").get("completion_chat") is not False
        and (not outputs or "text" in outputs)
        and not OTHER_USE.search(name.lower())
    )


def _rows(provider: Provider, body: bytes) -> Iterable[Row]:
    place = f"providers.{provider.slug}: its list of models"
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


def _model(host: _Host, id_: str, name: str, row: Row) -> Model:
    provider = host.provider
    top = _mapping(row, "top_provider")
    supported = row.get("supported_parameters")
    named = PARAMETERS.intersection(_texts(supported))
    if not named and capabilities.is_told(row):
        named = capabilities.supports(row)
    created = row.get("created")
    title = row.get("displayName") or row.get("name") or row.get("display_name")
    endpoint = Endpoint(
        id=endpoint_id(provider.slug, id_),
        model=id_,
        provider=provider.slug,
        provider_name=provider.name,
        tag=provider.slug,
        upstream=name,
        price=host.price,
        context=_context(row),
        max_output=_tokens(top.get("max_completion_tokens") or row.get("outputTokenLimit"))
        or _tokens(row.get("max_tokens")),
        inputs=frozenset({"text", *_inputs(row), *capabilities.inputs(row)}),
        supports=named or host.supports,
    )
    return Model(
        id=id_,
        name=title if isinstance(title, str) and title and title.isprintable() else id_,
        created=created if isinstance(created, int) and 0 <= created <= LAST_SECOND else 0,
        endpoints=(endpoint,),
        reasoning="reasoning" in named,
    )


def _context(row: Row) -> int | None:
    """Return the first of the known names of the context window that holds a sane number."""
    meta = _mapping(row, "meta")
    found = (
        row.get("max_model_len"),
        row.get("context_length"),
        row.get("context_window"),
        row.get("max_context_length"),
        row.get("inputTokenLimit"),
        row.get("max_input_tokens"),
        meta.get("n_ctx"),
        meta.get("n_ctx_train"),
    )
    return next((tokens for value in found if (tokens := _tokens(value))), None)


def _inputs(row: Row) -> Iterable[str]:
    known = {"text", "image", "file", "audio", "video"}
    return known.intersection(_texts(_mapping(row, "architecture").get("input_modalities")))


def _tokens(value: object) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 < value <= MOST_TOKENS else None


def _texts(value: object) -> list[str]:
    return [each for each in value if isinstance(each, str)] if isinstance(value, list) else []


def _mapping(row: Row, name: str) -> Mapping[str, Any]:
    value = row.get(name)
    return value if isinstance(value, dict) else {}
