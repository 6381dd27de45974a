"""The caller's functions as Gemini's declarations, and which of them are to be called.

A function's schema goes out as it came, as `parametersJsonSchema`: the API takes JSON Schema
there, and reads what it knows of it (ai.google.dev/api/caching, `FunctionDeclaration`).
"""

import re
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.gemini.draft import Draft
from dragoman.providers.gemini.values import ABSENT, NULL, given
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members

_NO_SCHEMA = Raw(b"{}")
_NAME = re.compile(r"[A-Za-z_]")
_MODES = {"none": "NONE", "auto": "AUTO", "required": "ANY"}
_PARALLEL = Raw(b"true")


class _Function(Struct, gc=False):
    name: str
    description: Raw = ABSENT
    parameters: Raw = ABSENT
    strict: bool | None = None


class _Tool(Struct, gc=False):
    type: str
    function: _Function | None = None
    cache_control: Raw = ABSENT


class _Named(Struct, gc=False):
    name: str


class _Choice(Struct, gc=False):
    type: str
    function: _Named | None = None


_tools = msgspec.json.Decoder(list[_Tool] | None).decode
_choice = msgspec.json.Decoder(str | _Choice | None).decode


def equip(draft: Draft, call: ChatCall) -> None:
    """Put tools, the choice among them, and what is said of their calls into the draft."""
    members = call.members
    declared = _declared(draft, members.get("tools", NULL)) if call.tools else []
    if not declared:
        for name in ("tool_choice", "parallel_tool_calls"):
            if members.get(name, NULL) != NULL:
                draft.drop(name, "there are no tools to call")
        return
    if not draft.takes("tools"):
        return
    draft.body["tools"] = [{"functionDeclarations": declared}]
    _choose(draft, members)
    parallel = members.get("parallel_tool_calls", NULL)
    if parallel not in (NULL, _PARALLEL):
        draft.drop("parallel_tool_calls", "this provider's API has no such field")


def _declared(draft: Draft, value: Raw) -> list[dict[str, Any]]:
    declared = []
    for place, tool in enumerate(_tools(value) or ()):
        function = tool.function
        if function is None:
            continue
        if not _NAME.match(function.name):
            path = f"tools.{place}.function.name"
            raise draft.refusal(path, "must begin with a letter or an underscore")
        if function.strict:
            draft.drop("tools.strict", "this provider's API has no such field")
        if given(tool.cache_control):
            draft.drop("cache_control", "this provider keeps prompts by itself")
        row: dict[str, Any] = {"name": function.name}
        if given(function.description):
            row["description"] = function.description
        if given(function.parameters) and function.parameters != _NO_SCHEMA:
            row["parametersJsonSchema"] = function.parameters
        declared.append(row)
    return declared


def _choose(draft: Draft, members: Members) -> None:
    value = members.get("tool_choice", NULL)
    if value == NULL or not draft.takes("tool_choice"):
        return
    choice = _choice(value)
    config: dict[str, Any]
    if isinstance(choice, _Choice):
        if choice.function is None:
            return
        config = {"mode": "ANY", "allowedFunctionNames": [choice.function.name]}
    else:
        config = {"mode": _MODES.get(choice or "auto", "AUTO")}
    draft.body["toolConfig"] = {"functionCallingConfig": config}
