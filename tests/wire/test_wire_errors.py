"""The error object: what every failure says, and what a defect does not."""

import json

import pytest

from dragoman.core.errors import (
    AVAILABILITY_DOCS_URL,
    Availability,
    Constraint,
    GatewayError,
    Internal,
    InvalidRequest,
    NoEndpoint,
    RefusedUpstream,
    Unavailable,
)
from dragoman.wire.errors import MASKED, error_object


@pytest.mark.parametrize(
    ("error", "code", "error_type"),
    [
        (InvalidRequest("words"), 400, "invalid_request"),
        (Unavailable("words"), 503, "gateway_unavailable"),
        (
            RefusedUpstream("words", status=422, error_type="unprocessable"),
            422,
            "unprocessable",
        ),
    ],
)
def test_an_error_has_a_code_words_and_a_type(
    error: GatewayError, code: int, error_type: str
) -> None:
    assert json.loads(error_object(error)) == {
        "code": code,
        "message": "words",
        "metadata": {"error_type": error_type},
    }


def test_details_stand_beside_the_type() -> None:
    error = InvalidRequest("x", metadata={"provider_name": "Acme", "previous_errors": []})
    assert json.loads(error_object(error))["metadata"] == {
        "error_type": "invalid_request",
        "provider_name": "Acme",
        "previous_errors": [],
    }


def test_availability_leaves_out_what_there_is_nothing_to_say_of() -> None:
    lack = Availability(
        code="no_endpoints",
        retryable=False,
        requested_models=("acme/turbo",),
        docs_url=AVAILABILITY_DOCS_URL,
        constraint=Constraint("provider.zdr", "true"),
    )
    body = json.loads(error_object(NoEndpoint("x", availability=lack)))
    assert body["availability"] == {
        "code": "no_endpoints",
        "retryable": False,
        "requested_models": ["acme/turbo"],
        "docs_url": AVAILABILITY_DOCS_URL,
        "constraint": {"field": "provider.zdr", "detail": "true"},
    }


def test_a_defect_keeps_its_words_to_itself() -> None:
    error = Internal("the secret of this house", metadata={"trace": "secret"})
    assert json.loads(error_object(error)) == {
        "code": 500,
        "message": MASKED,
        "metadata": {"error_type": "server"},
    }
