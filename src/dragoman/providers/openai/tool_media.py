"""Images and documents in results of tools, which OpenAI's API has no place for.

There the message of a tool holds text only (OpenAI, "Create chat completion",
`ChatCompletionToolMessageParam`). So media follow in a message of the user's, after all results of
the same turn, each after the id of the call that it belongs to. Everything else keeps its bytes.
"""

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Members

ELSEWHERE = "It is in the user's message that follows."
"""What a tool is made to say that answered with media alone."""

_TOOL = Raw(b'"tool"')
_TEXT = "text"


class _Typed(msgspec.Struct, gc=False):
    type: str = ""


_rows = msgspec.json.Decoder(list[Raw]).decode
_members = msgspec.json.Decoder(Members).decode
_typed = msgspec.json.Decoder(_Typed).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def media_apart(messages: Raw) -> Raw:
    """Return a checked conversation with the media of tools apart, the same if there are none."""
    source = bytes(messages)
    if source.find(b'"tool"') < 0:
        return messages
    made: list[object] = []
    waiting: list[object] = []
    found = False
    for raw in _rows(source):
        row = _members(raw)
        if row.get("role") != _TOOL:
            if waiting:
                made.append({"role": "user", "content": waiting})
                waiting = []
            made.append(raw)
            continue
        texts, media = _sorted(row["content"])
        if media:
            found = True
            waiting += [{"type": _TEXT, "text": f"Result of {_string(row['tool_call_id'])}:"}]
            waiting += media
            told: object = texts or ELSEWHERE
            made.append({**row, "content": told})
        else:
            made.append(raw)
    if waiting:
        made.append({"role": "user", "content": waiting})
    return Raw(_encode(made)) if found else messages


def _sorted(content: Raw) -> tuple[list[Raw], list[Raw]]:
    """Return the parts of a content that are text, and those that are not."""
    if bytes(memoryview(content)[:1]) != b"[":
        return [], []
    parts = _rows(content)
    texts = [part for part in parts if _typed(part).type == _TEXT]
    return texts, [part for part in parts if _typed(part).type != _TEXT]
