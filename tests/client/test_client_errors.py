"""Failures as the caller of the client sees them, and which of them are worth another try."""

import json

import pytest

from dragoman.client import errors
from dragoman.client.errors import (
    BrokenAnswer,
    ClientError,
    ConnectionFailed,
    Refused,
    refusal,
    retry_after_s,
)
from dragoman.client.retry import pause_s, spread
from dragoman.net.types import NetError, Phase

NOON = "Sat, 21 Nov 2026 12:00:00 GMT"
LATER = "Sat, 21 Nov 2026 12:00:07 GMT"


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (301, Refused),
        (400, errors.InvalidRequest),
        (401, errors.Unauthenticated),
        (402, errors.PaymentRequired),
        (403, errors.PermissionDenied),
        (404, errors.NotFound),
        (413, errors.InvalidRequest),
        (429, errors.RateLimited),
        (500, errors.ServerFailed),
        (529, errors.ServerFailed),
    ],
)
def test_a_status_has_its_kind_of_error(status: int, kind: type[Refused]) -> None:
    error = refusal(status, {}, b"{}")
    assert type(error) is kind
    assert error.status == status


def test_an_error_keeps_all_that_the_gateway_said() -> None:
    body = {
        "error": {
            "code": 404,
            "message": "No endpoint.",
            "metadata": {"error_type": "not_found"},
            "availability": {"code": "no_providers"},
        }
    }
    headers = {"retry-after": "3", "x-should-retry": "false", "x-generation-id": "gen-1"}
    error = refusal(404, headers, json.dumps(body).encode())
    assert str(error) == "No endpoint."
    assert error.error_type == "not_found"
    assert error.details.availability.code == "no_providers"
    assert (error.retry_after_s, error.should_retry, error.generation) == (3.0, False, "gen-1")


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"error": "no"}', b'{"error": {"message": 7, "metadata": 7}}'],
)
def test_what_is_no_gateway_is_said_to_be_none(body: bytes) -> None:
    error = refusal(404, {}, body)
    assert str(error) == f"HTTP 404: {errors.NO_GATEWAY}"
    assert error.error_type is None


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "2"}, 2.0),
        ({"retry-after": "0.5"}, 0.5),
        ({"retry-after": "2", "retry-after-ms": "250"}, 0.25),
        ({"retry-after": LATER, "date": NOON}, 7.0),
        ({"retry-after": NOON, "date": LATER}, None),
        ({"retry-after": LATER}, None),
        ({"retry-after": LATER.removesuffix(" GMT"), "date": NOON}, 7.0),
        ({"retry-after": "-1"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after": "soon"}, None),
    ],
)
def test_a_wait_is_read_as_far_as_it_makes_sense(
    headers: dict[str, str], seconds: float | None
) -> None:
    assert retry_after_s(headers) == seconds


def broken(phase: Phase, *, reused: bool = False) -> ConnectionFailed:
    return ConnectionFailed("http://x", NetError(phase, "gone", reused=reused))


def no(status: int, **headers: str) -> Refused:
    return refusal(status, {name.replace("_", "-"): text for name, text in headers.items()}, b"")


@pytest.mark.parametrize(
    ("error", "method", "pause"),
    [
        (broken("refused"), "POST", 0.5),
        (broken("dns"), "POST", 0.5),
        (broken("eof", reused=True), "POST", 0.5),
        (broken("eof"), "POST", None),
        (broken("head"), "POST", None),
        (broken("eof"), "GET", 0.5),
        (BrokenAnswer("what?"), "GET", None),
        (no(400), "POST", None),
        (no(402), "POST", None),
        (no(408), "POST", 0.5),
        (no(409), "POST", 0.5),
        (no(429), "POST", 0.5),
        (no(503), "POST", 0.5),
        (no(429, retry_after="7"), "POST", 7.0),
        (no(429, retry_after="0"), "POST", 0.0),
        (no(429, retry_after="61"), "POST", None),
        (no(503, x_should_retry="false"), "POST", None),
        (no(400, x_should_retry="true"), "POST", 0.5),
        (no(400, retry_after="1"), "POST", None),
    ],
)
def test_only_what_passes_and_costs_nothing_twice_is_tried_again(
    error: ClientError, method: str, pause: float | None
) -> None:
    assert pause_s(error, method, 0, 2) == pause


def test_waits_grow_to_a_limit_and_tries_end() -> None:
    waits = [pause_s(no(503), "POST", attempt, 6) for attempt in range(7)]
    assert waits == [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, None]


def test_callers_are_spread_and_never_come_early() -> None:
    factors = [spread() for _ in range(100)]
    assert 1 <= min(factors) < max(factors) <= 1.25


def test_a_broken_connection_says_where_and_whether_time_ran_out() -> None:
    assert str(broken("refused")) == "http://x: gone"
    assert broken("head").timed_out
    assert not broken("refused").timed_out
