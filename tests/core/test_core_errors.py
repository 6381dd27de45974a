"""Every leaf of the error tree has a face."""

from collections.abc import Iterator

import pytest

from dragoman.core import errors
from dragoman.core.errors import GatewayError, RefusedUpstream

CANONICAL = {
    "context_length_exceeded", "max_tokens_exceeded", "token_limit_exceeded", "string_too_long",
    "invalid_request", "invalid_prompt", "content_policy_violation", "refusal", "authentication",
    "payment_required", "permission_denied", "not_found", "precondition_failed",
    "payload_too_large", "unprocessable", "rate_limit_exceeded", "server", "unmapped",
    "provider_unavailable", "provider_overloaded", "timeout", "conflict",
    "gateway_unavailable", "gateway_overloaded",
}  # fmt: skip


def leaves(kind: type[GatewayError]) -> Iterator[type[GatewayError]]:
    if not kind.__subclasses__() or hasattr(kind, "status"):
        yield kind
    for child in kind.__subclasses__():
        yield from leaves(child)


@pytest.mark.parametrize("kind", sorted(set(leaves(GatewayError)), key=str))
def test_each_has_a_status_and_a_known_type(kind: type[GatewayError]) -> None:
    assert 400 <= kind.status <= 599
    assert kind.error_type in CANONICAL


def test_the_tree_in_the_docstring_is_the_tree_in_the_code() -> None:
    drawn = errors.__doc__ or ""
    for kind in set(leaves(GatewayError)):
        assert f"{kind.__name__} " in drawn, f"{kind.__name__} is missing from the drawing"
        assert str(kind.status) in drawn


def test_a_providers_own_refusal_keeps_its_status_and_type() -> None:
    error = RefusedUpstream("too long", status=422, error_type="unprocessable")
    assert (error.code, error.type, str(error)) == (422, "unprocessable", "too long")
