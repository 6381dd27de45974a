"""The keywords of JSON Schema that the demo models understand, typed, and how two sets join.

As much of draft 2020-12 as tools and structured outputs use. One level at a time:
what stands inside a schema stays JSON until it is looked at, so that references can
point anywhere. Unknown keywords are passed over.
"""

from collections.abc import Callable
from math import lcm
from typing import Any, TypeVar

import msgspec
from msgspec import UNSET, Struct, UnsetType, field, structs

Json = Any
"""A decoded JSON value."""

Schema = dict[str, Any] | bool
"""A schema as it came: an object, or a yes or no to everything."""

Number = int | float
T = TypeVar("T")


class Unsatisfiable(Exception):
    """No value satisfies the schema, as far as can be seen from here."""


class Keywords(Struct, frozen=True, kw_only=True, rename="camel"):
    """One schema object. An absent keyword is None or empty."""

    type: str | list[str] | None = None
    enum: list[Json] | None = None
    const: Json | UnsetType = UNSET

    minimum: Number | None = None
    maximum: Number | None = None
    exclusive_minimum: Number | None = None
    exclusive_maximum: Number | None = None
    multiple_of: Number | None = None

    min_length: int = 0
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None

    items: Schema = True
    prefix_items: list[Schema] = []
    min_items: int = 0
    max_items: int | None = None
    unique_items: bool = False

    properties: dict[str, Schema] = {}
    required: list[str] = []
    additional_properties: Schema = True
    min_properties: int = 0
    max_properties: int | None = None

    ref: str | None = field(default=None, name="$ref")
    all_of: list[Schema] = []
    any_of: list[Schema] | None = None
    one_of: list[Schema] | None = None
    not_: Schema = field(default=False, name="not")
    if_: Schema | None = field(default=None, name="if")
    then: Schema = True
    else_: Schema = field(default=True, name="else")

    @property
    def types(self) -> list[str]:
        """The types it names, none if it leaves them open."""
        return [self.type] if isinstance(self.type, str) else self.type or []


def keywords(schema: Schema) -> Keywords:
    """Read one level of a schema that is not false. Raises ValueError when it is malformed."""
    return Keywords() if isinstance(schema, bool) else msgspec.convert(schema, Keywords)


def same(one: Json, other: Json) -> bool:
    """Say whether two JSON values are equal; true is not 1, but 1.0 is."""
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def joined(one: Keywords, other: Keywords) -> Keywords:
    """Return the keywords that a value satisfying both must satisfy. Raises Unsatisfiable.

    References and combinations (`allOf` and the like) are left to the caller.
    """
    return structs.replace(
        one,
        type=_types(one, other),
        enum=_enum(one.enum, other.enum),
        minimum=_either(max, one.minimum, other.minimum),
        maximum=_either(min, one.maximum, other.maximum),
        exclusive_minimum=_either(max, one.exclusive_minimum, other.exclusive_minimum),
        exclusive_maximum=_either(min, one.exclusive_maximum, other.exclusive_maximum),
        multiple_of=_either(_common_multiple, one.multiple_of, other.multiple_of),
        min_length=max(one.min_length, other.min_length),
        max_length=_either(min, one.max_length, other.max_length),
        pattern=_either(_only, one.pattern, other.pattern),
        format=_either(_only, one.format, other.format),
        min_items=max(one.min_items, other.min_items),
        max_items=_either(min, one.max_items, other.max_items),
        unique_items=one.unique_items or other.unique_items,
        items=_both(one.items, other.items),
        prefix_items=_prefix(one, other),
        properties={
            name: _both(_property(one, name), _property(other, name))
            for name in {**one.properties, **other.properties}
        },
        required=list(dict.fromkeys([*one.required, *other.required])),
        additional_properties=_both(one.additional_properties, other.additional_properties),
        min_properties=max(one.min_properties, other.min_properties),
        max_properties=_either(min, one.max_properties, other.max_properties),
    )


def _either(choose: Callable[[T, T], T], one: T | None, other: T | None) -> T | None:
    if one is None or other is None:
        return other if one is None else one
    return choose(one, other)


def _only(one: str, other: str) -> str:
    if one != other:
        raise Unsatisfiable
    return one


def _common_multiple(one: Number, other: Number) -> Number:
    if isinstance(one, int) and isinstance(other, int):
        return lcm(one, other)
    if one != other:
        raise Unsatisfiable
    return one


def _both(one: Schema, other: Schema) -> Schema:
    if one is False or other is False:
        return False
    if one is True or one == other:
        return other
    return one if other is True else {"allOf": [one, other]}


def _property(schema: Keywords, name: str) -> Schema:
    return schema.properties.get(name, schema.additional_properties)


def _prefix(one: Keywords, other: Keywords) -> list[Schema]:
    longest = max(len(one.prefix_items), len(other.prefix_items))
    padded = [
        [*each.prefix_items, *[each.items] * (longest - len(each.prefix_items))]
        for each in (one, other)
    ]
    return [_both(left, right) for left, right in zip(*padded, strict=True)]


def _types(one: Keywords, other: Keywords) -> list[str] | None:
    if not one.types or not other.types:
        return one.types or other.types or None
    shared = [name for name in one.types if name in other.types]
    if "integer" not in shared and {"integer", "number"} <= {*one.types, *other.types}:
        shared.append("integer")
    if not shared:
        raise Unsatisfiable
    return shared


def _enum(one: list[Json] | None, other: list[Json] | None) -> list[Json] | None:
    if one is None or other is None:
        return other if one is None else one
    return [value for value in one if any(same(value, each) for each in other)]
