"""Errors that come inside a stream, or in the body of a success, and the class of each."""

import pytest

from dragoman.providers.dialect import Kind
from dragoman.providers.openai.faults import fault_of_stream, stream_fault
from dragoman.wire.hub import StreamFault

C, K, R, T = Kind.CALLER, Kind.CREDENTIAL, Kind.RATE, Kind.TRANSIENT
F = Kind.FORBIDDEN


@pytest.mark.parametrize(
    ("body", "said", "kind", "error_type"),
    [
        (
            b'{"error":{"code":502,"message":"gone","metadata":{"error_type":"provider_unavailable"}}}',
            StreamFault(502, "provider_unavailable", "gone"),
            T,
            "provider_unavailable",
        ),
        (
            b'{"error":{"message":"bad","code":"tool_use_failed","status_code":400}}',
            StreamFault(400, "tool_use_failed", "bad"),
            T,
            "provider_unavailable",
        ),
        (
            b'{"error":{"type":"invalid_request_error","message":"no"}}',
            StreamFault(None, "invalid_request_error", "no"),
            C,
            "invalid_request",
        ),
        (
            b'{"type":"error","error":{"type":"overloaded_error","message":"busy"}}',
            StreamFault(None, "overloaded_error", "busy"),
            T,
            "provider_overloaded",
        ),
        (
            b'{"error":{"message":"slow","code":"429"}}',
            StreamFault(429, None, "slow"),
            R,
            "rate_limit_exceeded",
        ),
        (b'{"error":"boom"}', StreamFault(None, None, "boom"), T, "provider_unavailable"),
        (
            b'{"error":{"type":"strange_error"}}',
            StreamFault(None, "strange_error", "the provider reported an error without a message"),
            T,
            "provider_unavailable",
        ),
        (
            b'{"error":{"message":"m","type":"authentication_error"}}',
            StreamFault(None, "authentication_error", "m"),
            K,
            "provider_unavailable",
        ),
        (
            b'{"error":{"message":"m","type":"authentication_error","code":"key_of_another_org"}}',
            StreamFault(None, "authentication_error", "m"),
            K,
            "provider_unavailable",
        ),
        (
            b'{"error":{"message":"m","type":"invalid_request_error","code":"odd","status_code":500}}',
            StreamFault(500, "odd", "m"),
            T,
            "provider_unavailable",
        ),
    ],
)
def test_an_error_inside_a_stream_is_classified_by_the_same_table(
    body: bytes, said: StreamFault, kind: Kind, error_type: str
) -> None:
    assert stream_fault(body) == said
    got = fault_of_stream(said)
    assert (got.kind, got.error_type) == (kind, error_type)
    assert (got.status, got.code, got.message) == (said.status, said.code, said.message)


@pytest.mark.parametrize(
    ("word", "kind", "error_type"),
    [
        ("invalid_request", C, "invalid_request"),
        ("BadRequestError", C, "invalid_request"),
        ("INVALID_ARGUMENT", C, "invalid_request"),
        ("payment_required", K, "provider_unavailable"),
        ("billing_error", K, "provider_unavailable"),
        ("PERMISSION_DENIED", F, "provider_unavailable"),
        ("permission_error", F, "provider_unavailable"),
        ("UNAUTHENTICATED", K, "provider_unavailable"),
        ("timeout", T, "timeout"),
        ("timeout_error", T, "timeout"),
        ("DEADLINE_EXCEEDED", T, "timeout"),
    ],
)
def test_broad_words_decide_where_no_status_does(word: str, kind: Kind, error_type: str) -> None:
    got = fault_of_stream(StreamFault(None, word, "m"))
    assert (got.kind, got.error_type) == (kind, error_type)
