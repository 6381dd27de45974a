"""Requests of clients of the Responses API, sent on to providers of the same."""

import json
from typing import Any

import msgspec
import pytest

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.wire.responses.dialect import RESPONSES
from dragoman.wire.responses.thoughts import OPENAI, seal
from tests.providers.openai_calls import endpoint
from tests.providers.responses_calls import USER, notes, sent, write
from tests.wire import responses_calls

ITEMS = [
    {"role": "developer", "content": "x", "id": "msg_1"},
    {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "hi"}]},
    {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
    {"type": "custom_tool_call", "call_id": "c", "name": "patch", "input": "x"},
    {"type": "custom_tool_call_output", "call_id": "c", "output": "ok"},
]


def test_what_only_the_provider_understands_goes_as_it_came() -> None:
    screen = {"display_width": 1, "display_height": 1, "environment": "browser"}
    tools = [{"type": "computer_use_preview", **screen}]
    image = {"type": "input_image", "file_id": "f", "detail": "low"}
    items = [{"role": "user", "content": [image]}]
    found = sent(write(responses_calls.call(input=items, tools=tools)))
    assert (found["input"], found["tools"]) == (items, tools)


def test_bytes_that_need_not_change_do_not() -> None:
    source = json.dumps(ITEMS, indent=1)
    custom = '{"type":"custom", "name":"patch", "format":{"type" :"text"}}'
    tools = f'[ {custom}, {{"type":"web_search"}} ]'
    body = (
        f'{{"model":"acme/turbo","input":{source},"tools":{tools},'
        '"client_metadata":{"a" : 1},"store":false,'
        '"text":{"verbosity":"low"},"stream":true,"reasoning":{"effort":"low", "summary":"auto"},'
        '"include":["reasoning.encrypted_content"],"max_output_tokens":100,'
        '"provider":{"only":["acme"]},"session_id":"s","prompt_cache_key":"k","top_k":3,"n":2}'
    )
    asked = RESPONSES.parse(body.encode(), {b"openai-beta": b"x=1"})
    outgoing = write(asked)
    sent_body = outgoing.body.decode()
    assert source in sent_body
    assert tools in sent_body
    assert '"client_metadata":{"a" : 1}' in sent_body
    found = sent(outgoing)
    assert found["max_output_tokens"] == 100
    assert found["stream"] is True
    assert found["reasoning"] == {"effort": "low", "summary": "auto"}
    assert found["include"] == ["reasoning.encrypted_content"]
    assert not {"provider", "session_id", "top_k", "n"} & set(found)
    assert ("openai-beta", "x=1") in outgoing.headers
    assert notes(outgoing) == [(Change.DROPPED, "top_k"), (Change.DROPPED, "n")]


@pytest.mark.parametrize(
    ("thought", "content"),
    [
        ({"encrypted_content": "gAAA"}, "gAAA"),
        ({"encrypted_content": "gAAA", "format": OPENAI}, "gAAA"),
        ({"encrypted_content": "gAAA", "format": "xai-responses-v1"}, None),
        ({"encrypted_content": seal([{"type": "reasoning.text", "text": "x"}])}, None),
        ({"encrypted_content": seal([{"type": "reasoning.encrypted", "data": "gB",
                                      "format": OPENAI}])}, "gB"),
        ({"encrypted_content": "dm1.%%"}, None),
        ({"content": [{"type": "reasoning_text", "text": "x"}]}, None),
        ({"signature": "S", "format": "anthropic-claude-v1"}, None),
    ],
)  # fmt: skip
def test_reasoning_of_others_is_left_out(thought: Any, content: str | None) -> None:
    item = {"type": "reasoning", "id": "rs_1", "summary": [], **thought}
    items = [USER, item, {"role": "assistant", "content": "x"}]
    try:
        asked = responses_calls.call(input=items)
    except InvalidRequest:  # a broken seal gets no further than this
        assert thought == {"encrypted_content": "dm1.%%"}
        return
    outgoing = write(asked)
    found = [each for each in sent(outgoing)["input"] if each.get("type") == "reasoning"]
    if content is None:
        assert found == []
        assert notes(outgoing) == [(Change.DROPPED, "input.reasoning")]
    else:
        own = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": content}
        assert found == [own]
        assert outgoing.notes == ()


def test_a_reference_to_a_thought_does_not_go_to_a_provider_that_kept_nothing() -> None:
    asked = responses_calls.call(input=[USER, {"type": "item_reference", "id": "rs_1"}, *ITEMS[3:]])
    outgoing = write(asked)
    assert sent(outgoing)["input"] == [USER, *ITEMS[3:]]
    assert notes(outgoing) == [(Change.DROPPED, "input.item_reference")]


def test_tools_whose_cost_cannot_be_told_are_left_out() -> None:
    tools = [
        {"type": "code_interpreter", "container": {"type": "auto"}},
        {"type": "shell", "environment": {"type": "container_auto"}},
        {"type": "openrouter:datetime"},
        {"type": "web_search"},
    ]
    outgoing = write(responses_calls.call(tools=tools))
    assert sent(outgoing)["tools"] == [{"type": "web_search"}]
    assert notes(outgoing) == [
        (Change.DROPPED, "tools.code_interpreter"),
        (Change.DROPPED, "tools.shell"),
    ]


def test_the_limit_and_the_stream_of_the_attempt_win() -> None:
    asked = responses_calls.call(max_output_tokens=900)
    changed = msgspec.structs.replace(asked, stream=True, max_tokens=100)
    body = sent(write(changed))
    assert (body["stream"], body["max_output_tokens"]) == (True, 100)


def test_end_users_are_told_apart_and_not_named() -> None:
    body = sent(write(responses_calls.call(user="ann@example.com")))
    assert body["user"].startswith("user-")
    body = sent(write(responses_calls.call(safety_identifier="ann@example.com")))
    assert body["safety_identifier"].startswith("user-")


def test_ids_of_calls_that_another_model_made_too_long_are_cut() -> None:
    long = f"functions.{'f' * 64}:0"
    items = [
        USER,
        {"type": "function_call", "call_id": long, "name": "f", "arguments": "{}"},
        {"type": "function_call", "call_id": "call_1", "name": "f", "arguments": "{}"},
        {"type": "function_call_output", "call_id": long, "output": "ok"},
        {"type": "function_call_output", "call_id": "call_1", "output": "ok"},
    ]
    outgoing = write(responses_calls.call(input=items))
    made = [item["call_id"] for item in sent(outgoing)["input"][1:]]
    assert [len(each) for each in made] == [64, 6, 64, 6]
    assert made[:2] == made[2:]
    assert notes(outgoing) == [(Change.RENAMED, "input.call_id")]


@pytest.mark.parametrize(
    ("asked", "expected"), [("xhigh", "high"), ("low", "low"), ("none", "none"), (None, None)]
)
def test_an_effort_that_the_model_does_not_know_becomes_the_nearest(
    asked: str | None, expected: str | None
) -> None:
    wish = {"effort": asked, "summary": "auto"}
    here = msgspec.structs.replace(endpoint("reasoning"), efforts=("high", "medium", "low"))
    outgoing = write(responses_calls.call(input="hi", reasoning=wish), here)
    assert sent(outgoing)["reasoning"] == {"effort": expected, "summary": "auto"}
    clamped = [] if asked == expected else [(Change.CLAMPED, "reasoning.effort")]
    assert notes(outgoing) == clamped
