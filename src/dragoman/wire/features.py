"""What a chat request uses: optional parameters, and fields that have no effect yet.

Parameters go by their names in `supported_parameters` (OpenRouter docs,
guides/overview/models). A value that asks for nothing is no use of a parameter, so
that `frequency_penalty: 0` does not keep an endpoint from being chosen.
"""

from collections.abc import Iterator
from typing import Any

from dragoman.wire.fields import ChatFields, JsonFormat, OrdinaryFields, SchemaFormat, TextFormat
from dragoman.wire.hub import Members
from dragoman.wire.reasoning import Reasoning
from dragoman.wire.tools import is_server_choice, is_server_tool

NEUTRAL: dict[str, Any] = {
    "frequency_penalty": 0,
    "logit_bias": {},
    "logprobs": False,
    "max_completion_tokens": None,
    "max_tokens": None,
    "min_p": 0,
    "prediction": None,
    "presence_penalty": 0,
    "repetition_penalty": 1,
    "seed": None,
    "stop": [],
    "structured_outputs": False,
    "temperature": None,
    "top_a": 0,
    "top_k": 0,
    "top_logprobs": 0,
    "top_p": 1,
    "verbosity": "medium",
}
"""Parameters that are used when they have a value, and the value that asks for nothing."""

SETTINGS = frozenset(NEUTRAL)
"""The names of those."""

WHOLE = (
    "preset", "max_tool_calls", "stop_server_tools_when", "web_search_options", "x_search_filter",
    "transforms",
)  # fmt: skip
"""Fields without effect yet."""

PARTLY = frozenset({*WHOLE, "plugins", "tools", "tool_choice"})
"""Fields that have no effect yet, or some of whose values have none."""


def parameters(fields: ChatFields, found: Members, reasoning: Reasoning | None) -> frozenset[str]:
    """Return the names of the parameters that a request uses with effect."""
    used = {*settings(fields, found)}
    if reasoning is not None and reasoning.asked:
        used.add("reasoning")
    if fields.response_format is not None and not isinstance(fields.response_format, TextFormat):
        used.add("response_format")
        if isinstance(fields.response_format, SchemaFormat):
            used.add("structured_outputs")
    if has_functions(fields):
        used.update(_of_tools(fields))
    return frozenset(used)


def settings(fields: OrdinaryFields, found: Members) -> list[str]:
    """Return the names of the parameters that are used for having a value with effect."""
    used: list[str] = []
    if SETTINGS.isdisjoint(found):
        return used
    for name in SETTINGS.intersection(found):
        value = getattr(fields, name)
        if value is not None and value != NEUTRAL[name]:
            used.append(name)
    return used


def has_functions(fields: ChatFields) -> bool:
    """Whether there are tools that the caller runs."""
    return bool(fields.tools) and any(not is_server_tool(tool) for tool in fields.tools or ())


def wants_json(fields: ChatFields) -> bool:
    """Whether the answer is to be JSON."""
    return isinstance(fields.response_format, JsonFormat | SchemaFormat)


def not_applied(fields: ChatFields, found: Members) -> list[str]:
    """Return the names of the fields that are valid, ask for something, and have no effect yet."""
    if PARTLY.isdisjoint(found):
        return []
    names = [name for name in WHOLE if getattr(fields, name) is not None]
    if fields.transforms == []:
        names.remove("transforms")
    if fields.plugins:
        names += [f"plugins.{each.id}" for each in fields.plugins if each.enabled is not False]
    if fields.tools:
        names += [f"tools.{tool.type}" for tool in fields.tools if is_server_tool(tool)]
    if is_server_choice(fields.tool_choice):
        names.append("tool_choice")
    return names


def _of_tools(fields: ChatFields) -> Iterator[str]:
    yield "tools"
    choice = fields.tool_choice
    if choice is not None and choice != "auto" and not is_server_choice(choice):
        yield "tool_choice"
    if fields.parallel_tool_calls is False:
        yield "parallel_tool_calls"
