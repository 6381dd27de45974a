"""Waits that providers ask for, and waits that make no sense."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.retry_after import LONGEST_S, retry_after_s

NOW = "Sun, 22 Nov 2026 10:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, None),
        ({"retry-after": "7"}, 7.0),
        ({"retry-after": "7.5"}, 8.0),
        ({"retry-after": "0"}, 0.0),
        ({"retry-after": " 3 "}, 3.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "1e308"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "86400"}, 86400.0),
        ({"retry-after": "86401"}, None),
        ({"retry-after": ""}, None),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": NOW}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 -0000", "date": NOW}, 30.0),
        ({"retry-after": "Sun, 22 Nov 2026 09:59:00 GMT", "date": NOW}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT"}, None),
        ({"retry-after": "Sun, 22 Nov 2026 10:00:30 GMT", "date": "today"}, None),
        ({"retry-after": "Sun, 99 Nov 99999 10:00:30 GMT", "date": NOW}, None),
        ({"retry-after-ms": "350"}, 1.0),
        ({"retry-after-ms": "350", "retry-after": "9"}, 1.0),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
        ({"retry-after-ms": "-5", "retry-after": "9"}, 9.0),
        ({"x-ratelimit-reset-requests": "6s", "x-ratelimit-reset-tokens": "1.57s"}, None),
    ],
)
def test_retry_after(headers: dict[str, str], expected: float | None) -> None:
    assert retry_after_s(headers) == expected


@given(st.text(), st.text(), st.text())
def test_any_header_gives_whole_seconds_within_a_day_or_nothing(
    value: str, milliseconds: str, date: str
) -> None:
    wait = retry_after_s({"retry-after": value, "retry-after-ms": milliseconds, "date": date})
    assert wait is None or (0 <= wait <= LONGEST_S and wait == math.ceil(wait))
