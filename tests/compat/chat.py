"""Chat completions, as a client speaks it."""

import json
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from tests.compat.asks import CALL_ID, PARAMETERS, PNG, SCHEMA, SYSTEM, WEATHER, Ask, Call, Got
from tests.compat.events import Body, Event


def chat_body(ask: Ask) -> Body:
    """Return what a client of chat completions sends."""
    content: Any = ask.text
    if ask.image:
        url = f"data:image/png;base64,{PNG}"
        content = [
            {"type": "text", "text": ask.text},
            {"type": "image_url", "image_url": {"url": url}},
        ]
    messages: list[Body] = [
        {"role": "system", "content": SYSTEM},
        {"role": "user", "content": content},
    ]
    if ask.results:
        called = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
        messages += [
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": CALL_ID, "type": "function", "function": called}],
            },
            {"role": "tool", "tool_call_id": CALL_ID, "content": WEATHER},
        ]
    body: Body = {"messages": messages, "stream": ask.stream, "max_tokens": 4000}
    if ask.tools or ask.results:
        tool = {"name": "get_weather", "description": "The weather.", "parameters": PARAMETERS}
        body["tools"] = [{"type": "function", "function": tool}]
    if ask.schema:
        named = {"name": "person", "strict": True, "schema": SCHEMA}
        body["response_format"] = {"type": "json_schema", "json_schema": named}
    if ask.thinks:
        body["reasoning"] = {"effort": "medium"}
    return body


def chat_whole(body: Body) -> Got:
    """Read a whole chat completion."""
    ChatCompletion.model_validate(body)
    (choice,) = body["choices"]
    message = choice["message"]
    got = _chat_usage(body)
    got.text = message.get("content") or ""
    got.thought = message.get("reasoning") or ""
    got.finish = choice["finish_reason"]
    got.calls = [_chat_call(each) for each in message.get("tool_calls") or ()]
    return got


def chat_stream(found: list[Event]) -> Got:
    """Read a streamed chat completion."""
    assert not any(name for name, _ in found)
    got = Got()
    calls: dict[int, Body] = {}
    for _, chunk in found:
        if "error" in chunk:
            got.error, got.ends = chunk["error"]["message"], got.ends + 1
            assert chunk is found[-1][1], "there is more after an error"
            break
        ChatCompletionChunk.model_validate(chunk)
        assert not got.cost, "there is more after the usage"
        if chunk.get("usage"):
            told = _chat_usage(chunk)
            got.prompt_tokens, got.completion_tokens = told.prompt_tokens, told.completion_tokens
            got.cost, got.ends = told.cost, got.ends + 1
        got.id, got.model = chunk["id"], chunk["model"]
        for choice in chunk["choices"]:
            _chat_delta(choice, got, calls)
    got.calls = [_chat_call(calls[index]) for index in sorted(calls)]
    return got


def _chat_delta(choice: Body, got: Got, calls: dict[int, Body]) -> None:
    delta = choice["delta"]
    if text := delta.get("content"):
        got.text, got.pieces = got.text + text, got.pieces + 1
    got.thought += delta.get("reasoning") or ""
    got.finish = choice.get("finish_reason") or got.finish
    for piece in delta.get("tool_calls") or ():
        kept = calls.setdefault(
            piece["index"], {"id": "", "function": {"name": "", "arguments": ""}}
        )
        kept["id"] = piece.get("id") or kept["id"]
        for name, value in piece.get("function", {}).items():
            kept["function"][name] += value or ""


def _chat_call(call: Body) -> Call:
    function = call["function"]
    return Call(call["id"], function["name"], json.loads(function["arguments"]))


def _chat_usage(body: Body) -> Got:
    usage = body["usage"]
    return Got(
        id=body["id"],
        model=body["model"],
        prompt_tokens=usage["prompt_tokens"],
        completion_tokens=usage["completion_tokens"],
        cost=usage["cost"],
    )
