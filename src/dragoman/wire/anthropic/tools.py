"""The tools of a Messages request: functions of the caller's, and tools that Anthropic knows.

Source: Anthropic, "Create a Message", `tools` and `tool_choice`. A tool of a type of
Anthropic's own (`web_search_20250305`, `bash_20250124`…) is understood by providers of its API
only. Tools that a gateway runs go by OpenRouter's `openrouter:…`.
"""

from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, inspect

from dragoman.core.errors import InvalidRequest
from dragoman.wire.anthropic.blocks import ABSENT, given, is_object
from dragoman.wire.anthropic.gleanings import Gleanings
from dragoman.wire.anthropic.strictness import can_be_strict
from dragoman.wire.explain import explain
from dragoman.wire.hub import Members
from dragoman.wire.json import TOO_DEEP
from dragoman.wire.shapes import FunctionName, NonEmpty

GATEWAY_TOOLS = "openrouter:"
CUSTOM = "custom"


class Tool(Struct, frozen=True, gc=False):
    """A tool of any type."""

    type: NonEmpty | None = None
    name: str | None = None


class Custom(Struct, frozen=True, gc=False):
    """A function that the caller can run. `input_schema` is a JSON Schema."""

    name: FunctionName
    input_schema: Raw
    type: str | None = None
    description: str | None = None
    strict: bool | None = None
    cache_control: Raw = ABSENT
    allowed_callers: Raw = ABSENT
    defer_loading: Raw = ABSENT
    input_examples: Raw = ABSENT
    eager_input_streaming: Raw = ABSENT


class Choice(Struct, frozen=True, gc=False):
    """Whether the model is to call a tool, and which."""

    type: str
    name: Annotated[str, Meta(min_length=1)] | None = None
    disable_parallel_tool_use: bool | None = None


class Tools(Struct, frozen=True):
    """The tools in the hub's form: `names` of functions, `others` and `types` of Anthropic's own.

    `own` are all that a provider of Anthropic's API is offered, as they came; `loose` are the
    functions whose schema OpenAI would refuse to enforce.
    """

    rows: list[object]
    names: frozenset[str]
    others: frozenset[str]
    own: list[Raw]
    types: frozenset[str]
    loose: frozenset[str]


LONGEST_TYPE = 64
"""So much of a tool's type is told."""
NOT_ELSEWHERE = ("allowed_callers", "defer_loading", "input_examples", "eager_input_streaming")
_FALSE = Raw(b"false")
_CHOICES: dict[str, object] = {"auto": "auto", "any": "required", "none": "none"}
_tool = msgspec.json.Decoder(Tool).decode
_custom = msgspec.json.Decoder(Custom).decode
_members = msgspec.json.Decoder(Members).decode
_choice = msgspec.json.Decoder(Choice).decode


def read_tools(tools: list[Raw], found: Gleanings) -> Tools:
    """Return the tools in the hub's form. Raises InvalidRequest."""
    rows: list[object] = []
    names: set[str] = set()
    others: set[str] = set()
    own: list[Raw] = []
    types: set[str] = set()
    loose: set[str] = set()
    for place, raw in enumerate(tools):
        path = f"tools.{place}"
        try:
            tool = _tool(raw)
        except msgspec.ValidationError as error:
            raise _wrong(error, Tool, path) from None
        if tool.type is None or tool.type == CUSTOM:
            custom = _read_custom(raw, path, found)
            names.add(custom.name)
            rows.append(_function(custom, found))
            if custom.strict and not can_be_strict(custom.input_schema):
                loose.add(custom.name)
            own.append(raw)
        elif tool.type.startswith(GATEWAY_TOOLS):
            rows.append(raw)
        else:
            found.dropped(f"tools.{tool.type}")
            others.add(tool.name or tool.type)
            types.add(tool.type[:LONGEST_TYPE])
            own.append(raw)
    return Tools(rows, frozenset(names), frozenset(others), own, frozenset(types), frozenset(loose))


def read_choice(raw: Raw, tools: Tools, found: Gleanings) -> tuple[object | None, bool | None]:
    """Return `tool_choice` and `parallel_tool_calls` in the hub's form. Raises InvalidRequest."""
    try:
        choice = _choice(raw)
    except msgspec.ValidationError as error:
        raise _wrong(error, Choice, "tool_choice") from None
    parallel = False if choice.disable_parallel_tool_use else None
    if choice.type == "tool":
        return _named(choice, tools, found), parallel
    if choice.type not in _CHOICES:
        raise InvalidRequest(
            'tool_choice.type: Invalid option: expected one of "auto"|"any"|"tool"|"none"'
        )
    if choice.type == "any" and not tools.rows:
        if not tools.others:
            raise InvalidRequest("tool_choice: needs tools to choose from")
        found.dropped("tool_choice")
        return None, parallel
    return _CHOICES[choice.type], parallel


def _named(choice: Choice, tools: Tools, found: Gleanings) -> object | None:
    if choice.name is None:
        raise InvalidRequest("tool_choice.name: is required")
    if choice.name in tools.names:
        return {"type": "function", "function": {"name": choice.name}}
    if choice.name not in tools.others:
        raise InvalidRequest("tool_choice.name: is not the name of one of 'tools'")
    found.dropped("tool_choice")
    return None


def _read_custom(raw: Raw, path: str, found: Gleanings) -> Custom:
    try:
        custom = _custom(raw)
        found.strangers(_members(raw), Custom.__struct_fields__, "tools")
    except msgspec.ValidationError as error:
        raise _wrong(error, Custom, path) from None
    except RecursionError:
        raise InvalidRequest(f"{path}: {TOO_DEEP}") from None
    if not is_object(custom.input_schema):
        raise InvalidRequest(f"{path}.input_schema: must be an object")
    return custom


def _function(custom: Custom, found: Gleanings) -> dict[str, object]:
    function: dict[str, object] = {"name": custom.name}
    if custom.description is not None:
        function["description"] = custom.description
    function["parameters"] = custom.input_schema
    if custom.strict is not None:
        function["strict"] = custom.strict
    for name in NOT_ELSEWHERE:
        value: Raw = getattr(custom, name)
        if given(value) and value != _FALSE:
            found.dropped(f"tools.{name}")
    row: dict[str, object] = {"type": "function", "function": function}
    if given(custom.cache_control):
        row["cache_control"] = custom.cache_control
    return row


def _wrong(error: msgspec.ValidationError, shape: type[Struct], path: str) -> InvalidRequest:
    where, reason = explain(error, inspect.type_info(shape))
    return InvalidRequest(f"{'.'.join(filter(None, (path, where)))}: {reason}")
