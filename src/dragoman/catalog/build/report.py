"""The account of a build for people, a page of Markdown: every decision with its reason. Pure."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby

from dragoman.catalog.build.checked import Checked, evidence, fingerprint, said
from dragoman.catalog.build.merge import ASKED, NO_ROW, Account, Joined, Merge
from dragoman.catalog.build.spread import Conflict
from dragoman.catalog.build.tables import Correction
from dragoman.catalog.build.tally import Tally, tally
from dragoman.catalog.shipped import ModelRow
from dragoman.catalog.types import Provider

SPOKEN = frozenset({
    "anthropic", "bedrock", "cohere", "gemini", "openai", "responses", "responses-azure",
    "responses-xai", "vertex",
})  # fmt: skip
"""The dialects that the gateway speaks with providers."""

STRANGERS = frozenset({NO_ROW, *ASKED.values()})
"""Reasons that are the same for all entries of a provider."""

HEAD = """\
Written by `dragoman catalog build`; change the tables beside `models.json`, not this page.
Source: {origin}. Prices are USD per million tokens, input/output."""
HOLDS = """\
Counted over hosts and clouds only: no aggregators, no plans, nobody's own machine,
no demo. Aggregators and local servers are in `providers.yaml`, without endpoints here: where
`discover: true` in `dragoman.yaml` says so, they are asked for their models themselves. Plans
have endpoints, for those who name them."""
APART = """\
Models whose prices lie five times apart or more. A price that nobody else's is
within a factor of five of is unknown, unless the table of corrections keeps it. *Kept* without
a reason: another host's is near."""
NAMES = """\
A name in the source is the model it is listed under. *Its name*: known, whole or less
words for speed, precision and date. *The table*: `data/identities.yaml`. *base_model*: the source
says so, and the name agrees. *No other*: a model that is named here for the first time."""
TWINS = "The same model at the same host for the same price; the first name is used."
DOUBTS = "Outputs are cut to the context; the others became unknown."
UNPRICED = """\
The source says nothing, or zero, which nobody means without saying so; or it says what is not
believed, which is listed below."""
UNUSED = "About entries that the source no longer holds:"
ADDED = "Models that the source does not have, from `data/added.yaml`."
KNOWN = "Of these the source knows by now, and its own entry counts:"
CHECKED = (
    "{count} models across authors, each read against its entries in the source: that all of them"
    " are this model, and that units, sizes and statuses are right. One that has changed since is"
    " marked."
)


def report(
    account: Account,
    models: Sequence[Joined],
    rows: Sequence[ModelRow],
    providers: Mapping[str, Provider],
    checks: Sequence[Checked],
) -> str:
    """Return the page. `rows` are those of `models`, in the same order."""
    parts = (
        "# Where the shipped catalog comes from",
        HEAD.format(origin=account.origin),
        *_holds(rows, providers),
        *_corrections(account),
        *_added(account),
        *_conflicts(account.conflicts),
        *_names(account.merges),
        *_contradictions(account.merges),
        *_twins(account.merges),
        *_left_out(account.dropped),
        *_doubts(account.doubts),
        *_unpriced(account, rows),
        *_checked(models, rows, checks),
    )
    return "\n\n".join(parts) + "\n"


def _holds(rows: Sequence[ModelRow], providers: Mapping[str, Provider]) -> Iterator[str]:
    yield "## What it holds"
    yield HOLDS
    counts = {
        "hosts and clouds": tally(rows, providers, {"host"}),
        "of these callable now": tally(rows, providers, {"host"}, SPOKEN),
        "plans": tally(rows, providers, {"plan"}),
    }
    head = ("", "models", "providers", "endpoints", "models at 3 providers or more")
    yield _table(head, ((name, *_numbers(count)) for name, count in counts.items()))


def _numbers(count: Tally) -> tuple[str, ...]:
    found = (count.models, count.providers, count.endpoints, count.choices)
    return tuple(f"{each:,}" for each in found)


def _corrections(account: Account) -> Iterator[str]:
    yield "## Corrections"
    head = ("where", "what", "source says", "instead", "because", "to check")
    yield _table(
        head,
        (
            (f"`{place}`", row.what, row.old, _instead(row), row.reason, row.source)
            for row, place in account.corrected
        ),
    )
    if account.unused:
        yield UNUSED
        yield "\n".join(
            f"- `{row.provider}`: {', '.join(row.ids)} ({row.what})" for row in account.unused
        )


def _added(account: Account) -> Iterator[str]:
    if account.added or account.known:
        yield "## Added"
        yield ADDED
        rows = ((f"`{each.provider}: {each.id}`", each.source) for each in account.added)
        yield _table(("entry", "read at"), rows)
    if account.known:
        yield KNOWN
        yield "\n".join(f"- `{each.provider}: {each.id}`" for each in account.known)


def _instead(row: Correction) -> str:
    if row.what == "price":
        return row.new or "unknown"
    ways = (("in", row.inputs), ("out", row.outputs))
    return "; ".join(f"{', '.join(words)} {way}" for way, words in ways if words)


def _conflicts(conflicts: Sequence[Conflict]) -> Iterator[str]:
    yield "## Prices far apart"
    yield APART
    yield _table(
        ("model", "times", "hosts", "decided unknown or kept by the table"),
        (
            (
                each.model,
                f"{each.times:,.1f}".removesuffix(".0"),
                str(len(each.prices)),
                "; ".join(f"`{place}` {price}: {why}" for place, price, why in each.decided),
            )
            for each in conflicts
        ),
    )
    every = (
        (each.model, f"`{place}`", price, decided)
        for each in conflicts
        for place, price, decided in each.prices
    )
    table = _table(("model", "where", "price", "decided"), every)
    yield _details("Every price of these models", table)


def _names(merges: Iterable[Merge]) -> Iterator[str]:
    yield "## Which names mean which model"
    yield NAMES
    by_model = [(model, list(found)) for model, found in groupby(merges, lambda each: each.model)]
    for author, group in groupby(by_model, lambda each: each[0].partition("/")[0]):
        lines = [f"- {model} ← {'; '.join(map(_name, found))}" for model, found in group]
        yield _details(f"{author}: {len(lines)} models", "\n".join(lines))


def _name(merge: Merge) -> str:
    told = "" if merge.how == "its name" else f" ({merge.how})"
    return f"`{merge.entry.place}`{told}"


def _contradictions(merges: Iterable[Merge]) -> Iterator[str]:
    yield "## Where `base_model` contradicts the name"
    yield "The name counts."
    yield _table(
        ("name", "base_model means", "taken for"),
        (
            (f"`{each.entry.place}`", each.contradicted, each.model)
            for each in merges
            if each.contradicted
        ),
    )


def _twins(merges: Iterable[Merge]) -> Iterator[str]:
    yield "## Two names, one endpoint"
    yield TWINS
    yield _table(
        ("model", "endpoint", "used", "also"),
        (
            (each.model, each.tag, f"`{each.twin_of}`", f"`{each.entry.id}`")
            for each in merges
            if each.twin_of is not None
        ),
    )


def _left_out(dropped: Iterable[tuple[str, str]]) -> Iterator[str]:
    yield "## Left out"
    pairs = tuple(dropped)
    strangers = Counter((place.partition(":")[0], why) for place, why in pairs if why in STRANGERS)
    yield _table(
        ("provider", "entries", "because"),
        ((provider, str(count), why) for (provider, why), count in sorted(strangers.items())),
    )
    others = ((f"`{place}`", why) for place, why in pairs if why not in STRANGERS)
    yield _table(("entry", "because"), others)


def _doubts(doubts: Sequence[tuple[str, str]]) -> Iterator[str]:
    yield "## Facts that make no sense"
    yield DOUBTS
    table = _table(("entry", "says"), ((f"`{place}`", why) for place, why in doubts))
    yield _details(f"{len(doubts)} facts", table)


def _unpriced(account: Account, rows: Iterable[ModelRow]) -> Iterator[str]:
    yield "## Endpoints without a price"
    yield UNPRICED
    counts = Counter(
        each.provider
        for row in rows
        for each in row.endpoints
        if each.price is None and not each.free
    )
    yield ", ".join(f"{provider} {count}" for provider, count in sorted(counts.items())) or "None."
    told = ((f"`{place}`", said(cost), why) for place, cost, why in account.unpriced)
    yield _table(("entry", "says", "not believed because"), told)


def _checked(
    models: Sequence[Joined], rows: Sequence[ModelRow], checks: Sequence[Checked]
) -> Iterator[str]:
    yield "## Checked by hand"
    yield CHECKED.format(count=len(checks))
    seen = {model.id: evidence(model, row) for model, row in zip(models, rows, strict=True)}
    for check in checks:
        lines = seen.get(check.model)
        if lines is None:
            yield f"- {check.model}: no longer served"
            continue
        now = fingerprint(lines)
        changed = "" if now == check.seen else f" **Changed since.** It is `{now}` now."
        yield _details(f"{check.model}: {check.verdict}{changed}", "\n".join(lines))


def _details(summary: str, body: str) -> str:
    return f"<details><summary>{summary}</summary>\n\n{body}\n\n</details>"


def _table(head: Sequence[str], rows: Iterable[Sequence[str | None]]) -> str:
    lines = (head, ("---",) * len(head), *rows)
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in lines)


def _cell(text: str | None) -> str:
    return (text or "").replace("|", "\\|").replace("\n", " ")
