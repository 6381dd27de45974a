"""Refusals as the providers write them, and the class that each belongs to."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.dialect import Fault, Kind
from dragoman.providers.openai.faults import (
    MEANING_OF_CODE,
    MEANING_OF_STATUS,
    fault,
    fault_of_stream,
    stream_fault,
)
from dragoman.providers.openai.words import LONGEST_MESSAGE

C, K, R, T = Kind.CALLER, Kind.CREDENTIAL, Kind.RATE, Kind.TRANSIENT
F = Kind.FORBIDDEN


def refuse(status: int, tree: Any) -> Fault:
    return fault(status, {}, json.dumps(tree).encode())


@pytest.mark.parametrize(
    ("status", "kind", "error_type"),
    [
        (302, T, "provider_unavailable"),
        (400, C, "invalid_request"),
        (401, K, "provider_unavailable"),
        (402, K, "provider_unavailable"),
        (403, F, "provider_unavailable"),
        (404, T, "provider_unavailable"),
        (405, T, "provider_unavailable"),
        (408, T, "timeout"),
        (409, T, "provider_unavailable"),
        (410, T, "provider_unavailable"),
        (413, C, "payload_too_large"),
        (422, C, "unprocessable"),
        (425, T, "provider_unavailable"),
        (429, R, "rate_limit_exceeded"),
        (498, R, "rate_limit_exceeded"),
        (500, T, "provider_unavailable"),
        (502, T, "provider_unavailable"),
        (503, T, "provider_overloaded"),
        (504, T, "timeout"),
        (520, T, "provider_unavailable"),
        (524, T, "timeout"),
        (529, T, "provider_overloaded"),
    ],
)
def test_a_status_alone_decides_when_nothing_else_is_known(
    status: int, kind: Kind, error_type: str
) -> None:
    got = fault(status, {}, b"")
    assert (got.kind, got.error_type, got.message) == (kind, error_type, f"HTTP {status}")
    assert (got.status, got.code, got.raw) == (status, None, None)


def error(**members: Any) -> dict[str, Any]:
    """OpenAI's envelope."""
    return {"error": {"message": "m", **members}}


BAD = "invalid_request_error"
UNAVAILABLE = "provider_unavailable"
REFUSALS: list[tuple[str, int, Any, Kind, str, str | None]] = [
    (
        "OpenAI, bad key",
        401,
        error(type=BAD, code="invalid_api_key"),
        K,
        UNAVAILABLE,
        "invalid_api_key",
    ),
    (
        "OpenAI, empty purse",
        429,
        error(type="insufficient_quota", code="insufficient_quota"),
        K,
        UNAVAILABLE,
        "insufficient_quota",
    ),
    (
        "OpenAI, tokens a minute",
        429,
        error(type="tokens", code="rate_limit_exceeded"),
        R,
        "rate_limit_exceeded",
        "rate_limit_exceeded",
    ),
    (
        "OpenAI, context",
        400,
        error(type=BAD, param="messages", code="context_length_exceeded"),
        C,
        "context_length_exceeded",
        "context_length_exceeded",
    ),
    (
        "OpenAI, a parameter",
        400,
        error(type=BAD, param="temperature", code="unsupported_value"),
        C,
        "invalid_request",
        "unsupported_value",
    ),
    (
        "OpenAI, no such model",
        404,
        error(type=BAD, code="model_not_found"),
        T,
        UNAVAILABLE,
        "model_not_found",
    ),
    (
        "a missing file is the caller's",
        404,
        error(param="file_id", code="file_missing"),
        C,
        "not_found",
        "file_missing",
    ),
    (
        "a model that is missing, by its parameter",
        404,
        error(param="model", code="nope"),
        T,
        UNAVAILABLE,
        "nope",
    ),
    (
        "a parameter beside a code that says it is the model",
        404,
        error(param="messages", code="model_not_found"),
        T,
        UNAVAILABLE,
        "model_not_found",
    ),
    (
        "Azure, content filter",
        400,
        error(code="content_filter", innererror={"code": "ResponsibleAIPolicyViolation"}),
        C,
        "content_policy_violation",
        "content_filter",
    ),
    ("Azure, a number for a code", 429, error(code="429"), R, "rate_limit_exceeded", None),
    (
        "Azure, no deployment",
        404,
        error(code="DeploymentNotFound"),
        T,
        UNAVAILABLE,
        "DeploymentNotFound",
    ),
    (
        "Groq, too large for the minute",
        413,
        error(type="tokens", code="rate_limit_exceeded"),
        R,
        "rate_limit_exceeded",
        "rate_limit_exceeded",
    ),
    (
        "Groq, the model wrote a bad call",
        400,
        error(type=BAD, code="tool_use_failed"),
        T,
        UNAVAILABLE,
        "tool_use_failed",
    ),
    (
        "Google, bad key",
        400,
        [
            error(
                code=400,
                status="INVALID_ARGUMENT",
                details=[7, {"@type": "t", "reason": "API_KEY_INVALID"}],
            )
        ],
        K,
        UNAVAILABLE,
        "API_KEY_INVALID",
    ),
    (
        "Google, quota",
        429,
        [error(code=429, status="RESOURCE_EXHAUSTED")],
        R,
        "rate_limit_exceeded",
        "RESOURCE_EXHAUSTED",
    ),
    (
        "Mistral, at the top",
        400,
        {"object": "error", "message": "m", "type": "invalid_args", "code": "3051"},
        C,
        "invalid_request",
        "invalid_args",
    ),
    (
        "Cerebras, at the top",
        429,
        {"message": "m", "type": "too_many_requests_error", "code": "token_quota_exceeded"},
        R,
        "rate_limit_exceeded",
        "token_quota_exceeded",
    ),
    (
        "xAI, sentences for everything",
        400,
        {"code": "Client specified an invalid argument", "error": "m"},
        C,
        "invalid_request",
        None,
    ),
    (
        "TGI",
        503,
        {"error": "m", "error_type": "overloaded"},
        T,
        "provider_overloaded",
        "overloaded",
    ),
    (
        "llama.cpp, context",
        400,
        error(code=400, type="exceed_context_size_error"),
        C,
        "context_length_exceeded",
        "exceed_context_size_error",
    ),
    (
        "Anthropic, overloaded",
        529,
        {"type": "error", **error(type="overloaded_error")},
        T,
        "provider_overloaded",
        "overloaded_error",
    ),
    (
        "OpenRouter",
        403,
        error(code=403, metadata={"error_type": "refusal"}),
        C,
        "refusal",
        "refusal",
    ),
    (
        "xAI",
        403,
        {"code": "permission-denied", "error": "m"},
        F,
        UNAVAILABLE,
        "permission-denied",
    ),
    ("OpenAI", 403, error(code="insufficient_quota"), K, UNAVAILABLE, "insufficient_quota"),
    ("a broad word", 500, error(type="server_error", code=None), T, UNAVAILABLE, "server_error"),
]


@pytest.mark.parametrize(
    ("_host", "status", "tree", "kind", "error_type", "code"),
    REFUSALS,
    ids=[refusal[0] for refusal in REFUSALS],
)
def test_a_refusal_of_each_host(
    _host: str, status: int, tree: Any, kind: Kind, error_type: str, code: str | None
) -> None:
    got = refuse(status, tree)
    assert (got.kind, got.error_type, got.code, got.message) == (kind, error_type, code, "m")
    assert got.status == status


def test_a_sentence_is_never_read_for_its_meaning() -> None:
    tree = {"error": {"message": "insufficient_quota: your credit balance is too low"}}
    assert refuse(500, tree).kind is Kind.TRANSIENT


def test_a_refusal_carries_its_retry_after() -> None:
    assert fault(429, {"retry-after": "2.5"}, b"").retry_after_s == 3.0


def test_codes_of_the_table_are_found_whatever_their_case() -> None:
    for code in MEANING_OF_CODE:
        assert code == code.lower()
        assert (refuse(418, {"error": {"code": code.upper()}}).kind) is MEANING_OF_CODE[code][0]


def test_only_the_callers_own_mistakes_are_shown_as_such() -> None:
    types = {name for kind, name in MEANING_OF_STATUS.values() if kind is not Kind.CALLER}
    assert types <= {
        "provider_unavailable",
        "provider_overloaded",
        "timeout",
        "rate_limit_exceeded",
    }


_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["error", "message", "code", "type", "detail", "details", "metadata"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=8,
)


@given(st.integers(100, 599), st.binary() | _json.map(lambda tree: json.dumps(tree).encode()))
def test_any_refusal_is_classified(status: int, body: bytes) -> None:
    got = fault(status, {"retry-after": "x"}, body)
    assert got.message
    assert len(got.message) <= LONGEST_MESSAGE
    assert got.status == status
    assert fault_of_stream(stream_fault(body)).message
