"""Both sides of Messages: what a client says reaches a provider of the same API.

Through the hub's form, as where another provider comes first, what both can say is the same in the
end; as it came, the bytes are. Streams and whole answers come back as the provider sent them.
"""

import json
from collections.abc import Mapping
from typing import Any

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dragoman.providers.anthropic.dialect import AnthropicDialect
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.hub import Chunk, Text
from tests.providers.anthropic_calls import endpoint, provider
from tests.wire.messages_told import SPENT, events_of, message_of, parse, told, written

WORDS = st.text(min_size=1, max_size=8).filter(lambda text: bool(text.strip()))
IDS = st.from_regex(r"\Atoolu_[A-Za-z0-9]{1,6}\Z")
CACHE = st.fixed_dictionaries({}, optional={"cache_control": st.just({"type": "ephemeral"})})
JSON = st.dictionaries(WORDS, st.integers(-9, 9) | WORDS | st.lists(st.booleans(), max_size=2))

TEXTS = st.builds(lambda text, more: {"type": "text", "text": text, **more}, WORDS, CACHE)
SOURCES = st.sampled_from((
    {"type": "base64", "media_type": "image/png", "data": "aGk="},
    {"type": "url", "url": "https://example.com/a.png"},
))  # fmt: skip
IMAGES = st.builds(lambda src, more: {"type": "image", "source": src, **more}, SOURCES, CACHE)
PDFS = st.builds(
    lambda title, data, more: {
        "type": "document",
        "title": title,
        "source": {"type": "base64", "media_type": "application/pdf", "data": data},
        **more,
    },
    WORDS, st.just("JVBERi0="), CACHE,
)  # fmt: skip
RESULTS = st.builds(
    lambda id_, content: {"type": "tool_result", "tool_use_id": id_, "content": content},
    IDS, WORDS | st.lists(TEXTS | IMAGES, min_size=1, max_size=2),
)  # fmt: skip
USES = st.builds(
    lambda id_, input_: {"type": "tool_use", "id": id_, "name": "f", "input": input_}, IDS, JSON
)
THOUGHTS = st.builds(
    lambda text: {"type": "thinking", "thinking": text, "signature": "EqQB"}, WORDS
) | st.builds(lambda data: {"type": "redacted_thinking", "data": data}, WORDS)
USER = st.builds(
    lambda results, rest, last: [*results, *rest, last],
    st.lists(RESULTS, max_size=2), st.lists(TEXTS | IMAGES | PDFS, max_size=3), TEXTS,
)  # fmt: skip
ASSISTANT = st.builds(
    lambda thoughts, texts, uses, last: [*thoughts, *texts, *uses] or [last],
    st.lists(THOUGHTS, max_size=2), st.lists(TEXTS, max_size=2), st.lists(USES, max_size=2), TEXTS,
)  # fmt: skip
TURNS = st.lists(st.tuples(WORDS | USER, WORDS | ASSISTANT), max_size=3)
TOOLS = [
    {"name": "f", "description": "d", "input_schema": {"type": "object", "properties": {}}},
    {"name": "g", "input_schema": {"type": "object"}, "cache_control": {"type": "ephemeral"}},
]
CHOICES = st.sampled_from((
    {"type": "auto"}, {"type": "any", "disable_parallel_tool_use": True},
    {"type": "tool", "name": "g"}, {"type": "none"},
))  # fmt: skip


def sent(body: Mapping[str, Any], *, native: bool) -> Any:
    """Return what a provider is sent of a request, as it came or from the hub's form."""
    call = parse(**body)
    if not native:
        call = msgspec.structs.replace(call, native=None)
    return json.loads(AnthropicDialect().request(call, endpoint(), provider()).body)


def plain(content: Any) -> Any:
    """Return a content as blocks, each written in the one way that stands for all."""
    if isinstance(content, str):
        content = [{"type": "text", "text": content}]
    return [
        {**block, "content": plain(block["content"])} if "content" in block else block
        for block in content
    ]


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(turns=TURNS, last=USER, system=WORDS | st.lists(TEXTS, min_size=1, max_size=3))
def test_a_conversation_reaches_the_provider_through_the_hub(
    turns: list[tuple[Any, Any]], last: Any, system: Any
) -> None:
    messages = [
        message
        for asked, answered in turns
        for message in (
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answered},
        )
    ]
    messages.append({"role": "user", "content": last})
    found = sent({"messages": messages, "system": system}, native=False)
    assert plain(found["system"]) == plain(system)
    assert [(turn["role"], plain(turn["content"])) for turn in found["messages"]] == [
        (turn["role"], plain(turn["content"])) for turn in messages
    ]


@given(choice=CHOICES, stops=st.lists(WORDS, min_size=1, max_size=4))
def test_settings_reach_the_provider_through_the_hub(choice: Any, stops: list[str]) -> None:
    asked = {"tools": TOOLS, "tool_choice": choice, "stop_sequences": stops, "max_tokens": 77}
    found = sent(asked, native=False)
    assert {name: found[name] for name in asked} == asked


def test_a_budget_reaches_the_provider_through_the_hub() -> None:
    asked = {"thinking": {"type": "enabled", "budget_tokens": 2000}, "max_tokens": 5000}
    found = sent(asked, native=False)
    assert found["thinking"]["budget_tokens"] == 2000
    assert found["max_tokens"] == 5000


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(turns=TURNS, last=USER)
def test_a_request_reaches_the_provider_as_it_came(turns: list[tuple[Any, Any]], last: Any) -> None:
    messages = [
        message
        for asked, answered in turns
        for message in (
            {"role": "user", "content": asked},
            {"role": "assistant", "content": answered},
        )
    ]
    messages.append({"role": "user", "content": last})
    asked = {"messages": messages, "context_management": {"edits": []}, "made_up": [1]}
    found = sent(asked | {"provider": {"order": ["x"]}, "trace": {}}, native=True)
    assert {name: found[name] for name in asked} == asked
    assert "provider" not in found
    assert "trace" not in found


STREAM: list[Any] = [
    {"type": "message_start", "message": {"id": "msg_1", "type": "message", "role": "assistant",
     "model": "claude", "content": [], "stop_reason": None, "stop_sequence": None,
     "usage": {"input_tokens": 9, "output_tokens": 1}}},
    {"type": "content_block_start", "index": 0,
     "content_block": {"type": "thinking", "thinking": "", "signature": ""}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "thinking_delta", "thinking": "Hm."}},
    {"type": "content_block_delta", "index": 0,
     "delta": {"type": "signature_delta", "signature": "EqQB"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "content_block_start", "index": 1, "content_block": {"type": "text", "text": ""}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "Let "}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "me."}},
    {"type": "content_block_stop", "index": 1},
    {"type": "content_block_start", "index": 2,
     "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}}},
    {"type": "content_block_delta", "index": 2,
     "delta": {"type": "input_json_delta", "partial_json": '{"a": 1}'}},
    {"type": "content_block_stop", "index": 2},
    {"type": "message_delta", "delta": {"stop_reason": "tool_use", "stop_sequence": None},
     "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
]  # fmt: skip


def chunks() -> list[Chunk | Text]:
    decoder = AnthropicDialect().decoder()
    found = (decoder.feed(json.dumps(event).encode()) for event in STREAM)
    return [chunk for chunk in found if chunk is not None]


def test_a_stream_of_the_provider_passes_block_by_block() -> None:
    assert events_of(written(chunks(), told(native=True)))[1:-2] == STREAM[1:-2]


def test_a_stream_of_the_provider_is_the_same_through_the_hub() -> None:
    passed = message_of(written(chunks(), told(native=True)))
    translated = message_of(written(chunks(), told(native=False)))
    for name in ("content", "stop_reason", "stop_sequence", "id", "model"):
        assert translated[name] == passed[name]


def test_a_whole_answer_is_the_same_through_the_hub() -> None:
    body = {**STREAM[0]["message"], "stop_reason": "tool_use"}
    body["content"] = message_of(written(chunks(), told(native=True)))["content"]
    answer = AnthropicDialect().answer(json.dumps(body).encode())
    passed, translated = (
        json.loads(MESSAGES.answer(told(native=native), answer, SPENT, b""))
        for native in (True, False)
    )
    for block in translated["content"]:
        block.pop("citations", None)
    assert passed["content"] == translated["content"] == body["content"]
    assert passed["stop_reason"] == translated["stop_reason"]
