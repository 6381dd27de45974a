"""Writing a JSON value that satisfies a JSON Schema, out of the words of a question.

References, `allOf`, `anyOf` and `oneOf` are first joined into plain schemas, tried
one after the other; a plain schema is then written by its type. What cannot be
written (a branch that contradicts itself, a reference that never ends) is left out
where the schema allows it. The result is looked over by `check` before it is given out.
"""

from collections.abc import Iterator
from itertools import cycle
from random import Random

from msgspec import UNSET, Struct, structs

from dragoman.providers.demo import scalars
from dragoman.providers.demo.check import Book, Exhausted, conforms, fits_alone
from dragoman.providers.demo.keywords import (
    Json,
    Keywords,
    Schema,
    Unsatisfiable,
    joined,
    same,
)
from dragoman.providers.demo.text import Words

_ITEMS = 2
_TRIES_PER_ITEM = 30
_OTHER_WORDS = Words(
    "amber birch cedar delta ember fjord grove heron island juniper kestrel linden"
)
_SPEAKS_OF = {
    "object": ("properties", "required", "additional_properties", "min_properties"),
    "array": ("items", "prefix_items", "min_items", "max_items", "unique_items"),
    "number": ("minimum", "maximum", "exclusive_minimum", "exclusive_maximum", "multiple_of"),
}

Path = tuple[str, ...]
"""The references that were followed to get here."""


class Manner(Struct, frozen=True):
    """How richly to write: with optional members or not, and how often around each cycle."""

    optional: bool
    turns: int


_MANNERS = (Manner(True, 2), Manner(True, 1), Manner(False, 1))  # noqa: FBT003 - named above


def satisfy(schema: Schema, words: Words, rng: Random) -> Json:
    """Return a value that satisfies `schema`.

    Raises Unsatisfiable when none was found, ValueError when the schema is malformed.
    """
    for manner in _MANNERS:
        book = Book(schema)
        try:
            value = _Writer(book, words, rng, manner).write(schema, ())
            if conforms(value, schema, book):
                return value
        except (Unsatisfiable, Exhausted, RecursionError):
            continue
    raise Unsatisfiable("no value was found that satisfies the schema")


class _Writer:
    def __init__(self, book: Book, words: Words, rng: Random, manner: Manner) -> None:
        self._book = book
        self._words = words
        self._names = cycle(words.names)
        self._rng = rng
        self._manner = manner

    def write(self, schema: Schema, path: Path) -> Json:
        for plain, trail in self._plain(schema, path):
            try:
                value = self._value(plain, trail)
                if not _is_choosy(schema) or conforms(value, schema, self._book):
                    return value
            except Unsatisfiable:
                continue
        raise Unsatisfiable("a part of the schema cannot be satisfied")

    def _plain(self, schema: Schema, path: Path) -> Iterator[tuple[Keywords, Path]]:
        """Yield the ways to read a schema without references and combinations."""
        if schema is False:
            return
        rules = self._book.read(schema)
        groups = [[each] for each in rules.all_of]
        groups += [_nulls_last(each) for each in (rules.any_of, rules.one_of) if each is not None]
        if rules.ref is not None:
            if path.count(rules.ref) >= self._manner.turns:
                return
            path = (*path, rules.ref)
            groups.append([self._book.find(rules.ref)])
        if rules.const is not UNSET:
            rules = structs.replace(rules, enum=[rules.const])
        yield from self._combined(rules, groups, path)

    def _combined(
        self, rules: Keywords, groups: list[list[Schema]], path: Path
    ) -> Iterator[tuple[Keywords, Path]]:
        if not groups:
            yield rules, path
            return
        for option in groups[0]:
            for plain, trail in self._plain(option, path):
                self._book.spend(_work_to_join(rules, plain))
                try:
                    both = joined(rules, plain)
                except Unsatisfiable:
                    continue
                yield from self._combined(both, groups[1:], trail)

    def _value(self, rules: Keywords, path: Path) -> Json:
        if rules.enum is not None:
            return self._listed(rules)
        for name in sorted(rules.types or [_likely_type(rules)], key="null".__eq__):
            try:
                return self._of_type(name, rules, path)
            except Unsatisfiable:
                continue
        raise Unsatisfiable("none of the types can be satisfied")

    def _listed(self, rules: Keywords) -> Json:
        values = rules.enum or []
        self._book.spend(len(values))
        others = structs.replace(rules, enum=None)
        fitting = [value for value in values if fits_alone(value, others)]
        if not fitting:
            raise Unsatisfiable("nothing of the enum fits")
        named = [v for v in fitting if isinstance(v, str) and self._words.mentions(v)]
        return (named or [self._rng.choice(fitting)])[0]

    def _of_type(self, name: str, rules: Keywords, path: Path) -> Json:
        match name:
            case "object":
                return self._object(rules, path)
            case "array":
                return self._array(rules, path)
            case "string":
                return scalars.text(rules, self._names, self._rng, self._book)
            case "integer" | "number":
                whole = name == "integer"
                return scalars.number(rules, self._words, self._rng, whole=whole)
            case "boolean":
                return self._rng.random() < 0.5
            case "null":
                return None
        raise ValueError(f"there is no type {name!r}")

    def _object(self, rules: Keywords, path: Path) -> dict[str, Json]:
        needed = set(rules.required)
        room = (
            len(rules.properties) if self._manner.optional else rules.min_properties - len(needed)
        )
        if rules.max_properties is not None:
            room = min(room, rules.max_properties - len(needed))
        found: dict[str, Json] = {}
        for name in dict.fromkeys([*rules.properties, *rules.required]):
            if name not in needed and room <= 0:
                continue
            schema = rules.properties.get(name, rules.additional_properties)
            try:
                found[name] = self.write(schema, path)
            except Unsatisfiable:
                if name in needed:
                    raise
                continue
            room -= name not in needed
        for number in range(rules.min_properties - len(found)):
            found[f"extra{number + 1}"] = self.write(rules.additional_properties, path)
        return found

    def _array(self, rules: Keywords, path: Path) -> list[Json]:
        count = max(rules.min_items, len(rules.prefix_items), _ITEMS)
        count = count if rules.max_items is None else min(count, rules.max_items)
        found: list[Json] = []
        writer = self
        others = _Writer(self._book, _OTHER_WORDS, self._rng, self._manner)
        for _ in range(count * _TRIES_PER_ITEM):
            if len(found) == count:
                break
            try:
                item = writer.write(_item(rules, len(found)), path)
            except Unsatisfiable:
                break
            self._book.spend(len(found))
            if rules.unique_items and any(same(item, each) for each in found):
                writer = others
                continue
            found.append(item)
        if len(found) < rules.min_items:
            raise Unsatisfiable("not enough items can be written")
        return found


def _work_to_join(one: Keywords, other: Keywords) -> int:
    members = len(one.properties) + len(other.properties)
    return members + len(one.enum or ()) * len(other.enum or ())


def _item(rules: Keywords, place: int) -> Schema:
    return rules.prefix_items[place] if place < len(rules.prefix_items) else rules.items


def _likely_type(rules: Keywords) -> str:
    """Return the type that the other keywords speak of."""
    plain = Keywords()
    for name, fields in _SPEAKS_OF.items():
        if any(getattr(rules, field) != getattr(plain, field) for field in fields):
            return name
    return "string"


def _nulls_last(options: list[Schema]) -> list[Schema]:
    return sorted(options, key=lambda each: isinstance(each, dict) and each.get("type") == "null")


def _is_choosy(schema: Schema) -> bool:
    return isinstance(schema, dict) and any(name in schema for name in ("oneOf", "not", "if"))
