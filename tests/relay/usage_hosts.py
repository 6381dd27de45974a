"""Hosts of every dialect that answer alike, whole or streamed, with a usage that a test chooses."""

import json
from collections.abc import Callable
from typing import Any, Final

from msgspec import Struct

from tests.providers.bedrock_calls import frame

Body = dict[str, Any]
TEXT: Final = "word " * 100
"""What every host answers: 120 tokens by what hosts count, 125 by its bytes."""


class UsageHost(Struct, frozen=True):
    """One dialect: the usage where all is well, and an answer with any."""

    usage: Body
    whole: Callable[[Any], Body]
    streamed: Callable[[Any], bytes]


def _sse(*events: Body) -> bytes:
    return b"".join(b"data: %b\n\n" % json.dumps(each).encode() for each in events)


def _chat(usage: Any) -> Body:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": TEXT},
        "finish_reason": "stop",
    }
    return {"id": "x", "choices": [choice], "usage": usage}


def _chat_stream(usage: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": TEXT}, "finish_reason": None}
    end = {"index": 0, "delta": {}, "finish_reason": "stop"}
    events = ({"choices": [choice]}, {"choices": [end]}, {"choices": [], "usage": usage})
    return _sse(*({"id": "x", **each} for each in events)) + b"data: [DONE]\n\n"


def _response(usage: Any) -> Body:
    part = {"type": "output_text", "text": TEXT, "annotations": []}
    said = {"type": "message", "id": "msg_1", "role": "assistant", "content": [part]}
    return {"id": "x", "status": "completed", "output": [said], "usage": usage}


def _response_stream(usage: Any) -> bytes:
    at = {"output_index": 0, "content_index": 0, "item_id": "msg_1"}
    return _sse(
        {"type": "response.created", "response": {"id": "x"}},
        {"type": "response.output_text.delta", **at, "delta": TEXT},
        {"type": "response.completed", "response": _response(usage)},
    )


def _message(usage: Any) -> Body:
    block = {"type": "text", "text": TEXT}
    return {
        "id": "x", "type": "message", "role": "assistant", "content": [block],
        "stop_reason": "end_turn", "usage": usage,
    }  # fmt: skip


def _message_stream(usage: Any) -> bytes:
    begun = usage | {"output_tokens": 1} if isinstance(usage, dict) else usage
    delta = {"type": "text_delta", "text": TEXT}
    return _sse(
        {"type": "message_start", "message": _message(begun) | {"content": []}},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        {"type": "content_block_delta", "index": 0, "delta": delta},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": usage},
        {"type": "message_stop"},
    )


def _candidates(usage: Any) -> Body:
    said = {"role": "model", "parts": [{"text": TEXT}]}
    return {
        "responseId": "x", "usageMetadata": usage,
        "candidates": [{"index": 0, "content": said, "finishReason": "STOP"}],
    }  # fmt: skip


def _candidates_stream(usage: Any) -> bytes:
    whole = _candidates(usage)
    (said,) = whole["candidates"]
    end = {"candidates": [{"index": 0, "finishReason": "STOP"}], "usageMetadata": usage}
    first = {"candidates": [said | {"finishReason": ""}], "usageMetadata": usage}
    return _sse({"responseId": "x", **first}, {"responseId": "x", **end})


def _cohere(usage: Any) -> Body:
    said = {"role": "assistant", "content": [{"type": "text", "text": TEXT}]}
    return {"id": "x", "message": said, "finish_reason": "COMPLETE", "usage": usage}


def _cohere_stream(usage: Any) -> bytes:
    content = {"message": {"content": {"text": TEXT}}}
    return _sse(
        {"type": "message-start", "id": "x"},
        {"type": "content-delta", "index": 0, "delta": content},
        {"type": "message-end", "delta": {"finish_reason": "COMPLETE", "usage": usage}},
    )


def _converse(usage: Any) -> Body:
    said = {"role": "assistant", "content": [{"text": TEXT}]}
    return {"output": {"message": said}, "stopReason": "end_turn", "usage": usage}


def _converse_stream(usage: Any) -> bytes:
    return (
        frame("messageStart", {"role": "assistant"})
        + frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": TEXT}})
        + frame("messageStop", {"stopReason": "end_turn"})
        + frame("metadata", {"usage": usage})
    )


HOSTS: Final = {
    "openai": UsageHost(
        {
            "prompt_tokens": 30,
            "completion_tokens": 120,
            "total_tokens": 150,
            "prompt_tokens_details": {
                "cached_tokens": 8, "cache_write_tokens": 4, "audio_tokens": 0,
            },
            "completion_tokens_details": {"reasoning_tokens": 20, "audio_tokens": 0},
        },
        _chat,
        _chat_stream,
    ),
    "responses": UsageHost(
        {
            "input_tokens": 30,
            "output_tokens": 120,
            "total_tokens": 150,
            "input_tokens_details": {"cached_tokens": 8},
            "output_tokens_details": {"reasoning_tokens": 20},
        },
        _response,
        _response_stream,
    ),
    "anthropic": UsageHost(
        {
            "input_tokens": 18,
            "output_tokens": 120,
            "cache_read_input_tokens": 8,
            "cache_creation_input_tokens": 4,
            "cache_creation": {"ephemeral_1h_input_tokens": 2, "ephemeral_5m_input_tokens": 2},
            "server_tool_use": {"web_search_requests": 0},
        },
        _message,
        _message_stream,
    ),
    "gemini": UsageHost(
        {
            "promptTokenCount": 30,
            "candidatesTokenCount": 100,
            "thoughtsTokenCount": 20,
            "toolUsePromptTokenCount": 0,
            "cachedContentTokenCount": 8,
            "totalTokenCount": 150,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
            "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 100}],
        },
        _candidates,
        _candidates_stream,
    ),
    "cohere": UsageHost(
        {
            "billed_units": {"input_tokens": 30, "output_tokens": 120},
            "tokens": {"input_tokens": 90, "output_tokens": 122},
            "cached_tokens": 8,
        },
        _cohere,
        _cohere_stream,
    ),
    "bedrock": UsageHost(
        {
            "inputTokens": 18,
            "outputTokens": 120,
            "totalTokens": 150,
            "cacheReadInputTokens": 8,
            "cacheWriteInputTokens": 4,
            "cacheDetails": [{"ttl": "1h", "inputTokens": 2}, {"ttl": "5m", "inputTokens": 2}],
        },
        _converse,
        _converse_stream,
    ),
}  # fmt: skip
"""Each counts 30 tokens of prompt, of which 8 were cached, and 120 of the answer, as they may."""
