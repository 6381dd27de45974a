"""Laws: what a model said comes back to it as it was; streams say what whole answers say."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from dragoman.providers.gemini.answers import GeminiDecoder, read_answer
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Text
from tests.providers import gemini_calls as gemini

SAID = st.text(min_size=1, max_size=20)
SIGNATURES = st.sampled_from(["AAEC", "CiQBcsjafKVx"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=6,
)
ARGS = st.dictionaries(st.text(max_size=6), VALUES, max_size=3)


@st.composite
def messages(draw: st.DrawFn) -> dict[str, Any]:
    """Draw a message of a model: thoughts, then text, then calls, signed as Gemini signs."""
    details: list[dict[str, Any]] = []
    said: dict[str, Any] = {"role": "assistant"}
    for thought in draw(st.lists(SAID, max_size=2)):
        detail = {"type": "reasoning.text", "text": thought, "format": "google-gemini-v1"}
        details.append({**detail, "signature": draw(SIGNATURES), "index": len(details)})
    text = draw(st.none() | SAID)
    if text is not None:
        said["content"] = text
    calls = []
    for number in range(draw(st.integers(0 if said.get("content") else 1, 3))):
        function = {"name": draw(st.sampled_from("fg")), "arguments": json.dumps(draw(ARGS))}
        calls.append({"id": f"fc{number}", "type": "function", "function": function})
    encrypted = {"type": "reasoning.encrypted", "format": "google-gemini-v1"}
    if calls:
        said["tool_calls"] = calls
        if draw(st.booleans()):
            signed = {**encrypted, "data": draw(SIGNATURES), "id": "fc0", "index": len(details)}
            details.append(signed)
    elif draw(st.booleans()):
        details.append({**encrypted, "data": draw(SIGNATURES), "id": None, "index": len(details)})
    if details:
        said["reasoning_details"] = details
        if thoughts := "".join(each.get("text", "") for each in details):
            said["reasoning"] = thoughts
    return said


def compact(message: dict[str, Any]) -> dict[str, Any]:
    """Return a message whose arguments are values, for their white space may differ."""
    calls = [
        {
            **call,
            "function": {
                **call["function"],
                "arguments": json.loads(call["function"]["arguments"]),
            },
        }
        for call in message.get("tool_calls", ())
    ]
    return {**message, "role": "assistant", "tool_calls": calls}


@given(messages())
@settings(max_examples=200, deadline=None)
def test_what_a_model_said_goes_there_and_comes_back_as_it_was(message: dict[str, Any]) -> None:
    outgoing = gemini.write({"messages": [gemini.HELLO, message]}, "gemini-2.5-flash")
    parts = gemini.sent(outgoing)["contents"][1]["parts"]
    answer = read_answer(gemini.event(*parts, finish="STOP"))
    assert compact(gemini.plain(answer.choices[0].message)) == compact(message)
    assert gemini.noted(outgoing) == []


PARTS = st.one_of(
    SAID.map(lambda text: {"text": text}),
    SAID.map(lambda text: {"text": text, "thought": True}),
    st.tuples(SAID, SIGNATURES).map(
        lambda pair: {"text": pair[0], "thought": True, "thoughtSignature": pair[1]}
    ),
    SIGNATURES.map(lambda signature: {"text": "", "thoughtSignature": signature}),
    ARGS.map(lambda args: {"functionCall": {"name": "f", "args": args}}),
    st.just({"inlineData": {"mimeType": "image/png", "data": "AAEC"}}),
)


@given(st.lists(st.lists(PARTS, max_size=3), min_size=1, max_size=6))
@settings(max_examples=200, deadline=None)
def test_a_stream_says_what_the_whole_answer_says(events: list[list[Any]]) -> None:
    decoder, gathering = GeminiDecoder(), Gathering()
    for number, parts in enumerate(events):
        last = "STOP" if number == len(events) - 1 else None
        chunk = decoder.feed(gemini.event(*parts, finish=last))
        if isinstance(chunk, Text):
            gathering.hear(chunk)
        elif chunk is not None:
            gathering.see(chunk)
    together = [part for parts in events for part in parts]
    at_once = read_answer(gemini.event(*together, finish="STOP")).choices[0]
    streamed = gathering.answer().choices[0]
    assert {**gemini.plain(at_once.message), "role": ""} == {
        **gemini.plain(streamed.message),
        "role": "",
    }
    assert streamed.finish_reason == at_once.finish_reason


@given(st.binary(max_size=200))
@settings(max_examples=300, deadline=None)
def test_any_bytes_are_read_or_a_value_error(data: bytes) -> None:
    for read in (GeminiDecoder().feed, read_answer):
        with suppress(ValueError):
            read(data)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            [
                "candidates", "content", "parts", "text", "thought", "thoughtSignature", "index",
                "functionCall", "name", "args", "id", "inlineData", "mimeType", "data", "error",
                "finishReason", "usageMetadata", "promptTokenCount", "promptFeedback",
                "blockReason", "groundingMetadata", "groundingChunks", "logprobsResult",
            ]
        ),
        inner,
        max_size=4,
    ),
    max_leaves=15,
)  # fmt: skip


@given(JSON)
@settings(max_examples=300, deadline=None)
def test_any_json_is_read_or_a_value_error(value: Any) -> None:
    data = json.dumps(value).encode()
    for read in (GeminiDecoder().feed, read_answer):
        with suppress(ValueError):
            read(data)
