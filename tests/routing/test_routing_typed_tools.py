"""Anthropic's typed tools, where all parameters are required: only hosts of Messages are left."""

import json
from random import Random
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.catalog.ask import Ask
from dragoman.catalog.typed_tools import MESSAGES, takes_typed_tools
from dragoman.catalog.types import Provider
from dragoman.providers.registry import DIALECTS
from dragoman.routing.refusal import refusal
from dragoman.shaping.ask import ask
from dragoman.wire.anthropic.dialect import MESSAGES as CLIENTS
from tests.routing.endpoints import MODEL, catalog, endpoint, route, tags

BASH = {"type": "bash_20250124", "name": "bash"}
SEARCH = {"type": "web_search_20250305", "name": "web_search"}
CUSTOM = {"name": "add", "input_schema": {"type": "object"}}
KNOWS = frozenset({"tools", "max_tokens"})
MATE = endpoint("anthropic", supports=KNOWS, typed_tools=True)
OTHER = endpoint("bedrock", supports=KNOWS)


def asked(*tools: Any, **provider: Any) -> Ask:
    body = {
        "model": MODEL,
        "max_tokens": 10,
        "messages": [{"role": "user", "content": "x"}],
        "tools": tools,
        "provider": provider,
    }
    call = CLIENTS.parse(json.dumps(body).encode(), {})
    return ask(call, catalog(MATE, OTHER), Random(1))[0]


def test_every_dialect_that_is_the_messages_api_is_known() -> None:
    assert {name for name, one in DIALECTS.items() if one.speaks == "messages"} == MESSAGES


@pytest.mark.parametrize("tools", [(BASH,), (SEARCH, CUSTOM), (BASH, SEARCH)])
def test_typed_tools_that_are_required_leave_hosts_of_messages_only(tools: Any) -> None:
    wants = asked(*tools, require_parameters=True)
    plan = route(wants, MATE, OTHER)
    assert tags(plan) == ["anthropic"]
    names = ", ".join(sorted(f"tools.{tool['type']}" for tool in tools if "type" in tool))
    assert plan.refusals[0].detail == (
        f"does not support {names}, and provider.require_parameters is true"
    )


def test_whoever_is_left_with_nobody_is_told_why() -> None:
    wants = asked(BASH, require_parameters=True)
    told = refusal(route(wants, OTHER), wants, catalog(OTHER))
    assert told.code == 404
    assert "tools.bash_20250124" in str(told.metadata)


@pytest.mark.parametrize(
    ("tools", "provider"), [((BASH,), {}), ((CUSTOM,), {"require_parameters": True})]
)
def test_others_are_left_to_everybody(tools: Any, provider: Any) -> None:
    assert sorted(tags(route(asked(*tools, **provider), MATE, OTHER))) == ["anthropic", "bedrock"]


def test_a_type_without_end_is_told_in_part() -> None:
    wants = asked({"type": "x" * 1000, "name": "x"}, require_parameters=True)
    assert "tools." + "x" * 64 in wants.parameters


@pytest.mark.parametrize(
    ("dialect", "also", "here", "outputs", "takes"),
    [
        ("anthropic", (), None, {"text"}, True),
        ("openai", (), None, {"text"}, False),
        ("openai", (), "anthropic", {"text"}, True),
        ("anthropic", (), "openai", {"text"}, False),
        ("vertex", (), "vertex-anthropic", {"text"}, True),
        ("openai", ("anthropic",), None, {"text"}, True),
        ("openai", ("anthropic",), "openai", {"text"}, False),
        ("openai", ("anthropic",), None, {"text", "image"}, False),
    ],
)
def test_what_is_spoken_decides(
    dialect: str, also: tuple[str, ...], here: str | None, outputs: set[str], *, takes: bool
) -> None:
    row = Provider(slug="a", name="A", base_url="http://a", dialect=dialect, also=also)
    one = replace(MATE, dialect=here, outputs=frozenset(outputs))
    assert takes_typed_tools(one, row) is takes
