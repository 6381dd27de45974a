"""The providers of the matrix: how each is reached, and how its requests are read back.

The readers know each provider's API from its documentation, and nothing of the gateway's
code: what they find in a request is what that provider would find.
"""

import base64
import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from msgspec import Struct

from tests.compat import bedrock
from tests.compat.asks import LATE, Call, Sent

Body = dict[str, Any]


class Host(Struct, frozen=True, kw_only=True):
    """A provider. `breaks` is how it says inside a stream that it cannot go on."""

    name: str
    dialect: str
    base: str
    model: str
    secret: str
    """The header that carries the credential."""
    read: Callable[[Body], Sent]
    breaks: bytes
    frames: Callable[[bytes], list[bytes]]
    """Splits a stream into its events, each with its end."""
    mends: Callable[[bytes], bytes] = bytes
    """Puts thoughts right where the mock server sends them as text."""

    @property
    def settings(self) -> dict[str, str]:
        """Its row in `dragoman.yaml`, without the address."""
        auth = {"authorization": "bearer"}.get(self.secret, self.secret)
        return {"dialect": self.dialect, "auth": auth}


def sse(stream: bytes) -> list[bytes]:
    """Split server-sent events."""
    return [event + b"\n\n" for event in stream.split(b"\n\n") if event]


def read_chat(body: Body) -> Sent:
    """OpenAI's chat completions."""
    model = body.get("model") or body["$model"]
    sent = Sent(model=model, stream=bool(body.get("stream")))
    for message in body["messages"]:
        parts = _parts(message.get("content"))
        text = "".join(part["text"] for part in parts if part["type"] == "text")
        match message["role"]:
            case "system" | "developer":
                sent.system += text
            case "user":
                sent.text += text
                sent.image += _first(
                    _data(part["image_url"]["url"]) for part in parts if "image_url" in part
                )
            case "assistant":
                sent.calls += [_called(each) for each in message.get("tool_calls") or ()]
            case "tool":
                sent.results[message["tool_call_id"]] = text
    sent.tools = {
        tool["function"]["name"]: tool["function"]["parameters"] for tool in body.get("tools") or ()
    }
    wanted = body.get("response_format") or {}
    sent.schema = wanted.get("json_schema", {}).get("schema")
    sent.thinks = bool(body.get("reasoning_effort") or body.get("reasoning"))
    return sent


def _called(call: Body) -> Call:
    function = call["function"]
    return Call(call["id"], function["name"], json.loads(function["arguments"]))


def read_cohere(body: Body) -> Sent:
    """Cohere's chat of version 2, which is OpenAI's but for the form of the answer and thoughts."""
    sent = read_chat(body)
    sent.schema = (body.get("response_format") or {}).get("json_schema")
    sent.thinks = (body.get("thinking") or {}).get("type") == "enabled"
    return sent


def mend_cohere(answer: bytes) -> bytes:
    """Make the first block of an answer a thought, as Cohere has it; whole, or in events."""
    text, thinking = b'"type":"text","text":', b'"type":"thinking","thinking":'
    if answer.startswith(b"{"):
        return answer.replace(text, thinking, 1)
    first = b'"type":"content-start","index":0,"delta":{"message":{"content":{"type":'
    answer = answer.replace(first + b'"text"', first + b'"thinking"')
    more = b'"type":"content-delta","index":0,"delta":{"message":{"content":{'
    return answer.replace(more + text, more + thinking)


def read_messages(body: Body) -> Sent:
    """Anthropic's Messages."""
    sent = Sent(model=body["model"], stream=bool(body.get("stream")))
    sent.system = "".join(block["text"] for block in _parts(body.get("system")))
    for message in body["messages"]:
        for block in _parts(message["content"]):
            match block["type"]:
                case "text" if message["role"] == "user":
                    sent.text += block["text"]
                case "image":
                    sent.image += base64.b64decode(block["source"]["data"], validate=True)
                    assert block["source"]["media_type"] == "image/png"
                case "tool_use":
                    sent.calls.append(Call(block["id"], block["name"], block["input"]))
                case "tool_result":
                    inner = "".join(part["text"] for part in _parts(block["content"]))
                    sent.results[block["tool_use_id"]] = inner
    sent.tools = {tool["name"]: tool["input_schema"] for tool in body.get("tools") or ()}
    sent.schema = (body.get("output_config") or {}).get("format", {}).get("schema")
    sent.thinks = (body.get("thinking") or {}).get("type") in {"enabled", "adaptive"}
    assert body["max_tokens"] > 0
    return sent


def read_responses(body: Body) -> Sent:
    """OpenAI's Responses."""
    sent = Sent(model=body["model"], stream=bool(body.get("stream")))
    sent.system = body.get("instructions") or ""
    items = body["input"]
    if isinstance(items, str):
        items = [{"role": "user", "content": items}]
    for item in items:
        match item.get("type", "message"):
            case "function_call":
                arguments = json.loads(item["arguments"])
                sent.calls.append(Call(item["call_id"], item["name"], arguments))
            case "function_call_output":
                parts = _parts(item["output"])
                sent.results[item["call_id"]] = "".join(part["text"] for part in parts)
            case "message":
                _read_item(item, sent)
    sent.tools = {tool["name"]: tool["parameters"] for tool in body.get("tools") or ()}
    sent.schema = (body.get("text") or {}).get("format", {}).get("schema")
    sent.thinks = bool((body.get("reasoning") or {}).get("effort"))
    assert not body.get("store")
    return sent


def _read_item(item: Body, sent: Sent) -> None:
    parts = _parts(item["content"])
    text = "".join(part["text"] for part in parts if "text" in part)
    if item["role"] == "user":
        sent.text += text
        sent.image += _first(_data(part["image_url"]) for part in parts if "image_url" in part)
    elif item["role"] in {"system", "developer"}:
        sent.system += text


def read_gemini(body: Body) -> Sent:
    """Google's `generateContent`. The model, and whether to stream, are in the path."""
    sent = Sent(model=body["$model"], stream=body["$stream"])
    instruction = body.get("systemInstruction") or body.get("system_instruction") or {"parts": []}
    sent.system = "".join(part["text"] for part in instruction["parts"])
    for turn in body["contents"]:
        for part in turn["parts"]:
            if "text" in part and turn["role"] == "user":
                sent.text += part["text"]
            elif "inlineData" in part:
                assert part["inlineData"]["mimeType"] == "image/png"
                sent.image += base64.b64decode(part["inlineData"]["data"], validate=True)
            elif "functionCall" in part:
                call = part["functionCall"]
                sent.calls.append(Call(call.get("id", ""), call["name"], call.get("args")))
            elif "functionResponse" in part:
                told = part["functionResponse"]
                sent.results[told["name"]] = json.dumps(told["response"])
    sent.tools = {
        each["name"]: each.get("parametersJsonSchema") or each["parameters"]
        for tool in body.get("tools") or ()
        for each in tool.get("functionDeclarations") or ()
    }
    wanted = body.get("generationConfig") or {}
    sent.schema = wanted.get("responseJsonSchema") or wanted.get("responseSchema")
    sent.thinks = bool((wanted.get("thinkingConfig") or {}).get("includeThoughts"))
    return sent


def _parts(content: Any) -> list[Body]:
    if content is None:
        return []
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _data(url: str) -> bytes:
    head, _, data = url.partition(",")
    assert head == "data:image/png;base64", head
    return base64.b64decode(data, validate=True)


def _first(found: Iterable[bytes]) -> bytes:
    return next(iter(found), b"")


def _event(data: Mapping[str, Any], name: str = "") -> bytes:
    head = f"event: {name}\n" if name else ""
    return f"{head}data: {json.dumps(data)}\n\n".encode()


_FAILED: Final = {
    "type": "response.failed",
    "sequence_number": 99,
    "response": {
        "id": "resp-1",
        "object": "response",
        "created_at": 1,
        "model": "gpt-5",
        "status": "failed",
        "error": {"code": "server_error", "message": LATE},
        "output": [],
    },
}

HOSTS: Final = (
    Host(
        frames=sse,
        name="OpenAI chat",
        dialect="openai",
        base="/v1",
        model="gpt-5-mini",
        secret="authorization",
        read=read_chat,
        breaks=_event({"error": {"message": LATE, "type": "server_error", "code": 503}}),
    ),
    Host(
        frames=sse,
        name="Anthropic Messages",
        dialect="anthropic",
        base="/v1",
        model="claude-sonnet-4-5",
        secret="x-api-key",
        read=read_messages,
        breaks=_event(
            {"type": "error", "error": {"type": "overloaded_error", "message": LATE}}, "error"
        ),
    ),
    Host(
        frames=sse,
        name="OpenAI Responses",
        dialect="responses",
        base="/v1",
        model="gpt-5",
        secret="authorization",
        read=read_responses,
        breaks=_event(_FAILED, "response.failed"),
    ),
    Host(
        frames=sse,
        name="Gemini",
        dialect="gemini",
        base="/v1beta",
        model="gemini-2.5-flash",
        secret="x-goog-api-key",
        read=read_gemini,
        breaks=_event({"error": {"code": 503, "message": LATE, "status": "UNAVAILABLE"}}),
    ),
    Host(
        frames=sse,
        name="Vertex AI",
        dialect="vertex",
        base="/v1/projects/compat/locations/us",
        model="gemini-2.5-flash",
        secret="authorization",
        read=read_gemini,
        breaks=_event({"error": {"code": 503, "message": LATE, "status": "UNAVAILABLE"}}),
    ),
    Host(
        frames=sse,
        name="Azure OpenAI",
        dialect="azure",
        base="/openai",
        model="gpt-5-mini",
        secret="api-key",
        read=read_chat,
        breaks=_event({"error": {"message": LATE, "type": "server_error", "code": 503}}),
    ),
    Host(
        frames=bedrock.frames,
        name="Bedrock Converse",
        dialect="bedrock",
        base="",
        model="anthropic.claude-sonnet-4-5-20250929-v1:0",
        secret="authorization",
        read=bedrock.read,
        breaks=bedrock.exception("serviceUnavailableException", {"message": LATE}),
    ),
    Host(
        frames=sse,
        name="Cohere",
        dialect="cohere",
        base="/v2",
        model="command-a-reasoning-08-2025",
        secret="authorization",
        read=read_cohere,
        breaks=_event(
            {"type": "message-end", "delta": {"finish_reason": "ERROR", "error": LATE}},
            "message-end",
        ),
        mends=mend_cohere,
    ),
)
"""In the order of the matrix."""
