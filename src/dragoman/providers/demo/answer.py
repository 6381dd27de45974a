"""The bytes of an answer, as OpenAI's API reference draws them: whole, or as a stream.

"The chat completion object" and "The chat completion chunk object". Thoughts travel
in `reasoning_content`, the name most compatible hosts use.
"""

from itertools import zip_longest
from typing import Any
from zlib import crc32

import msgspec
from msgspec import Struct

from dragoman.providers.demo.ask import Ask
from dragoman.providers.demo.reply import Call, Reply

Members = dict[str, Any]

DONE = b"data: [DONE]\n\n"

_encode = msgspec.json.Encoder().encode


class Identity(Struct, frozen=True, kw_only=True):
    """What distinguishes this answer from an equal one: its id, and when, in Unix seconds."""

    id: str
    created: int


class Stream(Struct, frozen=True):
    """The events of a stream: before the first token, one per token, after the last."""

    opening: tuple[bytes, ...]
    tokens: tuple[bytes, ...]
    closing: tuple[bytes, ...]


def event(data: Members) -> bytes:
    """Return one server-sent event."""
    return b"data: " + _encode(data) + b"\n\n"


def error_body(message: str, kind: str, code: str | None) -> Members:
    """Return the body of an error."""
    return {"error": {"message": message, "type": kind, "param": None, "code": code}}


def whole(ask: Ask, given: tuple[Reply, ...], identity: Identity) -> bytes:
    """Return an answer that is not streamed."""
    choices = [
        {
            "index": index,
            "message": _message(reply),
            "logprobs": _logprobs(ask, reply.words),
            "finish_reason": reply.finish_reason,
        }
        for index, reply in enumerate(given)
    ]
    body = _head(ask, identity, "chat.completion")
    return _encode(body | {"choices": choices, "usage": _usage(ask, given)})


def stream(ask: Ask, given: tuple[Reply, ...], identity: Identity) -> Stream:
    """Return an answer as events, its choices taking turns."""
    wants_usage = bool(ask.stream_options and ask.stream_options.include_usage)
    head = _head(ask, identity, "chat.completion.chunk")
    ordinary = head | {"usage": None} if wants_usage else head

    def chunk(index: int, delta: Members, finish: str | None = None) -> bytes:
        logprobs = _logprobs(ask, (delta["content"],)) if delta.get("content") else None
        choice = {"index": index, "delta": delta, "logprobs": logprobs, "finish_reason": finish}
        return event(ordinary | {"choices": [choice]})

    turns = zip_longest(*(_deltas(reply) for reply in given))
    return Stream(
        opening=tuple(chunk(index, _role(reply)) for index, reply in enumerate(given)),
        tokens=tuple(
            chunk(index, delta)
            for turn in turns
            for index, delta in enumerate(turn)
            if delta is not None
        ),
        closing=(
            *(chunk(index, {}, reply.finish_reason) for index, reply in enumerate(given)),
            *([event(head | {"choices": [], "usage": _usage(ask, given)})] if wants_usage else []),
            DONE,
        ),
    )


def _head(ask: Ask, identity: Identity, kind: str) -> Members:
    return {
        "id": identity.id,
        "object": kind,
        "created": identity.created,
        "model": ask.model,
        "service_tier": "default",
        "system_fingerprint": "fp_demo",
    }


def _message(reply: Reply) -> Members:
    message: Members = {"role": "assistant", "content": "".join(reply.words), "refusal": None}
    if reply.thoughts:
        message["reasoning_content"] = "".join(reply.thoughts)
    if reply.call:
        function = {"name": reply.call.name, "arguments": "".join(reply.call.arguments)}
        message["content"] = None
        message["tool_calls"] = [{"id": reply.call.id, "type": "function", "function": function}]
    return message


def _role(reply: Reply) -> Members:
    return {"role": "assistant", "content": None if reply.call else ""}


def _deltas(reply: Reply) -> list[Members]:
    thoughts: list[Members] = [{"reasoning_content": token} for token in reply.thoughts]
    words: list[Members] = [{"content": token} for token in reply.words]
    return thoughts + words + (_call_deltas(reply.call) if reply.call else [])


def _call_deltas(call: Call) -> list[Members]:
    function = {"name": call.name, "arguments": ""}
    first = {"index": 0, "id": call.id, "type": "function", "function": function}
    rest = [{"index": 0, "function": {"arguments": token}} for token in call.arguments]
    return [{"tool_calls": [each]} for each in (first, *rest)]


def _logprobs(ask: Ask, tokens: tuple[str, ...]) -> Members | None:
    if not ask.logprobs:
        return None
    return {"content": [_logprob(ask, token) for token in tokens], "refusal": None}


def _logprob(ask: Ask, token: str) -> Members:
    """Return a likelihood that looks real, and always the same for the same token."""
    best = -(crc32(token.encode()) % 700 + 1) / 1000
    rivals = ((f"{token}{n}", best - 2.0 * n) for n in range(1, ask.top_logprobs or 0))
    entries = [
        {"token": text, "logprob": round(value, 3), "bytes": list(text.encode())}
        for text, value in ((token, best), *rivals)
    ]
    return entries[0] | {"top_logprobs": entries[: ask.top_logprobs or 0]}


def _usage(ask: Ask, given: tuple[Reply, ...]) -> Members:
    prompt, completion = ask.prompt_tokens(), sum(reply.tokens() for reply in given)
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": ask.cached_tokens(), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": sum(len(reply.thoughts) for reply in given),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
