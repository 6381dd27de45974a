"""Tools and the choice among them in Anthropic's words."""

from typing import Any

import pytest

from tests.providers.anthropic_calls import MODEL, TOOL, call, endpoint, said, sent, write

MARK = {"type": "ephemeral"}


def tool(**function: Any) -> dict[str, Any]:
    return {"type": "function", "function": {"name": "f", **function}}


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (TOOL, {"name": "weather", "description": "Tell the weather.",
                "input_schema": {"type": "object", "properties": {"city": {"type": "string"}}}}),
        (tool(), {"name": "f", "input_schema": {"type": "object", "properties": {}}}),
        (tool(parameters={}), {"name": "f", "input_schema": {"type": "object", "properties": {}}}),
        (tool(parameters=None, description=None),
         {"name": "f", "input_schema": {"type": "object", "properties": {}}}),
        (tool(parameters={"properties": {"a": {}}}),
         {"name": "f", "input_schema": {"type": "object", "properties": {"a": {}}}}),
        (tool(parameters={"type": None}), {"name": "f", "input_schema": {"type": "object"}}),
        (tool(strict=True, parameters={"type": "object", "additionalProperties": False}),
         {"name": "f", "input_schema": {"type": "object", "additionalProperties": False},
          "strict": True}),
        (tool(strict=False, parameters={"type": "object"}),
         {"name": "f", "input_schema": {"type": "object"}}),
        ({**tool(parameters={"type": "object"}), "cache_control": MARK, "defer_loading": True,
          "input_examples": [{"a": 1}]},
         {"name": "f", "input_schema": {"type": "object"}, "defer_loading": True,
          "input_examples": [{"a": 1}], "cache_control": MARK}),
        (tool(cache_control=MARK, parameters={"type": "object"}),
         {"name": "f", "input_schema": {"type": "object"}, "cache_control": MARK}),
    ],
)  # fmt: skip
def test_a_tool(asked: dict[str, Any], told: dict[str, Any]) -> None:
    outgoing = write(call(max_tokens=5, tools=[asked]))
    assert sent(outgoing)["tools"] == [told]
    assert outgoing.notes == ()


def test_a_schema_that_binds_is_put_into_the_grammar_that_is_known() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "string", "minLength": 1}}}
    outgoing = write(call(max_tokens=5, tools=[tool(strict=True, parameters=schema)]))
    assert sent(outgoing)["tools"][0]["input_schema"] == {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "additionalProperties": False,
    }
    assert said(outgoing) == [("clamped", "tools.function.parameters")]
    free = write(call(max_tokens=5, tools=[tool(parameters=schema)]))
    assert sent(free)["tools"][0]["input_schema"] == schema


def test_schemas_keep_their_bytes() -> None:
    outgoing = write(call(max_tokens=5, tools=[TOOL]))
    assert b'"input_schema":{"type": "object", "properties": {"city"' in outgoing.body


def test_what_binds_calls_is_dropped_where_nothing_binds() -> None:
    asked = call(max_tokens=5, tools=[tool(strict=True)])
    assert said(write(asked, "claude-opus-4-0")) == [("dropped", "tools.function.strict")]
    at = endpoint(MODEL, "tools")
    assert said(write(asked, at)) == [("dropped", "tools.function.strict")]


def test_what_a_tool_has_no_room_for_is_named() -> None:
    outgoing = write(call(max_tokens=5, tools=[{**tool(x=1), "y": 2}]))
    assert sorted(said(outgoing)) == [("dropped", "tools.x"), ("dropped", "tools.y")]


NAMED = {"type": "function", "function": {"name": "weather"}}


@pytest.mark.parametrize(
    ("choice", "parallel", "told"),
    [
        (None, None, None),
        (None, True, None),
        (None, False, {"type": "auto", "disable_parallel_tool_use": True}),
        ("auto", None, {"type": "auto"}),
        ("none", None, {"type": "none"}),
        ("none", False, {"type": "none"}),
        ("required", None, {"type": "any"}),
        ("required", False, {"type": "any", "disable_parallel_tool_use": True}),
        (NAMED, None, {"type": "tool", "name": "weather"}),
        (NAMED, False, {"type": "tool", "name": "weather", "disable_parallel_tool_use": True}),
    ],
)
def test_the_choice(choice: Any, *, parallel: bool | None, told: dict[str, Any] | None) -> None:
    outgoing = write(
        call(max_tokens=5, tools=[TOOL], tool_choice=choice, parallel_tool_calls=parallel)
    )
    assert sent(outgoing).get("tool_choice") == told
    assert outgoing.notes == ()


@pytest.mark.parametrize("choice", ["required", NAMED])
def test_a_model_that_cannot_be_made_to_call_is_left_free(choice: Any) -> None:
    asked = call(max_tokens=5, tools=[TOOL], tool_choice=choice)
    for at in (endpoint("claude-opus-5-5"), endpoint(MODEL, "tools")):
        outgoing = write(asked, at)
        assert sent(outgoing)["tool_choice"] == {"type": "auto"}
        assert said(outgoing) == [("clamped", "tool_choice")]


def test_without_tools_there_is_nothing_to_choose() -> None:
    outgoing = write(call(max_tokens=5, tools=[], tool_choice="auto", parallel_tool_calls=True))
    assert not sent(outgoing).keys() & {"tools", "tool_choice"}
    assert said(outgoing) == [
        ("dropped", "parallel_tool_calls"), ("dropped", "tool_choice"), ("dropped", "tools"),
    ]  # fmt: skip


def test_tools_that_a_gateway_runs_are_not_sent() -> None:
    outgoing = write(call(max_tokens=5, tools=[{"type": "openrouter:web_search"}]))
    assert "tools" not in sent(outgoing)
    mixed = write(call(max_tokens=5, tools=[{"type": "openrouter:datetime"}, TOOL]))
    assert [each["name"] for each in sent(mixed)["tools"]] == ["weather"]
