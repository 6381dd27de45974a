"""A generation as a row and back. Pure.

Whatever a generation holds can be stored: text that no database takes (NUL, lone
surrogates) is mended, and an absurd number is cut to one that can be added up.
One odd answer must not cost the records of its neighbours in the batch.
"""

from collections.abc import Mapping
from operator import itemgetter
from typing import Any

import msgspec

from dragoman.records.fit import MOST, fitting, is_odd, mended
from dragoman.records.types import Generation

COLUMNS = Generation.__struct_fields__
NESTED = ("usage", "attempts", "notes", "tags", "draws")


OTHER = frozenset(
    (
        "created_at", "streamed", "cancelled", "status", "cost_nanos", "price_known", "latency_ms",
        "generation_ms", "fee_ppm", "is_byok", "byok_nanos",
    )
)  # fmt: skip
"""The columns that hold no text."""
NUMBERS = ("cost_nanos", "latency_ms", "generation_ms", "fee_ppm", "byok_nanos")
"""Those whose numbers may be absurd."""

_USAGE, _ATTEMPTS, _NOTES, _TAGS, _DRAWS = map(COLUMNS.index, NESTED)
# JSON holds nothing odd.
_TEXTS = tuple(i for i, name in enumerate(COLUMNS) if name not in OTHER and name not in NESTED)
_NUMBERS = tuple(map(COLUMNS.index, NUMBERS))
_texts_of = itemgetter(*_TEXTS)
_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder().decode


def to_row(made: Generation) -> tuple[Any, ...]:
    """Return the values of the columns, in the order of `COLUMNS`."""
    row = list(msgspec.structs.astuple(made))
    row[_USAGE] = _json(made.usage)
    row[_ATTEMPTS] = _json(made.attempts) if made.attempts else "[]"
    row[_NOTES] = _json(made.notes) if made.notes else "[]"
    row[_TAGS] = _json(made.tags) if made.tags else "{}"
    row[_DRAWS] = _json(made.draws) if made.draws else "[]"
    times = (made.latency_ms or 0) | (made.generation_ms or 0)
    # All bits of MOST are ones: what is more has others, and what is negative has the sign.
    if not 0 <= made.cost_nanos | made.fee_ppm | made.byok_nanos | times <= MOST:
        for place in _NUMBERS:
            row[place] = row[place] and fitting(row[place])
    if is_odd("".join(filter(None, _texts_of(row)))):
        for place in _TEXTS:
            row[place] = row[place] and mended(row[place])
    return tuple(row)


def from_row(row: Mapping[str, Any]) -> Generation:
    """Return the generation whose row it is: the values of the columns by name."""
    values = {name: row[name] for name in COLUMNS}
    values |= {name: _decode(values[name]) for name in NESTED}
    return msgspec.convert(values, Generation)


def _json(value: Any) -> str:
    try:
        return _encode(value).decode()
    except UnicodeEncodeError:
        return _encode(_deeply_mended(msgspec.to_builtins(value))).decode()


def _deeply_mended(value: Any) -> Any:
    match value:
        case str():
            return mended(value)
        case list() | tuple():
            return [_deeply_mended(item) for item in value]
        case dict():
            return {mended(name): _deeply_mended(item) for name, item in value.items()}
    return value
