"""Halves of characters: joined where they follow each other, replaced where they are alone."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.wire.halves import Halves, without_halves


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a":"\\ud83d\\ude00"}', b'{"a":"\\ud83d\\ude00"}'),
        (b'{"a":"x\\uD83D"}', b'{"a":"x\\ufffd"}'),
        (b'{"a":"\\uDE00x"}', b'{"a":"\\ufffdx"}'),
        (b'"\\ud83d\\ud83d\\ude00"', b'"\\ufffd\\ud83d\\ude00"'),
        (b'"\\ud83d\\n"', b'"\\ufffd\\n"'),
        (b'"\\\\ud83d"', b'"\\\\ud83d"'),
        (b'"\\\\\\ud83d"', b'"\\\\\\ufffd"'),
        (b'"\\u00e9 \\" \\u"', b'"\\u00e9 \\" \\u"'),
        (b"{}", b"{}"),
    ],
)
def test_a_half_that_is_alone_is_replaced(data: bytes, expected: bytes) -> None:
    assert without_halves(data) == expected


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        (('"a\\ud83d"', '"\\ude00b"'), ('"a"', '"\\ud83d\\ude00b"')),
        (('"\\ud83d"', '"x\\ude00"'), ('""', '"x\\ufffd"')),
        (('"\\ud83d"', '"\\ude00"', '"\\ude00"'), ('""', '"\\ud83d\\ude00"', '"\\ufffd"')),
        (('"\\ude00"',), ('"\\ufffd"',)),
        (('"\\ud83dx"', '"\\ude00"'), ('"\\ufffdx"', '"\\ufffd"')),
    ],
)
def test_a_half_waits_for_the_other_where_a_text_ends(
    events: tuple[str, ...], expected: tuple[str, ...]
) -> None:
    halves = Halves()
    assert tuple(halves.joined(each.encode()).decode() for each in events) == expected


@given(st.text(), st.lists(st.integers(0, 50)))
def test_a_text_does_not_depend_on_where_its_units_were_cut(text: str, cuts: list[int]) -> None:
    units = text.encode("utf-16-le", "surrogatepass")
    places = [0, *sorted(2 * cut for cut in cuts if 2 * cut < len(units)), len(units)]
    parts = [units[a:b].decode("utf-16-le", "surrogatepass") for a, b in pairwise(places) if a < b]
    halves = Halves()
    heard = "".join(json.loads(halves.joined(json.dumps(part).encode())) for part in parts)
    assert heard == text
