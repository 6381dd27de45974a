"""What a model thought, on its way back to Anthropic: as it was signed, and where it stood."""

from typing import Any

import pytest

from tests.providers.anthropic_calls import HI, call, called, messages, said, text, write

YES = {"role": "assistant", "content": "yes"}
SIGNED = {"type": "reasoning.text", "text": "hm", "signature": "s1", "index": 0,
          "format": "anthropic-claude-v1"}  # fmt: skip
HIDDEN = {"type": "reasoning.encrypted", "data": "d1", "index": 1, "format": "anthropic-claude-v1"}
THINKING = {"type": "thinking", "thinking": "hm", "signature": "s1"}
REDACTED = {"type": "redacted_thinking", "data": "d1"}


def thought(*details: dict[str, Any], **members: Any) -> list[dict[str, Any]]:
    """The blocks of an answer with these details and a text, as they are sent back."""
    told = {"role": "assistant", "content": "so", "reasoning_details": list(details), **members}
    found: list[dict[str, Any]] = messages(write(call(HI, told, HI, max_tokens=5)))[1]["content"]
    return found


def test_thoughts_go_back_as_they_were_signed() -> None:
    assert thought(SIGNED, HIDDEN) == [THINKING, REDACTED, text("so")]


def test_thoughts_go_back_to_their_places_among_the_blocks() -> None:
    second = {**SIGNED, "text": "aha", "signature": "s2", "index": 2}
    calls = [called("c1"), called("c2")]
    told = {"role": "assistant", "content": "so", "reasoning_details": [SIGNED, second],
            "tool_calls": calls}  # fmt: skip
    results = [{"role": "tool", "tool_call_id": each, "content": "x"} for each in ("c1", "c2")]
    found = messages(write(call(HI, told, *results, max_tokens=5)))[1]["content"]
    assert [block["type"] for block in found] == [
        "thinking", "text", "thinking", "tool_use", "tool_use",
    ]  # fmt: skip


def test_fragments_of_a_stream_are_put_together() -> None:
    assert thought(
        {"type": "reasoning.text", "text": "h", "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "text": "m", "index": 0, "format": "anthropic-claude-v1"},
        {"type": "reasoning.text", "signature": "s1", "index": 0, "format": "anthropic-claude-v1"},
        HIDDEN,
    ) == [THINKING, REDACTED, text("so")]


def test_fragments_keep_the_place_that_the_first_of_them_names() -> None:
    told = {"role": "assistant", "content": "so", "tool_calls": [called("c1")],
            "reasoning_details": [
                SIGNED,
                {"type": "reasoning.text", "text": "a", "index": 2},
                {"type": "reasoning.text", "text": "ha", "index": None, "format": None},
                {"type": "reasoning.text", "signature": "s2"},
            ]}  # fmt: skip
    result = {"role": "tool", "tool_call_id": "c1", "content": "x"}
    found = messages(write(call(HI, told, result, max_tokens=5)))[1]["content"]
    second = {"type": "thinking", "thinking": "aha", "signature": "s2"}
    assert found[:3] == [THINKING, text("so"), second]


@pytest.mark.parametrize("named", [{"index": 0}, {"index": None}])
def test_what_follows_a_signature_is_another_thought(named: dict[str, Any]) -> None:
    second = {**SIGNED, "text": "aha", "signature": "s2"}
    assert thought({**SIGNED, **named}, {**second, **named})[:2] == [
        THINKING,
        {"type": "thinking", "thinking": "aha", "signature": "s2"},
    ]


def test_a_thought_that_broke_off_is_not_joined_to_the_next() -> None:
    broken = {"type": "reasoning.text", "text": "broken off", "index": 1}
    assert thought(broken, SIGNED) == [THINKING, text("so")]
    assert thought(broken, {**HIDDEN, "index": None}) == [REDACTED, text("so")]


def test_a_thought_that_was_kept_back_still_has_its_signature() -> None:
    kept = {"type": "reasoning.text", "signature": "s1", "format": "anthropic-claude-v1"}
    assert thought(kept)[0] == {"type": "thinking", "thinking": "", "signature": "s1"}


@pytest.mark.parametrize(
    "detail",
    [
        {**SIGNED, "format": "openai-responses-v1"},
        {**SIGNED, "signature": None},
        {**SIGNED, "signature": ""},
        {**SIGNED, "signature": 7},
        {**HIDDEN, "format": "google-gemini-v1"},
        {**HIDDEN, "data": None},
        {"type": "reasoning.summary", "summary": "s", "format": "anthropic-claude-v1"},
        {},
    ],
)
def test_what_others_thought_stays_here_and_is_named(detail: dict[str, Any]) -> None:
    told = {"role": "assistant", "content": "so", "reasoning_details": [detail]}
    outgoing = write(call(HI, told, HI, max_tokens=5))
    assert messages(outgoing)[1]["content"] in ("so", [text("so")])
    assert said(outgoing) == ([("dropped", "messages.reasoning_details")] if detail else [])


def test_mere_reasoning_has_no_signature() -> None:
    for name in ("reasoning", "reasoning_content"):
        outgoing = write(call(HI, {**YES, name: "hm"}, HI, max_tokens=5))
        assert messages(outgoing)[1] == YES
        assert said(outgoing) == [("dropped", "messages.reasoning")]
