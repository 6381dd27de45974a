"""OpenAI's Responses, as a client speaks it."""

import json
from typing import Any, Final, get_args

from openai.types.responses import Response, ResponseStreamEvent

from tests.compat.asks import CALL_ID, PARAMETERS, PNG, SCHEMA, SYSTEM, WEATHER, Ask, Call, Got
from tests.compat.events import Body, Event

LEFT_OUT: Final[dict[str, Body]] = {"response.output_text.done": {"logprobs": []}}
"""What the mock server leaves out of events that OpenAI's have, and the gateway passes on."""


def responses_body(ask: Ask) -> Body:
    """Return what a client of Responses sends."""
    content: list[Body] = [{"type": "input_text", "text": ask.text}]
    if ask.image:
        url = f"data:image/png;base64,{PNG}"
        content.append({"type": "input_image", "detail": "auto", "image_url": url})
    items: list[Body] = [{"type": "message", "role": "user", "content": content}]
    if ask.results:
        called = {"call_id": CALL_ID, "name": "get_weather", "arguments": '{"city":"Paris"}'}
        items += [
            {"type": "function_call", "id": "fc_1", **called},
            {"type": "function_call_output", "call_id": CALL_ID, "output": WEATHER},
        ]
    body: Body = {
        "instructions": SYSTEM,
        "input": items,
        "stream": ask.stream,
        "store": False,
        "max_output_tokens": 4000,
    }
    if ask.tools or ask.results:
        tool = {"name": "get_weather", "description": "The weather.", "parameters": PARAMETERS}
        body["tools"] = [{"type": "function", "strict": True, **tool}]
    if ask.schema:
        wanted = {"type": "json_schema", "name": "person", "strict": True, "schema": SCHEMA}
        body["text"] = {"format": wanted}
    if ask.thinks:
        body["reasoning"] = {"effort": "medium", "summary": "auto"}
    return body


def responses_whole(body: Body) -> Got:
    """Read a whole response."""
    Response.model_validate(body)
    got = Got(id=body["id"], model=body["model"], finish=body["status"])
    for item in body["output"]:
        match item["type"]:
            case "message":
                got.text += "".join(part["text"] for part in item["content"])
            case "reasoning":
                parts = [*(item.get("summary") or ()), *(item.get("content") or ())]
                got.thought += "".join(part["text"] for part in parts)
            case "function_call":
                given = json.loads(item["arguments"])
                got.calls.append(Call(item["call_id"], item["name"], given))
    if usage := body.get("usage"):
        got.prompt_tokens, got.completion_tokens = usage["input_tokens"], usage["output_tokens"]
        got.cost = usage["cost"]
    return got


_EVENTS: Final[dict[str, Any]] = {
    get_args(each.model_fields["type"].annotation)[0]: each
    for each in get_args(get_args(ResponseStreamEvent)[0])
}
"""The model of each event, by its type: in place of the union, whose errors nobody can read."""


def responses_stream(found: list[Event]) -> Got:
    """Read a streamed response: its deltas have to say what its end says."""
    text, pieces, open_items = "", 0, set()
    for number, (name, event) in enumerate(found):
        kind = event["type"]
        assert name in {"", kind}
        _EVENTS[kind].model_validate(LEFT_OUT.get(kind, {}) | event)
        assert event["sequence_number"] == number
        assert (kind == "response.created") == (number == 0)
        match kind:
            case "response.output_item.added":
                open_items.add(event["output_index"])
            case "response.output_item.done":
                open_items.remove(event["output_index"])
            case "response.output_text.delta":
                assert event["output_index"] in open_items
                text, pieces = text + event["delta"], pieces + 1
            case "response.completed" | "response.failed" | "response.incomplete":
                assert number == len(found) - 1, "there is more after the end"
    last = found[-1][1]
    if last["type"] == "response.failed":
        return Got(text=text, pieces=pieces, error=last["response"]["error"]["message"], ends=1)
    assert last["type"] == "response.completed"
    assert not open_items
    got = responses_whole(last["response"])
    assert got.text == text
    got.pieces, got.ends = pieces, 1
    return got
