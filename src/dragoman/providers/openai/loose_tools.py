"""Functions that OpenAI would refuse to be strict with: they are offered without that.

Anthropic enforces schemas with properties that may be left out, OpenAI answers them with a 400
(developers.openai.com, "Function calling", "Strict mode"). Which functions these are is found
where the request is read (`Native.loose`). Everything else of a tool keeps its bytes.
"""

import msgspec
from msgspec import Raw

from dragoman.core.notes import Change
from dragoman.providers.openai.draft import Draft
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members

WHY = "this provider enforces closed schemas only, of which all is required"

_FALSE = Raw(b"false")
_rows = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_name = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def loosened(draft: Draft, call: ChatCall) -> Raw:
    """Return the tools of a call as OpenAI takes them, the same bytes if it takes them all."""
    tools = call.members["tools"]
    loose = call.native.loose if call.native else frozenset()
    if not loose:
        return tools
    draft.note(Change.CLAMPED, "tools.function.strict", WHY)
    return Raw(_encode([_loose(row, loose) for row in _rows(tools)]))


def _loose(tool: Members, loose: frozenset[str]) -> Members:
    function = _members(tool["function"])
    if _name(function["name"]) not in loose:
        return tool
    return tool | {"function": Raw(_encode(function | {"strict": _FALSE}))}
