"""An error as an HTTP answer: its body, and the headers that SDKs obey."""

import json

import pytest

from dragoman.core.errors import (
    CapacityExhausted,
    GatewayError,
    Internal,
    InvalidRequest,
    ProviderOverloaded,
    ProviderUnavailable,
    RateLimited,
    Unauthenticated,
)
from dragoman.web.errors import error_body, error_headers


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (InvalidRequest("x"), {b"x-should-retry": b"false"}),
        (Unauthenticated("x"), {b"www-authenticate": b"Bearer", b"x-should-retry": b"false"}),
        (RateLimited("x"), {}),
        (CapacityExhausted("x", retry_after_s=7), {b"retry-after": b"7"}),
        (ProviderUnavailable("x"), {}),
        (ProviderUnavailable("x", should_retry=False), {b"x-should-retry": b"false"}),
        (
            ProviderOverloaded("x", should_retry=True, retry_after_s=0),
            {b"retry-after": b"0", b"x-should-retry": b"true"},
        ),
        (Internal("x"), {}),
    ],
)
def test_sdks_are_told_whether_and_when_to_come_back(
    error: GatewayError, headers: dict[bytes, bytes]
) -> None:
    assert dict(error_headers(error)) == headers


def test_routing_stands_beside_the_error_if_there_is_any() -> None:
    error = InvalidRequest("x")
    assert list(json.loads(error_body(error))) == ["error"]
    error.routing = {"attempt": 0}
    assert json.loads(error_body(error))["openrouter_metadata"] == {"attempt": 0}
