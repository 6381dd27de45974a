"""Talking to the demo hosts in tests, reading them with OpenAI's own types."""

import json
from typing import Any

from openai.types.chat import ChatCompletion, ChatCompletionChunk

from dragoman.providers.demo.script import Script, script

WEATHER = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "kelvin"]}},
    "required": ["city"],
}
TOOLS = [
    {"type": "function", "function": {"name": "send_mail", "description": "Send a letter"}},
    {"type": "custom", "custom": {"name": "grammar"}},
    {
        "type": "function",
        "function": {"name": "forecast", "description": "The weather", "parameters": WEATHER},
    },
]


def user(text: str | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{"role": "user", "content": text}]


def play(
    provider: str = "demo-swift", draw: int = 7, now: float = 1_760_000_000.5, **members: Any
) -> Script:
    request = {"model": "parrot", "messages": user("Hello there, world")} | members
    return script(json.dumps(request).encode(), provider=provider, seed=draw, now=now)


def body(of: Script) -> bytes:
    return b"".join(data for _, data in of.frames)


def answered(**members: Any) -> ChatCompletion:
    found = play(**members)
    assert found.status == 200
    assert found.ending == "end"
    return ChatCompletion.model_validate_json(body(found), strict=True)


def said(**members: Any) -> str:
    return answered(**members).choices[0].message.content or ""


def events(of: Script) -> list[str]:
    """Return the data of the stream's events."""
    lines = body(of).decode().split("\n\n")
    assert lines.pop() == ""
    return [line.removeprefix("data: ") for line in lines]


def streamed(**members: Any) -> list[ChatCompletionChunk]:
    found = events(play(stream=True, **members))
    assert found.pop() == "[DONE]"
    return [ChatCompletionChunk.model_validate_json(each, strict=True) for each in found]
