"""Upstreams of the Responses API, scripted: what they send is OpenAI's, in its order."""

import json
from typing import Any

from tests.e2e.scripted import Call
from tests.providers.responses_host import custom, function, message, reasoning, response, sse, text

SAYS = "hello there"


def answer_to(body: dict[str, Any]) -> dict[str, Any]:
    """Return the response to a request: a call of its first tool, if it has any."""
    items = [reasoning("Hm.", encrypted="gAAA"), message(text(SAYS))]
    if body.get("tools"):
        tool = body["tools"][0]
        called = custom if tool["type"] == "custom" else function
        items.append(called(tool["name"], '{"city":"Paris"}', "call_1"))
    return response(*items)


async def responses(call: Call) -> None:
    answer = answer_to(call.body)
    if not call.streams:
        await call.answer(200, json.dumps(answer).encode())
        return
    await call.open_stream()
    await call.piece(sse(answer))
    await call.send(b"0\r\n\r\n")


async def failing(call: Call) -> None:
    """Break off with an error of the API's own."""
    await call.open_stream()
    data = sse(answer_to(call.body))
    await call.piece(data[: data.index(b"event: response.completed")])
    error = {"code": "server_error", "message": "scripted failure"}
    await call.event({"type": "response.failed", "response": {"error": error}})
    await call.send(b"0\r\n\r\n")
