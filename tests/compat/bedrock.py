"""Bedrock's Converse, as Amazon documents it: requests read back, binary events written."""

import base64
import json
import struct
import zlib
from typing import Any

from tests.compat.asks import Call, Sent


def read(body: dict[str, Any]) -> Sent:
    """Read a request. The model, and whether to stream, are in the path."""
    sent = Sent(model=body["$model"], stream=body["$stream"])
    sent.system = "".join(block.get("text", "") for block in body.get("system") or ())
    for message in body["messages"]:
        for block in message["content"]:
            _block(block, message["role"], sent)
    tools = (body.get("toolConfig") or {}).get("tools") or ()
    specs = [tool["toolSpec"] for tool in tools if "toolSpec" in tool]
    sent.tools = {spec["name"]: spec["inputSchema"]["json"] for spec in specs}
    form = (body.get("outputConfig") or {}).get("textFormat")
    if form:
        sent.schema = json.loads(form["structure"]["jsonSchema"]["schema"])
    extra = body.get("additionalModelRequestFields") or {}
    sent.thinks = (extra.get("thinking") or {}).get("type") in {"enabled", "adaptive"}
    return sent


def _block(block: dict[str, Any], role: str, sent: Sent) -> None:
    if "text" in block and role == "user":
        sent.text += block["text"]
    elif "image" in block:
        assert block["image"]["format"] == "png"
        sent.image += base64.b64decode(block["image"]["source"]["bytes"], validate=True)
    elif "toolUse" in block:
        use = block["toolUse"]
        sent.calls.append(Call(use["toolUseId"], use["name"], use["input"]))
    elif "toolResult" in block:
        told = block["toolResult"]
        sent.results[told["toolUseId"]] = "".join(part["text"] for part in told["content"])


def frames(stream: bytes) -> list[bytes]:
    """Split a stream of `application/vnd.amazon.eventstream`."""
    found = []
    while stream:
        (length,) = struct.unpack(">I", stream[:4])
        found.append(stream[:length])
        stream = stream[length:]
    return found


def exception(kind: str, body: dict[str, str]) -> bytes:
    """Return the event that ends a stream with an error."""
    rows = {":exception-type": kind.encode(), ":content-type": b"application/json"}
    headers = b"".join(
        struct.pack(">B", len(name)) + name.encode() + struct.pack(">BH", 7, len(text)) + text
        for name, text in {**rows, ":message-type": b"exception"}.items()
    )
    payload = json.dumps(body).encode()
    total = 16 + len(headers) + len(payload)
    prelude = struct.pack(">II", total, len(headers))
    prelude += struct.pack(">I", zlib.crc32(prelude))
    rest = prelude + headers + payload
    return rest + struct.pack(">I", zlib.crc32(rest))
