"""The tools of a call, and which of them the model may or must use.

Source: Bedrock Runtime API reference, `ToolConfiguration`, `ToolSpecification`, `ToolChoice`.
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import NULL, says
from dragoman.providers.anthropic.schema import closed_schema
from dragoman.providers.bedrock.content import cache_point
from dragoman.providers.bedrock.draft import Draft
from dragoman.providers.bedrock.messages import Conversation
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members

NAMES = frozenset({"tools", "tool_choice", "parallel_tool_calls"})

_KNOWN = frozenset({"type", "function", "cache_control"})
_OF_FUNCTIONS = frozenset({"name", "description", "parameters", "strict", "cache_control"})
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_NOTHING_GIVEN = b'{"type":"object","properties":{}}'

_list = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_choice = msgspec.json.Decoder(str | Members).decode


class _Named(Struct, gc=False):
    name: Raw


class _Schema(Struct, gc=False):
    type: Raw = NULL


_named = msgspec.json.Decoder(_Named).decode
_schema = msgspec.json.Decoder(_Schema).decode


def offer_tools(draft: Draft, call: ChatCall, said: Conversation) -> bool:
    """Put tools and choice into the draft; say whether the model is made to call one."""
    members = call.members
    wish = members.get("tool_choice", NULL)
    if not call.tools or not draft.supports("tools"):
        why = "this endpoint does not support it" if call.tools else "there are no tools to call"
        for name in sorted(NAMES & members.keys()):
            if members[name] != NULL and name not in call.not_applied:
                draft.dropped(name, why)
        _remember(draft, said)
        return False
    none = wish != NULL and _choice(wish) == "none"
    if none and not said.uses_tools:
        draft.note(Change.RENAMED, "tool_choice", "none: no tools are sent, which is the same here")
        return False
    tools = [made for tool in _list(members["tools"]) for made in _tool(tool, draft)]
    config = b'"tools":[%b]' % b",".join(tools)
    if members.get("parallel_tool_calls") == _FALSE:
        draft.dropped("parallel_tool_calls", "this provider's API has no such field")
    if none:
        draft.dropped("tool_choice", "this provider has no word for none")
        choice, forced = b"", False
    else:
        choice, forced = _chosen(wish, draft)
    draft.body["toolConfig"] = Raw(b"{%b%b}" % (config, choice))
    return forced


def _remember(draft: Draft, said: Conversation) -> None:
    """Name the tools that were called before: without that their calls are refused."""
    if not said.uses_tools:
        return
    names = list(said.called) or [b'"tool"']
    tools = [_spec(name, b"", _NOTHING_GIVEN) for name in names]
    draft.body["toolConfig"] = Raw(b'{"tools":[%b]}' % b",".join(tools))
    draft.note(Change.INJECTED, "tools", "those that were called, without which that is refused")


def _spec(name: bytes | Raw, rest: bytes, schema: bytes) -> bytes:
    return b'{"toolSpec":{"name":%b%b,"inputSchema":{"json":%b}}}' % (name, rest, schema)


def _tool(tool: Members, draft: Draft) -> list[bytes]:
    """Return a tool, and after it where the cache is to reach."""
    function = _members(tool["function"])
    rest = b""
    if function.get("description", NULL) != NULL and says(function["description"]):
        rest = b',"description":%b' % function["description"]
    schema = _parameters(function.get("parameters", NULL))
    if function.get("strict") == _TRUE:
        schema, strict = _strict(schema, draft)
        rest += strict
    for part, known in ((tool, _KNOWN), (function, _OF_FUNCTIONS)):
        for name in part.keys() - known:
            draft.dropped(f"tools.{name}", "this provider's API has no such field")
    marker = tool.get("cache_control", NULL)
    marker = function.get("cache_control", NULL) if marker == NULL else marker
    point = cache_point(marker, draft)
    spec = _spec(function["name"], rest, schema)
    return [spec, point] if point else [spec]


def _strict(schema: bytes, draft: Draft) -> tuple[bytes, bytes]:
    """Return a schema that binds calls, and the member that says so, as far as the model can."""
    if not draft.lists("structured_outputs", otherwise=draft.takes.structured):
        draft.dropped("tools.function.strict", "this endpoint does not bind calls to schemas")
        return schema, b""
    told = _object(schema)
    closed = closed_schema(told, "tools.function.parameters", draft)
    return schema if closed is told else _encode(closed), b',"strict":true'


def _parameters(schema: Raw) -> bytes:
    """Return a schema as the API takes it, which wants to be told that it is an object's."""
    source = bytes(schema)
    if schema == NULL or source == b"{}":
        return _NOTHING_GIVEN
    if _schema(schema).type != NULL:
        return source
    members = _members(schema)
    members.pop("type", None)
    rest = b"".join([b",%b:%b" % (_encode(k), v) for k, v in members.items()])
    return b'{"type":"object"%b}' % rest


def _chosen(wish: Raw, draft: Draft) -> tuple[bytes, bool]:
    """Return the choice as a member, and whether it forces the model."""
    if wish == NULL:
        return b"", False
    said = _choice(wish)
    if said == "auto":
        return b',"toolChoice":{"auto":{}}', False
    if not draft.takes.forced or not draft.supports("tool_choice"):
        draft.note(Change.CLAMPED, "tool_choice", "sent as auto: this model cannot be made to call")
        return b',"toolChoice":{"auto":{}}', False
    if isinstance(said, str):
        return b',"toolChoice":{"any":{}}', True
    return b',"toolChoice":{"tool":{"name":%b}}' % _named(said["function"]).name, True
