"""Which model an entry is: by its name first, a table where names mislead, `base_model` last.

A name is looked up as it stands and then less words at its end, one by one, so that the longest
name that is known counts: `glm-5-turbo` is a model, `glm-5.2-turbo` another way to one. What a
`base_model` says counts only where the name leaves it open and agrees. Pure.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

from msgspec import Struct

from dragoman.catalog.build.read import Entry
from dragoman.catalog.build.tables import Identities
from dragoman.catalog.build.words import Reduced, Shape, key, plain, reductions, shape, squash
from dragoman.catalog.own import is_model_id
from dragoman.catalog.types import Quantization

How = Literal["its name", "the table", "base_model", "no other"]
"""What told which model an entry is, in the report's words."""

LISTING = "openrouter"
"""The provider in the source whose list of models says what they are called."""

LONGEST_VARIANT = 30
"""Longer than any that means something, and short enough for a word behind it."""

TUNED = ("-instruct", "-it")
"""Endings that hosts leave away where the model without them, which does not chat, is unknown."""


class Identity(Struct, frozen=True, kw_only=True):
    """Which model an entry is, and which way to it.

    `variant` tells it from the host's other ways and `date` is that of a snapshot, both empty
    where there is none; `contradicted` is the model that `base_model` means, if another.
    """

    model: str
    how: How
    variant: str = ""
    quantization: Quantization = "unknown"
    region: str | None = None
    free: bool = False
    date: str = ""
    contradicted: str | None = None


class Known:
    """The models that are known before the entries are read: OpenRouter's, and the tables'."""

    def __init__(self, identities: Identities, listed: Iterable[str]) -> None:
        self._tables = identities
        self._prefixes = sorted(identities.prefixes, key=len, reverse=True)
        self._authors = {
            org: author for author, row in identities.authors.items() for org in (author, *row.orgs)
        }
        self._families = {
            family: author for author, row in identities.authors.items() for family in row.families
        }
        ids = (*filter(self._is_model, listed), *identities.ids, *identities.same)
        models = sorted({id_.removesuffix(":free") for id_ in ids})
        self._ids: dict[str, set[str]] = {}
        for model in models:
            for name in (model.partition("/")[2], *identities.same.get(model, ())):
                self._ids.setdefault(key(name), set()).add(model)
        untuned: dict[str, set[str]] = {}
        for model in models:
            if ending := next(filter(model.endswith, TUNED), None):
                name = model.partition("/")[2].removesuffix(ending)
                untuned.setdefault(key(name), set()).add(model)
        self._ids = untuned | self._ids

    def identify(self, entry: Entry) -> Identity | None:
        """Return which model an entry is, None for an alias that moves from model to model.

        A model that is not known has an id by its own name, which `respelled` may change.
        """
        name = shape(entry.provider, entry.id)
        decided = self._tables.at.get(entry.provider, {}).get(entry.id)
        if decided is not None:
            model, _, variant = decided.partition("@")
            return _identity(model, "the table", name, Reduced("", (variant,) if variant else ()))
        means = self._base(entry)
        if found := self._by_name(name):
            model, reduced = found
            other = means if means != model else None
            return _identity(model, "its name", name, reduced, other)
        if name.slug.lower().endswith("-latest"):
            return None
        if means is not None and (agreed := self._agreed(name, means)):
            return _identity(means, "base_model", name, agreed)
        reduced = self._bare(name)
        slug = plain(self._stripped(reduced.slug)) or plain(entry.id) or "model"
        model = f"{self._author(entry, name, slug)}/{slug}"
        return _identity(model, "no other", name, reduced, means)

    def _author(self, entry: Entry, name: Shape, slug: str) -> str:
        """Return who made a model that is not known: an organisation, its family's, its host."""
        for org in map(str.lower, reversed(name.orgs)):
            if org in self._authors:
                return self._authors[org]
            if org not in self._tables.neutral | self._tables.repackagers and plain(org):
                return plain(org)
        families = (family for family in self._families if slug.startswith(family))
        longest = max(families, key=len, default=None)
        return entry.provider if longest is None else self._families[longest]

    def _is_model(self, id_: str) -> bool:
        author, _, slug = id_.removesuffix(":free").partition("/")
        sound = is_model_id(f"{author}/{slug}") and ":" not in slug
        return sound and author[0] != "~" and author not in self._tables.routers

    def _by_name(self, name: Shape) -> tuple[str, Reduced] | None:
        """Return the model that a name, whole or less words at its end, is known to mean.

        A name that two authors use means a model only with one of them before it.
        """
        for reduced in self._reductions(name.slug):
            for spelling in self._spellings(reduced.slug, name.orgs):
                ids = self._ids.get(key(spelling), set[str]())
                meant = {id_ for id_ in ids if self._is_by(id_, name.orgs)}
                if len({id_.partition("/")[0] for id_ in meant}) == 1:
                    return min(meant), reduced
        return None

    def _spellings(self, slug: str, orgs: tuple[str, ...]) -> Iterator[str]:
        yield slug
        yield self._stripped(slug)
        yield from (f"{org}-{slug}" for org in orgs)

    def _stripped(self, slug: str) -> str:
        """Return a slug without what hosts put before it."""
        lowered = slug.lower()
        prefix = next((each for each in self._prefixes if lowered.startswith(each)), "")
        return slug[len(prefix) :] or slug

    def _is_by(self, id_: str, orgs: tuple[str, ...]) -> bool:
        """Say whether a model can be meant by a name with these organisations before it."""
        author = id_.partition("/")[0]
        silent = self._tables.neutral | self._tables.repackagers
        return all(
            self._authors.get(org, org) == author or org in silent for org in map(str.lower, orgs)
        )

    def _base(self, entry: Entry) -> str | None:
        """Return the known model that `base_model` means."""
        if entry.about.base_model is None:
            return None
        found = self._by_name(shape("", entry.about.base_model))
        return found[0] if found else None

    def _agreed(self, name: Shape, model: str) -> Reduced | None:
        """Return what of a name agrees with a model: the same signs, or some of the same words."""
        slug = model.partition("/")[2]
        words = Counter(key(slug).split("-"))
        for reduced in self._reductions(name.slug):
            for spelling in self._spellings(reduced.slug, ()):
                if squash(spelling) == squash(slug) or Counter(key(spelling).split("-")) <= words:
                    return reduced
        return None

    def _bare(self, name: Shape) -> Reduced:
        """Return an unknown name less date and precision. A word of speed may be its own."""
        *_, last = self._reductions(name.slug, speeds=False)
        return last

    def _reductions(self, slug: str, *, speeds: bool = True) -> Iterator[Reduced]:
        words = self._tables.speeds if speeds else frozenset[str]()
        return reductions(slug, words, self._tables.wrapping)


def respelled(identities: Iterable[Identity]) -> dict[str, str]:
    """Return model -> its id, for models that are named by entries alone.

    The most common of several spellings becomes the id.
    """
    spelt: dict[tuple[str, str], Counter[str]] = {}
    for identity in identities:
        if identity.how == "no other":
            author, _, slug = identity.model.partition("/")
            spelt.setdefault((author, key(slug)), Counter())[identity.model] += 1
    return {
        spelling: min(counts, key=lambda each: (-counts[each], each))
        for counts in spelt.values()
        for spelling in counts
    }


def _identity(
    model: str, how: How, name: Shape, reduced: Reduced, contradicted: str | None = None
) -> Identity:
    words = (*((name.region,) if name.region else ()), *reduced.variant)
    return Identity(
        model=model,
        how=how,
        variant="-".join(words)[:LONGEST_VARIANT].strip("-"),
        quantization=reduced.quantization,
        region=name.region,
        free=name.free,
        date=reduced.date,
        contradicted=contradicted,
    )
