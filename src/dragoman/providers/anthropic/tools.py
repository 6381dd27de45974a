"""The tools of a call, and which of them the model may or must use.

Sources: Anthropic's SDK types `ToolParam` and `ToolChoiceParam`; docs, "Define tools",
"Extended thinking with tool use" (what is forced is not thought about), "What's new in Claude
Opus 5.5" (nothing is forced there).
"""

from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import NULL, marked
from dragoman.providers.anthropic.draft import Draft
from dragoman.providers.anthropic.schema import closed_schema
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members

NAMES = frozenset({"tools", "tool_choice", "parallel_tool_calls"})

_EXTRAS = ("allowed_callers", "defer_loading", "eager_input_streaming", "input_examples")
"""What the API says of a tool beyond what OpenAI's does; a caller may say it beside the type."""
_KNOWN = frozenset({"type", "function", "cache_control", *_EXTRAS})
_OF_FUNCTIONS = frozenset({"name", "description", "parameters", "strict", "cache_control"})
_TRUE, _FALSE = Raw(b"true"), Raw(b"false")
_NO_PARAMETERS = b'{"type":"object","properties":{}}'

_list = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_object = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode
_choice = msgspec.json.Decoder(str | dict[str, Raw]).decode


class _Named(Struct, gc=False):
    name: Raw


class _Schema(Struct, gc=False):
    type: Raw = NULL


_named = msgspec.json.Decoder(_Named).decode
_schema = msgspec.json.Decoder(_Schema).decode


def offer_tools(draft: Draft, call: ChatCall) -> bool:
    """Put tools and choice into the draft; say whether the model is made to call one."""
    members = call.members
    if not call.tools:
        for name in sorted(NAMES & members.keys()):
            if members[name] != NULL and name not in call.not_applied:
                draft.dropped(name, "there are no tools to call")
        return False
    if not draft.supports("tools"):
        for name in sorted(NAMES & members.keys()):
            draft.dropped(name, "this endpoint does not support it")
        return False
    draft.body["tools"] = Raw(
        b"[%b]" % b",".join([_tool(tool, draft) for tool in _list(members["tools"])])
    )
    return _offer_choice(draft, members)


def _tool(tool: Members, draft: Draft) -> bytes:
    function = _members(tool["function"])
    made = b'{"name":%b' % function["name"]
    if function.get("description", NULL) != NULL:
        made += b',"description":%b' % function["description"]
    made += _input(function, draft)
    for name in _EXTRAS:
        if tool.get(name, NULL) != NULL:
            made += b',"%b":%b' % (name.encode(), tool[name])
    for part, known in ((tool, _KNOWN), (function, _OF_FUNCTIONS)):
        for name in part.keys() - known:
            draft.dropped(f"tools.{name}", "this provider's API has no such field")
    marker = tool.get("cache_control", NULL)
    return made + marked(function.get("cache_control", NULL) if marker == NULL else marker) + b"}"


def _input(function: Members, draft: Draft) -> bytes:
    """Return what a tool is given, and whether that is enforced."""
    schema = _parameters(function.get("parameters", NULL))
    if function.get("strict") != _TRUE:
        return b',"input_schema":%b' % schema
    if not draft.lists("structured_outputs", otherwise=draft.takes.structured):
        draft.dropped("tools.function.strict", "this endpoint does not bind calls to schemas")
        return b',"input_schema":%b' % schema
    told = _object(schema)
    closed = closed_schema(told, "tools.function.parameters", draft)
    return b',"input_schema":%b,"strict":true' % (schema if closed is told else _encode(closed))


def _parameters(schema: Raw) -> bytes:
    """Return a schema as the API takes it, which wants to be told that it is an object's."""
    source = bytes(schema)
    if schema == NULL or source == b"{}":
        return _NO_PARAMETERS
    if _schema(schema).type != NULL:
        return source
    members = _members(schema)
    members.pop("type", None)
    rest = b",".join([b"%b:%b" % (_encode(k), v) for k, v in members.items()])
    return b'{"type":"object"%b%b}' % (b"," if rest else b"", rest)


def _offer_choice(draft: Draft, members: Members) -> bool:
    """Put the choice into the draft, and whether more than one may be made at once."""
    wish = members.get("tool_choice", NULL)
    choice, forced = _chosen(wish, draft)
    alone = members.get("parallel_tool_calls") == _FALSE
    if alone and choice != b'"type":"none"':
        choice = (choice or b'"type":"auto"') + b',"disable_parallel_tool_use":true'
    if choice:
        draft.body["tool_choice"] = Raw(b"{%b}" % choice)
    return forced


def _chosen(wish: Raw, draft: Draft) -> tuple[bytes, bool]:
    """Return the inside of a choice, and whether it forces the model."""
    if wish == NULL:
        return b"", False
    said = _choice(wish)
    if said in {"auto", "none"} if isinstance(said, str) else False:
        return b'"type":"%b"' % said.encode(), False
    if not draft.takes.forced or not draft.supports("tool_choice"):
        draft.note(Change.CLAMPED, "tool_choice", "sent as auto: this model cannot be made to call")
        return b'"type":"auto"', False
    if isinstance(said, str):
        return b'"type":"any"', True
    return b'"type":"tool","name":%b' % _named(said["function"]).name, True
