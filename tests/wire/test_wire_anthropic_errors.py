"""How errors are told in Anthropic's envelope, in the words on which its clients act."""

import json

import pytest

from dragoman.core.errors import (
    Availability,
    ContextTooLong,
    GatewayError,
    Internal,
    NotFound,
    Overloaded,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnavailable,
    RateLimited,
    Unauthenticated,
)
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.anthropic.errors import ThreadRefused
from tests.wire.messages_told import STAMP, told

ERRORS: list[tuple[GatewayError, int, str]] = [
    (Unauthenticated("no"), 401, "authentication_error"),
    (NotFound("no"), 404, "not_found_error"),
    (RateLimited("no"), 429, "rate_limit_error"),
    (ProviderOverloaded("no"), 503, "overloaded_error"),
    (Overloaded("no"), 503, "overloaded_error"),
    (ProviderTimeout("no"), 504, "timeout_error"),
    (ProviderUnavailable("no"), 502, "api_error"),
]


@pytest.mark.parametrize(("error", "status", "kind"), ERRORS)
def test_errors_are_in_the_envelope(error: GatewayError, status: int, kind: str) -> None:
    code, body = MESSAGES.refusal(error, told())
    assert code == status
    assert json.loads(body) == {
        "type": "error",
        "error": {"type": kind, "message": "no", "error_type": error.type},
        "request_id": STAMP.id,
    }


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Prompt is too long: 9 > 5", "Prompt is too long: 9 > 5"),
        ("It has 5 tokens.", "prompt is too long: It has 5 tokens."),
    ],
)
def test_too_long_a_conversation_is_told_in_words_on_which_clients_shorten_it(
    said: str, expected: str
) -> None:
    body = json.loads(MESSAGES.refusal(ContextTooLong(said), told())[1])
    assert body["error"]["message"] == expected


@pytest.mark.parametrize("kind", ["create", "continue"])
def test_a_thread_is_refused_with_the_code_on_which_clients_send_everything(kind: str) -> None:
    asked = {"model": "a/b", "max_tokens": 9, "thread": {"type": kind}, "messages": []}
    with pytest.raises(ThreadRefused, match="send all of 'messages'") as refused:
        MESSAGES.parse(json.dumps(asked).encode(), {})
    code, body = MESSAGES.refusal(refused.value, None)
    error = json.loads(body)["error"]
    assert (code, error["type"]) == (400, "invalid_request_error")
    assert error["details"] == {"error_code": "thread_unsupported_request"}


def test_a_defect_is_masked() -> None:
    error = Internal("the secret of this house", metadata={"provider_code": "x"})
    body = json.loads(MESSAGES.refusal(error, None)[1])
    assert body["error"]["message"] == "Internal Server Error"
    assert body["error"]["type"] == "api_error"
    assert "metadata" not in body
    assert body["request_id"] is None


def test_details_of_an_error_are_told() -> None:
    availability = Availability(
        code="no_endpoints", retryable=False, requested_models=("a/b",), docs_url="u"
    )
    error = NotFound("no", metadata={"provider_name": "P"}, availability=availability)
    error.routing = {"requested": "a/b"}
    body = json.loads(MESSAGES.refusal(error, told())[1])
    assert body["metadata"] == {"provider_name": "P"}
    assert body["openrouter_metadata"] == {"requested": "a/b"}
    assert body["error"]["availability"]["code"] == "no_endpoints"
