"""Members of a call that a dialect has no words for: found, so that each is noted.

A dialect that reads what it knows would lose the rest without a word. It says here what it
knows, and is told where there is more.
"""

from collections.abc import Iterator, Mapping
from collections.abc import Set as AbstractSet
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members

CALL = frozenset({"id", "index", "type", "function"})
CALLED = frozenset({"name", "arguments"})
FUNCTION = frozenset({"name", "description", "parameters", "strict"})
_CHOICE = frozenset({"type", "function"})
_CHOSEN = frozenset({"name"})
_FORM = frozenset({"type", "json_schema", "grammar"})
_SCHEMA = frozenset({"name", "schema", "strict", "description"})

_NULL = Raw(b"null")
_LIST = b"["
_OBJECT = b"{"

_rows = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_any = msgspec.json.Decoder().decode


class Known(Struct, frozen=True, kw_only=True):
    """What a dialect has words for, or notes by itself.

    `messages` is by role, `parts` what any part of a content may have beside its type, `media` by
    the member of a part that holds it: one that is not named goes out as it came.
    """

    messages: Mapping[str, frozenset[str]]
    parts: frozenset[str]
    media: Mapping[str, frozenset[str]]
    tools: frozenset[str]


def strangers(messages: Raw, tools: Raw | None, known: Known) -> Iterator[str]:
    """Yield where a checked request has members that are not known, some more than once.

    `tools` are functions: what a gateway runs is not among them.
    """
    for row in _rows(messages):
        yield from _others(row, known.messages[_text(row["role"])], "messages")
        content = row.get("content", _NULL)
        if bytes(memoryview(content)[:1]) == _LIST:
            for part in _rows(content):
                yield from _of_part(part, known)
        calls = row.get("tool_calls", _NULL)
        for call in () if calls == _NULL else _rows(calls):
            yield from _others(call, CALL, "messages.tool_calls")
            yield from _others(_members(call["function"]), CALLED, "messages.tool_calls.function")
    for tool in () if tools is None else _rows(tools):
        yield from _others(tool, known.tools, "tools")
        yield from _others(_members(tool["function"]), FUNCTION, "tools.function")


def strange_settings(members: Members) -> Iterator[str]:
    """Yield where `tool_choice` and `response_format` have members that are not chat's."""
    for name, known, inner, within in (
        ("tool_choice", _CHOICE, "function", _CHOSEN),
        ("response_format", _FORM, "json_schema", _SCHEMA),
    ):
        value = members.get(name, _NULL)
        if bytes(memoryview(value)[:1]) == _OBJECT:
            row = _members(value)
            yield from _others(row, known, name)
            inside = row.get(inner, _NULL)
            if bytes(memoryview(inside)[:1]) == _OBJECT:
                yield from _others(_members(inside), within, f"{name}.{inner}")


def unspoken(
    call: ChatCall, spoken: AbstractSet[str], asks_nothing: Mapping[str, Any]
) -> Iterator[str]:
    """Yield the settings and members of a call that a dialect has not `spoken` of.

    A member with its value in `asks_nothing` is not among them: nothing is lost without it.
    """
    yield from strange_settings(call.members)
    for name, value in call.members.items():
        if name in spoken or name in call.not_applied or value == _NULL:
            continue
        if name not in asks_nothing or _any(value) != asks_nothing[name]:
            yield name


def _of_part(part: Members, known: Known) -> Iterator[str]:
    yield from _others(part, known.parts, "messages.content")
    for name, inner in known.media.items():
        value = part.get(name, _NULL)
        if bytes(memoryview(value)[:1]) == _OBJECT:
            yield from _others(_members(value), inner, f"messages.content.{name}")


def _others(row: Members, known: frozenset[str], path: str) -> Iterator[str]:
    if known.issuperset(row):
        return
    for name, value in row.items():
        if name not in known and value != _NULL:
            yield f"{path}.{name}"
