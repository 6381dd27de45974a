"""What the self-test asks in each dialect, and what the answers have to hold.

Every step is a coroutine that returns what it saw, or raises Broken. The requests are small
ones of the kind that the clients send (captured from them, see docs/clients.md).
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import msgspec

from dragoman.cli.connect.call import PROVIDER_FIX, Broken, Caller, Streamed
from dragoman.cli.connect.types import Dialect

ASK: Final = "Reply with one short sentence."
WEATHER: Final = "What is the weather in Paris? Use the tool."
MOST_TOKENS: Final = 1024
DONE: Final = b"[DONE]"
TOOL: Final = "get_weather"
SCHEMA: Final = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
CODEX_VERSION: Final = "0.169.0"
CODEX_NEEDS: Final = frozenset({
    "slug", "display_name", "supported_reasoning_levels", "shell_type", "visibility",
    "supported_in_api", "priority", "support_verbosity", "truncation_policy",
    "experimental_supported_tools", "base_instructions",
})  # fmt: skip
"""Without any of these in any entry Codex 0.169 takes none of the list."""

Step = Callable[[Caller, str], Awaitable[str]]


CHAT: Final = "/api/v1/chat/completions"
CURSOR: Final = "/api/v1/cursor/chat/completions"
CURSOR_FIX: Final = "Upgrade the gateway: it has to serve /api/v1/cursor."


class NotCalled(Exception):
    """The model answered in words, where a tool was to be called: its choice, and no fault."""


async def chat_models(caller: Caller, model: str) -> str:
    """Ask for the list of models."""
    body = (await caller.send("GET", "/api/v1/models")).body
    return _counted(_read(body).get("data"), model)


async def key(caller: Caller, _: str) -> str:
    """Ask what the key is."""
    data = _read((await caller.send("GET", "/api/v1/key")).body).get("data") or {}
    left = data.get("limit_remaining")
    return "no limit" if left is None else f"${left:.2f} left"


async def chat(caller: Caller, model: str) -> str:
    """Ask for a whole answer."""
    body = {"model": model, "messages": _said(ASK), "max_tokens": MOST_TOKENS}
    answer = _read((await caller.send("POST", CHAT, body)).body)
    return _excerpt(_chat_message(answer).get("content"))


async def chat_stream(caller: Caller, model: str) -> str:
    """Ask for a stream; it has to end with its usage and the word."""
    body = {"model": model, "messages": _said(ASK), "max_tokens": MOST_TOKENS, "stream": True}
    streamed = await caller.stream(CHAT, body)
    if streamed.events[-1] != DONE:
        raise Broken("the stream ended without [DONE]", PROVIDER_FIX)
    chunks = [_read(event) for event in streamed.events[:-1]]
    if not any(chunk.get("usage") for chunk in chunks):
        raise Broken("no usage came with the stream", PROVIDER_FIX)
    return _paced(streamed)


async def chat_tools(caller: Caller, model: str) -> str:
    """Have a tool called."""
    tool = {"type": "function", "function": {"name": TOOL, "parameters": SCHEMA}}
    return await _chat_tools(caller, model, tool)


async def flat_tools(caller: Caller, model: str) -> str:
    """Have a tool called that is described as Cursor does: without its `function`."""
    tool = {"type": "function", "name": TOOL, "parameters": SCHEMA}
    try:
        return await _chat_tools(caller, model, tool, CURSOR)
    except Broken as broken:
        raise Broken(f"tools as Cursor's agent sends them: {broken}", CURSOR_FIX) from broken


async def head(caller: Caller, _: str) -> str:
    """Knock at the base address, as Claude Code does first."""
    await caller.send("HEAD", "/api")
    return "200"


async def messages_models(caller: Caller, model: str) -> str:
    """Ask for the models as Claude Code does for its picker, which shows Claude's only."""
    body = _read((await caller.send("GET", "/api/v1/models?limit=1000")).body)
    rows = body.get("data") or []
    shown = sum(str(row.get("id")).startswith(("claude", "anthropic")) for row in rows)
    return f"{_counted(rows, model)}, {shown} in Claude's picker"


async def count_tokens(caller: Caller, model: str) -> str:
    """Have the tokens of a request counted."""
    body = {"model": model, "messages": _said(ASK)}
    counted = _read((await caller.send("POST", "/api/v1/messages/count_tokens", body)).body)
    if not counted.get("input_tokens"):
        raise Broken("no number of tokens came", PROVIDER_FIX)
    return f"{counted['input_tokens']} tokens"


async def messages(caller: Caller, model: str) -> str:
    """Ask for a whole message."""
    answer = await _message(caller, model, ASK)
    text = "".join(b.get("text") or "" for b in answer["content"] if b.get("type") == "text")
    return _excerpt(text)


async def messages_stream(caller: Caller, model: str) -> str:
    """Ask for a stream; it has to come to its last event."""
    body = {"model": model, "max_tokens": MOST_TOKENS, "messages": _said(ASK), "stream": True}
    streamed = await caller.stream("/api/v1/messages?beta=true", body)
    return _ended(streamed, "message_stop")


async def messages_tools(caller: Caller, model: str) -> str:
    """Have a tool called."""
    tool = {"name": TOOL, "input_schema": SCHEMA}
    answer = await _message(caller, model, WEATHER, tools=[tool])
    for block in answer["content"]:
        if block.get("type") == "tool_use":
            return _called(block.get("name"), block.get("input"))
    raise NotCalled


async def codex_models(caller: Caller, model: str) -> str:
    """Ask for the models as Codex does."""
    path = f"/api/v1/models?client_version={CODEX_VERSION}"
    entries = _read((await caller.send("GET", path)).body).get("models")
    if not entries:
        raise Broken("the list has no entries for Codex", "Upgrade the gateway.")
    missing = {name for entry in entries for name in CODEX_NEEDS - entry.keys()}
    if missing:
        raise Broken(f"entries lack {', '.join(sorted(missing))}", "Upgrade the gateway.")
    rows = [{"id": entry["slug"]} for entry in entries]
    return _counted(rows, model)


async def responses(caller: Caller, model: str) -> str:
    """Ask for a whole response."""
    body = {"model": model, "input": ASK, "max_output_tokens": MOST_TOKENS, "store": False}
    answer = _read((await caller.send("POST", "/api/v1/responses", body)).body)
    parts = [part for item in answer.get("output") or [] for part in item.get("content") or []]
    return _excerpt("".join(p.get("text") or "" for p in parts if p.get("type") == "output_text"))


async def responses_stream(caller: Caller, model: str) -> str:
    """Ask for a stream as Codex does; without its last event Codex asks again and again."""
    streamed = await caller.stream("/api/v1/responses", _codex_body(model, ASK, ()))
    return _ended(streamed, "response.completed")


async def responses_tools(caller: Caller, model: str) -> str:
    """Have a tool called."""
    tool = {"type": "function", "name": TOOL, "parameters": SCHEMA, "strict": False}
    streamed = await caller.stream("/api/v1/responses", _codex_body(model, WEATHER, (tool,)))
    for event in (_read(each) for each in streamed.events if each != DONE):
        item = event.get("item") or {}
        if event.get("type") == "response.output_item.done" and item["type"] == "function_call":
            return _called(item.get("name"), _read(str(item.get("arguments")).encode()))
    _ended(streamed, "response.completed")
    raise NotCalled


STEPS: Final[dict[Dialect, Sequence[tuple[str, Step]]]] = {
    "chat": (
        ("key", key),
        ("models", chat_models),
        ("chat", chat),
        ("stream", chat_stream),
        ("tools", chat_tools),
    ),
    "cursor": (
        ("key", key),
        ("models", chat_models),
        ("chat", chat),
        ("stream", chat_stream),
        ("tools", flat_tools),
    ),
    "messages": (
        ("key", key),
        ("hello", head),
        ("models", messages_models),
        ("count tokens", count_tokens),
        ("message", messages),
        ("stream", messages_stream),
        ("tools", messages_tools),
    ),
    "responses": (
        ("key", key),
        ("models", codex_models),
        ("response", responses),
        ("stream", responses_stream),
        ("tools", responses_tools),
    ),
}
"""What is tried for a client of each dialect, in this order."""


async def _chat_tools(caller: Caller, model: str, tool: dict[str, Any], path: str = CHAT) -> str:
    body = {
        "model": model,
        "messages": _said(WEATHER),
        "max_tokens": MOST_TOKENS,
        "tools": [tool],
    }
    answer = _read((await caller.send("POST", path, body)).body)
    for call in _chat_message(answer).get("tool_calls") or []:
        function = call.get("function") or {}
        return _called(function.get("name"), _read(str(function.get("arguments")).encode()))
    raise NotCalled


async def _message(caller: Caller, model: str, said: str, **more: Any) -> dict[str, Any]:
    body = {"model": model, "max_tokens": MOST_TOKENS, "messages": _said(said), **more}
    answer = _read((await caller.send("POST", "/api/v1/messages?beta=true", body)).body)
    if answer.get("type") != "message" or not answer.get("content"):
        raise Broken("the answer is no message", PROVIDER_FIX)
    return answer


def _codex_body(model: str, said: str, tools: Sequence[dict[str, Any]]) -> dict[str, Any]:
    content = [{"type": "input_text", "text": said}]
    return {
        "model": model,
        "instructions": "You are a coding agent.",
        "input": [{"type": "message", "role": "user", "content": content}],
        "tools": tools,
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "include": ["reasoning.encrypted_content"],
        "store": False,
        "stream": True,
    }


def _said(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def _chat_message(answer: dict[str, Any]) -> dict[str, Any]:
    choices = answer.get("choices")
    if not choices:
        raise Broken("the answer has no choices", PROVIDER_FIX)
    message: dict[str, Any] = choices[0].get("message") or {}
    return message


def _read(data: bytes) -> dict[str, Any]:
    try:
        return msgspec.json.decode(data, type=dict[str, Any])
    except msgspec.DecodeError as error:
        raise Broken("what came is no JSON object", "Check --url: it is the gateway's.") from error


def _counted(rows: Any, model: str) -> str:
    rows = rows or []
    if not any(row.get("id") == model for row in rows):
        return f"{len(rows)}; {model} is not listed (an alias or a variant need not be)"
    return f"{len(rows)}"


def _excerpt(text: Any) -> str:
    if not text:
        raise Broken("the answer has no text", PROVIDER_FIX)
    words = " ".join(str(text).split())
    return f"“{words}”" if len(words) <= 48 else f"“{words[:47]}…”"


def _called(name: Any, arguments: Any) -> str:
    if name != TOOL or not isinstance(arguments, dict):
        raise Broken(f"the call is of {name} with {arguments}", PROVIDER_FIX)
    return f"{name}({', '.join(f'{k}={v}' for k, v in arguments.items())})"


def _ended(streamed: Streamed, last: str) -> str:
    """Return the pace of a stream of typed events that ended as it should."""
    events = [event for event in streamed.events if event != DONE]
    final = _read(events[-1] if events else b"{}")
    if final.get("type") == last:
        return _paced(streamed)
    inner = final.get("response") or {}
    why = (final.get("error") or inner.get("error") or {}).get("message")
    raise Broken(why or f"the stream ended without {last}", PROVIDER_FIX)


def _paced(streamed: Streamed) -> str:
    return f"first event after {streamed.first_ms:.0f} ms, {len(streamed.events)} events"
