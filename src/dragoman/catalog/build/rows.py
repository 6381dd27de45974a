"""Write joined models as the rows of `models.json`: facts of a model are weighed, prices are text.

What its maker says of a model counts, else what most say. Pure.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from msgspec import Struct, structs

from dragoman.catalog.build import facts
from dragoman.catalog.build.merge import Draft, Joined
from dragoman.catalog.build.read import About
from dragoman.catalog.build.tables import Author, Identities, Tables
from dragoman.catalog.build.words import squash
from dragoman.catalog.options import PriceOptions, TierOptions
from dragoman.catalog.shipped import EndpointRow, ModelRow
from dragoman.catalog.soundness import LONGEST_NAME
from dragoman.catalog.types import Price, PriceTier
from dragoman.core.money import PicoUsd, price_text

T = TypeVar("T")

SLOW = "flex"
"""The word in a variant for a way that may wait: no default route."""

_REMARK = re.compile(r" \((?:latest|free)\)$", re.IGNORECASE)
_WEIGHTS = re.compile(r"https://huggingface\.co/([A-Za-z0-9._-]{1,96}/([A-Za-z0-9._-]{1,96}))/?")


def rows(models: Iterable[Joined], tables: Tables) -> tuple[ModelRow, ...]:
    """Return the rows of models."""
    return tuple(_row(model, tables) for model in models)


def text(rows: Iterable[ModelRow]) -> str:
    """Return the text of `models.json`: a line per model and endpoint, defaults left away."""
    return "[\n" + ",\n".join(map(_text, rows)) + "\n]\n"


def _text(row: ModelRow) -> str:
    members = _members(row)
    endpoints = ",\n".join(f"  {_json(each)}" for each in members.pop("endpoints"))
    return f' {_json(members)[:-1]}, "endpoints": [\n{endpoints}\n ]}}'


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)


def _members(row: Struct) -> dict[str, Any]:
    """Return what a row says beyond its defaults, as JSON."""
    return {
        field.encode_name: _value(value)
        for field in structs.fields(row)
        if (value := getattr(row, field.name)) != field.default
    }


def _value(value: object) -> object:
    if isinstance(value, Struct):
        return _members(value)
    return [_value(each) for each in value] if isinstance(value, tuple) else value


def _row(model: Joined, tables: Tables) -> ModelRow:
    author = tables.identities.authors.get(model.id.partition("/")[0])
    said = _Said(model, author)
    return ModelRow(
        id=model.id,
        name=_name(model, author, tables.identities),
        created=_created(model),
        endpoints=tuple(_endpoint(draft, tables) for draft in model.drafts),
        knowledge=said.of(lambda about: facts.word(about.knowledge)),
        hugging_face_id=_hugging_face(model, tables.identities),
        reasoning=said.of(lambda about: about.reasoning) or False,
        efforts=said.efforts(),
        open_weights=said.open_weights(),
        family=said.most(lambda about: facts.word(about.family)),
        deprecated=all(draft.status == "deprecated" for draft in model.drafts),
    )


class _Said:
    """What is said of a model: by its maker, by OpenRouter's list, and by the hosts."""

    def __init__(self, model: Joined, author: Author | None) -> None:
        home = author.home if author else None
        entries = model.witnesses
        self._makers = [each.about for each in entries if each.provider == home]
        self._all = [each.about for each in (*filter(None, (model.listed,)), *entries)]

    def of(self, fact: Callable[[About], T | None]) -> T | None:
        """Return what the maker says, else what most say."""
        said = next((value for each in self._makers if (value := fact(each)) is not None), None)
        return self.most(fact) if said is None else said

    def most(self, fact: Callable[[About], T | None]) -> T | None:
        """Return what most say; among equals OpenRouter counts, then the first by tag."""
        counts = Counter(value for each in self._all if (value := fact(each)) is not None)
        return counts.most_common(1)[0][0] if counts else None

    def efforts(self) -> tuple[str, ...]:
        """Return the efforts of the maker, who may have none; else those that most hosts have."""
        if self._makers:
            return facts.efforts(self._makers[0])
        return self.most(lambda about: facts.efforts(about) or None) or ()

    def open_weights(self) -> bool | None:
        """Return what the maker says; others are believed when they know of weights."""
        makers = (each.open_weights for each in self._makers)
        said = next((each for each in makers if each is not None), None)
        return said if said is not None else any(each.open_weights for each in self._all) or None


def _created(model: Joined) -> int:
    """Return the day when a model came out, as most agree: the middle one of what hosts say.

    OpenRouter's day counts where it is earlier, for hosts tell when they began to serve it.
    """
    days = sorted(day for each in model.witnesses if (day := facts.released(each.about)))
    listed = facts.released(model.listed.about) if model.listed else None
    middle = days[(len(days) - 1) // 2] if days else None
    return min((day for day in (middle, listed) if day), default=0)


def _name(model: Joined, author: Author | None, identities: Identities) -> str:
    """Return a model's name for people, its author's before it, as at OpenRouter."""
    name = identities.names.get(model.id)
    if name is None and model.listed:
        name = _clean(model.listed.about.name)
    maker = author.name if author else model.id.partition("/")[0]
    return f"{maker}: {name or _common(model)}"[:LONGEST_NAME].strip()


def _common(model: Joined) -> str:
    """Return the name for people that most hosts use: no mere id, short, in that order."""
    counts = Counter(_clean(each.about.name) for each in model.witnesses)
    return max(counts, key=lambda name: (not name.islower(), counts[name], -len(name), name))


def _clean(name: str) -> str:
    """Return a name for people without remarks, and without an organisation before it."""
    cleaned = _REMARK.sub("", name.strip())
    return cleaned.rpartition("/")[2].strip() or cleaned


def _hugging_face(model: Joined, identities: Identities) -> str | None:
    """Return where a model's weights lie; the source lists those of its siblings, too."""
    names = {
        squash(each) for each in (model.id.partition("/")[2], *identities.same.get(model.id, ()))
    }
    for place in filter(None, (_WEIGHTS.fullmatch(each.url) for each in model.weights or ())):
        spellings = (
            place[2],
            *(place[2].lower().removeprefix(each) for each in identities.prefixes),
        )
        if not names.isdisjoint(map(squash, spellings)):
            return place[1]
    return None


def _endpoint(draft: Draft, tables: Tables) -> EndpointRow:
    entry, identity = draft.entry, draft.identity
    outputs = facts.outputs(entry)
    context, most = facts.sizes(entry.about.limit)
    return EndpointRow(
        provider=draft.provider.slug,
        upstream=entry.id,
        variant=identity.variant,
        price=None if draft.price is None else _price(draft.price),
        context=context,
        max_output=most if "text" in outputs else None,
        inputs=facts.inputs(entry.about),
        outputs=outputs,
        supports=facts.supports(entry, draft.provider, tables.parameters),
        quantization=identity.quantization,
        region=identity.region,
        free=identity.free,
        status=draft.status,
        default_route=SLOW not in identity.variant.split("-"),
        dialect=draft.dialect,
    )


def _price(price: Price) -> PriceOptions:
    amounts = {name: price_text(amount) for name, amount in _amounts(price)}
    tiers = tuple(_tier(tier) for tier in price.tiers)
    return PriceOptions(**amounts, tiers=tiers, rates=None)


def _tier(tier: PriceTier) -> TierOptions:
    amounts = {name: price_text(amount) for name, amount in _amounts(tier)}
    return TierOptions(above=tier.min_prompt_tokens, **amounts)


def _amounts(price: Price | PriceTier) -> Iterator[tuple[str, PicoUsd]]:
    for name in price.__struct_fields__:
        amount = getattr(price, name)
        if name not in {"tiers", "rates", "min_prompt_tokens"} and amount is not None:
            yield name, amount
