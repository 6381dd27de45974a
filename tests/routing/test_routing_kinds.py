"""Callers at the wrong door are told so, and where the right one is."""

from random import Random
from typing import Any

import pytest

from dragoman.catalog.ask import Ask
from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.errors import GatewayError, InvalidRequest, NoEndpoint
from dragoman.routing.plan import plan
from dragoman.routing.refusal import refusal
from tests.routing.endpoints import MINI, MODEL, ask, catalog, endpoint

EMBEDDINGS, RERANK, TEXT = frozenset({"embeddings"}), frozenset({"rerank"}), frozenset({"text"})
IMAGE = frozenset({"image"})
HOST = Provider(slug="acme", name="Acme", dialect="openai", base_url="http://a", keys=("ACME",))


def refused(wants: Ask, *endpoints: Endpoint) -> GatewayError:
    shown = catalog(*endpoints, providers=(HOST,))
    the_plan = plan(wants, shown, {}, Random(7))
    assert not the_plan.steps
    return refusal(the_plan, wants, shown)


@pytest.mark.parametrize(
    ("offers", "wanted", "says"),
    [
        (TEXT, EMBEDDINGS, "offers chat only: use POST /api/v1/chat/completions. Models for"),
        (TEXT, RERANK, "Models for reranking: GET /api/v1/models?output_modalities=rerank."),
        (EMBEDDINGS, TEXT, "acme/turbo offers embeddings only: use POST /api/v1/embeddings."),
        (EMBEDDINGS, RERANK, "acme/turbo offers embeddings only: use POST /api/v1/embeddings."),
        (RERANK, TEXT, "offers reranking only: use POST /api/v1/rerank. Models for chat: GET"),
        (TEXT | IMAGE, EMBEDDINGS, "acme/turbo offers chat only"),
        (RERANK, TEXT | IMAGE, "acme/turbo offers reranking only"),
    ],
)
def test_a_model_that_is_asked_elsewhere(
    offers: frozenset[str], wanted: frozenset[str], says: str
) -> None:
    error = refused(ask(outputs=wanted), endpoint(outputs=offers))
    assert isinstance(error, InvalidRequest)
    modalities = ", ".join(sorted(wanted))
    assert error.message.startswith(
        f"No endpoints found that support the requested output modalities: {modalities}. acme/turbo"
    )
    assert says in error.message
    assert error.availability is not None
    assert error.availability.code == "wrong_endpoint"
    assert error.availability.retryable is False
    assert error.availability.requested_models == ("acme/turbo",)
    assert error.availability.affected_providers == ("acme",)
    assert error.availability.constraint is not None
    assert error.availability.constraint.field == "model"
    assert error.availability.constraint.detail in error.message
    assert ": use POST /api/v1/" in error.availability.constraint.detail
    assert [row["provider"] for row in error.metadata["endpoints"]] == ["Acme"]


@pytest.mark.parametrize("changes", [{"configured": False}, {"default_route": False}])
def test_a_credential_would_not_help_who_is_at_the_wrong_door(changes: dict[str, Any]) -> None:
    error = refused(ask(outputs=EMBEDDINGS), endpoint(**changes))
    assert error.availability is not None
    assert error.availability.code == "wrong_endpoint"
    assert "ACME" not in error.message


def test_all_models_of_a_request_are_named() -> None:
    wants = ask("acme/turbo", MINI, outputs=EMBEDDINGS)
    error = refused(wants, endpoint(), endpoint("bolt", model=MINI, outputs=RERANK))
    assert (
        "acme/turbo offers chat only: use POST /api/v1/chat/completions."
        " acme/mini offers reranking only: use POST /api/v1/rerank."
    ) in error.message


def test_a_model_with_two_routes_has_both_named() -> None:
    error = refused(ask(outputs=RERANK), endpoint(), endpoint("bolt", outputs=EMBEDDINGS))
    assert (
        "acme/turbo offers embeddings and chat only: use POST /api/v1/embeddings"
        " or POST /api/v1/chat/completions."
    ) in error.message


def test_one_model_that_is_asked_here_has_reasons_of_its_own() -> None:
    wants = ask("acme/turbo", MINI, outputs=EMBEDDINGS)
    near = endpoint("acme", model=MINI, outputs=EMBEDDINGS, configured=False)
    error = refused(wants, endpoint(), near)
    assert isinstance(error, NoEndpoint)
    assert "Not configured here: Acme (set ACME)" in error.message


def test_images_of_a_model_that_only_chats_are_no_matter_of_the_route() -> None:
    error = refused(ask(outputs=TEXT | IMAGE), endpoint())
    assert isinstance(error, NoEndpoint)
    assert error.message.endswith("requested output modalities: image, text.")


@pytest.mark.parametrize(
    ("outputs", "says"),
    [
        (EMBEDDINGS, "Acme offers embeddings by an API that is not spoken here."),
        (RERANK, "Acme offers reranking by an API that is not spoken here."),
        (TEXT, "Acme offers chat by an API that is not spoken here."),
        (IMAGE, "Acme makes image, which cannot be asked for here in this version."),
    ],
)
def test_an_endpoint_that_cannot_be_called_says_why(outputs: frozenset[str], says: str) -> None:
    wants = ask(outputs=outputs)
    error = refused(wants, endpoint(outputs=outputs, status="inactive"))
    assert isinstance(error, NoEndpoint)
    assert error.message.startswith(f"No endpoints found for acme/turbo. {says} Models for ")
    assert error.availability is not None
    assert error.availability.code == "no_endpoints"
    assert "out of service" not in error.message


@pytest.mark.parametrize(
    ("models", "endpoints"),
    [
        ((MODEL,), [endpoint(status="inactive")]),
        ((MODEL, MINI), [endpoint()]),
        ((MODEL, MINI), [endpoint(), endpoint("bolt", model=MINI, status="inactive")]),
        ((MODEL,), [endpoint(outputs=IMAGE)]),
    ],
)
def test_nobody_is_sent_to_another_door_unless_all_models_are_behind_one(
    models: tuple[str, ...], endpoints: list[Endpoint]
) -> None:
    error = refused(ask(*models, outputs=EMBEDDINGS), *endpoints)
    assert isinstance(error, NoEndpoint)
    assert error.availability is not None
    assert error.availability.code != "wrong_endpoint"
