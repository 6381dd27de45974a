"""Streams of the Responses API as clients get them: OpenAI's own types are the oracle."""

import json
import tracemalloc
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw
from openrouter.components import OpenResponsesResult

from dragoman.core.errors import (
    ContextTooLong,
    GatewayError,
    Internal,
    ProviderTimeout,
    RateLimited,
)
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Chunk, Piece, Text
from dragoman.wire.responses.dialect import RESPONSES
from dragoman.wire.responses.message_item import PAGE
from dragoman.wire.responses.thoughts import unseal
from tests.wire.responses_calls import GENERATION, SPENT, call, told
from tests.wire.responses_events import STOPPED, accumulated, delta, fragment, kinds, read, write

TOOLS = [
    {"type": "function", "name": "f", "parameters": {"type": "object"}},
    {
        "type": "namespace",
        "name": "ns",
        "description": "",
        "tools": [{"type": "function", "name": "g"}],
    },
    {"type": "custom", "name": "patch"},
    {"type": "local_shell"},
    {"type": "shell"},
    {"type": "apply_patch"},
]  # fmt: skip
ENCRYPTED = ["reasoning.encrypted_content"]


def test_a_text_is_told_in_order() -> None:
    events = write(call(), delta(role="assistant", content=""), Text(0, b'"He"'), Text(0, b'"llo"'))
    assert kinds(events) == [
        "created", "in_progress", "output_item.added", "content_part.added", "output_text.delta",
        "output_text.delta", "output_text.done", "content_part.done", "output_item.done",
        "completed",
    ]  # fmt: skip
    last = events[-1]["response"]
    assert (last["id"], last["model"], last["provider"]) == (GENERATION, "acme/turbo", "Acme")
    assert last["usage"] == {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 21,
        "cost": 0.25,
        "is_byok": False,
        "cost_details": {
            "upstream_inference_cost": 0.25,
            "upstream_inference_input_cost": 0.1,
            "upstream_inference_output_cost": 0.15,
        },
    }
    assert accumulated(events).output_text == "Hello"
    OpenResponsesResult.model_validate(last)


def test_the_choice_that_speaks_first_is_told_alone() -> None:
    other = Chunk(pieces=(Piece(index=0, delta={"content": Raw(b'"no"')}),))
    events = write(call(), Text(1, b'"He"'), Text(0, b'"no"'), other, Text(1, b'"llo"'))
    assert accumulated(events).output_text == "Hello"


def test_how_the_choice_ended_that_is_told_is_how_the_response_ended() -> None:
    writer = RESPONSES.writer(told(call()))
    writer.chunk(
        first := Chunk(pieces=(Piece(index=1, delta={"content": Raw(b'"a"')}),)), first.pieces
    )
    ends = STOPPED | {1: Piece(index=1, delta={}, finish_reason="length")}
    assert b'"status":"incomplete"' in writer.end(ends, SPENT, b"")


def test_what_was_asked_for_is_said_back() -> None:
    asked = call(instructions="Be kind.", tools=TOOLS[:1], temperature=0.5, metadata={"a": "b"})
    for event in (write(asked, Text(0, b'"x"'))[n] for n in (0, 1, -1)):
        found = event["response"]
        assert (found["instructions"], found["temperature"]) == ("Be kind.", 0.5)
        assert (found["tools"], found["metadata"], found["store"]) == (TOOLS[:1], {"a": "b"}, False)


def test_what_was_asked_for_on_many_lines_is_said_back_on_one() -> None:
    body = b'{"model":"m","input":"x",\n"tools":[\n {"type":"function",\r\n"name":"f"}]}'
    write(RESPONSES.parse(body, {}), Text(0, b'"x"'))


def test_items_of_all_kinds() -> None:
    events = write(
        call(tools=TOOLS, include=ENCRYPTED),
        delta(reasoning="hm", reasoning_details=[{"type": "reasoning.text", "text": "hm",
                                                  "format": "anthropic-claude-v1", "index": 0}]),
        delta(reasoning_details=[{"type": "reasoning.text", "signature": "S", "index": 0,
                                  "format": "anthropic-claude-v1"}]),
        Text(0, b'"So."'),
        delta(annotations=[{"type": "url_citation", "url_citation": {
            "url": "http://x", "title": "X", "start_index": 0, "end_index": 2}}]),
        delta(refusal="No."),
        delta(images=[{"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBO"}}]),
        delta(tool_calls=[fragment(0, "f"), fragment(1, "ns__g", '{"b":')]),
        delta(tool_calls=[fragment(0, arguments='{"a":'), fragment(1, arguments="2}")]),
        delta(tool_calls=[fragment(0, arguments="1}")]),
        delta(tool_calls=[fragment(2, "patch", '{"input":"*** x"}')]),
        delta(tool_calls=[fragment(3, "local_shell", '{"command":["ls"]}')]),
        delta(tool_calls=[fragment(4, "shell", '{"commands":["ls"],"timeout_ms":5}')]),
        delta(tool_calls=[fragment(5, "apply_patch", '{"type":"delete_file","path":"a"}')]),
        finish="tool_calls",
    )  # fmt: skip
    items = events[-1]["response"]["output"]
    assert [item["type"] for item in items] == [
        "reasoning", "message", "image_generation_call", "function_call", "function_call",
        "custom_tool_call", "local_shell_call", "shell_call", "apply_patch_call",
    ]  # fmt: skip
    thought, said, image, first, second, patch, local, shell, applied = items
    assert thought["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert (thought["signature"], thought["format"]) == ("S", "anthropic-claude-v1")
    assert unseal(thought["encrypted_content"]) == [
        {"type": "reasoning.text", "text": "hm", "signature": "S", "format": "anthropic-claude-v1"}
    ]
    assert [part["type"] for part in said["content"]] == ["output_text", "refusal"]
    assert said["content"][0]["annotations"][0]["url"] == "http://x"
    assert image["result"] == "iVBO"
    assert (first["name"], first["arguments"], first["call_id"]) == ("f", '{"a":1}', "call_0")
    assert (second["namespace"], second["name"], second["arguments"]) == ("ns", "g", '{"b":2}')
    assert (patch["name"], patch["input"]) == ("patch", "*** x")
    assert local["action"] == {"type": "exec", "command": ["ls"], "env": {}}
    assert shell["action"] == {"commands": ["ls"], "timeout_ms": 5}
    assert applied["operation"] == {"type": "delete_file", "path": "a"}
    done = {e["output_index"]: e["item"] for e in events if e["type"].endswith("item.done")}
    assert [done[n] for n in range(len(items))] == items
    added = [e["output_index"] for e in events if e["type"].endswith("item.added")]
    assert sorted(added) == list(range(len(items)))


def test_summaries_are_told_part_by_part() -> None:
    shared = {"type": "reasoning.summary", "format": "openai-responses-v1", "id": "rs_9"}
    data = {"type": "reasoning.encrypted", "data": "gA", "format": "openai-responses-v1"}
    events = write(
        call(include=ENCRYPTED),
        delta(reasoning="a", reasoning_details=[{**shared, "summary": "a", "index": 0}]),
        delta(reasoning="b", reasoning_details=[{**shared, "summary": "b", "index": 0}]),
        delta(reasoning="c", reasoning_details=[{**shared, "summary": "c", "index": 1}]),
        delta(reasoning_details=[{**data, "id": "rs_9", "index": 2}]),
        Text(0, b'"x"'),
    )
    thought = events[-1]["response"]["output"][0]
    assert thought == {
        "type": "reasoning",
        "id": "rs_9",
        "summary": [{"type": "summary_text", "text": t} for t in ("ab", "c")],
        "encrypted_content": "gA",
        "format": "openai-responses-v1",
        "status": "completed",
    }
    assert kinds(events)[2:9] == [
        "output_item.added", "reasoning_summary_part.added", "reasoning_summary_text.delta",
        "reasoning_summary_text.delta", "reasoning_summary_text.done",
        "reasoning_summary_part.done", "reasoning_summary_part.added",
    ]  # fmt: skip


def test_thoughts_that_were_signed_apart_are_items_apart() -> None:
    def signed(index: int) -> Chunk:
        detail = {"type": "reasoning.text", "text": "t", "signature": "S", "index": index}
        return delta(reasoning_details=[detail])

    hidden = {"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1"}
    events = write(call(), signed(0), signed(1), delta(reasoning_details=[hidden]))
    assert [item["type"] for item in events[-1]["response"]["output"]] == ["reasoning"] * 3


def test_reasoning_that_is_text_only() -> None:
    events = write(call(), delta(reasoning="h"), delta(reasoning="m"), Text(0, b'"x"'))
    thought = events[-1]["response"]["output"][0]
    assert thought["content"] == [{"type": "reasoning_text", "text": "hm"}]
    assert "encrypted_content" not in thought


def test_probabilities() -> None:
    token = {"token": "Hi", "logprob": -0.5, "bytes": [72, 105], "top_logprobs": []}
    logprobs = Raw(json.dumps({"content": [token], "refusal": None}).encode())
    piece = Piece(index=0, delta={"content": Raw(b'"Hi"')}, logprobs=logprobs)
    events = write(call(top_logprobs=1), Chunk(pieces=(piece,)), Text(0, b'"!"'))
    assert events[4]["logprobs"] == [token]
    part = events[-1]["response"]["output"][0]["content"][0]
    assert (part["text"], part["logprobs"]) == ("Hi!", [token])


@pytest.mark.parametrize(
    ("finish", "status", "reason"),
    [
        ("stop", "completed", None),
        ("tool_calls", "completed", None),
        ("length", "incomplete", "max_output_tokens"),
        ("content_filter", "incomplete", "content_filter"),
    ],
)
def test_how_a_response_ends(finish: str, status: str, reason: str | None) -> None:
    events = write(call(), Text(0, b'"x"'), finish=finish)
    last = events[-1]["response"]
    assert (events[-1]["type"], last["status"]) == (f"response.{status}", status)
    assert last["output"][0]["status"] == status
    assert last["incomplete_details"] == (None if reason is None else {"reason": reason})


def test_an_answer_of_nothing_is_a_response() -> None:
    assert kinds(write(call())) == ["created", "in_progress", "completed"]


def test_routing_and_debug() -> None:
    asked = call()
    writer = RESPONSES.writer(told(asked))
    data = writer.debug(b'{"model":\n"x"}', told(asked).stamp) + writer.text(Text(0, b'"x"'))
    events = read(data + writer.end(STOPPED, SPENT, b',"openrouter_metadata":{"a":1}'))
    assert all("usage" not in event["response"] for event in events[:2])
    assert events[2]["debug"] == {"echo_upstream_body": {"model": "x"}}
    assert events[-1]["response"]["openrouter_metadata"] == {"a": 1}


@pytest.mark.parametrize(
    ("error", "code", "words"),
    [
        (ProviderTimeout("too late"), "server_error", "too late"),
        (RateLimited("slow down"), "rate_limit_exceeded", "slow down"),
        (Internal("secret"), "server_error", "Internal Server Error"),
    ],
)
@pytest.mark.parametrize("native", [False, True])
def test_errors_fail_the_response(error: GatewayError, code: str, words: str, native: bool) -> None:  # noqa: FBT001 - a parameter of a test
    writer = RESPONSES.writer(told(call(), native=native))
    data = b"" if native else writer.text(Text(0, b'"x"'))
    last = read(data + writer.error(error, SPENT, b""))[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"] == {"code": code, "message": words}
    assert last["response"]["error_type"] == error.type
    assert last["response"]["usage"]["cost"] == 0.25
    OpenResponsesResult.model_validate(last["response"])


def test_an_error_before_anything_was_said_begins_the_response() -> None:
    writer = RESPONSES.writer(told(call()))
    events = read(writer.error(ProviderTimeout("x"), None, b""))
    assert kinds(events) == ["created", "in_progress", "failed"]


@pytest.mark.parametrize("native", [False, True])
def test_too_long_a_conversation_is_an_incomplete_response(native: bool) -> None:  # noqa: FBT001 - a parameter of a test
    writer = RESPONSES.writer(told(call(), native=native))
    last = read(writer.error(ContextTooLong("too long"), None, b""))[-1]
    assert last["type"] == "response.incomplete"
    assert last["response"]["incomplete_details"] == {"reason": "max_output_tokens"}


@pytest.mark.parametrize("native", [False, True])
def test_codex_is_told_in_words_that_it_knows(native: bool) -> None:  # noqa: FBT001 - a parameter of a test
    asked = call(headers={b"originator": b"codex_exec"})
    writer = RESPONSES.writer(told(asked, native=native))
    last = read(writer.error(ContextTooLong("too long"), None, b""))[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["error"]["code"] == "context_length_exceeded"


@pytest.mark.parametrize(
    "members",
    [
        {"tool_calls": 7},
        {"tool_calls": [7]},
        {"tool_calls": [{"index": 0, "function": {"arguments": "x"}}]},
        {"reasoning_details": "x"},
        {"reasoning_details": [{"type": "reasoning.server_tool_call"}]},
        {"annotations": "x"},
        {"annotations": [{"type": "file_citation", "file_citation": {}}]},
        {"images": 7},
        {"content": 7},
        {"audio": {"id": "a"}},
    ],
)
def test_what_has_no_form_here_is_left_out(members: Any) -> None:
    events = write(call(), delta(**members), Text(0, b'"x"'))
    assert accumulated(events).output_text == "x"


@pytest.mark.parametrize("name", ["patch", "local_shell", "shell", "apply_patch", "f"])
@pytest.mark.parametrize("arguments", ["", "not json", "[1]", '{"x":1}', '{"command":"ls"}'])
def test_arguments_that_do_not_fit_are_told_as_they_are(name: str, arguments: str) -> None:
    events = write(call(tools=TOOLS), delta(tool_calls=[fragment(0, name, arguments)]))
    (item,) = events[-1]["response"]["output"]
    assert item.get("arguments", item.get("input")) == arguments


def test_arguments_that_are_no_text() -> None:
    piece = {"index": 0, "id": "c", "function": {"name": "f", "arguments": {"a": 1}}}
    events = write(call(tools=TOOLS), delta(tool_calls=[piece]))
    assert json.loads(events[-1]["response"]["output"][0]["arguments"]) == {"a": 1}


said = st.text(min_size=1, max_size=9)
deltas = st.lists(
    st.one_of(
        st.builds(lambda t: Text(0, json.dumps(t).encode()), said),
        st.builds(lambda t: delta(reasoning=t), said),
        st.builds(lambda t: delta(refusal=t), said),
        st.builds(
            lambda n, t: delta(tool_calls=[fragment(n, "f"), fragment(n, arguments=t)]),
            st.integers(0, 3),
            said,
        ),
    ),
    max_size=8,
)


@given(deltas)
def test_openais_client_reads_any_stream(chunks: list[Chunk | Text]) -> None:
    events = write(call(tools=TOOLS), *chunks)
    text = "".join(json.loads(each.content) for each in chunks if isinstance(each, Text))
    assert accumulated(events).output_text == text


@given(deltas)
def test_whole_answers_hold_what_streams_do(chunks: list[Chunk | Text]) -> None:
    gathering = Gathering()
    for chunk in chunks:
        gathering.hear(chunk) if isinstance(chunk, Text) else gathering.see(chunk)
    if not gathering.size:
        return
    asked = call(tools=TOOLS)
    whole = json.loads(RESPONSES.answer(told(asked), gathering.answer(), SPENT, b""))
    OpenResponsesResult.model_validate(whole)
    streamed = write(asked, *chunks)[-1]["response"]
    assert texts(whole) == texts(streamed)
    assert whole["usage"] == streamed["usage"]


def texts(whole: dict[str, Any]) -> dict[str, str]:
    """What a response says, by the way of saying it."""
    found: dict[str, str] = {}
    for item in whole["output"]:
        for part in item.get("content", []):
            value = part.get("text") or part.get("refusal") or ""
            found[part["type"]] = found.get(part["type"], "") + value
        if "arguments" in item:
            found[item["call_id"]] = item["arguments"]
    return found


def test_a_long_text_takes_little_more_memory_than_its_letters() -> None:
    writer = RESPONSES.writer(told(call()))
    words = [b'"%06d"' % n for n in range(20 * PAGE + 7)]
    tracemalloc.start()
    for word in words:
        writer.text(Text(0, word[:1] + word[1:]))  # a piece of its own, as the decoder's are
    kept_bytes, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    text = b"".join(word[1:-1] for word in words)
    assert kept_bytes < 3 * len(text)
    (part,) = json.loads(writer.end(STOPPED, SPENT, b"").split(b"\n\n")[-3][6:])["response"][
        "output"
    ][0]["content"]
    assert part["text"] == text.decode()
