"""Whole answers as messages: written from the hub's form, or the provider's own put right.

Shape: OpenRouter's schema `MessagesResult`: Anthropic's message, its `model` and `id` ours, with
`provider`, what it cost in `usage`, and the routing at the end.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from dragoman.wire.anthropic.content import (
    argument_text,
    calls_of,
    citations_of,
    details_of,
    image_blocks,
    input_of,
    redacted_of,
    signature_of,
    text_of,
)
from dragoman.wire.anthropic.usage import usage_members
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.hub import Answer, Choice, Members, Piece
from dragoman.wire.order import parts_of

STOP_REASONS: Mapping[str | None, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "tool_use",
    "function_call": "tool_use",
    "content_filter": "refusal",
}
NATIVE_REASONS = frozenset({
    "end_turn", "max_tokens", "stop_sequence", "tool_use", "pause_turn", "refusal",
    "model_context_window_exceeded", "compaction",
})  # fmt: skip
"""What providers of other APIs may say in Anthropic's words, or as good as."""

NULL = Raw(b"null")
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_stops = msgspec.json.Decoder(list[str]).decode


def message_body(told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
    """Return a whole message. `routing` is empty, or `,"name":value`, spliced in at the end."""
    if told.native and answer.native is not None:
        return _passed(told, answer.native, spent, routing)
    choice = answer.choices[0] if answer.choices else NO_CHOICE
    content = blocks_of(told, choice)
    called = any(block["type"] == "tool_use" for block in content)
    reason = stop_reason(choice.finish_reason, choice.native_finish_reason, called=called)
    body = {
        "id": told.stamp.id,
        "type": "message",
        "role": "assistant",
        "model": told.stamp.model,
        "provider": told.stamp.provider,
        "content": content,
        "stop_reason": reason,
        "stop_sequence": stop_sequence(told, reason),
        "stop_details": None,
        "container": None,
        "usage": usage_members(spent, {}, tier=answer.service_tier),
    }
    return _encode(body)[:-1] + routing + b"}"


NO_CHOICE = Choice(index=0, message={}, finish_reason="stop", native_finish_reason=None)


def blocks_of(told: Told, choice: Choice) -> list[dict[str, object]]:
    """Return what was said as blocks, in its order."""
    blocks: list[dict[str, object]] = []
    calls = 0
    for part in parts_of(choice):
        blocks += _thought(part)
        text = text_of(part, "content") + text_of(part, "refusal")
        if text:
            # OpenRouter's schema wants `citations` to be there, Vercel's a list: null will not do
            blocks.append({"type": "text", "text": text, "citations": citations_of(part)})
        blocks += image_blocks(part)
        for call in calls_of(part):
            blocks.append({
                "type": "tool_use",
                "id": call.id or call_id(told, calls),
                "name": call.function.name or "",
                "input": input_of(argument_text(call.function.arguments)),
            })  # fmt: skip
            calls += 1
    return blocks


def _thought(message: Members) -> list[dict[str, object]]:
    blocks: list[dict[str, object]] = []
    for each in details_of(message):
        detail = each.members()
        if each.type == "reasoning.encrypted":
            blocks.append({"type": "redacted_thinking", "data": redacted_of(detail)})
        elif (text := each.text or each.summary or "") or each.signature:
            signature = signature_of(detail)
            blocks.append({"type": "thinking", "thinking": text, "signature": signature})
    return blocks


def call_id(told: Told, number: int) -> str:
    """Return an id for a call whose provider gave none."""
    return f"toolu_{told.stamp.id.rpartition('-')[2]}_{number}"


def stop_reason(finish: str | None, native: str | None, *, called: bool) -> str:
    """Return why an answer ended. One with calls of tools ended in them, unless it was cut."""
    if native is not None and native.lower() in NATIVE_REASONS:
        return native.lower()
    reason = STOP_REASONS.get(finish, "end_turn")
    return "tool_use" if called and reason == "end_turn" else reason


def stop_sequence(told: Told, reason: str) -> str | None:
    """Return the sequence that ended an answer, where there is but one that can have."""
    if reason != "stop_sequence":
        return None
    sent = told.call.members.get("stop", NULL)
    try:
        sequences = _stops(sent)
    except msgspec.ValidationError:
        return None
    return sequences[0] if len(sequences) == 1 else None


def ended_by(told: Told, last: Piece, *, called: bool) -> Members:
    """Return the delta that says how a streamed answer ended."""
    reason = stop_reason(last.finish_reason, last.native_finish_reason, called=called)
    return {
        "stop_reason": Raw(_encode(reason)),
        "stop_sequence": Raw(_encode(stop_sequence(told, reason))),
        "stop_details": NULL,
        "container": NULL,
    }


def object_of(value: Raw | bytes | None) -> Members:
    """Return the members of an object, none if it is no object."""
    if value is None:
        return {}
    try:
        return _members(value)
    except (msgspec.MsgspecError, UnicodeError, RecursionError):
        return {}


def stamped(told: Told, message: Members) -> Members:
    """Return a provider's message with our id, and the names of model and provider."""
    return {
        **message,
        "id": Raw(_encode(told.stamp.id)),
        "model": Raw(_encode(told.stamp.model)),
        "provider": Raw(_encode(told.stamp.provider)),
    }


def _passed(told: Told, native: bytes, spent: Spent, routing: bytes) -> bytes:
    message = stamped(told, object_of(native))
    usage = usage_members(spent, object_of(message.get("usage")))
    message["usage"] = Raw(_encode(usage))
    return _encode(message)[:-1] + routing + b"}"
