"""Messages streams from the hub's form: blocks in order, one at a time, and what ends them."""

import json
from pathlib import Path
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent, Usage
from msgspec import Raw
from pydantic import TypeAdapter

from dragoman.core.errors import ProviderUnavailable
from dragoman.providers.openai.answers import OpenAiDecoder
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.anthropic.usage import usage_members
from dragoman.wire.hub import Choice, Chunk, Piece, Text
from dragoman.wire.sse import SseParser
from tests.wire.messages_told import SPENT, STAMP, events_of, gathered, message_of, told, written

GOLDEN = sorted((Path(__file__).parent / "golden/messages/streams").iterdir())
EVENT: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)


def chunks_of(upstream: bytes) -> list[Chunk | Text]:
    """Return what a stream in OpenAI's dialect is in the hub's form."""
    decoder = OpenAiDecoder()
    found = (decoder.feed(data) for data in SseParser().feed(upstream))
    return [chunk for chunk in found if chunk is not None]


def piece(finish: str | None = None, native: str | None = None, **delta: Any) -> Chunk:
    members = {name: Raw(json.dumps(value).encode()) for name, value in delta.items()}
    return Chunk(
        pieces=(
            Piece(
                index=0, delta=members, finish_reason=finish, native_finish_reason=native or finish
            ),
        )
    )


def call(index: int, arguments: str = "", **more: Any) -> dict[str, Any]:
    function = {"arguments": arguments, **more.pop("function", {})}
    return {"index": index, "function": function, **more}


def begins(index: int, name: str, arguments: str = "") -> dict[str, Any]:
    return call(index, arguments, id=f"call_{name}", type="function", function={"name": name})


def content(*chunks: Chunk | Text) -> Any:
    """Return the blocks that a stream adds up to; it is said alike whole."""
    streamed = message_of(written(chunks))
    return streamed["content"]


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_streams_as_they_were_checked_by_eye(case: Path) -> None:
    chunks = chunks_of((case / "upstream.sse").read_bytes())
    stream = written(chunks)
    assert stream == (case / "messages.sse").read_bytes()
    assert message_of(stream)


def test_a_stream_begins_with_all_that_the_types_promise() -> None:
    (first, *_) = events_of(written([piece(content="x"), piece("stop")]))
    begun = first["message"]
    assert set(Message.model_fields) - set(begun) == {"diagnostics"}  # of a beta
    assert set(Usage.model_fields) - set(begun["usage"]) == {"speed"}  # the same
    assert {n for n, count in begun["usage"].items() if count == 0} == {
        "input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
    }  # fmt: skip


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_the_official_types_take_every_event(case: Path) -> None:
    for event in events_of((case / "messages.sse").read_bytes()):
        shown = json.dumps(event)
        if '"type": "image"' not in shown:  # no model of Anthropic's answers with one
            EVENT.validate_python(event)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_whole_answers_say_what_streams_say(case: Path) -> None:
    chunks = chunks_of((case / "upstream.sse").read_bytes())
    whole = json.loads(MESSAGES.answer(told(), gathered(chunks), SPENT, b""))
    streamed = message_of(written(chunks))
    for block in whole["content"]:
        if block["type"] == "text":  # a list, for Vercel's provider; there, for OpenRouter's SDKs
            assert isinstance(block["citations"], list)
        if block.get("citations") == []:
            del block["citations"]
    assert sorted(map(json.dumps, streamed["content"])) == sorted(map(json.dumps, whole["content"]))
    for name in ("id", "model", "provider", "stop_reason", "stop_sequence", "role", "type"):
        assert streamed[name] == whole[name]
    assert streamed["usage"] == whole["usage"]
    if '"image"' not in json.dumps(whole["content"]):
        Message.model_validate(whole)


@pytest.mark.parametrize("case", GOLDEN, ids=lambda case: case.name)
def test_a_stream_does_not_depend_on_how_it_is_cut(case: Path) -> None:
    upstream = (case / "upstream.sse").read_bytes()
    parser, decoder = SseParser(), OpenAiDecoder()
    data = [each for byte in upstream for each in parser.feed(bytes([byte]))]
    chunks = [chunk for each in data if (chunk := decoder.feed(each)) is not None]
    assert written(chunks) == (case / "messages.sse").read_bytes()


def test_text_goes_out_as_it_came() -> None:
    writer = MESSAGES.writer(told())
    writer.text(Text(0, b'"a"'))
    assert writer.text(Text(0, b'"\\u00e9\\n"')) == (
        b'event: content_block_delta\ndata: {"type":"content_block_delta","index":0,'
        b'"delta":{"type":"text_delta","text":"\\u00e9\\n"}}\n\n'
    )


def test_the_choice_that_speaks_first_is_told_alone() -> None:
    assert content(Text(1, b'"yes"'), Text(0, b'"no"')) == [{"type": "text", "text": "yes"}]
    assert content(piece(content=""), Text(2, b'"yes"')) == [{"type": "text", "text": "yes"}]


def test_how_the_choice_ended_that_is_told_is_how_the_message_ended() -> None:
    writer = MESSAGES.writer(told())
    writer.text(Text(1, b'"a"'))
    ends = {
        0: Piece(index=0, delta={}, finish_reason="stop"),
        1: Piece(index=1, delta={}, finish_reason="length"),
    }
    assert b'"stop_reason":"max_tokens"' in writer.end(ends, SPENT, b"")


def test_an_answer_of_nothing_is_a_message() -> None:
    assert content() == []


def test_calls_that_come_at_once_are_told_one_after_the_other() -> None:
    found = content(
        piece(tool_calls=[begins(0, "a"), begins(1, "b")]),
        piece(tool_calls=[call(0, '{"x"'), call(1, '{"y":')]),
        piece(tool_calls=[call(1, "2}"), call(0, ":1}")]),
        piece("tool_calls"),
    )
    assert [(block["name"], block["input"]) for block in found] == [
        ("a", {"x": 1}),
        ("b", {"y": 2}),
    ]


def test_a_call_is_told_live_once_the_one_before_is_complete() -> None:
    writer = MESSAGES.writer(told())
    for chunk in (piece(tool_calls=[begins(0, "a", "{}")]), piece(tool_calls=[begins(1, "b")])):
        writer.chunk(chunk, chunk.pieces)
    more = piece(tool_calls=[call(1, '{"')])
    assert b'"partial_json":"{\\""' in writer.chunk(more, more.pieces)


def test_text_in_the_middle_of_a_call_waits_for_its_end() -> None:
    found = content(
        piece(tool_calls=[begins(0, "a", '{"x":')]),
        Text(0, b'"text"'),
        piece(tool_calls=[call(0, "1}")]),
        Text(0, b'" goes on"'),
        piece("tool_calls"),
    )
    assert [block["type"] for block in found] == ["tool_use", "text"]
    assert found[1]["text"] == "text goes on"
    assert found[0]["input"] == {"x": 1}


def test_what_waits_too_long_for_a_call_is_said() -> None:
    writer = MESSAGES.writer(told())
    begun = piece(tool_calls=[begins(0, "a", '{"x":')])
    writer.chunk(begun, begun.pieces)
    said = [writer.text(Text(0, b'"%b"' % (b"x" * 1000))) for _ in range(1000)]
    assert any(said)
    assert not any(said[:500])
    assert b"content_block_delta" in said[-1]


def test_calls_without_names_do_not_pile_up() -> None:
    many = [piece(tool_calls=[call(index, "x")]) for index in range(500) for _ in range(2)]
    assert content(*many, piece("stop", content="x")) == [{"type": "text", "text": "x"}]


def test_a_call_without_arguments_has_an_empty_input() -> None:
    (block,) = content(piece(tool_calls=[begins(0, "a")]), piece("tool_calls"))
    assert block["input"] == {}


def test_a_call_is_not_begun_before_its_name_is_known() -> None:
    (block,) = content(
        piece(tool_calls=[call(0, '{"x"', id="call_1")]),
        piece(tool_calls=[call(0, ":1}", function={"name": "late"})]),
        piece("tool_calls"),
    )
    assert (block["name"], block["input"]) == ("late", {"x": 1})


def test_a_call_without_an_id_gets_one() -> None:
    (block,) = content(piece(tool_calls=[call(0, "{}", function={"name": "f"})]))
    assert block["id"] == "toolu_abc_0"


def test_what_comes_of_a_call_after_its_end_is_not_told() -> None:
    found = content(
        piece(tool_calls=[begins(0, "a", "{}")]),
        Text(0, b'"x"'),
        piece(tool_calls=[call(0, "{}")]),
    )
    assert found[0]["input"] == {}
    assert [block["type"] for block in found] == ["tool_use", "text"]


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        ("{not json", {"INVALID_JSON": "{not json"}),
        ("[1]", {"INVALID_JSON": "[1]"}),
        ('"x"', {"INVALID_JSON": '"x"'}),
        ("", {}),
        ("null", {}),
        (" \n", {}),
        ("{" * 20_000, {"INVALID_JSON": "{" * 20_000}),
        ({"a": 1}, {"a": 1}),
        (None, {}),
        (7, {"INVALID_JSON": "7"}),
    ],
)
def test_arguments_that_are_no_object_are_shown_as_they_are(arguments: Any, shown: Any) -> None:
    calls = [{"id": "c", "function": {"name": "f", "arguments": arguments}}]
    message = {"tool_calls": Raw(json.dumps(calls).encode())}
    choice = Choice(index=0, message=message, finish_reason="stop", native_finish_reason="stop")
    answer = gathered(()).__class__(choices=(choice,))
    (block,) = json.loads(MESSAGES.answer(told(), answer, SPENT, b""))["content"]
    assert block["input"] == shown


DETAILS: list[tuple[list[dict[str, Any]], list[str]]] = [
    ([{"type": "reasoning.text", "text": "a", "index": 0}], ["thinking"]),
    ([{"type": "reasoning.text", "text": "a", "signature": "s", "format": "anthropic-claude-v1"}],
     ["thinking"]),
    ([{"type": "reasoning.encrypted", "data": "x", "format": "anthropic-claude-v1"}],
     ["redacted_thinking"]),
    ([{"type": "reasoning.summary", "summary": "a", "index": 0, "format": "openai-responses-v1"},
      {"type": "reasoning.encrypted", "data": "x", "id": "rs_1", "index": 0,
       "format": "openai-responses-v1"}], ["thinking", "redacted_thinking"]),
    ([{"type": "reasoning.text", "signature": "s", "format": "google-gemini-v1", "index": 1}],
     ["thinking"]),
    ([{"type": "reasoning.text", "text": "a", "index": 0},
      {"type": "reasoning.text", "text": "b", "index": 1}], ["thinking", "thinking"]),
    ([{"type": "reasoning.server_tool_call", "tool_name": "x"}], []),
    ([{"text": ["no text"]}], []),
]  # fmt: skip


@pytest.mark.parametrize(("details", "kinds"), DETAILS)
def test_reasoning_becomes_blocks(details: list[dict[str, Any]], kinds: list[str]) -> None:
    found = content(piece(reasoning_details=details), piece("stop", content="x"))
    assert [block["type"] for block in found] == [*kinds, "text"]


@pytest.mark.parametrize("delta", [
    {"tool_calls": "x"}, {"tool_calls": [1]}, {"reasoning_details": 5}, {"content": 5},
    {"images": {}}, {"annotations": [{"url_citation": 3}]}, {"reasoning": ["x"]},
    {"tool_calls": [{"index": 0, "function": {"name": 1}}]},
])  # fmt: skip
def test_what_is_no_delta_is_left_out(delta: dict[str, Any]) -> None:
    assert content(piece(**delta), piece("stop", content="x")) == [{"type": "text", "text": "x"}]


ENDS: list[tuple[str, str | None, bool, str]] = [
    ("stop", "stop", False, "end_turn"),
    ("length", "length", False, "max_tokens"),
    ("length", "MAX_TOKENS", False, "max_tokens"),
    ("length", "model_context_window_exceeded", False, "model_context_window_exceeded"),
    ("tool_calls", "tool_calls", True, "tool_use"),
    ("stop", "stop", True, "tool_use"),
    ("length", "length", True, "max_tokens"),
    ("content_filter", "content_filter", False, "refusal"),
    ("stop", "STOP_SEQUENCE", False, "stop_sequence"),
    ("stop", None, False, "end_turn"),
    ("odd", "odd", False, "end_turn"),
]


@pytest.mark.parametrize(("finish", "native", "called", "reason"), ENDS)
def test_why_an_answer_ended(finish: str, native: str | None, reason: str, *, called: bool) -> None:
    says = piece(tool_calls=[begins(0, "f", "{}")]) if called else piece(content="x")
    message = message_of(written([says, piece(finish, native)]))
    assert message["stop_reason"] == reason


def test_the_sequence_that_ended_an_answer_is_told_if_there_was_but_one() -> None:
    ending = [piece(content="x"), piece("stop", "stop_sequence")]
    assert message_of(written(ending, told(stop_sequences=["END"])))["stop_sequence"] == "END"
    assert message_of(written(ending, told(stop_sequences=["a", "b"])))["stop_sequence"] is None
    assert message_of(written(ending))["stop_sequence"] is None


def test_usage_is_anthropics_with_the_cost() -> None:
    usage = message_of(written([piece("stop", content="x")]))["usage"]
    assert usage == {
        "input_tokens": 60, "output_tokens": 50, "cache_read_input_tokens": 30,
        "cache_creation_input_tokens": 10,
        "cache_creation": {"ephemeral_5m_input_tokens": 6, "ephemeral_1h_input_tokens": 4},
        "output_tokens_details": {"thinking_tokens": 20}, "server_tool_use": None,
        "inference_geo": None, "service_tier": None, "cost": 0.5, "is_byok": False,
        "cost_details": {"upstream_inference_cost": 0.4, "upstream_inference_prompt_cost": 0.1,
                         "upstream_inference_completions_cost": 0.3},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("tier", "named"), [("default", "standard"), ("priority", "priority"), ("flex", "flex")]
)
def test_the_tier_that_served_has_anthropics_name(tier: str, named: str) -> None:
    assert json.loads(bytes(usage_members(SPENT, {}, tier=tier)["service_tier"])) == named


def test_routing_stands_in_the_last_event() -> None:
    writer = MESSAGES.writer(told())
    end = Piece(index=0, delta={}, finish_reason="stop")
    stream = writer.end({0: end}, SPENT, b',"openrouter_metadata":{"a":1}')
    assert events_of(stream)[-1] == {"type": "message_stop", "openrouter_metadata": {"a": 1}}


def test_a_stream_that_breaks_ends_in_an_error_event() -> None:
    writer = MESSAGES.writer(told())
    writer.text(Text(0, b'"x"'))
    stream = writer.error(ProviderUnavailable("gone"), SPENT, b',"openrouter_metadata":{}')
    assert stream == (
        b'event: error\ndata: {"type":"error","error":{"type":"api_error","message":"gone",'
        b'"error_type":"provider_unavailable"},"request_id":"' + STAMP.id.encode() + b'",'
        b'"openrouter_metadata":{}}\n\n'
    )


def test_an_echo_has_no_name_and_one_line() -> None:
    event = MESSAGES.writer(told()).debug(b'{"a":\n1}', STAMP)
    assert event == b'data: {"type":"debug","debug":{"echo_upstream_body":{"a": 1}}}\n\n'
