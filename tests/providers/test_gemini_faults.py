"""What Google's refusals mean."""

import json
from typing import Any

import pytest

from dragoman.providers.dialect import Kind
from dragoman.providers.gemini.faults import fault

QUOTA = {
    "error": {
        "code": 429,
        "message": "You exceeded your current quota.",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "36.4s"},
        ],
    }
}


def google(code: int, status: str, reason: str | None = None) -> dict[str, Any]:
    details = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", "reason": reason}]
    error: dict[str, Any] = {"code": code, "message": "No.", "status": status}
    return {"error": {**error, "details": details} if reason else error}


@pytest.mark.parametrize(
    ("status", "body", "kind", "name"),
    [
        (400, google(400, "INVALID_ARGUMENT"), Kind.CALLER, "invalid_request"),
        (
            400,
            google(400, "INVALID_ARGUMENT", "API_KEY_INVALID"),
            Kind.CREDENTIAL,
            "provider_unavailable",
        ),
        (400, google(400, "FAILED_PRECONDITION"), Kind.CREDENTIAL, "provider_unavailable"),
        (401, google(401, "UNAUTHENTICATED"), Kind.CREDENTIAL, "provider_unavailable"),
        (403, google(403, "PERMISSION_DENIED"), Kind.FORBIDDEN, "provider_unavailable"),
        (404, google(404, "NOT_FOUND"), Kind.TRANSIENT, "provider_unavailable"),
        (429, QUOTA, Kind.RATE, "rate_limit_exceeded"),
        (429, [QUOTA], Kind.RATE, "rate_limit_exceeded"),
        (500, google(500, "INTERNAL"), Kind.TRANSIENT, "provider_unavailable"),
        (503, google(503, "UNAVAILABLE"), Kind.TRANSIENT, "provider_overloaded"),
        (504, google(504, "DEADLINE_EXCEEDED"), Kind.TRANSIENT, "timeout"),
    ],
)
def test_errors_are_classified(status: int, body: Any, kind: Kind, name: str) -> None:
    found = fault(status, {}, json.dumps(body).encode())
    assert (found.kind, found.error_type) == (kind, name)
    assert found.status == status


def test_the_wait_is_in_the_body_unless_a_header_says_it() -> None:
    body = json.dumps(QUOTA).encode()
    assert fault(429, {}, body).retry_after_s == 37
    assert fault(429, {}, b"[" + body + b"]").retry_after_s == 37
    assert fault(429, {"retry-after": "5"}, body).retry_after_s == 5


@pytest.mark.parametrize("delay", ["", "s", "-1s", "nans", "infs", "1e9s", "10", 7, None, {}])
def test_a_wait_that_makes_no_sense_is_none(delay: Any) -> None:
    body = json.dumps({"error": {"details": [{"retryDelay": delay}]}}).encode()
    assert fault(429, {}, body).retry_after_s is None


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b"[7]", b"{}", b"[" * 100_000, b"\xff"])
def test_any_body_is_classified_by_its_status(body: bytes) -> None:
    assert fault(503, {}, body).error_type == "provider_overloaded"
