"""Read the table of ids that lead to others: retired models, families, older names.

Pure: text comes in, rows come out. Whether a target is served here is decided in
`assemble`, other spellings of one id (dashes for dots, no author) need no row: they
are in `spellings`.
"""

import re
from collections.abc import Mapping

import msgspec
import yaml
from msgspec import Struct

from dragoman.catalog.errors import CatalogError
from dragoman.catalog.own import is_model_id
from dragoman.catalog.types import Renamed

NAME = "names.yaml"
DATE = re.compile(r"\d{4}-(0[1-9]|1[0-2])(-(0[1-9]|[12]\d|3[01]))?")

_SafeLoader: type[yaml.SafeLoader] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _Row(Struct, frozen=True, forbid_unknown_fields=True):
    to: str
    dated: str
    reason: str


def read_renamed(text: bytes) -> dict[str, Renamed]:
    """Return the rows by lower-cased name, each leading to the end of its chain.

    Raises CatalogError naming the row: for one that is not understood, names no model,
    is there twice in another case, or leads back to itself.
    """
    try:
        table = yaml.load(text, Loader=_SafeLoader)  # noqa: S506 (both are safe loaders)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise CatalogError(NAME, str(error)) from None
    if not isinstance(table, dict):
        raise CatalogError(NAME, "is not a mapping of names to rows")
    rows: dict[str, Renamed] = {}
    for name, row in table.items():
        renamed = _renamed(str(name), row)
        if rows.setdefault(renamed.name.lower(), renamed) is not renamed:
            raise CatalogError(f"{NAME}: {name}", "is there twice")
    return settled(rows)


def settled(rows: Mapping[str, Renamed]) -> dict[str, Renamed]:
    """Return the rows with each target followed to its end. Raises CatalogError for a circle."""
    return {
        name: msgspec.structs.replace(row, target=_end(row, rows)) for name, row in rows.items()
    }


def _end(row: Renamed, rows: Mapping[str, Renamed]) -> str:
    way = [row.name]
    while following := rows.get(row.target.lower()):
        way.append(following.name)
        if following.name in way[:-1]:
            raise CatalogError(f"{NAME}: {way[0]}", f"goes round in circles: {' -> '.join(way)}")
        row = following
    return row.target


def _renamed(name: str, row: object) -> Renamed:
    place = f"{NAME}: {name}"
    try:
        read = msgspec.convert(row, _Row)
    except msgspec.ValidationError as error:
        raise CatalogError(place, str(error)) from None
    for id_ in (name, read.to):
        if not is_model_id(id_):
            raise CatalogError(place, f"{id_!r} is not a model's id, author/name")
    if not DATE.fullmatch(read.dated):
        raise CatalogError(place, f"dated {read.dated!r} is not YYYY-MM or YYYY-MM-DD")
    if not read.reason.strip():
        raise CatalogError(place, "gives no reason")
    return Renamed(name=name, target=read.to, dated=read.dated, reason=read.reason)
