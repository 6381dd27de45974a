"""What Codex is told of the models: everything it insists on, and no word it does not know."""

from typing import Any

import pytest

from dragoman.catalog.codex import codex_models
from tests.catalog.models import CHEAP, body, catalog, endpoint, model, model_rows

REQUIRED = {
    "slug",
    "display_name",
    "supported_reasoning_levels",
    "shell_type",
    "visibility",
    "supported_in_api",
    "priority",
    "support_verbosity",
    "truncation_policy",
    "experimental_supported_tools",
    "base_instructions",
}


def entries(**fields: Any) -> Any:
    able = endpoint("a", CHEAP, context=1000, supports=frozenset({"parallel_tool_calls"}))
    told = catalog(model(able, **fields), model(endpoint("a", CHEAP), id="x/old", created=1))
    return body(codex_models(model_rows(told)))


def test_every_entry_has_all_that_is_required() -> None:
    first, second = entries()
    assert first.keys() >= REQUIRED
    assert second.keys() == first.keys()
    assert (first["slug"], second["slug"]) == ("meta-llama/llama-4-x", "x/old")
    assert (first["priority"], second["priority"]) == (0, 1)
    assert (first["context_window"], second["context_window"]) == (1000, None)
    assert first["supports_parallel_tool_calls"] is True
    assert second["supports_parallel_tool_calls"] is False
    assert first["truncation_policy"] == {"mode": "tokens", "limit": 10_000}
    assert first["apply_patch_tool_type"] == "freeform"
    assert first["base_instructions"].startswith("You are a coding agent")


@pytest.mark.parametrize(
    ("fields", "efforts"),
    [
        ({}, []),
        ({"reasoning": True}, ["low", "medium", "high"]),
        ({"reasoning": True, "efforts": ("max", "xhigh", "low", "none")}, ["low", "xhigh"]),
    ],
)
def test_only_efforts_that_codex_has_words_for(fields: dict[str, Any], efforts: list[str]) -> None:
    levels = entries(**fields)[0]["supported_reasoning_levels"]
    assert [level["effort"] for level in levels] == efforts
    assert all(level["description"] for level in levels)
