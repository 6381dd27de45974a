"""Laws of Messages: no input is a defect, and reasoning comes back as it went out."""

import json
from contextlib import suppress
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.core.errors import GatewayError
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.anthropic.seal import PREFIX, seal, unseal
from dragoman.wire.hub import Chunk, Piece, Text
from tests.wire.messages_told import SPENT, gathered, message_of, parse, told, written

ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text(max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3)
    ),
    max_leaves=6,
)
KINDS = ("text", "image", "document", "search_result", "thinking", "redacted_thinking",
         "tool_use", "tool_result", "server_tool_use", "base64", "url", "content")  # fmt: skip
NAMES = ("text", "source", "data", "media_type", "url", "content", "id", "name", "input",
         "tool_use_id", "thinking", "signature", "title", "cache_control", "citations")  # fmt: skip
BLOCK = st.recursive(
    st.fixed_dictionaries(
        {"type": st.sampled_from(KINDS) | ANYTHING},
        optional={name: ANYTHING | st.text(max_size=4) for name in NAMES},
    ),
    lambda inner: st.fixed_dictionaries(
        {"type": st.sampled_from(KINDS)},
        optional={"source": inner, "content": st.lists(inner, max_size=2)},
    ),
    max_leaves=3,
)
TURN = st.fixed_dictionaries({
    "role": st.sampled_from(("user", "assistant", "system")),
    "content": st.text(max_size=5) | st.lists(BLOCK, max_size=3) | ANYTHING,
})  # fmt: skip
MEMBERS = ("system", "tools", "tool_choice", "thinking", "output_config", "metadata", "fallbacks",
           "stop_sequences", "max_tokens", "service_tier", "stream", "user", "models")  # fmt: skip
REQUEST = st.fixed_dictionaries(
    {"model": st.just("a/b"), "messages": st.lists(TURN, max_size=3) | ANYTHING},
    optional=dict.fromkeys(MEMBERS, ANYTHING),
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(REQUEST)
def test_a_request_is_read_or_refused(request: dict[str, Any]) -> None:
    with suppress(GatewayError):
        call = MESSAGES.parse(json.dumps(request).encode(), {})
        assert call.native is not None
        json.loads(bytes(call.native.members["messages"]))
        json.loads(bytes(call.members["messages"]))


DETAIL = st.fixed_dictionaries(
    {
        "type": st.sampled_from(("reasoning.text", "reasoning.summary")),
        "text": st.text(min_size=1, max_size=5),
        "index": st.integers(0, 3),
        "format": st.sampled_from(
            ("anthropic-claude-v1", "openai-responses-v1", "google-gemini-v1", "xai-responses-v1")
        ),
    },
    optional={"signature": st.text(min_size=1, max_size=5), "id": st.text(min_size=1, max_size=5)},
)


def as_hub(detail: dict[str, Any], index: int) -> dict[str, Any]:
    """Return a detail as an upstream may tell it, each of an index of its own."""
    detail = {**detail, "index": index}
    if detail["format"] == "anthropic-claude-v1":
        detail = {**detail, "type": "reasoning.text", "signature": "EqQB"}
        detail.pop("id", None)
    elif detail["type"] == "reasoning.summary":
        detail["summary"] = detail.pop("text")
    else:
        detail["signature"] = detail.get("signature", "s")
    return detail


@given(st.lists(DETAIL, min_size=1, max_size=4))
def test_reasoning_that_somebody_signed_comes_back_as_it_went_out(
    drawn: list[dict[str, Any]],
) -> None:
    details = [as_hub(detail, index) for index, detail in enumerate(drawn)]
    delta = {"reasoning_details": Raw(json.dumps(details).encode())}
    ending = Piece(index=0, delta={}, finish_reason="stop", native_finish_reason="stop")
    chunks = [Chunk(pieces=(Piece(index=0, delta=delta),)), Chunk(pieces=(ending,))]
    content = message_of(written(chunks))["content"]
    call = parse(messages=[{"role": "assistant", "content": content}])
    (again,) = json.loads(bytes(call.members["messages"]))
    assert again["reasoning_details"] == details


@given(st.dictionaries(st.sampled_from(("type", "format", "id", "signature", "data")), st.text()))
def test_a_seal_holds(detail: dict[str, str]) -> None:
    assert unseal(seal(detail)) == detail


@given(st.text() | st.binary().map(lambda data: data.hex()))
def test_a_broken_seal_says_nothing_or_a_detail(text: str) -> None:
    assert isinstance(unseal(PREFIX + text), dict)


MEMBER = ANYTHING | st.text(max_size=6)
DELTA = st.fixed_dictionaries({}, optional={
    "content": st.text(max_size=5) | MEMBER,
    "reasoning": st.text(max_size=5) | MEMBER,
    "refusal": MEMBER,
    "reasoning_details": MEMBER | st.lists(st.fixed_dictionaries({
        "type": st.sampled_from(("reasoning.text", "reasoning.encrypted", "x")),
    }, optional={"text": MEMBER, "index": MEMBER, "signature": MEMBER, "data": MEMBER})),
    "images": MEMBER,
    "annotations": MEMBER,
    "tool_calls": MEMBER | st.lists(st.fixed_dictionaries({}, optional={
        "index": st.integers(0, 2),
        "id": st.text(max_size=3),
        "function": st.fixed_dictionaries({}, optional={
            "name": st.sampled_from(("f", "g", "")),
            "arguments": st.sampled_from(('{"a":', "1}", "{}", "", "x")),
        }),
    }), max_size=3),
})  # fmt: skip


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(DELTA | st.text(min_size=1, max_size=5), max_size=8))
def test_any_deltas_make_a_stream_that_a_client_can_follow(deltas: list[Any]) -> None:
    chunks: list[Chunk | Text] = []
    for delta in deltas:
        if isinstance(delta, str):
            chunks.append(Text(0, json.dumps(delta).encode()))
        else:
            members = {name: Raw(json.dumps(value).encode()) for name, value in delta.items()}
            chunks.append(Chunk(pieces=(Piece(index=0, delta=members),)))
    stream = written(chunks)
    with suppress(json.JSONDecodeError):  # of arguments that never became JSON
        message_of(stream)
    MESSAGES.answer(told(), gathered(chunks), SPENT, b"")


ARGUMENTS = st.dictionaries(st.text(max_size=3), ANYTHING, max_size=3).map(json.dumps)


@given(st.data(), st.lists(ARGUMENTS, min_size=1, max_size=4))
def test_calls_are_whole_however_their_fragments_are_mixed(
    data: st.DataObject, calls: list[str]
) -> None:
    left = list(calls)
    chunks = []
    for index in range(len(calls)):
        begun = {"index": index, "id": f"c{index}", "function": {"name": f"f{index}"}}
        chunks.append([begun])
    while any(left):
        index = data.draw(st.sampled_from([i for i, text in enumerate(left) if text]))
        cut = data.draw(st.integers(1, len(left[index])))
        part, left[index] = left[index][:cut], left[index][cut:]
        chunks.append([{"index": index, "function": {"arguments": part}}])
    pieces = (
        Piece(index=0, delta={"tool_calls": Raw(json.dumps(each).encode())}) for each in chunks
    )
    content = message_of(written([Chunk(pieces=(piece,)) for piece in pieces]))["content"]
    found = {block["name"]: block["input"] for block in content}
    assert found == {f"f{index}": json.loads(text) for index, text in enumerate(calls)}
