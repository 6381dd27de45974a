"""One conversation of thoughts and tools that goes from host to host, with each kind of client.

What one host signed comes back to it and to nobody else, no provider's own types refuse what it is
sent, and nothing that was said, called or answered is lost.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.anthropic.message import blocks_of
from dragoman.wire.chat import ChatCall, parse_chat
from dragoman.wire.hub import Answer
from dragoman.wire.responses.dialect import RESPONSES
from tests.providers import (
    anthropic_calls,
    bedrock_calls,
    cohere_calls,
    gemini_calls,
    openai_calls,
    responses_calls,
)
from tests.wire import responses_calls as asked_in_responses
from tests.wire.messages_told import SPENT, told

Body = dict[str, Any]
PARAMETERS: Body = {"type": "object", "properties": {}}
USER = {"role": "user", "content": "go on"}
SUPPORTS = ("tools", "tool_choice", "reasoning", "reasoning_effort", "max_tokens")


def responses_answer(n: int) -> Body:
    thought = {
        "type": "reasoning", "id": f"rs_{n}", "encrypted_content": f"signed-responses-{n}",
        "summary": [{"type": "summary_text", "text": f"summary {n}"}],
    }  # fmt: skip
    part = {"type": "output_text", "text": f"said {n}", "annotations": []}
    call = {"type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": "f"}
    return {
        "id": f"resp_{n}", "status": "completed",
        "output": [
            {"type": "message", "id": f"msg_{n}", "content": [part]}, thought,
            {**call, "arguments": "{}"},
        ],
    }  # fmt: skip


def anthropic_answer(n: int) -> Body:
    return {
        "type": "message", "id": f"msg_{n}", "stop_reason": "tool_use",
        "content": [
            {"type": "thinking", "thinking": f"hm {n}", "signature": f"signed-anthropic-{n}"},
            {"type": "text", "text": f"said {n}"},
            {"type": "redacted_thinking", "data": f"signed-anthropic-r{n}"},
            {"type": "tool_use", "id": f"toolu_{n}", "name": "f", "input": {}},
        ],
    }  # fmt: skip


def bedrock_answer(n: int) -> Body:
    thought = {"text": f"hm {n}", "signature": f"signed-anthropic-b{n}"}
    content = [
        {"reasoningContent": {"reasoningText": thought}},
        {"text": f"said {n}"},
        {"toolUse": {"toolUseId": f"tooluse_{n}", "name": "f", "input": {}}},
    ]
    message = {"role": "assistant", "content": content}
    return {"output": {"message": message}, "stopReason": "tool_use"}


def gemini_answer(n: int) -> Body:
    call = {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": f"signedG{n:05}"}
    parts = [{"text": f"hm {n}", "thought": True}, {"text": f"said {n}"}, call]
    content = {"role": "model", "parts": parts}
    return {"responseId": f"r{n}", "candidates": [{"finishReason": "STOP", "content": content}]}


def cohere_answer(n: int) -> Body:
    call = {"id": f"f_{n}.x", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    content = [{"type": "thinking", "thinking": f"hm {n}"}, {"type": "text", "text": f"said {n}"}]
    message = {"role": "assistant", "content": content, "tool_calls": [call]}
    return {"id": f"c{n}", "finish_reason": "TOOL_CALL", "message": message}


HOSTS: dict[str, Callable[[int], Body]] = {
    "responses": responses_answer,
    "anthropic": anthropic_answer,
    "gemini": gemini_answer,
    "bedrock": bedrock_answer,
    "cohere": cohere_answer,
}
MARKS = {"responses": "signed-responses", "anthropic": "signed-anthropic", "gemini": "signedG"}
SIGNED_BY = {"bedrock": "anthropic"}
"""A host -> whose signatures it takes and gives."""


def answers(hosts: Sequence[str]) -> list[Answer]:
    return [
        DIALECTS[host].answer(json.dumps(HOSTS[host](n)).encode()) for n, host in enumerate(hosts)
    ]


def in_chat(turns: Sequence[Answer]) -> ChatCall:
    messages: list[Any] = [USER]
    for answer in turns:
        message = json.loads(msgspec.json.encode(answer.choices[0].message))
        id_ = message["tool_calls"][0]["id"]
        messages += [
            {**message, "role": "assistant"},
            {"role": "tool", "tool_call_id": id_, "content": "ok"},
        ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": PARAMETERS}}]
    body = {"model": "m", "messages": messages, "tools": tools, "reasoning": {"effort": "high"}}
    return parse_chat(json.dumps(body | {"max_tokens": 9000}).encode())


def in_messages(turns: Sequence[Answer]) -> ChatCall:
    messages: list[Any] = [USER]
    for answer in turns:
        blocks = json.loads(msgspec.json.encode(blocks_of(told(), answer.choices[0])))
        result = {"type": "tool_result", "tool_use_id": blocks[-1]["id"], "content": "ok"}
        messages += [
            {"role": "assistant", "content": blocks}, {"role": "user", "content": [result]},
        ]  # fmt: skip
    body = {"model": "m", "messages": messages, "max_tokens": 9000}
    body |= {"tools": [{"name": "f", "input_schema": PARAMETERS}]}
    body |= {"thinking": {"type": "enabled", "budget_tokens": 2000}}
    return MESSAGES.parse(json.dumps(body).encode(), {})


def in_responses(turns: Sequence[Answer]) -> ChatCall:
    found: list[Any] = [{"type": "message", **USER}]
    asked = asked_in_responses.call(include=["reasoning.encrypted_content"])
    for answer in turns:
        hub = structs.replace(answer, native=None)
        body = json.loads(RESPONSES.answer(asked_in_responses.told(asked), hub, SPENT, b""))
        id_ = body["output"][-1]["call_id"]
        result = {"type": "function_call_output", "call_id": id_, "output": "ok"}
        found += [*body["output"], result]
    tools = [{"type": "function", "name": "f", "parameters": PARAMETERS, "strict": False}]
    whole = {"model": "m", "input": found, "tools": tools, "reasoning": {"effort": "high"}}
    return RESPONSES.parse(json.dumps(whole | {"max_output_tokens": 9000}).encode(), {})


CLIENTS = [in_chat, in_messages, in_responses]


def sent_to(host: str, call: ChatCall) -> Outgoing:
    """Have a call put into a host's words, and looked at by its own types where there are some."""
    if host == "responses":
        outgoing = responses_calls.write(call, openai_calls.endpoint(*SUPPORTS))
        responses_calls.sent(outgoing)
    elif host == "anthropic":
        at = anthropic_calls.endpoint(anthropic_calls.MODEL, *SUPPORTS)
        outgoing = anthropic_calls.write(call, at)
        anthropic_calls.sent(outgoing)
    elif host == "gemini":
        at = gemini_calls.endpoint("gemini-3-pro-preview", *SUPPORTS)
        row = gemini_calls.provider()
        outgoing = DIALECTS["gemini"].request(call, at, row)
    elif host == "bedrock":
        at = bedrock_calls.endpoint(bedrock_calls.CLAUDE, *SUPPORTS)
        outgoing = bedrock_calls.write(call, at)
    else:
        outgoing = cohere_calls.write(call, cohere_calls.endpoint(*SUPPORTS))
    return outgoing


@pytest.mark.parametrize("client", CLIENTS)
@given(
    hosts=st.lists(st.sampled_from([*HOSTS]), min_size=1, max_size=6),
    host=st.sampled_from([*HOSTS]),
)
def test_signatures_go_where_they_belong_and_nothing_is_lost(
    client: Callable[[Sequence[Answer]], ChatCall], hosts: list[str], host: str
) -> None:
    outgoing = sent_to(host, client(answers(hosts)))
    body = outgoing.body.decode()
    for n, before in enumerate(hosts):
        assert f"said {n}" in body
        signer = SIGNED_BY.get(before, before)
        own = signer == SIGNED_BY.get(host, host)
        if signer in MARKS:
            mark = {"gemini": f"signedG{n:05}", "bedrock": f"signed-anthropic-b{n}"}.get(
                before, f"{MARKS[signer]}-{n}"
            )
            assert (mark in body) is own, (before, mark)
    assert "dm1." not in body
    assert "openrouter.reasoning" not in body
    assert body.count('"ok"') >= len(hosts)
    foreign = {SIGNED_BY.get(each, each) for each in hosts} - {SIGNED_BY.get(host, host)}
    if foreign - {"cohere"} and client is in_chat:
        assert "messages.reasoning_details" in {note.field for note in outgoing.notes}
