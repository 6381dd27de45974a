"""Our records beside a provider's export: how far apart they are, per model and day.

Ours are what requests to that provider cost by our reckoning, without the account's fee and with
what the house bore of it. What accounts' own credentials served is on bills of their own, and
left out.
A model is ours under its name upstream, as the provider writes it; dated snapshots count
for the name that they are snapshots of, where only one side tells them apart. One that has
left the catalog since is known by its own name, if the export has that.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from dragoman.catalog.types import Price
from dragoman.core.money import NANO
from dragoman.ledger.bound import MILLION
from dragoman.office.exports import Row
from dragoman.office.listed import is_part, owed, prices_of
from dragoman.records import corrections
from dragoman.records.corrections import Span
from dragoman.records.types import Generation
from dragoman.store.sql import Database

PAGE: Final = 1000
NO_MODEL: Final = "(all)"
DATED = re.compile(r"[-@](?:20\d{6}|20\d\d-\d\d-\d\d)$")
"""The end of a snapshot's name: `-2025-04-14` at OpenAI, `-20250929` at Anthropic."""

Place = tuple[date, str]
Figure = Decimal | int


class Side(Struct, frozen=True, kw_only=True):
    """What one side counts for a model on a day. None: it does not say."""

    prompt: int | None = None
    completion: int | None = None
    requests: int | None = None
    usd: Decimal | None = None


class Drift(Struct, frozen=True, kw_only=True):
    """A model on a day: both sides, and by which part of theirs ours differ, at most.

    `drift` is 1 where only one side knows of it; 0 where both agree, or nothing can be compared.
    """

    day: str
    model: str
    ours: Side | None
    theirs: Side | None
    tokens_drift: float
    usd_drift: float

    @property
    def drift(self) -> float:
        """The larger of the two."""
        return max(self.tokens_drift, self.usd_drift)


class _Names(Struct, frozen=True):
    """How the provider calls our models: by endpoint, and the names in its export without dates."""

    upstream: Mapping[str, str]
    told: frozenset[str]

    def of(self, made: Generation) -> str:
        """Return the name of what answered; of a model that left the catalog, the one that fits."""
        if known := self.upstream.get(made.endpoint or ""):
            return known
        ours = made.model or made.requested
        bare = ours.rpartition("/")[2].partition(":")[0]
        return next((name for name in (bare, bare.replace(".", "-")) if name in self.told), ours)


def reconcile(
    records: Database, provider: str, export: Iterable[Row], upstream: Mapping[str, str]
) -> tuple[Drift, ...]:
    """Return every model and day of the export, and those we have of its days. Blocks.

    `upstream` is endpoint id -> the name by which the provider knows the model. A day on
    which the export counts nothing is a day of it, and what we have there is all drift.
    """
    rows = tuple(export)
    if not rows:
        return ()
    theirs = _theirs(row for row in rows if not row.is_empty)
    names = _Names(upstream, frozenset(DATED.sub("", model) for _, model in theirs))
    ours = _ours(records, provider, {row.day for row in rows}, names)
    theirs, ours = _under_one_name(theirs, ours)
    days_of_sums = {day for day, model in theirs if model == NO_MODEL}
    theirs, ours = _summed(theirs, days_of_sums), _summed(ours, days_of_sums)
    return tuple(
        _drift(place, ours.get(place), theirs.get(place))
        for place in sorted(ours.keys() | theirs.keys())
    )


def _theirs(export: Iterable[Row]) -> dict[Place, Side]:
    found: dict[Place, Side] = {}
    for row in export:
        place = (row.day, row.model or NO_MODEL)
        side = Side(
            prompt=row.prompt, completion=row.completion, requests=row.requests, usd=row.usd
        )
        found[place] = _added(found[place], side) if place in found else side
    return found


def _ours(records: Database, provider: str, days: set[date], names: _Names) -> dict[Place, Side]:
    found: dict[Place, Side] = {}
    span = Span(
        since=_midnight(min(days)),
        until=_midnight(max(days) + timedelta(days=1)),
        provider=provider,
    )
    after = (0.0, "")
    while batch := records.read_now(corrections.page(span, PAGE, after)):
        after = (batch[-1].created_at, batch[-1].id)
        prices = prices_of(records, batch)
        for made in batch:
            day = datetime.fromtimestamp(made.created_at, UTC).date()
            if day in days and not made.is_byok:
                place = (day, names.of(made))
                side = _side(made, prices.get(made.price_id or ""))
                found[place] = _added(found[place], side) if place in found else side
    return found


def _side(made: Generation, price: Price | None) -> Side:
    """Return what one generation counts; what it cost is the provider's share, whoever paid it."""
    whole = owed(made, price)
    nanos = Decimal(whole if is_part(made, whole) else made.cost_nanos)
    if made.fee_ppm:
        nanos = nanos * MILLION / (MILLION + made.fee_ppm)
    return Side(
        prompt=made.usage.prompt,
        completion=made.usage.completion,
        requests=1,
        usd=(nanos / NANO).quantize(Decimal(1) / NANO),
    )


def _under_one_name(
    theirs: dict[Place, Side], ours: dict[Place, Side]
) -> tuple[dict[Place, Side], dict[Place, Side]]:
    """Drop the dates of snapshots that the other side does not tell apart."""
    known = theirs.keys() & ours.keys()
    return _undated(theirs, known), _undated(ours, known)


def _undated(side: dict[Place, Side], known: Iterable[Place]) -> dict[Place, Side]:
    keep = set(known)
    found: dict[Place, Side] = {}
    for (day, model), figures in side.items():
        place = (day, model if (day, model) in keep else DATED.sub("", model))
        found[place] = _added(found[place], figures) if place in found else figures
    return found


def _summed(sides: dict[Place, Side], days: set[date]) -> dict[Place, Side]:
    """Return one sum over all models for days on which some figure is told of no model apart."""
    found: dict[Place, Side] = {}
    for (day, model), side in sides.items():
        place = (day, NO_MODEL if day in days else model)
        found[place] = _added(found[place], side) if place in found else side
    return found


def _added(a: Side, b: Side) -> Side:
    sums = {}
    for name in Side.__struct_fields__:
        known = [each for side in (a, b) if (each := getattr(side, name)) is not None]
        sums[name] = sum(known[1:], known[0]) if known else None
    return replace(a, **sums)


def _drift(place: Place, ours: Side | None, theirs: Side | None) -> Drift:
    day, model = place
    mine, other = ours or Side(), theirs or Side()
    alone = theirs is None or ours is None
    tokens = max(
        _part(mine.prompt, other.prompt, alone=alone),
        _part(mine.completion, other.completion, alone=alone),
    )
    return Drift(
        day=day.isoformat(),
        model=model,
        ours=ours,
        theirs=theirs,
        tokens_drift=tokens,
        usd_drift=_part(mine.usd, other.usd, alone=alone),
    )


def _part(ours: Figure | None, theirs: Figure | None, *, alone: bool) -> float:
    """Return the difference as a part of theirs."""
    if ours is None or theirs is None:
        return 1.0 if alone and (ours or theirs) else 0.0
    if ours == theirs:
        return 0.0
    mine, other = Decimal(ours), Decimal(theirs)
    return float(min(abs(mine - other) / other, Decimal(1))) if other > 0 else 1.0


def _midnight(day: date) -> float:
    return datetime.combine(day, time(), UTC).timestamp()
