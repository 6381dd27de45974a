"""What a chat request means, where fields decide together, and what the rest is told of it."""

import json
from typing import Any

import pytest

from dragoman.core.errors import InvalidPrompt, InvalidRequest
from dragoman.wire.chat import ChatCall, Reasoning, parse_chat, parse_members
from dragoman.wire.json import members
from dragoman.wire.preferences import Preferences

MINIMAL: dict[str, Any] = {"model": "a/b", "messages": [{"role": "user", "content": "Hi"}]}
EFFORT = '"max"|"xhigh"|"high"|"medium"|"low"|"minimal"|"none"'
TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}
SEARCH = {"type": "openrouter:web_search", "parameters": {"max_results": 3}}


def parse(**fields: Any) -> ChatCall:
    return parse_chat(json.dumps(MINIMAL | fields).encode())


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        parse(**fields)
    assert (caught.value.code, caught.value.type) == (400, "invalid_request")
    return caught.value


def test_the_smallest_request_asks_for_nothing() -> None:
    body = json.dumps(MINIMAL).encode()
    assert parse_chat(body) == ChatCall(
        members=members(body),
        model="a/b",
        models=("a/b",),
        preferences=Preferences(),
        partition="model",
        route_by_price=False,
        stream=False,
        max_tokens=None,
        parameters=frozenset(),
        inputs=frozenset({"text"}),
        outputs=frozenset({"text"}),
        text_bytes=2,
        reasoning=None,
        tools=False,
        json_output=False,
        session_id=None,
        user=None,
        tags={},
        trace={},
        echo_upstream_body=False,
        not_applied=(),
    )


def test_a_request_already_in_members_is_read_alike() -> None:
    body = json.dumps(MINIMAL | {"temperature": 1, "unknown": [1]}).encode()
    assert parse_members(members(body)) == parse_chat(body)


@pytest.mark.parametrize(
    ("fields", "models"),
    [
        ({"model": "a"}, ("a",)),
        ({"model": "a", "models": ["b", "c"]}, ("a", "b", "c")),
        ({"model": "a", "models": ["b", "a", "b"]}, ("a", "b")),
        ({"model": None, "models": ["b", "c"]}, ("b", "c")),
        ({"model": "a", "models": []}, ("a",)),
        ({"model": "a", "models": ["b"], "fallback_models": ["c", "a"]}, ("a", "b", "c")),
        ({"model": None, "fallback_models": ["c"]}, ("c",)),
        ({"model": "~own/alias:free@preset/x"}, ("~own/alias:free@preset/x",)),
    ],
)
def test_models_are_tried_in_the_order_given_and_once(
    fields: dict[str, Any], models: tuple[str, ...]
) -> None:
    call = parse(**fields)
    assert call.models == models
    assert call.model == fields["model"]


@pytest.mark.parametrize(
    ("fields", "message", "requested"),
    [
        ({"model": None}, "model: is required, unless 'models' names some", ()),
        ({"model": None, "models": []}, "model: is required, unless 'models' names some", ()),
        ({"model": ""}, "model: must be a string of 1 to 256 characters", ()),
        ({"model": "x" * 10_000}, "model: must be a string of 1 to 256 characters", ()),
        ({"model": 7}, "model: must be a string of 1 to 256 characters", ()),
        ({"model": "a\nb"}, "a\nb is not a valid model ID", ("a\nb",)),
        ({"models": "a"}, "models: must be an array", ()),
        ({"models": ["a", ""]}, "models.1: must be a string of 1 to 256 characters", ()),
        ({"models": ["a", "\0"]}, "\0 is not a valid model ID", ("\0",)),
        ({"fallback_models": [1]}, "fallback_models.0: must be a string of 1 to 256 char", ()),
    ],
)
def test_a_name_that_no_model_can_have_is_told_as_a_model_not_found(
    fields: dict[str, Any], message: str, requested: tuple[str, ...]
) -> None:
    error = refusal(**fields)
    assert error.message.startswith(message)
    assert error.availability is not None
    assert error.availability.code == "model_not_found"
    assert error.availability.requested_models == requested
    assert not error.availability.retryable


@pytest.mark.parametrize("name", ["models", "fallback_models"])
def test_more_than_three_models_are_refused_in_the_words_clients_know(name: str) -> None:
    assert refusal(**{name: ["a", "b", "c", "d"]}).message == (
        f"'{name}' array must have 3 items or fewer."
    )


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, ("model", False)),
        ({"route": "fallback"}, ("model", False)),
        ({"route": "sort"}, ("none", False)),
        ({"route": "lowest-cost"}, ("none", True)),
        ({"route": "lowest-cost", "provider": {"sort": "price"}}, ("none", True)),
        ({"provider": {"sort": {"by": "price", "partition": "none"}}}, ("none", False)),
        ({"provider": {"sort": {"by": "price", "partition": "model"}}}, ("model", False)),
        ({"route": "sort", "provider": {"sort": {"partition": "none"}}}, ("none", False)),
    ],
)
def test_route_says_how_models_compete(fields: dict[str, Any], expected: tuple[str, bool]) -> None:
    call = parse(**fields)
    assert (call.partition, call.route_by_price) == expected


@pytest.mark.parametrize(
    "fields",
    [
        {"route": "sort", "provider": {"sort": {"partition": "model"}}},
        {"route": "fallback", "provider": {"sort": {"partition": "none"}}},
        {"route": "lowest-cost", "provider": {"sort": "latency"}},
        {"max_tokens": 5, "max_completion_tokens": 6},
        {"reasoning": {"effort": "low"}, "reasoning_effort": "high"},
        {"reasoning": {"exclude": True}, "include_reasoning": True},
        {"reasoning": {"exclude": False}, "include_reasoning": False},
    ],
)
def test_contradictions_are_refused(fields: dict[str, Any]) -> None:
    assert ": contradicts " in refusal(**fields).message


@pytest.mark.parametrize(
    ("fields", "expected", "used"),
    [
        ({"reasoning": {}}, Reasoning(), False),
        ({"reasoning": {"effort": "low"}}, Reasoning(effort="low"), True),
        ({"reasoning": {"effort": "none"}}, Reasoning(effort="none"), False),
        ({"reasoning": {"max_tokens": 100}}, Reasoning(max_tokens=100), True),
        ({"reasoning": {"enabled": True}}, Reasoning(enabled=True), True),
        (
            {"reasoning": {"enabled": False, "effort": "low"}},
            Reasoning(enabled=False, effort="low"),
            False,
        ),
        ({"reasoning": {"exclude": True}}, Reasoning(exclude=True), False),
        ({"reasoning": {"summary": "auto"}}, Reasoning(summary="auto"), True),
        ({"reasoning_effort": "high"}, Reasoning(effort="high"), True),
        ({"include_reasoning": True}, Reasoning(), False),
        ({"include_reasoning": False}, Reasoning(exclude=True), False),
        (
            {"reasoning": {"effort": "low"}, "reasoning_effort": "low"},
            Reasoning(effort="low"),
            True,
        ),
        (
            {"reasoning": {"effort": "low"}, "include_reasoning": False},
            Reasoning(effort="low", exclude=True),
            True,
        ),
        ({"reasoning": None, "reasoning_effort": "low"}, Reasoning(effort="low"), True),
    ],
)
def test_the_spellings_of_reasoning_are_folded_into_one(
    fields: dict[str, Any], expected: Reasoning, *, used: bool
) -> None:
    call = parse(**fields)
    assert call.reasoning == expected
    assert ("reasoning" in call.parameters) is used


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"temperature": 0}, {"temperature"}),
        ({"temperature": None}, set()),
        ({"top_p": 1, "top_k": 0, "min_p": 0, "top_a": 0}, set()),
        (
            {"top_p": 0.9, "top_k": 1, "min_p": 0.1, "top_a": 1},
            {"top_p", "top_k", "min_p", "top_a"},
        ),
        ({"frequency_penalty": 0, "presence_penalty": 0.0, "repetition_penalty": 1}, set()),
        ({"frequency_penalty": 1, "seed": 0}, {"frequency_penalty", "seed"}),
        ({"max_tokens": 1}, {"max_tokens"}),
        ({"max_completion_tokens": 1}, {"max_completion_tokens"}),
        ({"stop": [], "logit_bias": {}, "logprobs": False}, set()),
        ({"stop": "x", "logit_bias": {"1": 1}}, {"stop", "logit_bias"}),
        ({"logprobs": True, "top_logprobs": 0}, {"logprobs"}),
        ({"logprobs": True, "top_logprobs": 2}, {"logprobs", "top_logprobs"}),
        ({"verbosity": "medium"}, set()),
        ({"verbosity": "low"}, {"verbosity"}),
        ({"structured_outputs": True}, {"structured_outputs"}),
        ({"response_format": {"type": "text"}}, set()),
        ({"response_format": {"type": "json_object"}}, {"response_format"}),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x"}}},
            {"response_format", "structured_outputs"},
        ),
        ({"prediction": {"type": "content", "content": "x"}}, {"prediction"}),
        ({"tools": []}, set()),
        ({"tools": [TOOL]}, {"tools"}),
        ({"tools": [TOOL], "tool_choice": "auto", "parallel_tool_calls": True}, {"tools"}),
        (
            {"tools": [TOOL], "tool_choice": "required", "parallel_tool_calls": False},
            {"tools", "tool_choice", "parallel_tool_calls"},
        ),
        (
            {
                "tools": [TOOL],
                "tool_choice": {"type": "function", "function": {"name": "look_up"}},
            },
            {"tools", "tool_choice"},
        ),
        ({"tools": [SEARCH]}, set()),
        ({"tool_choice": "none", "parallel_tool_calls": False}, set()),
        ({"web_search_options": {}, "transforms": ["middle-out"], "unknown": 1}, set()),
    ],
)
def test_a_parameter_counts_when_its_value_asks_for_something(
    fields: dict[str, Any], expected: set[str]
) -> None:
    assert parse(**fields).parameters == expected


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"transforms": ["middle-out"]}, ("transforms",)),
        (
            {"plugins": [{"id": "web"}, {"id": "pdf", "enabled": None}]},
            ("plugins.web", "plugins.pdf"),
        ),
        ({"plugins": [{"id": "web"}, {"id": "web"}]}, ("plugins.web",)),
        ({"service_tier": "flex"}, ()),
        ({"service_tier": "default"}, ()),
        ({"preset": "mine"}, ("preset",)),
        ({"max_tool_calls": 3}, ("max_tool_calls",)),
        (
            {"stop_server_tools_when": [{"type": "has_tool_call", "tool_name": "x"}]},
            ("stop_server_tools_when",),
        ),
        ({"web_search_options": {"search_context_size": "low"}}, ("web_search_options",)),
        ({"x_search_filter": {}}, ("x_search_filter",)),
        ({"reasoning": {"context": "auto", "mode": "pro", "depth": 3}}, ()),
        (
            {"provider": {"options": {}, "zdr": True, "mood": 1}},
            ("provider.options", "provider.mood"),
        ),
        ({"tools": [SEARCH]}, ("tools.openrouter:web_search",)),
        ({"session_id": "s", "image_config": {}, "trace": {"a": 1}}, ()),
    ],
)
def test_what_has_no_effect_yet_is_named(fields: dict[str, Any], expected: tuple[str, ...]) -> None:
    assert parse(**fields).not_applied == expected


def test_tools_that_a_gateway_runs_are_not_forwarded() -> None:
    choice = {"type": "openrouter:web_search"}
    call = parse(tools=[SEARCH, TOOL, {"type": "web_search_preview"}], tool_choice=choice)
    assert json.loads(bytes(call.members["tools"])) == [TOOL]
    assert "tool_choice" not in call.members
    assert call.tools
    assert call.not_applied == (
        "tools.openrouter:web_search",
        "tools.web_search_preview",
        "tool_choice",
    )


def test_without_functions_nothing_is_left_to_choose_from() -> None:
    call = parse(tools=[SEARCH], tool_choice="required")
    assert not call.tools
    assert call.members.keys() == MINIMAL.keys()


def test_a_choice_among_functions_outlives_the_other_tools() -> None:
    call = parse(tools=[SEARCH, TOOL], tool_choice="required")
    assert json.loads(bytes(call.members["tool_choice"])) == "required"


@pytest.mark.parametrize(
    ("fields", "name", "expected"),
    [
        ({"stream": True}, "stream", True),
        ({"stream": None}, "stream", False),
        ({"max_tokens": 7}, "max_tokens", 7),
        ({"max_completion_tokens": 8}, "max_tokens", 8),
        ({"max_tokens": 9, "max_completion_tokens": 9}, "max_tokens", 9),
        ({"modalities": ["text", "image"]}, "outputs", {"text", "image"}),
        ({"modalities": []}, "outputs", {"text"}),
        ({"response_format": {"type": "json_object"}}, "json_output", True),
        ({"response_format": {"type": "text"}}, "json_output", False),
        ({"tools": [TOOL]}, "tools", True),
        ({"session_id": "s"}, "session_id", "s"),
        ({"user": "u"}, "user", "u"),
        ({"metadata": {"team": "a"}}, "tags", {"team": "a"}),
        ({"trace": {"trace_id": "t"}}, "trace", {"trace_id": "t"}),
        ({"debug": {"echo_upstream_body": True}}, "echo_upstream_body", True),
        ({"debug": {}}, "echo_upstream_body", False),
        ({"provider": {"only": ["x"]}}, "preferences", Preferences(only=("x",))),
        ({"provider": None}, "preferences", Preferences()),
    ],
)
def test_fields_we_act_on_are_read(fields: dict[str, Any], name: str, expected: object) -> None:
    assert getattr(parse(**fields), name) == expected


@pytest.mark.parametrize(
    ("inner", "message"),
    [
        ('"reasoning":{"effort":"low","effort":"high"}', "reasoning.effort: given more than once"),
        ('"provider":{"only":["a"],"only":["b"]}', "provider.only: given more than once"),
        ('"model":"c/d"', "model: given more than once"),
    ],
)
def test_keys_that_decide_are_given_once(inner: str, message: str) -> None:
    body = json.dumps(MINIMAL)[:-1] + "," + inner + "}"
    with pytest.raises(InvalidRequest) as caught:
        parse_chat(body.encode())
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"model":"a"}', "messages: is required"),
        (b'{"model":"a","messages":[]}', "messages: must be an array of at least 1 item"),
        (b'{"model":"a","messages":null}', "messages: must be an array of at least 1 item"),
    ],
)
def test_a_request_without_messages_is_an_invalid_prompt(body: bytes, message: str) -> None:
    with pytest.raises(InvalidPrompt) as caught:
        parse_chat(body)
    assert caught.value.message == message
