"""Apply what `corrections.yaml` says to the entries of the source. Pure.

Most actions change an entry before it is understood. `keep` changes nothing: it is the reason for
which `spread` leaves a price that stands alone as it is.
"""

from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Struct, structs

from dragoman.catalog.build.read import Cost, Entry, Modalities
from dragoman.catalog.build.tables import Correction, What
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.shipped import Spoken

PLACE = "corrections.yaml"

Applied = tuple[tuple[Correction, str], ...]
"""Corrections with the places of entries that they are about, in the order of the table."""


class Corrected(Struct, frozen=True, kw_only=True):
    """An entry as it should be.

    `dropped` is the reason to make no endpoint of it, `unpriced` that to take its price for
    unknown, and `keep` that to believe a price which stands alone, a finding of `spread`; each is
    empty where there is none.
    """

    entry: Entry
    dropped: str = ""
    unpriced: str = ""
    keep: str = ""
    free: bool = False
    inactive: bool = False
    dialect: Spoken | None = None


class Corrector:
    """The corrections by the entries that they are about. Raises CatalogError for a double."""

    def __init__(self, corrections: Sequence[Correction]) -> None:
        self._all = corrections
        self._at: dict[str, dict[What, Correction]] = {}
        for row in corrections:
            for id_ in dict.fromkeys(row.ids):
                place = f"{row.provider}: {id_}"
                if row.what in self._at.setdefault(place, {}):
                    raise CatalogError(PLACE, f"{place} is there twice")
                self._at[place][row.what] = row

    def correct(self, entry: Entry) -> Corrected:
        """Return an entry with everything applied that is said of it. Raises CatalogError."""
        rows = self._at.get(entry.place, {})
        for row in rows.values():
            entry = _changed(entry, row)
        reasons = {what: row.reason for what, row in rows.items()}
        unpriced = "" if entry.about.cost else reasons.get("price", "")
        return Corrected(
            entry=entry,
            dropped=reasons.get("drop", ""),
            unpriced=unpriced,
            keep=reasons.get("keep", ""),
            free="free" in rows,
            inactive="inactive" in rows,
            dialect=rows["dialect"].dialect if "dialect" in rows else None,
        )

    def account(self, entries: Iterable[Entry]) -> tuple[Applied, tuple[Correction, ...]]:
        """Return which corrections are about these entries, and which are about none of them."""
        places = {entry.place for entry in entries}
        applied: list[tuple[Correction, str]] = []
        unused: list[Correction] = []
        for row in self._all:
            found = {id_: f"{row.provider}: {id_}" for id_ in sorted(set(row.ids))}
            applied.extend((row, place) for place in found.values() if place in places)
            missing = tuple(id_ for id_, place in found.items() if place not in places)
            if missing:
                unused.append(structs.replace(row, ids=missing))
        return tuple(applied), tuple(unused)


def stated(text: str) -> Cost:
    """Return a price of the table, `input/output` in USD per million. Raises CatalogError."""
    try:
        amounts = tuple(float(each) for each in text.split("/"))
        prompt, completion = amounts
        return msgspec.convert({"input": prompt, "output": completion}, Cost)
    except (ValueError, msgspec.ValidationError):
        raise CatalogError(PLACE, f"{text!r} is not a price, input/output") from None


def _changed(entry: Entry, row: Correction) -> Entry:
    about = entry.about
    if row.what == "price":
        about = structs.replace(about, cost=stated(row.new) if row.new else None)
    elif row.what == "marked" and about.cost is not None:
        about = structs.replace(about, cost=_without_read(about.cost))
    elif row.what == "modalities":
        said = Modalities(
            input=row.inputs or about.modalities.input,
            output=row.outputs or about.modalities.output,
        )
        about = structs.replace(about, modalities=said)
    return structs.replace(entry, about=about)


def _without_read(cost: Cost) -> Cost:
    """Return a price without that of cached tokens, in each tier of length."""
    tiers = tuple(structs.replace(tier, cache_read=None) for tier in cost.tiers)
    return structs.replace(cost, cache_read=None, cache_input=None, cached_input=None, tiers=tiers)
