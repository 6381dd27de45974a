"""Read models.dev's data: what each provider serves, entry by entry.

The form is that of models.dev/api.json (github.com/anomalyco/models.dev, MIT licence), with the
providers under `providers` and an optional `source`. An entry that cannot be understood is left
out and listed, so that one slip does not cost the rest. Pure.
"""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct

from dragoman.catalog.errors import CatalogError

ORIGIN = "models.dev"
PLACE = "source"

Usd = Annotated[float, Meta(ge=0, le=10_000)]
"""USD per million tokens; nobody ever asked more."""
Tokens = Annotated[int, Meta(ge=0, le=1_000_000_000)]
Text = Annotated[str, Meta(max_length=150)]

_ID = re.compile(r"(?=.*[A-Za-z0-9])[!-~]{1,120}")
_PROVIDER = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


class TierBound(Struct, frozen=True, kw_only=True):
    """Where a tier of prices begins: above `size` tokens of prompt. Other types are not ours."""

    size: Tokens = 0
    type: str = "context"


class CostTier(Struct, frozen=True, kw_only=True):
    """Prices of longer prompts, in USD per million."""

    tier: TierBound = TierBound()
    input: Usd | None = None
    output: Usd | None = None
    cache_read: Usd | None = None
    cache_write: Usd | None = None


class Cost(Struct, frozen=True, kw_only=True):
    """Prices in USD per million tokens. Of `citation` and `request` no unit is told.

    `cache_input`, `cached_input` and `cached_write` are what some entries say for
    `cache_read` and `cache_write`.
    """

    input: Usd | None = None
    output: Usd | None = None
    cache_read: Usd | None = None
    cache_write: Usd | None = None
    cache_input: Usd | None = None
    cached_input: Usd | None = None
    cached_write: Usd | None = None
    reasoning: Usd | None = None
    input_audio: Usd | None = None
    output_audio: Usd | None = None
    citation: Usd | None = None
    request: Usd | None = None
    tiers: tuple[CostTier, ...] = ()

    @property
    def cached(self) -> float | None:
        """Return what a cached token costs to read, whatever the entry calls it."""
        words = (self.cache_read, self.cache_input, self.cached_input)
        return next((price for price in words if price is not None), None)


class Limit(Struct, frozen=True, kw_only=True):
    """Sizes in tokens; 0 is unknown."""

    context: Tokens = 0
    output: Tokens = 0


class Modalities(Struct, frozen=True, kw_only=True):
    """What goes in and comes out, in models.dev's words."""

    input: tuple[str, ...] = ()
    output: tuple[str, ...] = ()


class ReasoningOption(Struct, frozen=True, kw_only=True):
    """A way to ask for reasoning; only those of type `effort` have values."""

    type: str = ""
    values: tuple[str | None, ...] = ()


class Weights(Struct, frozen=True, kw_only=True):
    """A place where weights are published."""

    url: str = ""


class Override(Struct, frozen=True, kw_only=True):
    """How one model is reached, where that is not how its provider's others are."""

    npm: str = ""
    shape: str = ""


class About(Struct, frozen=True, kw_only=True):
    """What the source says of a model at a provider. Unknown members are not looked at."""

    name: Text
    cost: Cost | None = None
    limit: Limit = Limit()
    modalities: Modalities = Modalities()
    reasoning: bool = False
    reasoning_options: tuple[ReasoningOption, ...] = ()
    tool_call: bool = False
    structured_output: bool = False
    temperature: bool | None = None
    release_date: Text = ""
    knowledge: Text | None = None
    family: Text | None = None
    open_weights: bool | None = None
    weights: tuple[Weights, ...] = ()
    status: str | None = None
    provider: Override = Override()
    base_model: str | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """A model at a provider, by the source's names for both.

    `added` says that a person read of it elsewhere (`added.yaml`); `search` is USD per search.
    """

    provider: str
    id: str
    about: About
    added: bool = False
    search: float | None = None

    @property
    def place(self) -> str:
        """Return where the entry stands, as the tables and the report write it."""
        return f"{self.provider}: {self.id}"


class Source(Struct, frozen=True, kw_only=True):
    """What was read: entries by provider and name, and what was not understood, with a reason."""

    entries: tuple[Entry, ...]
    problems: tuple[tuple[str, str], ...] = ()
    origin: str = ORIGIN


def read(text: bytes) -> Source:
    """Return the entries of a source. Raises CatalogError when it is none."""
    document = _document(text)
    entries: list[Entry] = []
    problems: list[tuple[str, str]] = []
    for provider, row in sorted(document["providers"].items()):
        models = row.get("models") if isinstance(row, dict) else None
        if not isinstance(models, dict):
            problems.append((provider, "has no models"))
            continue
        if not _PROVIDER.fullmatch(provider):
            problems.append(
                (provider, "its name is none: lower-case letters, digits, '.', '_', '-'")
            )
            continue
        for id_, raw in sorted(models.items()):
            found = _entry(provider, id_, raw)
            if isinstance(found, Entry):
                entries.append(found)
            else:
                problems.append((f"{provider}: {id_}", found))
    problems.extend(_odd_models(document))
    origin = document.get("source")
    return Source(
        entries=tuple(entries),
        problems=tuple(problems),
        origin=origin if isinstance(origin, str) and origin.isprintable() else ORIGIN,
    )


def _document(text: bytes) -> Mapping[str, Any]:
    """Return the JSON object. The standard library reads NaN, which is told of its entry alone."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise CatalogError(PLACE, "is not JSON") from None
    if not isinstance(document, dict) or not isinstance(document.get("providers"), dict):
        raise CatalogError(PLACE, "has no providers")
    return document


def _entry(provider: str, id_: str, raw: object) -> Entry | str:
    """Return what an entry says, or why it says nothing."""
    if not _ID.fullmatch(id_):
        return "its name is none: 1 to 120 printable ASCII characters without blanks"
    try:
        about = msgspec.convert(raw, About)
    except (msgspec.ValidationError, RecursionError) as error:
        return str(error)
    if not about.name.strip() or not about.name.strip().isprintable():
        return "its name for people is empty, or cannot be printed"
    return Entry(provider=provider, id=id_, about=about)


def _odd_models(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield what is no model among those that the source describes apart from providers."""
    models = document.get("models")
    for name, raw in sorted(models.items()) if isinstance(models, dict) else ():
        if not isinstance(raw, dict):
            yield f"models: {name}", "is not an object"
