"""Which models a client is given, out of those that the gateway lists. Pure.

The newest of the family that suits the client best; small ones for small things. Who wants
others says so with --model and --small-model.
"""

import re
from collections.abc import Sequence
from decimal import Decimal
from typing import Final

import msgspec
from msgspec import Struct

from dragoman.cli.connect.recipes import CLASSES
from dragoman.cli.connect.types import Choice, Model, Prices

FAMILIES: Final = ("anthropic/claude-sonnet", "openai/gpt-", "google/gemini-")
SMALL: Final = re.compile(r"(?:\b|_)(mini|nano|lite|flash|haiku|small|instant)\b")
SPECIAL: Final = re.compile(
    r":|^~|\b(fast|pro|image|audio|realtime|search|chat|preview|beta|oss|tts|transcribe|thinking)\b"
)
DEMO: Final = "demo/"
SCHOLAR: Final = "demo/scholar"


class Architecture(Struct, frozen=True):
    """What goes in and comes out of a model."""

    input_modalities: tuple[str, ...] = ()
    output_modalities: tuple[str, ...] = ()


class Limits(Struct, frozen=True):
    """What its first endpoint allows."""

    max_completion_tokens: int | None = None


class Price(Struct, frozen=True):
    """USD per token, as text; `-1` where that is not known."""

    prompt: str | None = None
    completion: str | None = None
    input_cache_read: str | None = None
    input_cache_write: str | None = None


class Row(Struct, frozen=True):
    """A row of `GET /models`, as far as it is of use here."""

    id: str
    name: str = ""
    created: int = 0
    context_length: int | None = None
    architecture: Architecture = Architecture()
    top_provider: Limits = Limits()
    pricing: Price = Price()
    supported_parameters: tuple[str, ...] = ()
    callable: bool = True


class Page(Struct, frozen=True):
    """The body of `GET /models`."""

    data: tuple[Row, ...]


def listed(body: bytes) -> tuple[Model, ...]:
    """Return the models of a page that write text and can be called. Raises DecodeError."""
    rows = msgspec.json.decode(body, type=Page).data
    return tuple(_model(row) for row in rows if row.callable and _writes(row))


def chosen(
    models: Sequence[Model], families: Sequence[str], main: str | None, small: str | None
) -> Choice | None:
    """Return the models for a client whose favourites are `families`; None where there is none.

    A model that is named but not listed may be an alias or a variant, and is taken as it is.
    """
    first = _named(models, main) if main else _best(models, (*families, *FAMILIES))
    if first is None:
        return None
    light = _named(models, small) if small else _light(models, first)
    classes = {}
    if main is None:
        found = {each: _newest(models, f"anthropic/claude-{each}") for each in CLASSES}
        classes = {each: model for each, model in found.items() if model}
    return Choice(main=first, small=light, classes={"haiku": light, **classes})


def _model(row: Row) -> Model:
    prompt, completion = row.pricing.prompt, row.pricing.completion
    return Model(
        id=row.id,
        name=row.name,
        context=row.context_length,
        output=row.top_provider.max_completion_tokens,
        tools="tools" in row.supported_parameters,
        created=row.created,
        usd=float(prompt) + float(completion) if prompt and completion else None,
        inputs=row.architecture.input_modalities,
        prices=Prices(
            input=_per_million(prompt),
            output=_per_million(completion),
            cache_read=_per_million(row.pricing.input_cache_read),
            cache_write=_per_million(row.pricing.input_cache_write),
        ),
    )


def _per_million(usd: str | None) -> float | None:
    price = None if usd is None else Decimal(usd)
    return None if price is None or price < 0 else float(price * 1_000_000)


def _writes(row: Row) -> bool:
    made = row.architecture.output_modalities
    return not made or "text" in made


def _named(models: Sequence[Model], id_: str) -> Model:
    return next((model for model in models if model.id == id_), Model(id=id_))


def _best(models: Sequence[Model], families: Sequence[str]) -> Model | None:
    """Return the newest of the first family that there is, else of all, the demo last."""
    for family in families:
        if found := _newest(models, family):
            return found
    able = [model for model in models if model.tools] or list(models)
    real = [model for model in able if not model.id.startswith(DEMO)]
    if real:
        return max(real, key=_age)
    return next((model for model in able if model.id == SCHOLAR), able[0] if able else None)


def _newest(models: Sequence[Model], family: str) -> Model | None:
    """Return the newest full model of a family; a small one where the family is of small ones."""
    able = [m for m in models if m.id.startswith(family) and m.tools and not SPECIAL.search(m.id)]
    full = [model for model in able if not SMALL.search(model.id)]
    if not full and not SMALL.search(family):
        return None
    return max(full or able, key=_age, default=None)


def _light(models: Sequence[Model], main: Model) -> Model:
    """Return the newest small model of the same maker, of two the dearer; else the main one."""
    maker = main.id.partition("/")[0] + "/"
    able = [
        model
        for model in models
        if model.id.startswith(maker) and SMALL.search(model.id) and not SPECIAL.search(model.id)
    ]
    return max(able, key=lambda model: (model.created, model.usd or 0.0, model.id), default=main)


def _age(model: Model) -> tuple[int, str]:
    return model.created, model.id
