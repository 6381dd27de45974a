"""The tools of a request: what the hub is told of them, and what a client knows them as.

Tools that the client runs become functions. What a gateway runs (`openrouter:…`,
`web_search…`) is passed on as it is. Tools that only OpenAI itself runs have no counterpart.
Source: `openai.types.responses.tool`, OpenRouter's `ResponsesRequest.tools`.
"""

from collections.abc import Iterable
from typing import Any

import msgspec
from msgspec import Raw, Struct, inspect

from dragoman.core.errors import InvalidRequest
from dragoman.wire.explain import explain
from dragoman.wire.hub import Members
from dragoman.wire.responses.calls import Kind, Named, flat_name, marked
from dragoman.wire.responses.raw import is_object, says, strangers
from dragoman.wire.tools import SERVER_TOOL_PREFIXES

CLIENT_RUN: dict[str, Kind] = {
    "function": "function",
    "custom": "custom",
    "local_shell": "local_shell",
    "shell": "shell",
    "apply_patch": "apply_patch",
    "tool_search": "tool_search",
}
"""Type of a tool -> its kind, where the client runs it."""

_FREEFORM = {
    "type": "object",
    "properties": {"input": {"type": "string"}},
    "required": ["input"],
    "additionalProperties": False,
}
_TEXTS = {"type": "array", "items": {"type": "string"}}
_ACTIONS: dict[Kind, tuple[str, dict[str, Any]]] = {
    "local_shell": (
        "Runs a command in a shell on the user's machine and returns its output.",
        {
            "type": "object",
            "properties": {
                "command": {**_TEXTS, "description": "The command and its arguments."},
                "working_directory": {"type": "string"},
                "timeout_ms": {"type": "integer"},
            },
            "required": ["command"],
        },
    ),
    "shell": (
        "Runs shell commands, in their order, and returns what each put out.",
        {
            "type": "object",
            "properties": {
                "commands": _TEXTS,
                "timeout_ms": {"type": "integer"},
                "max_output_length": {"type": "integer"},
            },
            "required": ["commands"],
        },
    ),
    "apply_patch": (
        "Creates, changes or deletes one file by a diff in the V4A format.",
        {
            "type": "object",
            "properties": {
                "type": {"enum": ["create_file", "update_file", "delete_file"]},
                "path": {"type": "string"},
                "diff": {"type": "string", "description": "Not for delete_file."},
            },
            "required": ["type", "path"],
        },
    ),
}
"""Tools without a schema of their own: what they do, and the members of their action."""


class Format(Struct, frozen=True, gc=False):
    """What the text must be that a freeform tool is called with."""

    type: str = "text"
    syntax: str | None = None
    definition: str | None = None


class Environment(Struct, frozen=True, gc=False):
    """Where a shell runs. For the use of a computer it is a mere word."""

    type: str = "local"


class Tool(Struct, frozen=True, gc=False):
    """A tool, or a namespace of tools."""

    type: str
    name: str | None = None
    description: str | None = None
    parameters: Raw = Raw()
    strict: Raw = Raw()
    format: Format | None = None
    tools: list[Raw] | None = None
    execution: str | None = None
    environment: Environment | str | None = None


class _Exact(Tool, frozen=True, gc=False, forbid_unknown_fields=True):
    """A tool that has nothing else: nearly all are."""


_SHAPE = inspect.type_info(Tool)
_decode = msgspec.json.Decoder(Tool).decode
_exact = msgspec.json.Decoder(_Exact).decode
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode


class Toolbox:
    """Tools by the names of the functions that stand for them, in the order they came."""

    __slots__ = ("_flat", "functions", "lost", "named", "served")

    def __init__(self) -> None:
        self.functions: dict[str, Members] = {}
        """Name of a function -> the tool in the hub's form."""
        self.named: dict[str, Named] = {}
        """Name of a function -> the tool as the client knows it."""
        self.served: list[Raw] = []
        """What a gateway runs."""
        self.lost: list[str] = []
        """Fields that have no counterpart in the hub."""
        self._flat: dict[Named, str] = {}

    def add(self, tools: Iterable[Raw], path: str, namespace: str | None = None) -> None:
        """Take in tools that stand at `path`. Raises InvalidRequest."""
        for place, raw in enumerate(tools):
            where = f"{path}.{place}"
            tool = self._read(raw, where)
            if tool.type == "namespace" and namespace is None:
                if not tool.name:
                    raise InvalidRequest(f"{where}.name: is required")
                self.add(tool.tools or (), f"{where}.tools", tool.name)
            elif (kind := CLIENT_RUN.get(tool.type)) is not None and _is_local(tool):
                self._add(tool, kind, namespace, where)
            elif tool.type.startswith(SERVER_TOOL_PREFIXES):
                self.served.append(raw)
            else:
                self.lost.append(f"tools.{tool.type}")

    def _read(self, raw: Raw, where: str) -> Tool:
        try:
            return _exact(raw)
        except msgspec.ValidationError:
            tool = _read(raw, where)
        if tool.type == "namespace" or tool.type in CLIENT_RUN:
            self.lost += strangers(_members(raw), Tool, "tools")
        return tool

    def name(self, tool: Named) -> str:
        """Return the name of the function that stands for a tool, known or not."""
        return self._flat.get(tool) or flat_name(tool)

    def tool(self, function: str) -> Named:
        """Return the tool that a function stands for: itself, if it is none of ours."""
        return self.named.get(function) or Named("function", function)

    def _add(self, tool: Tool, kind: Kind, namespace: str | None, where: str) -> None:
        name = tool.name if kind in {"function", "custom"} else tool.name or kind
        if not name:
            raise InvalidRequest(f"{where}.name: is required")
        named = Named(kind, name, namespace)
        if named in self._flat:
            return
        flat = flat_name(named)
        if flat in self.named:
            flat = marked(flat, f"{kind} {namespace} {name}")
        self._flat[named] = flat
        self.named[flat] = named
        self.functions[flat] = _function(tool, kind, flat, where)


def _read(raw: Raw, where: str) -> Tool:
    try:
        return _decode(raw)
    except msgspec.ValidationError as error:
        path, reason = explain(error, _SHAPE)
        raise InvalidRequest(
            f"{where}.{path}: {reason}" if path else f"{where}: {reason}"
        ) from None


def _is_local(tool: Tool) -> bool:
    """Whether the client runs a tool that OpenAI may run as well."""
    if tool.type == "tool_search":
        return tool.execution == "client"
    where = tool.environment
    return tool.type != "shell" or not isinstance(where, Environment) or where.type == "local"


def _function(tool: Tool, kind: Kind, flat: str, where: str) -> Members:
    """Return the hub's form of a tool."""
    function = {"name": Raw(_encode(flat))}
    description, parameters = tool.description, tool.parameters
    if kind == "custom":
        description = _told(tool)
        parameters = Raw(_encode(_FREEFORM))
    elif kind in _ACTIONS:
        text, schema = _ACTIONS[kind]
        description = description or text
        parameters = Raw(_encode(schema))
    if description is not None:
        function["description"] = Raw(_encode(description))
    if says(parameters):
        if not is_object(parameters):
            raise InvalidRequest(f"{where}.parameters: must be an object")
        function["parameters"] = parameters
    if says(tool.strict):
        function["strict"] = tool.strict
    return {"type": Raw(b'"function"'), "function": Raw(_encode(function))}


def _told(tool: Tool) -> str:
    """Return what a model is told of a freeform tool, with the grammar that its text must have."""
    text = tool.description or ""
    form = tool.format
    if form is not None and form.definition:
        syntax = form.syntax or "given"
        text += f"\n\nThe input must match this {syntax} grammar:\n{form.definition}"
    return text.strip()
