"""A host of the Responses API in memory: what it would stream for an answer, in OpenAI's order.

The shapes and the order of the events are those of OpenAI's API reference, "Streaming events".
"""

import json
from collections.abc import Iterator
from typing import Any

Item = dict[str, Any]
CUT = 7
"""Characters of a delta."""


def response(*output: Item, **more: Any) -> dict[str, Any]:
    usage = {
        "input_tokens": 12,
        "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 21,
    }
    fields: dict[str, Any] = {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": "completed",
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "model": "gpt-6-2026-01-01",
        "output": list(output),
        "service_tier": "default",
        "usage": usage,
    }
    return fields | more


def message(*parts: Item) -> Item:
    return {
        "type": "message",
        "id": "msg_1",
        "status": "completed",
        "role": "assistant",
        "content": list(parts),
    }


def text(value: str, *annotations: Item, logprobs: list[Item] | None = None) -> Item:
    return {
        "type": "output_text",
        "text": value,
        "annotations": list(annotations),
        "logprobs": logprobs or [],
    }


def reasoning(*summaries: str, content: str = "", encrypted: str | None = "gAAA") -> Item:
    item: Item = {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": each} for each in summaries],
    }
    if content:
        item["content"] = [{"type": "reasoning_text", "text": content}]
    if encrypted is not None:
        item["encrypted_content"] = encrypted
    return item


def function(name: str, arguments: str, call_id: str = "call_1") -> Item:
    return {
        "type": "function_call",
        "id": "fc_1",
        "call_id": call_id,
        "name": name,
        "arguments": arguments,
        "status": "completed",
    }


def custom(name: str, value: str, call_id: str = "call_2") -> Item:
    return {
        "type": "custom_tool_call",
        "id": "ctc_1",
        "call_id": call_id,
        "name": name,
        "input": value,
    }


def stream(answer: dict[str, Any]) -> list[bytes]:
    """Return the data of all events for an answer."""
    found = []
    for number, event in enumerate(_events(answer)):
        found.append(json.dumps({**event, "sequence_number": number}).encode())
    return found


def sse(answer: dict[str, Any]) -> bytes:
    """Return a stream as it comes: each event has its name before it, as OpenAI sends it."""
    lines = [
        b"event: %b\ndata: %b\n\n" % (json.loads(each)["type"].encode(), each)
        for each in stream(answer)
    ]
    return b"".join(lines)


def _events(answer: dict[str, Any]) -> Iterator[dict[str, Any]]:
    begun = answer | {"status": "in_progress", "output": [], "usage": None}
    yield {"type": "response.created", "response": begun}
    yield {"type": "response.in_progress", "response": begun}
    for place, item in enumerate(answer["output"]):
        yield from _item(place, item)
    yield {"type": f"response.{answer['status']}", "response": answer}


def _item(place: int, item: Item) -> Iterator[dict[str, Any]]:
    at = {"output_index": place, "item_id": item.get("id")}
    empty = {"content": [], "arguments": "", "input": "", "summary": []}
    begun = {k: empty.get(k, v) for k, v in item.items() if k != "encrypted_content"}
    yield {"type": "response.output_item.added", "output_index": place, "item": begun}
    if item["type"] == "message":
        for number, part in enumerate(item["content"]):
            yield from _part({**at, "content_index": number}, part)
    elif item["type"] == "reasoning":
        yield from _thoughts(at, item)
    elif item["type"] == "function_call":
        for piece in pieces(item["arguments"]):
            yield {"type": "response.function_call_arguments.delta", **at, "delta": piece}
        done = {"name": item["name"], "arguments": item["arguments"]}
        yield {"type": "response.function_call_arguments.done", **at, **done}
    elif item["type"] == "custom_tool_call":
        for piece in pieces(item["input"]):
            yield {"type": "response.custom_tool_call_input.delta", **at, "delta": piece}
        yield {"type": "response.custom_tool_call_input.done", **at, "input": item["input"]}
    yield {"type": "response.output_item.done", "output_index": place, "item": item}


def _part(at: dict[str, Any], part: Item) -> Iterator[dict[str, Any]]:
    kind = "refusal" if part["type"] == "refusal" else "output_text"
    member = "refusal" if kind == "refusal" else "text"
    begun = {**part, member: "", **({} if kind == "refusal" else {"annotations": []})}
    yield {"type": "response.content_part.added", **at, "part": begun}
    tokens = part.get("logprobs") or []
    for number, piece in enumerate(pieces(part[member])):
        delta: dict[str, Any] = {"type": f"response.{kind}.delta", **at, "delta": piece}
        if kind == "output_text":
            delta |= {"logprobs": tokens if number == 0 else [], "obfuscation": "x" * number}
        yield delta
    for number, annotation in enumerate(part.get("annotations") or []):
        noted = {"annotation_index": number, "annotation": annotation}
        yield {"type": "response.output_text.annotation.added", **at, **noted}
    ended = {member: part[member], **({"logprobs": tokens} if kind == "output_text" else {})}
    yield {"type": f"response.{kind}.done", **at, **ended}
    yield {"type": "response.content_part.done", **at, "part": part}


def _thoughts(at: dict[str, Any], item: Item) -> Iterator[dict[str, Any]]:
    for number, summary in enumerate(item["summary"]):
        here = {**at, "summary_index": number}
        part = {"type": "summary_text", "text": ""}
        yield {"type": "response.reasoning_summary_part.added", **here, "part": part}
        for piece in pieces(summary["text"]):
            yield {"type": "response.reasoning_summary_text.delta", **here, "delta": piece}
        yield {"type": "response.reasoning_summary_text.done", **here, "text": summary["text"]}
        yield {"type": "response.reasoning_summary_part.done", **here, "part": summary}
    for number, passage in enumerate(item.get("content") or []):
        here = {**at, "content_index": number}
        for piece in pieces(passage["text"]):
            yield {"type": "response.reasoning_text.delta", **here, "delta": piece}
        yield {"type": "response.reasoning_text.done", **here, "text": passage["text"]}


def pieces(value: str) -> list[str]:
    return [value[begin : begin + CUT] for begin in range(0, len(value), CUT)]
