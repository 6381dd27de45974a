"""The tools of a chat request: functions that the caller runs, and tools that a gateway runs.

Source: OpenRouter docs, tool-calling and server-tools. A gateway's own tools are
told by their type, `openrouter:…` or OpenAI's `web_search…`.
"""

from typing import Literal

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import InvalidRequest
from dragoman.wire.hub import Members
from dragoman.wire.shapes import AnyObject, FunctionName, NonEmpty

SERVER_TOOL_PREFIXES = ("openrouter:", "web_search")


class FunctionTool(Struct, frozen=True):
    """A function that the caller can run. `parameters` is its JSON Schema."""

    name: FunctionName
    description: str | None = None
    parameters: AnyObject | None = None
    strict: bool | None = None


class Tool(Struct, frozen=True):
    """A tool that the model may call. `function` belongs to the type `function`."""

    type: NonEmpty
    function: FunctionTool | None = None


class NamedFunction(Struct, frozen=True, gc=False):
    """The name of a function."""

    name: FunctionName


class NamedTool(Struct, frozen=True):
    """The one tool that the model must call."""

    type: NonEmpty
    function: NamedFunction | None = None


ToolChoice = Literal["none", "auto", "required"] | NamedTool

_list = msgspec.json.Decoder(list[Raw]).decode
_tool = msgspec.json.Decoder(Tool).decode
_encode = msgspec.json.Encoder().encode


def function_names(tools: list[Tool]) -> set[str]:
    """Return the names of the functions. Raises InvalidRequest for a tool that cannot be called."""
    names: set[str] = set()
    for place, tool in enumerate(tools):
        if tool.type != "function":
            if not is_server_tool(tool):
                raise InvalidRequest(
                    f'tools.{place}.type: Invalid option: expected "function" or a server tool '
                    "such as openrouter:web_search"
                )
        elif tool.function is None:
            raise InvalidRequest(f"tools.{place}.function: is required")
        else:
            names.add(tool.function.name)
    return names


def check_choice(choice: ToolChoice | None, tools: list[Tool], names: set[str]) -> None:
    """Raise InvalidRequest when `choice` demands a tool that is not among `tools`."""
    if choice == "required" and not tools:
        raise InvalidRequest("tool_choice: needs tools to choose from")
    if not isinstance(choice, NamedTool):
        return
    if choice.type == "function":
        if choice.function is None:
            raise InvalidRequest("tool_choice.function: is required")
        if choice.function.name not in names:
            raise InvalidRequest("tool_choice.function.name: is not the name of one of 'tools'")
    elif not is_server_tool(choice):
        raise InvalidRequest(
            'tool_choice.type: Invalid option: expected "function" or a server tool'
        )


def is_server_tool(tool: Tool | NamedTool) -> bool:
    """Whether a gateway, not the caller, runs this tool."""
    return tool.type.startswith(SERVER_TOOL_PREFIXES)


def is_server_choice(choice: ToolChoice | None) -> bool:
    """Whether the model is told to call a tool that a gateway runs."""
    return isinstance(choice, NamedTool) and is_server_tool(choice)


def without_server_tools(members: Members, choice: ToolChoice | None) -> Members:
    """Return `members` less the tools that a gateway runs, and less a choice that needs them."""
    kept = dict(members)
    tools = [tool for tool in _list(kept.pop("tools")) if not is_server_tool(_tool(tool))]
    if tools:
        kept["tools"] = Raw(_encode(tools))
    if not tools or is_server_choice(choice):
        kept.pop("tool_choice", None)
    return kept
