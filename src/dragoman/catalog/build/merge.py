"""Put the entries of all hosts together: one model, many endpoints, and an account of it all.

Each entry is corrected, told which model it is, and drafted as an endpoint of that model. Drafts
that differ by name alone are one endpoint. Nothing depends on the order of the source. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from msgspec import Struct, structs

from dragoman.catalog.build import facts, prices
from dragoman.catalog.build.corrections import Applied, Corrected, Corrector
from dragoman.catalog.build.identity import LISTING, Identity, Known, respelled
from dragoman.catalog.build.read import Cost, Entry, Source, Weights
from dragoman.catalog.build.spread import Conflict, Offer, spread
from dragoman.catalog.build.tables import Added, Correction, Tables
from dragoman.catalog.build.words import plain
from dragoman.catalog.shipped import Spoken
from dragoman.catalog.types import Kind, Price, Provider, Status

ALIAS = "an alias that its provider moves from model to model"
NO_ROW = "its provider has no row in providers.yaml"
ASKED: dict[Kind, str] = {
    "aggregator": "an aggregator: asked for its models itself, where `discover: true` says so",
    "local": "a server of one's own: asked for its models itself, where `discover: true` says so",
    "demo": "a demo: its models stand in demo.json",
}
"""Kinds of providers whose models are not shipped, and why."""

BY_THE_MINUTE = "a transcription is sold by the minute"
HALF = "half a price: reading or writing is told to cost nothing"
APART = "stands alone among the prices of the model"
LONGEST_WORD = 24
SILENT = frozenset({"", "unknown"})
ONE_SIDED = frozenset({"embeddings", "rerank"})
"""Outputs that are no tokens, and cost nothing."""


class Draft(Struct, frozen=True, kw_only=True):
    """An endpoint in the making: an entry, the model that it is, and what was decided of it.

    `said` is the price as the source has it, before corrections; `unpriced` is the reason not to
    believe it, and `keep` a person's to do so, should it stand alone.
    """

    entry: Entry
    said: Cost | None
    provider: Provider
    identity: Identity
    price: Price | None
    status: Status
    dialect: Spoken | None = None
    unpriced: str = ""
    keep: str = ""

    @property
    def tag(self) -> str:
        """Return what tells the endpoint from others of its model, free tiers apart."""
        variant = self.identity.variant
        return f"{self.provider.slug}/{variant}" if variant else self.provider.slug


class Joined(Struct, frozen=True, kw_only=True):
    """A model with the endpoints that serve it, by tag."""

    id: str
    listed: Entry | None
    """What OpenRouter's list in the source says of it."""
    drafts: tuple[Draft, ...]

    @property
    def witnesses(self) -> tuple[Entry, ...]:
        """Return the entries that tell of this model, by tag.

        One whose `base_model` is another tells of that, unless there is nobody else.
        """
        sure = tuple(each.entry for each in self.drafts if not each.identity.contradicted)
        return sure or tuple(each.entry for each in self.drafts)

    @property
    def weights(self) -> tuple[Weights, ...] | None:
        """Return where hosts say that weights are published, None where none does."""
        entries = (*filter(None, (self.listed,)), *(each.entry for each in self.drafts))
        return tuple(each for entry in entries for each in entry.about.weights) or None


class Merge(Struct, frozen=True, kw_only=True):
    """An entry and the model that it was taken for.

    `twin_of` is the name of the entry that became the endpoint of both, None where this one did.
    """

    entry: Entry
    model: str
    tag: str
    how: str
    contradicted: str | None = None
    twin_of: str | None = None


class Account(Struct, frozen=True, kw_only=True):
    """Every decision of a build.

    Pairs are a place and a reason, `conflicts` are findings of `spread`, and `unpriced` are the
    prices that the source has and that were not believed.
    """

    origin: str
    merges: tuple[Merge, ...]
    dropped: tuple[tuple[str, str], ...]
    corrected: Applied
    unused: tuple[Correction, ...]
    conflicts: tuple[Conflict, ...]
    doubts: tuple[tuple[str, str], ...]
    unpriced: tuple[tuple[str, Cost, str], ...]
    added: tuple[Added, ...] = ()
    """Entries that the source does not have."""
    known: tuple[Added, ...] = ()
    """Those of the table that the source has by now: its own counts."""


class Built(Struct, frozen=True, kw_only=True):
    """The models by id, and how they came to be."""

    models: tuple[Joined, ...]
    account: Account


def build(source: Source, providers: Mapping[str, Provider], tables: Tables) -> Built:
    """Make models of a source. `providers` are the rows of all providers, by slug.

    Models are made of what hosts and plans serve. Raises CatalogError when a table contradicts
    itself.
    """
    rows = {row.source or slug: row for slug, row in providers.items()}
    listing = {each.id: each for each in source.entries if each.provider == LISTING}
    corrector = Corrector(tables.corrections)
    places = {entry.place for entry in source.entries}
    source, added = _with_added(source, tables.added)
    drafts, dropped = _drafted(source, rows, corrector, Known(tables.identities, listing))
    models, merges = _joined(drafts, listing)
    findings = [(each, _finding(each)) for each in models]
    decided = tuple(_decided(*each) for each in findings)
    applied, unused = corrector.account(source.entries)
    account = Account(
        origin=source.origin,
        merges=merges,
        dropped=tuple(sorted((*source.problems, *dropped))),
        corrected=applied,
        unused=unused,
        conflicts=tuple(finding for _, finding in findings if finding is not None),
        doubts=tuple(
            (draft.entry.place, why)
            for draft in sorted(drafts, key=lambda each: each.entry.place)
            for why in sorted(facts.doubts(draft.entry))
        ),
        unpriced=tuple(sorted(_unpriced(decided), key=lambda each: each[0])),
        added=added,
        known=tuple(each for each in tables.added if f"{each.provider}: {each.id}" in places),
    )
    return Built(models=decided, account=account)


def _with_added(source: Source, table: Iterable[Added]) -> tuple[Source, tuple[Added, ...]]:
    """Return the source with what it lacks of a table, of the hosts that it has, and that."""
    ids: dict[str, set[str]] = {}
    for entry in source.entries:
        ids.setdefault(entry.provider, set()).add(entry.id)
    new = tuple(each for each in table if each.id not in ids.get(each.provider, {each.id}))
    entries = (
        Entry(provider=each.provider, id=each.id, about=each.about, added=True, search=each.search)
        for each in new
    )
    return structs.replace(source, entries=(*source.entries, *entries)), new


def _drafted(
    source: Source, rows: Mapping[str, Provider], corrector: Corrector, known: Known
) -> tuple[list[Draft], list[tuple[str, str]]]:
    """Return a draft of every entry that becomes one, and why others do not."""
    drafts: list[Draft] = []
    dropped: list[tuple[str, str]] = []
    for entry in source.entries:
        row = rows.get(entry.provider)
        corrected = corrector.correct(entry)
        if row is None or row.kind in ASKED:
            dropped.append((entry.place, ASKED[row.kind] if row else NO_ROW))
        elif corrected.dropped:
            dropped.append((entry.place, corrected.dropped))
        elif identity := known.identify(entry):
            drafts.append(_draft(entry.about.cost, corrected, row, identity))
        else:
            dropped.append((entry.place, ALIAS))
    ids = respelled([draft.identity for draft in drafts])
    return [_renamed(draft, ids) for draft in drafts], dropped


def _renamed(draft: Draft, ids: Mapping[str, str]) -> Draft:
    """Return a draft of the model as it is spelt in the end."""
    identity = draft.identity
    id_ = ids.get(identity.model, identity.model)
    return structs.replace(draft, identity=structs.replace(identity, model=id_))


def _draft(said: Cost | None, corrected: Corrected, row: Provider, identity: Identity) -> Draft:
    entry = corrected.entry
    if identity.contradicted:
        entry = _own(entry)
    free = identity.free or corrected.free
    price, unpriced = (None, "") if free else _price(entry)
    return Draft(
        entry=entry,
        said=said,
        provider=row,
        identity=structs.replace(identity, free=free),
        price=price,
        status=facts.status(entry, row, silent=corrected.inactive),
        dialect=corrected.dialect or facts.dialect(entry, row),
        unpriced=corrected.unpriced or unpriced,
        keep=corrected.keep,
    )


def _own(entry: Entry) -> Entry:
    """Return an entry without what the source has taken from its `base_model`, another model."""
    about = entry.about
    cost = structs.replace(about.cost, reasoning=None) if about.cost else None
    about = structs.replace(about, weights=(), reasoning_options=(), cost=cost)
    return structs.replace(entry, about=about)


def _price(entry: Entry) -> tuple[Price | None, str]:
    """Return what an entry costs, and why its price is not believed where it says one."""
    if entry.search is not None:
        return prices.by_search(entry.search), ""
    cost, outputs = entry.about.cost, facts.outputs(entry)
    if cost is None or not (cost.input or cost.output):
        return None, ""
    if outputs == ("transcription",):
        return None, BY_THE_MINUTE
    price = prices.price(cost, one_sided=outputs[0] in ONE_SIDED)
    return price, "" if price else HALF


def _joined(
    drafts: Iterable[Draft], listing: Mapping[str, Entry]
) -> tuple[list[Joined], tuple[Merge, ...]]:
    """Return the models by id, and what became of every draft."""
    models: list[Joined] = []
    merges: list[Merge] = []
    for id_, group in groupby(sorted(drafts, key=_by_model), key=lambda each: each.identity.model):
        endpoints: list[Draft] = []
        for _, same in groupby(group, key=_by_host):
            for first, *twins in _told_apart(list(same)):
                endpoints.append(first)
                merges.append(_merge(first, first))
                merges.extend(_merge(twin, first) for twin in twins)
        endpoints.sort(key=lambda each: (each.tag, each.identity.free))
        models.append(Joined(id=id_, listed=listing.get(id_), drafts=tuple(endpoints)))
    return models, tuple(sorted(merges, key=lambda each: (each.model, each.tag, each.entry.id)))


def _by_model(draft: Draft) -> tuple[str, str, bool, tuple[object, ...]]:
    return (draft.identity.model, *_by_host(draft), _rank(draft))


def _by_host(draft: Draft) -> tuple[str, bool]:
    """Return what endpoints share that only a variant tells apart: the host, and free or not."""
    return draft.provider.slug, draft.identity.free


def _rank(draft: Draft) -> tuple[bool, bool, int, str]:
    """Return what makes one of two names the better.

    It can be called in the host's own dialect, is undated, and shorter.
    """
    name = draft.entry.id
    is_other = draft.status != "active" or draft.dialect is not None
    return is_other, bool(draft.identity.date), len(name), name


def _told_apart(drafts: Sequence[Draft]) -> Iterator[list[Draft]]:
    """Yield the endpoints of a model at one host, the best name first, its twins behind it.

    Names of one variant, price and precision are one endpoint. What else has the same variant is
    told apart by date, by precision, or by its name.
    """
    kinds: dict[tuple[str, str, Price | None], list[Draft]] = {}
    for draft in drafts:
        identity = draft.identity
        kind = (identity.variant, identity.quantization, draft.price)
        kinds.setdefault(kind, []).append(draft)
    wanted = {draft.identity.variant for draft in drafts}
    taken: set[str] = set()
    for first, *twins in kinds.values():
        variant = first.identity.variant
        if variant in taken:
            variants = ("-".join(filter(None, (variant, word))) for word in _words(first))
            variant = next(each for each in variants if each not in taken | wanted)
        taken.add(variant)
        identity = structs.replace(first.identity, variant=variant)
        yield [structs.replace(first, identity=identity), *twins]


def _words(draft: Draft) -> Iterator[str]:
    """Yield what may tell an endpoint from others of its host, the best first, without end."""
    identity = draft.identity
    name = plain(draft.entry.id)[:LONGEST_WORD].strip("-.") or "other"
    yield from (word for word in (identity.date, identity.quantization) if word not in SILENT)
    yield name
    number = 2
    while True:
        yield f"{name}-{number}"
        number += 1


def _merge(draft: Draft, first: Draft) -> Merge:
    identity = draft.identity
    return Merge(
        entry=draft.entry,
        model=identity.model,
        tag=first.tag,
        how=identity.how,
        contradicted=identity.contradicted,
        twin_of=None if draft is first else first.entry.id,
    )


def _finding(model: Joined) -> Conflict | None:
    """Return what is to be decided of a model's prices, by place."""
    offers = [
        Offer(place=each.entry.place, provider=each.provider.slug, price=each.price, keep=each.keep)
        for each in sorted(model.drafts, key=lambda each: (each.entry.provider, each.entry.id))
        if each.price is not None
    ]
    return spread(model.id, offers)


def _decided(model: Joined, finding: Conflict | None) -> Joined:
    """Return a model without the prices that a finding takes for mistakes."""
    if finding is None:
        return model
    drafts = tuple(
        structs.replace(each, price=None, unpriced=APART)
        if each.entry.place in finding.rejected
        else each
        for each in model.drafts
    )
    return structs.replace(model, drafts=drafts)


def _unpriced(models: Iterable[Joined]) -> Iterator[tuple[str, Cost, str]]:
    for draft in (each for model in models for each in model.drafts):
        if draft.unpriced and draft.said is not None:
            yield draft.entry.place, draft.said, draft.unpriced
