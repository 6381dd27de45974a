"""Exceptions of AWS by their names: before a stream, and within one."""

import json

import pytest

from dragoman.providers.bedrock.faults import fault, in_stream
from dragoman.providers.dialect import Kind
from dragoman.providers.openai.faults import fault_of_stream

C, K, R, T = Kind.CALLER, Kind.CREDENTIAL, Kind.RATE, Kind.TRANSIENT
F = Kind.FORBIDDEN


@pytest.mark.parametrize(
    ("name", "kind", "error_type"),
    [
        ("ValidationException", C, "invalid_request"),
        ("AccessDeniedException", F, "provider_unavailable"),
        ("ExpiredTokenException", K, "provider_unavailable"),
        ("IncompleteSignature", K, "provider_unavailable"),
        ("IncompleteSignatureException", K, "provider_unavailable"),
        ("InvalidClientTokenId", K, "provider_unavailable"),
        ("InvalidSignatureException", K, "provider_unavailable"),
        ("MissingAuthenticationToken", K, "provider_unavailable"),
        ("MissingAuthenticationTokenException", K, "provider_unavailable"),
        ("NotAuthorized", K, "provider_unavailable"),
        ("OptInRequired", K, "provider_unavailable"),
        ("UnrecognizedClientException", K, "provider_unavailable"),
        ("ServiceQuotaExceededException", R, "rate_limit_exceeded"),
        ("ThrottlingException", R, "rate_limit_exceeded"),
        ("ModelNotReadyException", T, "provider_overloaded"),
        ("ServiceUnavailableException", T, "provider_overloaded"),
        ("ModelTimeoutException", T, "timeout"),
        ("InternalServerException", T, "provider_unavailable"),
        ("ModelErrorException", T, "provider_unavailable"),
        ("ModelStreamErrorException", T, "provider_unavailable"),
        ("ResourceNotFoundException", T, "provider_unavailable"),
    ],
)
def test_the_name_of_an_exception_says_more_than_its_status(
    name: str, kind: Kind, error_type: str
) -> None:
    status = 429 if kind is not R else 400
    got = fault(status, {"x-amzn-errortype": f"{name}:http://a.b/"}, b'{"Message":"why"}')
    assert (got.kind, got.error_type, got.code, got.message) == (kind, error_type, name, "why")


@pytest.mark.parametrize(
    ("name", "status", "kind"),
    [
        ("validationException", 400, C),
        ("accessDeniedException", 403, F),
        ("modelTimeoutException", 408, T),
        ("throttlingException", 429, R),
        ("serviceQuotaExceededException", 429, R),
        ("internalServerException", 500, T),
        ("serviceUnavailableException", 503, T),
        ("modelNotReadyException", 503, T),
        ("modelStreamErrorException", 424, T),
    ],
)
def test_an_exception_within_a_stream_is_told_as_the_status_that_it_would_have_been(
    name: str, status: int, kind: Kind
) -> None:
    found = in_stream(name, b'{"message":"why"}')
    assert (found.status, found.code, found.message) == (status, name, "why")
    assert fault_of_stream(found).kind is kind


@pytest.mark.parametrize(
    ("said", "beside", "message"),
    [
        ({"message": "a"}, "b", "a"),
        ({"Message": "a"}, "b", "a"),
        ({}, "b", "b"),
        ({}, "", "the model broke off without a word"),
    ],
)
def test_an_exception_within_a_stream_always_has_words(
    said: dict[str, str], beside: str, message: str
) -> None:
    assert in_stream("x", json.dumps(said).encode(), beside).message == message
