"""A body is a JSON object whose keys are unique, or a 400 that says what and where."""

import json
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.wire.json import MOST_MEMBERS, MOST_STRUCTURE, members, object_members

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text()
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner),
    max_leaves=6,
)
LAYOUTS = st.sampled_from([{"separators": (",", ":")}, {}, {"indent": 2}, {"ensure_ascii": False}])


def refusal(body: bytes) -> str:
    with pytest.raises(InvalidRequest) as caught:
        members(body)
    assert caught.value.code == 400
    return caught.value.message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "The request body is empty; send a JSON object."),
        (b" \r\n\t", "The request body is empty; send a JSON object."),
        (b"\xef\xbb\xbf{}", "The request body must be UTF-8 without a byte order mark."),
        ('{"a":1}'.encode("utf-16"), "The request body must be UTF-8 without a byte order mark."),
        (
            '{"a":1}'.encode("utf-16-le"),
            "The request body must be UTF-8 without a byte order mark.",
        ),
        (
            '{"a":1}'.encode("utf-16-be"),
            "The request body must be UTF-8 without a byte order mark.",
        ),
        (
            '{"a":1}'.encode("utf-32-be"),
            "The request body must be UTF-8 without a byte order mark.",
        ),
        (
            b'{"a":"\xff"}',
            "The request body is not valid UTF-8: invalid start byte (byte 6).",
        ),
        (
            b'{"a":"\xed\xa0\x80"}',
            "The request body is not valid UTF-8: invalid continuation byte (byte 6).",
        ),
        (b"[]", "The request body must be a JSON object: Expected `object`, got `array`."),
        (b"null", "The request body must be a JSON object: Expected `object`, got `null`."),
        (b'"{}"', "The request body must be a JSON object: Expected `object`, got `str`."),
        (
            b'{"a":1}x',
            "JSON is malformed: trailing characters (byte 8).",
        ),
        (b'{"a":[1', "The request body is not valid JSON: Input data was truncated."),
        (
            b' {"a":NaN}',
            "JSON is malformed: invalid character (byte 6).",
        ),
        (
            b'{"a":[1,]}',
            "JSON is malformed: trailing comma in array (byte 8).",
        ),
        (
            b'{"a":"\\udc00 alone"}',
            "\\udc00 (byte 6) is half of a character, as of an emoji that was cut in two.",
        ),
        (
            b'{"a":"\\n\\\\\\ud83d\\ude00 \\ud83d"}',
            "\\ud83d (byte 23) is half of a character, as of an emoji that was cut in two.",
        ),
        (b'{"a":"\\\\ud83d', "The request body is not valid JSON: Input data was truncated."),
        (b"[" * 100_000, "The request body must be a JSON object: Expected `object`, got `array`."),
        (b'{"a":' + b"[" * 5000 + b"]" * 5000 + b"}", "The request body is nested too deeply."),
        (
            b'{ "a":' + b'{"a":' * 5000 + b"1" + b"}" * 5001,
            "The request body is nested too deeply.",
        ),
        (b"[]," * 3_000_000, "The request body has more than 500,000 of [, { and , together."),
        (b'{"a":1,"a":1}', "a: given more than once"),
        (b'{"a": 1, "a": 1}', "a: given more than once"),
        (b'{"a": {"a": 1}, "b": 2, "\\u0061": 3}', "a: given more than once"),
        (b'{\n  "b": 0,\n  "a": 1,\n  "a": 2\n}', "a: given more than once"),
        (b'{"a": "long enough to hide a key in it", "b": 1, "a": 2}', "a: given more than once"),
        (b'{"":1,"":2}', ": given more than once"),
    ],
)
def test_what_is_not_one_plain_json_object_is_refused(body: bytes, message: str) -> None:
    assert refusal(body).endswith(message)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b" { } \n",
        b'{"a":{"a":1,"a":2}}',
        b'{"a":"\\"a\\":1"}',
        b'{"a":1,\n"b":2}',
        b'{"a\\"": 1, "b": 2}',
        b'{"\xc3\xa9":1}',
        b'{"a":"\\ud83d\\ude00"}',
        b'{"a":1e999,"b":' + b"9" * 5000 + b"}",
        b'{ "a":1e999,"b":' + b"9" * 5000 + b"}",
    ],
)
def test_what_parsers_agree_about_is_read(body: bytes) -> None:
    found = members(body)
    assert list(found) == list(json.loads(body, parse_int=str))


def test_values_are_the_bytes_that_were_sent() -> None:
    found = members(b'{"a" : 1.50,  "b":{ "x" :[ ] }}\n')
    assert {key: bytes(value) for key, value in found.items()} == {
        "a": b"1.50",
        "b": b'{ "x" :[ ] }',
    }


def test_the_structure_limit_is_exact() -> None:
    body = b'{"a":[' + b"0," * (MOST_STRUCTURE - 2) + b"0]}"
    assert list(members(body)) == ["a"]
    assert "more than 500,000" in refusal(body.replace(b"[", b"[0,", 1))


def test_the_limit_of_members_is_exact_and_holds_inside() -> None:
    most = {f"a{number}": 1 for number in range(MOST_MEMBERS)}
    full, over = json.dumps(most).encode(), json.dumps(most | {"b": 1}).encode()
    assert len(members(full)) == len(object_members(Raw(full), "provider") or ()) == MOST_MEMBERS
    assert refusal(over) == "The request body has more than 1,000 members."
    with pytest.raises(InvalidRequest, match=r"^provider has more than 1,000 members"):
        object_members(Raw(over), "provider")


@given(st.dictionaries(st.text(max_size=5), VALUES, max_size=5), LAYOUTS)
def test_every_object_survives_in_every_layout(
    value: dict[str, Any], layout: dict[str, Any]
) -> None:
    found = members(json.dumps(value, **layout).encode(errors="replace"))
    assert {key: json.loads(bytes(raw)) for key, raw in found.items()} == json.loads(
        json.dumps(value, **layout).encode(errors="replace")
    )


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", 'd"', "e\\", "é"]), VALUES), max_size=6),
    st.sampled_from([(",", ":"), (", ", ": "), (",\n ", ": "), (" , ", " :")]),
    st.sampled_from([{}, {"ensure_ascii": False}]),
)
def test_a_key_is_refused_exactly_when_it_comes_twice(
    pairs: list[tuple[str, Any]], separators: tuple[str, str], options: dict[str, Any]
) -> None:
    comma, colon = separators
    text = comma.join(
        json.dumps(key, **options) + colon + json.dumps(value, separators=separators)
        for key, value in pairs
    )
    body = ("{" + text + "}").encode()
    keys = [key for key, _ in pairs]
    if len(set(keys)) == len(keys):
        assert set(members(body)) == set(keys)
    else:
        assert refusal(body).removesuffix(": given more than once") in keys


@given(st.binary(max_size=100))
def test_any_bytes_are_members_or_a_refusal(body: bytes) -> None:
    with suppress(InvalidRequest):
        members(body)


@pytest.mark.parametrize("value", [b"[]", b"1", b'"x"', b"true"])
def test_an_inner_object_must_be_one(value: bytes) -> None:
    with pytest.raises(InvalidRequest, match=r"^provider: must be an object$"):
        object_members(Raw(value), "provider")


def test_an_inner_object_may_be_null_and_has_unique_keys() -> None:
    assert object_members(Raw(b"null"), "provider") is None
    assert object_members(Raw(b'{"a": 1}'), "provider") == {"a": Raw(b"1")}
    with pytest.raises(InvalidRequest, match=r"^provider\.only: given more than once$"):
        object_members(Raw(b'{"only":[],"only":["x"]}'), "provider")


def test_an_inner_object_may_not_be_too_deep_for_the_slow_look() -> None:
    value = b'{ "a":' + b"[" * 5000 + b"]" * 5000 + b"}"
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        object_members(Raw(value), "provider")
