"""Calls of tools, as items of the Responses API and as functions of the hub.

The hub knows functions only. A freeform tool becomes a function of one text, a shell one whose
arguments are the members of its action; names in a namespace are made flat. All of it can be
undone, so that a client gets back the item that its tool is called with.

Source: `openai.types.responses`, the items `Response…ToolCall` and `Response…Call`.
"""

import hashlib
import re
from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct

from dragoman.wire.responses.raw import is_object, is_string

Kind = Literal["function", "custom", "local_shell", "shell", "apply_patch", "tool_search"]

LONGEST_NAME = 64
"""Of a function at most providers."""

CALLS: dict[str, Kind] = {
    "function_call": "function",
    "custom_tool_call": "custom",
    "local_shell_call": "local_shell",
    "shell_call": "shell",
    "apply_patch_call": "apply_patch",
    "tool_search_call": "tool_search",
}
"""Type of an item -> the kind of tool it calls."""

ITEMS = {kind: item for item, kind in CALLS.items()}
IDS: dict[Kind, str] = {
    "function": "fc_tmp_",
    "custom": "ctc_tmp_",
    "local_shell": "lsh_tmp_",
    "shell": "sh_tmp_",
    "apply_patch": "apc_tmp_",
    "tool_search": "tsc_tmp_",
}
"""What the id of a call begins with: OpenAI's prefix, and OpenRouter's mark that it is not kept."""

WHOLE = frozenset({"local_shell", "shell", "apply_patch", "tool_search"})
"""Kinds whose item has its arguments as an object: it can be told only when it is whole."""

_MEMBER = {
    "local_shell": "action",
    "shell": "action",
    "apply_patch": "operation",
    "tool_search": "arguments",
}
_ODD = re.compile(r"[^A-Za-z0-9_-]")

_encode = msgspec.json.Encoder().encode
_any = msgspec.json.Decoder().decode
_text = msgspec.json.Decoder(str).decode


class Named(Struct, frozen=True, gc=False):
    """A tool as its client knows it."""

    kind: Kind
    name: str
    namespace: str | None = None


class Item(Struct, gc=False):
    """An item that calls a tool."""

    type: str
    name: str | None = None
    namespace: str | None = None
    arguments: Raw = Raw()
    input: str | None = None
    action: Raw = Raw()
    operation: Raw = Raw()
    call_id: str | None = None
    id: str | None = None


def flat_name(tool: Named) -> str:
    """Return the name of the function that stands for a tool: at most 64 letters, digits, _, -."""
    whole = tool.name
    if tool.namespace:
        joint = "" if tool.namespace.endswith("__") else "__"
        whole = f"{tool.namespace}{joint}{tool.name}"
    safe = _ODD.sub("_", whole)
    if safe == whole and len(whole) <= LONGEST_NAME:
        return whole
    return marked(safe, whole)


def marked(name: str, source: str) -> str:
    """Return a name that also tells `source` from all others."""
    mark = hashlib.sha256(source.encode()).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - len(mark) - 1]}_{mark}"


def tool_of(item: Item) -> Named:
    """Return the tool that an item calls. Its type is one of `CALLS`."""
    kind = CALLS[item.type]
    return Named(kind, item.name or kind, item.namespace)


def arguments_of(item: Item) -> Raw:
    """Return the arguments of the function that stands for a call: JSON text, as a JSON string.

    Raises ValueError where the item has none.
    """
    kind = CALLS[item.type]
    if kind == "function":
        if not is_string(item.arguments):
            raise ValueError("arguments: must be a string")
        return item.arguments
    if kind == "custom":
        if item.input is None:
            raise ValueError("input: is required")
        return Raw(_encode(_encode({"input": item.input}).decode()))
    member = _MEMBER[kind]
    value: Raw = getattr(item, member)
    if not is_object(value):
        raise ValueError(f"{member}: must be an object")
    return Raw(_encode(bytes(value).decode()))


def call_item(tool: Named, id_: str, call_id: str, arguments: bytes, status: str) -> bytes:
    """Return the item for a call. `arguments` is JSON text as a JSON string.

    Arguments that do not fit the tool's own item are told as those of a function: the client
    can then say what is wrong with them.
    """
    head = b'{"type":"%b","id":%b,"call_id":%b' % (
        ITEMS[tool.kind].encode(),
        _encode(id_),
        _encode(call_id),
    )
    tail = b',"status":"%b"}' % status.encode()
    if tool.kind == "custom":
        return b'%b%b,"input":%b}' % (head, _names(tool), _encode(freeform(arguments)))
    if tool.kind in WHOLE:
        inner = _object(arguments)
        if inner is not None and (member := _inner(tool, inner)) is not None:
            return head + member + tail
        head = head.replace(ITEMS[tool.kind].encode(), b"function_call", 1)
    return b'%b%b,"arguments":%b%b' % (head, _names(tool), arguments, tail)


def freeform(arguments: bytes) -> str:
    """Return the text that a freeform tool is called with: what is not as asked for, as it is."""
    inner = _object(arguments)
    if inner is not None and isinstance(inner.get("input"), str):
        return str(inner["input"])
    return _string(arguments)


def _names(tool: Named) -> bytes:
    space = b"" if tool.namespace is None else b',"namespace":' + _encode(tool.namespace)
    return b',"name":%b%b' % (_encode(tool.name), space)


def _inner(tool: Named, inner: dict[str, Any]) -> bytes | None:
    """Return the member that holds an object's arguments, None if they do not fit."""
    if tool.kind == "local_shell":
        command = inner.get("command")
        if not (isinstance(command, list) and all(isinstance(each, str) for each in command)):
            return None
        inner = {"env": {}, **inner, "type": "exec"}
    elif tool.kind == "shell":
        commands = inner.get("commands")
        if not (isinstance(commands, list) and all(isinstance(each, str) for each in commands)):
            return None
    elif tool.kind == "apply_patch" and not (
        "type" in inner and isinstance(inner.get("path"), str)
    ):
        return None
    execution = b',"execution":"client"' if tool.kind == "tool_search" else b""
    return b'%b,"%b":%b' % (execution, _MEMBER[tool.kind].encode(), _encode(inner))


def _object(arguments: bytes) -> dict[str, Any] | None:
    """Return arguments as an object, None if they are none."""
    try:
        value = _any(_text(arguments))
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _string(arguments: bytes) -> str:
    try:
        return _text(arguments)
    except ValueError:
        return bytes(arguments).decode("utf-8", "replace")
