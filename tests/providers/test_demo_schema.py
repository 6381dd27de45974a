"""What the demo models write satisfies the schema, by the judgement of `jsonschema`."""

import json
import re
from datetime import date, datetime
from random import Random
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from dragoman.providers.demo.check import Book, conforms
from dragoman.providers.demo.keywords import Unsatisfiable
from dragoman.providers.demo.schema import satisfy
from dragoman.providers.demo.text import Words

Schema = dict[str, Any]
AnySchema = Schema | bool

QUESTION = Words("How warm will it be in Lisbon for 3 days, in celsius?")

TREE: Schema = {
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "value": {"type": "integer"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
                "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]},
            },
            "required": ["value", "children", "next"],
            "additionalProperties": False,
        }
    },
    "$ref": "#/$defs/node",
}
EITHER: Schema = {
    "type": "object",
    "properties": {"a": {"type": "string"}, "b": {"type": "string"}},
    "oneOf": [{"required": ["a"]}, {"required": ["b"]}],
}
CLOSED_BOTH: Schema = {
    "allOf": [
        {"properties": {"a": {"type": "integer", "minimum": 4}}, "required": ["a"]},
        {"properties": {"a": {"maximum": 4}}, "additionalProperties": False, "type": "object"},
    ]
}


def write(schema: AnySchema, seed: int = 0) -> Any:
    return satisfy(schema, QUESTION, Random(seed))


def judge(value: Any, schema: AnySchema) -> None:
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)


@pytest.mark.parametrize(
    "schema",
    [
        True,
        {},
        {"type": "null"},
        {"type": ["null", "boolean"]},
        {"const": {"a": [1, None]}},
        {"enum": [1, True, "x"], "type": "boolean"},
        {"type": "integer", "exclusiveMinimum": 3, "maximum": 4},
        {"type": "integer", "minimum": -9007199254740991, "maximum": 9007199254740991},
        {"type": "integer", "minimum": 7, "multipleOf": 5},
        {"type": "integer", "maximum": -5},
        {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 0.001},
        {"type": "number", "multipleOf": 0.5, "minimum": 10.2},
        {"type": "number", "minimum": 1.5, "maximum": 1.5},
        {"minimum": 4},
        {"type": "string", "minLength": 40, "maxLength": 41},
        {"type": "string", "pattern": r"^[A-Z]{2}-\d{4}$"},
        {"type": "string", "pattern": r"^[a-z]+$", "minLength": 9, "maxLength": 9},
        {"type": "array", "items": {"type": "integer"}, "minItems": 6, "uniqueItems": True},
        {"type": "array", "items": {"type": "string"}, "minItems": 9, "uniqueItems": True},
        {"type": "array", "items": {"enum": ["lisbon", "b"]}, "minItems": 2, "uniqueItems": True},
        {"type": "array", "prefixItems": [{"type": "string"}, {"type": "null"}], "items": False},
        {"type": "array", "items": False},
        {"prefixItems": [{"const": 1}], "allOf": [{"prefixItems": [True, {"const": 2}]}]},
        {"type": "array", "maxItems": 0},
        {"type": "object", "minProperties": 2, "additionalProperties": {"type": "integer"}},
        {"type": "object", "required": ["x"], "additionalProperties": {"type": "null"}},
        {"properties": {"a": True, "b": True, "c": True}, "required": ["c"], "maxProperties": 2},
        {"properties": {"a": False, "b": {"type": "string", "pattern": r"(?=x)"}}},
        {"anyOf": [False, {"type": "string", "const": 3}, {"type": "boolean"}]},
        {"anyOf": [{"type": "null"}, {"type": "integer"}], "type": ["integer", "string"]},
        {"oneOf": [{"type": "integer"}, {"type": "string"}]},
        {"type": "integer", "not": {"minimum": 5}, "maximum": 4},
        {"type": "string", "if": {"const": "Lisbon"}, "then": {"minLength": 3}, "else": False},
        {"type": "string", "if": {"minLength": 90}, "then": False},
        {"allOf": [{"type": "number"}, {"type": "integer"}, {"multipleOf": 4}, {"multipleOf": 6}]},
        {"allOf": [{"format": "uuid"}, {"format": "uuid"}]},
        {"type": "number", "allOf": [{"multipleOf": 0.5}, {"multipleOf": 0.5}]},
        {"allOf": [{"enum": [1, 2]}, {"enum": [2, 3]}]},
        {"allOf": [{"items": {"minimum": 3}}, {"items": {"type": "integer", "maximum": 3}}]},
        {"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"type": "string"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/allOf/0"}}, "allOf": [{}]},
        {"type": "object", "properties": {"self": {"$ref": "#"}}},
        TREE,
        EITHER,
        CLOSED_BOTH,
    ],
    ids=str,
)
def test_a_document_satisfies_its_schema(schema: AnySchema) -> None:
    for seed in range(5):
        judge(write(schema, seed), schema)


@pytest.mark.parametrize(
    "name", ["date", "email", "ipv4", "ipv6", "uuid", "regex", "hostname", "uri", "duration"]
)
def test_a_format_is_kept(name: str) -> None:
    judge(write({"type": "string", "format": name}), {"type": "string", "format": name})


def test_dates_times_and_ids_can_be_read_by_the_standard_library() -> None:
    properties = {name: {"type": "string", "format": name} for name in ("date", "uuid")}
    properties["date-time"] = {"type": "string", "format": "date-time"}
    found = write({"type": "object", "properties": properties})
    assert date.fromisoformat(found["date"]).isoformat() == found["date"]
    assert datetime.fromisoformat(found["date-time"]).tzinfo is not None
    assert str(UUID(found["uuid"])) == found["uuid"]


@pytest.mark.parametrize(
    "schema",
    [
        False,
        {"allOf": [{"type": "string"}, {"type": "integer"}]},
        {"allOf": [{"pattern": "a"}, {"pattern": "b"}]},
        {"allOf": [{"multipleOf": 0.3}, {"multipleOf": 0.7}]},
        {"type": "integer", "minimum": 2, "maximum": 1},
        {"type": "number", "minimum": 1e308, "multipleOf": 1e-300},
        {"type": "string", "minLength": 10_000},
        {"type": "string", "format": "date", "maxLength": 3},
        {"type": "string", "pattern": "^a$", "minLength": 2},
        {"type": "string", "pattern": "(a{9999}){9999}"},
        {"type": "array", "items": False, "minItems": 1},
        {"type": "array", "items": True, "minItems": 1_000_000_000},
        {"type": "object", "properties": {"a": False}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"$ref": "#"},
        {"enum": []},
        {"not": {}},
        {"allOf": [{"not": {}}]},
        {"type": "string", "pattern": "((a{0}){9999}){9999}"},
        {"type": "string", "pattern": "a" * 1001},
        {"enum": [*range(9000)], "not": {}},
        {"type": "array", "items": {"enum": [*range(400)]}, "minItems": 400, "uniqueItems": True},
        {"allOf": [{"enum": [*range(900)]}, {"enum": [*range(900, 1800)]}]},
        {"oneOf": [True, True]},
        {"anyOf": [{"$ref": "#"}] * 3, "minimum": 1},
        {"$ref": "#/$defs/a", "$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}] * 9}}},
    ],
    ids=lambda schema: str(schema)[:80],
)
def test_the_impossible_is_said_and_does_not_take_for_ever(schema: AnySchema) -> None:
    with pytest.raises(Unsatisfiable):
        write(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": 5},
        {"type": "strong"},
        {"properties": []},
        {"required": "a"},
        {"$ref": "#/nowhere"},
        {"$ref": "#/title", "title": "x"},
        {"$ref": "https://example.com/schema"},
        {"type": "array", "items": 3},
        {"items": [True]},
    ],
    ids=str,
)
def test_a_malformed_schema_is_said_to_be_one(schema: Schema) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        write(schema)


def test_deep_schemas_do_not_bring_the_process_down() -> None:
    schema: Schema = {"type": "string"}
    for _ in range(400):
        schema = {"anyOf": [schema], "not": {"not": schema}}
    with pytest.raises(Unsatisfiable):
        write(schema)


def test_words_numbers_and_choices_are_taken_from_the_question() -> None:
    schema = {
        "type": "object",
        "properties": {
            "city": {"type": "string"},
            "days": {"type": "integer"},
            "unit": {"enum": ["fahrenheit", "celsius"]},
        },
    }
    assert write(schema) == {"city": "Lisbon", "days": 3, "unit": "celsius"}


def test_a_recursive_document_goes_round_but_ends() -> None:
    assert write(TREE)["children"][0]["children"] == []


KEYS = st.sampled_from("abcde")
SCALARS: st.SearchStrategy[Schema] = st.one_of(
    st.just({"type": "boolean"}),
    st.just({"type": ["string", "null"]}),
    st.builds(
        lambda low, width: {"type": "integer", "minimum": low, "maximum": low + width},
        st.integers(-1000, 1000),
        st.integers(0, 50),
    ),
    st.builds(
        lambda low, width: {"type": "number", "exclusiveMinimum": low, "maximum": low + width},
        st.integers(-1000, 1000),
        st.floats(0.001, 50),
    ),
    st.builds(
        lambda low, width: {"type": "string", "minLength": low, "maxLength": low + width},
        st.integers(0, 60),
        st.integers(0, 5),
    ),
    st.sampled_from(["date", "email", "uuid", "ipv4", "ipv6"]).map(
        lambda name: {"type": "string", "format": name}
    ),
    st.lists(st.one_of(st.none(), st.booleans(), st.integers(), st.text()), min_size=1).map(
        lambda values: {"enum": values}
    ),
    st.one_of(st.integers(), st.text(), st.lists(st.booleans())).map(lambda v: {"const": v}),
)


@st.composite
def objects(draw: st.DrawFn, inner: st.SearchStrategy[Schema]) -> Schema:
    properties = draw(st.dictionaries(KEYS, inner, max_size=4))
    required = draw(st.lists(st.sampled_from([*properties]), unique=True)) if properties else []
    closed = draw(st.booleans())
    schema: Schema = {"type": "object", "properties": properties, "required": required}
    return schema | {"additionalProperties": False} if closed else schema


def nested(inner: st.SearchStrategy[Schema]) -> st.SearchStrategy[Schema]:
    arrays = st.builds(
        lambda items, least, more: {
            "type": "array", "items": items, "minItems": least, "maxItems": least + more,
        },
        inner,
        st.integers(0, 3),
        st.integers(0, 2),
    )  # fmt: skip
    return st.one_of(
        arrays,
        objects(inner),
        st.lists(inner, min_size=1, max_size=3).map(lambda options: {"anyOf": options}),
        inner.map(lambda schema: {"allOf": [schema, {}]}),
        inner.map(lambda schema: {"oneOf": [schema, False]}),
        inner.map(lambda schema: {"$defs": {"it": schema}, "allOf": [schema]}),
    )


SCHEMAS = st.recursive(SCALARS, nested, max_leaves=8)


@given(SCHEMAS, st.integers(0, 1000))
def test_every_satisfiable_schema_is_satisfied(schema: Schema, seed: int) -> None:
    judge(write(schema, seed), schema)


@given(SCHEMAS, SCHEMAS)
def test_looking_over_a_document_agrees_with_jsonschema(one: Schema, other: Schema) -> None:
    for value in (write(one), write(other)):
        judgement = Draft202012Validator(one).is_valid(value)
        assert conforms(value, {"allOf": [one]}, Book({})) is judgement or _has_format(one)


def _has_format(schema: Schema) -> bool:
    return '"format"' in json.dumps(schema)


@pytest.mark.parametrize(
    ("value", "schema", "expected"),
    [
        (1, {"enum": [True]}, False),
        (1.0, {"type": "integer"}, True),
        (True, {"type": "integer"}, False),
        (1, {"const": None}, False),
        ("a", {"minLength": 2}, False),
        (7, {"multipleOf": 2}, False),
        (7, {"exclusiveMaximum": 7}, False),
        ([1, True], {"uniqueItems": True}, True),
        ([1, 1.0], {"uniqueItems": True}, False),
        ([1, "x"], {"prefixItems": [True], "items": {"type": "integer"}}, False),
        ({"a": 1}, {"required": ["b"]}, False),
        ({"a": 1}, {"properties": {"b": True}, "additionalProperties": False}, False),
        (1, {"oneOf": [True, True]}, False),
        (1, {"anyOf": [False, {"type": "string"}]}, False),
        (1, {"allOf": [True, False]}, False),
        (1, {"not": {"type": "integer"}}, False),
        (1, {"if": {"type": "integer"}, "then": False}, False),
        (1, {"if": {"type": "string"}, "then": False}, True),
        (1, {"$ref": "#/$defs/no"}, False),
        (1, {"type": "unheard-of"}, False),
    ],
)
def test_looking_over_a_document(value: Any, schema: Schema, expected: bool) -> None:  # noqa: FBT001
    assert conforms(value, schema, Book({"$defs": {"no": False}})) is expected


@pytest.mark.parametrize(
    "pattern",
    [
        r"^\d{3}-\d{4}$",
        r"^[A-Z][a-z]+( [A-Z][a-z]*)?$",
        r"^(?:cat|dog|\bird)$".replace(r"\b", "b"),
        r"^(?P<year>\d{4})-(?<month>[0-1]\d)$".replace("(?<", "(?P<"),
        r"^[^@\s]+@[^@\s]+\.[a-z]{2,3}$",
        r"^#(?:[0-9a-fA-F]{3}){1,2}$",
        r"\w+?\W\S\D",
        r"^[a\-z\]]{4}[+.-]$",
        r"^\u0041\x42\t\/$",
        r"a|b|",
        r"^a$|^b$",
        r"x{,3}{2",
        r".{2,}[\d_]",
        r"^$",
        "",
    ],
)
def test_a_text_matches_its_pattern(pattern: str) -> None:
    for seed in range(10):
        text = write({"type": "string", "pattern": pattern}, seed)
        assert re.search(pattern, text), text


@pytest.mark.parametrize(
    "pattern",
    [
        "(", ")", "a)", "[", "[]", "[z-a]", r"[a-\d]", "*", "a{3,2}", r"\1", r"\b", r"\p{L}",
        r"(?=a)", r"(?!a)", r"(?i)a", r"(?<=a)b", "a^b", "a$b", "(^a)", "\\", r"\x4", r"\u00g1",
        r"^+", "a**", "(" * 2000,
    ],
)  # fmt: skip
def test_a_pattern_that_is_not_read_is_refused_and_not_guessed(pattern: str) -> None:
    with pytest.raises(Unsatisfiable):
        write({"type": "string", "pattern": pattern})


@given(st.text("ab(|)[]{}^$*+?.\\-,:=!<1dwsx", max_size=12))
def test_whatever_the_pattern_a_text_matches_or_none_is_written(pattern: str) -> None:
    try:
        text = write({"type": "string", "pattern": pattern})
    except Unsatisfiable:
        return
    try:
        compiled = re.compile(pattern)
    except (re.error, FutureWarning):
        return
    assert compiled.search(text)
