"""A generation becomes a row and comes back, whatever it holds."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.core.money import NanoUsd
from dragoman.core.notes import Change, Note
from dragoman.records.fit import MOST, fitting
from dragoman.records.rows import COLUMNS, from_row, to_row
from dragoman.records.tables import generation
from dragoman.records.types import Generation
from tests.records.samples import FULL, PLAIN, sample


def row_of(made: Generation) -> dict[str, Any]:
    return dict(zip(COLUMNS, to_row(made), strict=True))


@pytest.mark.parametrize("made", [PLAIN, FULL])
def test_a_generation_survives_being_a_row(made: Generation) -> None:
    assert from_row(row_of(made)) == made


def test_columns_are_named_like_fields_and_nested_values_are_json() -> None:
    row = row_of(FULL)
    assert list(COLUMNS) == [str(column.name) for column in generation.columns]
    assert row["status"] == 502
    assert row["tags"] == '{"team":"ümlaut"}'
    assert row["notes"].startswith('[{"change":"dropped"')


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"user": "a\0b"}, {"user": "ab"}),
        ({"user": "a\udcffb"}, {"user": "a?b"}),
        ({"tags": {"a\udcff": "\udcff"}}, {"tags": {"a?": "?"}}),
        ({"cost_nanos": NanoUsd(2**70)}, {"cost_nanos": MOST}),
        ({"latency_ms": -(2**70)}, {"latency_ms": -MOST}),
    ],
)
def test_what_no_database_takes_is_mended(
    changes: dict[str, Any], expected: dict[str, Any]
) -> None:
    assert from_row(row_of(sample(1, **changes))) == sample(1, **expected)


def test_odd_text_is_mended_however_deep() -> None:
    attempts = tuple(replace(attempt, error="\udcff") for attempt in FULL.attempts)
    odd = sample(1, notes=(Note(Change.DROPPED, "\udcff", "x"),), attempts=attempts)
    mended = from_row(row_of(odd))
    assert mended.notes == (Note(Change.DROPPED, "?", "x"),)
    assert mended.attempts == tuple(replace(attempt, error="?") for attempt in attempts)


@given(st.text(st.characters()), st.dictionaries(st.text(), st.text()), st.integers())
def test_any_generation_can_be_encoded(user: str, tags: dict[str, str], cost: int) -> None:
    row = row_of(sample(1, user=user, tags=tags, cost_nanos=NanoUsd(cost)))
    assert "\0" not in row["user"]
    for value in row.values():
        if isinstance(value, str):
            value.encode()
    assert from_row(row).cost_nanos == fitting(cost)
