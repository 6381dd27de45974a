"""Anthropic's Messages, as a client speaks it."""

import json
from typing import Any, Final

from anthropic.types import Message, RawMessageStreamEvent
from pydantic import TypeAdapter

from tests.compat.asks import CALL_ID, PARAMETERS, PNG, SCHEMA, SYSTEM, WEATHER, Ask, Call, Got
from tests.compat.events import Body, Event


def messages_body(ask: Ask) -> Body:
    """Return what a client of Messages sends."""
    content: list[Body] = [{"type": "text", "text": ask.text}]
    if ask.image:
        source = {"type": "base64", "media_type": "image/png", "data": PNG}
        content.append({"type": "image", "source": source})
    turns: list[Body] = [{"role": "user", "content": content}]
    if ask.results:
        called = {"id": CALL_ID, "name": "get_weather", "input": {"city": "Paris"}}
        told = {"type": "tool_result", "tool_use_id": CALL_ID, "content": WEATHER}
        turns += [
            {"role": "assistant", "content": [{"type": "tool_use", **called}]},
            {"role": "user", "content": [told]},
        ]
    body: Body = {"system": SYSTEM, "messages": turns, "stream": ask.stream, "max_tokens": 4000}
    if ask.tools or ask.results:
        tool = {"name": "get_weather", "description": "The weather.", "input_schema": PARAMETERS}
        body["tools"] = [tool]
    if ask.schema:
        body["output_config"] = {"format": {"type": "json_schema", "schema": SCHEMA}}
    if ask.thinks:
        body["thinking"] = {"type": "enabled", "budget_tokens": 2000}
    return body


def messages_whole(body: Body) -> Got:
    """Read a whole message."""
    Message.model_validate(body)
    got = Got(id=body["id"], model=body["model"], finish=body["stop_reason"])
    for block in body["content"]:
        match block["type"]:
            case "text":
                got.text += block["text"]
            case "thinking":
                got.thought += block["thinking"]
            case "tool_use":
                got.calls.append(Call(block["id"], block["name"], block["input"]))
    _messages_usage(body["usage"], got)
    return got


_MESSAGES_EVENT: Final[TypeAdapter[Any]] = TypeAdapter(RawMessageStreamEvent)


def messages_stream(found: list[Event]) -> Got:
    """Read a streamed message, block by block."""
    got, block = Got(), _Block()
    for name, event in found:
        kind = event["type"]
        assert name == kind
        if kind == "error":
            got.error, got.ends = event["error"]["message"], got.ends + 1
            assert event is found[-1][1], "there is more after an error"
            return got
        if kind == "ping":
            continue
        _MESSAGES_EVENT.validate_python(event)
        match kind:
            case "message_start":
                assert event is found[0][1]
                got.id, got.model = event["message"]["id"], event["message"]["model"]
            case "message_delta":
                got.finish = event["delta"]["stop_reason"]
                _messages_usage(event["usage"], got)
            case "message_stop":
                got.ends += 1
                assert event is found[-1][1], "there is more after the end"
            case _:
                block.take(kind, event, got)
    assert block.index is None, "a block was not closed"
    return got


class _Block:
    """The block that is open: one at a time, in order."""

    def __init__(self) -> None:
        self.index: int | None = None
        self.next = 0
        self.start: Body = {}
        self.input = ""

    def take(self, kind: str, event: Body, got: Got) -> None:
        if kind == "content_block_start":
            assert (self.index, event["index"]) == (None, self.next)
            self.index, self.start, self.input = event["index"], event["content_block"], ""
            return
        assert event["index"] == self.index
        if kind == "content_block_stop":
            self.index, self.next = None, self.next + 1
            if self.start["type"] == "tool_use":
                given = json.loads(self.input or "{}")
                got.calls.append(Call(self.start["id"], self.start["name"], given))
            return
        delta = event["delta"]
        if delta["type"] == "text_delta":
            assert self.start["type"] == "text"
            got.text, got.pieces = got.text + delta["text"], got.pieces + 1
        got.thought += delta.get("thinking", "")
        self.input += delta.get("partial_json", "")


def _messages_usage(usage: Body, got: Got) -> None:
    got.prompt_tokens, got.completion_tokens = usage["input_tokens"], usage["output_tokens"]
    got.cost = usage["cost"]


def messages_refusal(body: Body) -> str:
    """Read Anthropic's envelope of errors."""
    assert body["type"] == "error"
    assert body["error"]["type"] == "rate_limit_error"
    assert body["request_id"]
    return str(body["error"]["message"])
