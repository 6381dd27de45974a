"""What Anthropic's list of models tells of them."""

from typing import Any

import msgspec
import pytest
from anthropic.types import ModelInfo

from dragoman.catalog.discover import listed
from dragoman.catalog.hosts import hosts
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.shipped import load
from dragoman.catalog.types import Endpoint, Provider

HOUSE = Provider(slug="anthropic", name="Anthropic", dialect="anthropic", base_url="https://h/v1")
YES, NO = {"supported": True}, {"supported": False}
LEVELS = ("low", "medium", "high", "max")
REASONING = {"include_reasoning", "reasoning", "reasoning_effort"}
SAMPLING = {"temperature", "top_k", "top_p"}
TOOLS = {"parallel_tool_calls", "stop", "tool_choice", "tools"}


def row(**changes: Any) -> dict[str, Any]:
    """A model as the API lists it, which Anthropic's own SDK reads."""
    capabilities = {
        "batch": YES, "citations": YES, "code_execution": YES, "image_input": YES, "pdf_input": YES,
        "structured_outputs": YES,
        "context_management": {"clear_thinking_20251015": YES, "clear_tool_uses_20250919": YES,
                               "compact_20260112": YES, "supported": True},
        "effort": dict.fromkeys(LEVELS, YES) | YES,
        "server_tools": {"code_execution": YES, "web_search": YES} | YES,
        "thinking": {"types": {"adaptive": YES, "between_tools": NO, "disabled": YES,
                               "enabled": NO}} | YES,
        **changes.pop("capabilities", {}),
    }  # fmt: skip
    told = {
        "id": "claude-opus-9", "type": "model", "display_name": "Claude Opus 9",
        "created_at": "2026-09-22T00:00:00Z", "lifecycle": "active", "max_input_tokens": 1_000_000,
        "max_tokens": 128_000, "capabilities": capabilities, **changes,
    }  # fmt: skip
    ModelInfo.model_validate(told)
    return told


def endpoint(**changes: Any) -> Endpoint:
    body = msgspec.json.encode({"data": [row(**changes)], "has_more": False})
    (model,) = listed(HOUSE, ProviderOptions(), body)
    return model.endpoints[0]


def test_sizes_media_and_parameters_are_told() -> None:
    found = endpoint()
    assert (found.context, found.max_output) == (1_000_000, 128_000)
    assert found.inputs == {"text", "image", "file"}
    assert found.supports >= TOOLS | REASONING | {"structured_outputs", "verbosity"}
    assert not found.supports & SAMPLING
    assert found.supports <= PARAMETERS


def test_a_model_that_takes_budgets_takes_a_temperature() -> None:
    types = {"adaptive": NO, "between_tools": NO, "disabled": YES, "enabled": YES}
    assert endpoint(capabilities={"thinking": {"types": types} | YES}).supports >= SAMPLING


def test_what_a_model_cannot_do_is_not_claimed() -> None:
    types = {"adaptive": NO, "between_tools": NO, "disabled": YES, "enabled": NO}
    found = endpoint(
        capabilities={
            "thinking": {"types": types} | NO, "structured_outputs": NO, "image_input": NO,
            "pdf_input": NO, "effort": dict.fromkeys(LEVELS, NO) | NO,
        }
    )  # fmt: skip
    assert found.inputs == {"text"}
    assert not found.supports & (REASONING | {"structured_outputs", "verbosity"})
    assert found.supports >= SAMPLING


def test_a_retired_model_is_not_listed() -> None:
    assert listed(HOUSE, ProviderOptions(), msgspec.json.encode([row(lifecycle="retired")])) == ()


@pytest.mark.parametrize("told", [None, {}, {"completion_chat": True}, {"thinking": 7}, []])
def test_capabilities_of_another_form_say_nothing(told: Any) -> None:
    (model,) = listed(
        HOUSE, ProviderOptions(), msgspec.json.encode([{**row(), "capabilities": told}])
    )
    assert "tools" not in model.endpoints[0].supports


def test_anthropic_is_asked_for_its_models_with_a_version() -> None:
    found = hosts(load().providers, {}, {"ANTHROPIC_API_KEY": "k"})
    assert "anthropic" in found.listing
    assert found.providers["anthropic"].headers == {"anthropic-version": "2023-06-01"}
    assert found.providers["anthropic"].auth == "x-api-key"
