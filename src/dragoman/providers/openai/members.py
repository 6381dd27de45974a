"""A message or a delta as a provider wrote it, brought into the hub's form.

What hosts call reasoning, and where they put it, differs; the hub has
`reasoning` and `reasoning_details` (OpenRouter, reasoning-tokens), always both.
All other members stay as they came, bytes and all. Nulls mean nothing and go.
"""

import struct
from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.wire.hub import Members

NULL = Raw(b"null")

_LENGTH = frozenset({
    "length", "max_tokens", "max_output_tokens", "model_length", "model_context_window_exceeded",
})  # fmt: skip
_TOOL_CALLS = frozenset({"tool_calls", "tool_call", "tool_use", "function_call"})
_CONTENT_FILTER = frozenset({
    "content_filter", "safety", "recitation", "blocklist", "prohibited_content", "spii",
    "image_safety", "refusal", "sensitive", "guardrail_intervened",
})  # fmt: skip
_ERROR = frozenset({
    "error", "abort", "cancelled", "insufficient_system_resource", "network_error",
    "malformed_function_call", "error_toxic", "error_limit",
})  # fmt: skip

FINISH: Mapping[str, str] = {
    **dict.fromkeys(_LENGTH, "length"),
    **dict.fromkeys(_TOOL_CALLS, "tool_calls"),
    **dict.fromkeys(_CONTENT_FILTER, "content_filter"),
    **dict.fromkeys(_ERROR, "error"),
}
"""Finish reasons of all hosts -> OpenRouter's five (api_reference/overview). All others: stop."""


class _Part(Struct, frozen=True):
    """A part of a content that is a list. Mistral streams its reasoning as such parts."""

    type: str = ""
    text: str = ""
    thinking: Any = None


_parts = msgspec.json.Decoder(list[_Part]).decode
_encode = msgspec.json.Encoder().encode
first_byte = struct.Struct("B").unpack_from
"""Looks into a value without copying it: this runs for every event of every stream."""
_LIST = ord("[")


def finish(native: str, *, called: bool) -> str:
    """Return the hub's word for a provider's finish reason, which is not empty.

    `called`: the choice holds tool calls. Google then still says `stop`, and
    agents that wait for `tool_calls` would never act.
    """
    if native == "stop":
        return "tool_calls" if called else "stop"
    # Google writes the cause behind a colon: `content_filter: RECITATION`.
    reason = FINISH.get(native.lower().partition(":")[0], "stop")
    return "tool_calls" if called and reason == "stop" else reason


def check_end(reason: str, *, called: bool) -> None:
    """Raise ValueError where a stream ends in the hub's `tool_calls` and called no tool.

    That is what is left of calls that were lost: an agent would wait for them, or take the turn
    for a finished one.
    """
    if reason == "tool_calls" and not called:
        raise ValueError("an end that calls tools, and no call before it")


def tidy(members: Members) -> Members:
    """Return a message or delta in the hub's form; maybe the same object, maybe changed."""
    content = members.get("content", NULL)
    others = len(members) - ("role" in members)
    if others == 1 and content != NULL and first_byte(content)[0] != _LIST:
        if members.get("role") == NULL:
            del members["role"]
        return members
    kept = {name: value for name, value in members.items() if value != NULL}
    if "reasoning_content" in kept:
        kept.setdefault("reasoning", kept.pop("reasoning_content"))
    if content != NULL and first_byte(content)[0] == _LIST:
        _flatten(kept, content)
    if "reasoning" in kept:
        _detail(kept)
    return kept


def _detail(kept: Members) -> None:
    """Put the reasoning text beside itself as details, unless the provider gave details."""
    text = bytes(kept["reasoning"])
    if text == b'""':
        del kept["reasoning"]
    elif text[:1] == b'"' and "reasoning_details" not in kept:
        kept["reasoning_details"] = Raw(
            b'[{"type":"reasoning.text","text":%b,"format":"unknown","index":0}]' % text
        )


def _flatten(kept: Members, content: Raw) -> None:
    """Turn a content that is a list into the text and the reasoning it holds."""
    try:
        parts = _parts(content)
    except msgspec.ValidationError:
        return
    text = "".join(part.text for part in parts if part.type == "text")
    thinking = "".join(_thought(part.thinking) for part in parts if part.type == "thinking")
    kept["content"] = Raw(_encode(text))
    if thinking:
        kept["reasoning"] = Raw(_encode(thinking))


def _thought(thinking: Any) -> str:
    """Return the text of a thinking part: a string, or again a list of text parts."""
    if isinstance(thinking, str):
        return thinking
    if not isinstance(thinking, list):
        return ""
    texts = (part.get("text") for part in thinking if isinstance(part, dict))
    return "".join(text for text in texts if isinstance(text, str))
