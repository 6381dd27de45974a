"""Cursor's requests, as a client dialect: chat whose tools are written flat.

Cursor sends a chat request in which tools have the shape of the Responses API, name and
parameters beside the type (OpenRouter docs, cookbook/coding-agents/cursor-integration).
They are brought into chat's; all else is chat, and so is the answer.
"""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw

from dragoman.wire.answers import encode
from dragoman.wire.chat import ChatCall, parse_members
from dragoman.wire.chat_dialect import ChatDialect
from dragoman.wire.hub import Members
from dragoman.wire.json import members

_OF_FUNCTIONS = ("name", "description", "parameters", "strict")
_FUNCTION = Raw(b'"function"')

_list = msgspec.json.Decoder(list[Raw]).decode
_object = msgspec.json.Decoder(Members).decode


class CursorDialect(ChatDialect):
    """Fulfils `ClientDialect`. Keeps nothing."""

    __slots__ = ()

    def parse(self, body: bytes, _headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. Raises InvalidRequest or InvalidPrompt."""
        found = members(body)
        if "tools" in found:
            found["tools"] = _nested_all(found["tools"])
        if "tool_choice" in found:
            found["tool_choice"] = _nested(found["tool_choice"])
        return parse_members(found)


CURSOR: Final = CursorDialect()


def _nested_all(tools: Raw) -> Raw:
    try:
        each = _list(tools)
    except (ValueError, RecursionError):
        return tools  # which chat then refuses in its own words
    return Raw(encode([_nested(tool) for tool in each]))


def _nested(tool: Raw) -> Raw:
    """Return a flat function as chat writes it, and anything else as it is."""
    try:
        flat = _object(tool)
    except (ValueError, RecursionError):
        return tool
    if flat.get("type") != _FUNCTION or "function" in flat or "name" not in flat:
        return tool
    function = {name: flat.pop(name) for name in _OF_FUNCTIONS if name in flat}
    return Raw(encode({**flat, "function": Raw(encode(function))}))
