"""Does a JSON value satisfy a schema? As much of JSON Schema as `keywords` knows.

Not a validator for other people's documents: with it the demo models look over
what they wrote (`schema`), where `oneOf`, `not` and `if` cannot be obeyed by
construction. Patterns and formats are taken on trust.
"""

from itertools import combinations

from msgspec import UNSET

from dragoman.providers.demo.keywords import Json, Keywords, Number, Schema, keywords, same

MAX_STEPS = 30_000
_STEPS_PER_VISIT = 10

_TYPES: dict[str, type | tuple[type, ...]] = {
    "null": type(None),
    "boolean": bool,
    "number": (int, float),
    "string": str,
    "array": list,
    "object": dict,
}


class Exhausted(Exception):
    """The schema takes more work than a demo is worth."""


class Book:
    """A schema to look references up in, and how much work may still go into it."""

    def __init__(self, root: Schema) -> None:
        self._root = root
        self._steps = MAX_STEPS
        self._known: dict[int, tuple[Schema, Keywords]] = {}

    def spend(self, steps: int = 1) -> None:
        """Count some steps, each about a comparison. Raises Exhausted when there were too many."""
        self._steps -= steps
        if self._steps < 0:
            raise Exhausted

    def read(self, schema: Schema) -> Keywords:
        """Return `keywords(schema)`, counting a visit. Raises ValueError, Exhausted."""
        self.spend(_STEPS_PER_VISIT)
        known = self._known.get(id(schema))
        if known is None:
            # The schema is kept beside its keywords, so that its id stays its own.
            known = self._known[id(schema)] = (schema, keywords(schema))
        return known[1]

    def find(self, reference: str) -> Schema:
        """Return what a `$ref` (RFC 6901 in a fragment) points to. Raises ValueError."""
        place: Json = self._root
        for step in reference.removeprefix("#").split("/")[1:]:
            name = step.replace("~1", "/").replace("~0", "~")
            if isinstance(place, list) and name.isdecimal() and int(name) < len(place):
                place = place[int(name)]
            elif isinstance(place, dict) and name in place:
                place = place[name]
            else:
                raise ValueError(f"$ref {reference!r} leads nowhere")
        if not reference.startswith("#") or not isinstance(place, dict | bool):
            raise ValueError(f"$ref {reference!r} is not a schema in here")
        return place


def conforms(value: Json, schema: Schema, book: Book) -> bool:
    """Say whether `value` satisfies `schema`. Raises ValueError if malformed, Exhausted."""
    if isinstance(schema, bool):
        return schema
    rules = book.read(schema)
    book.spend(len(rules.enum or ()))
    return (
        fits_alone(value, rules)
        and (not isinstance(value, list) or _fits_array(value, rules, book))
        and (not isinstance(value, dict) or _fits_object(value, rules, book))
        and _fits_combined(value, rules, book)
        and _fits_conditions(value, rules, book)
    )


def fits_number(value: Number, rules: Keywords) -> bool:
    """Say whether a number lies within the bounds and on the steps of `rules`."""
    low, high = rules.exclusive_minimum, rules.exclusive_maximum
    return (
        (rules.minimum is None or value >= rules.minimum)
        and (rules.maximum is None or value <= rules.maximum)
        and (low is None or value > low)
        and (high is None or value < high)
        and (not rules.multiple_of or (value / rules.multiple_of).is_integer())
    )


def has_type(value: Json, name: str) -> bool:
    """Say whether a value is of a JSON Schema type; 1.0 is an integer, true is not."""
    if name == "integer":
        return has_type(value, "number") and float(value).is_integer()
    kinds = _TYPES.get(name, ())
    return isinstance(value, kinds) and isinstance(value, bool) == (name == "boolean")


def fits_alone(value: Json, rules: Keywords) -> bool:
    """Say whether a value satisfies `rules` as far as its type, identity, size and bounds go."""
    if rules.types and not any(has_type(value, name) for name in rules.types):
        return False
    if rules.enum is not None and not any(same(value, each) for each in rules.enum):
        return False
    if rules.const is not UNSET and not same(value, rules.const):
        return False
    if isinstance(value, str):
        return _within(len(value), rules.min_length, rules.max_length)
    return not has_type(value, "number") or fits_number(value, rules)


def _within(size: int, least: int, most: int | None) -> bool:
    return least <= size and (most is None or size <= most)


def _fits_array(value: list[Json], rules: Keywords, book: Book) -> bool:
    first = rules.prefix_items
    if rules.unique_items:
        book.spend(len(value) ** 2)
    schemas = [*first[: len(value)], *[rules.items] * (len(value) - len(first))]
    return (
        _within(len(value), rules.min_items, rules.max_items)
        and all(conforms(each, its, book) for each, its in zip(value, schemas, strict=True))
        and not (rules.unique_items and any(same(a, b) for a, b in combinations(value, 2)))
    )


def _fits_object(value: dict[str, Json], rules: Keywords, book: Book) -> bool:
    others = rules.additional_properties
    return (
        _within(len(value), rules.min_properties, rules.max_properties)
        and all(name in value for name in rules.required)
        and all(
            conforms(each, rules.properties.get(name, others), book) for name, each in value.items()
        )
    )


def _fits_combined(value: Json, rules: Keywords, book: Book) -> bool:
    if rules.ref is not None and not conforms(value, book.find(rules.ref), book):
        return False
    if not all(conforms(value, each, book) for each in rules.all_of):
        return False
    if rules.any_of is not None and not any(conforms(value, s, book) for s in rules.any_of):
        return False
    return rules.one_of is None or sum(conforms(value, s, book) for s in rules.one_of) == 1


def _fits_conditions(value: Json, rules: Keywords, book: Book) -> bool:
    if conforms(value, rules.not_, book):
        return False
    if rules.if_ is None:
        return True
    return conforms(value, rules.then if conforms(value, rules.if_, book) else rules.else_, book)
