"""Reads whole answers. Source: Cohere API reference, "Chat", response; SDK, `V2ChatResponse`."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.blocks import ABSENT, call, call_id, given, string, text_of
from dragoman.providers.openai.faults import stream_fault
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Answer, Choice, Members, StreamFault

_ROLE = Raw(b'"assistant"')
_FINISH: Mapping[str, str] = {
    "COMPLETE": "stop",
    "STOP_SEQUENCE": "stop",
    "MAX_TOKENS": "length",
    "TOOL_CALL": "tool_calls",
    "ERROR": "error",
    "ERROR_LIMIT": "length",
    "ERROR_TOXIC": "content_filter",
    "TIMEOUT": "error",
    "USER_CANCEL": "error",
}
"""API reference, `finish_reason`, and what v1 had beside. All others: stop."""


class Part(Struct, gc=False):
    """A part of an answer: a text, or a thought."""

    type: str = ""
    text: Raw = ABSENT
    thinking: Raw = ABSENT


class Function(Struct, gc=False):
    """What is called, and with what, as JSON text."""

    name: Raw = ABSENT
    arguments: Raw = ABSENT


class Call(Struct, gc=False):
    """A call of a tool, or a fragment of one."""

    id: Raw = ABSENT
    function: Function | None = None


class _Message(Struct, gc=False):
    content: list[Part] | None = None
    tool_calls: list[Call] | None = None
    tool_plan: Raw = ABSENT
    citations: list[Raw] | None = None


class _Whole(Struct, gc=False):
    id: str | None = None
    message: _Message | str | None = None
    finish_reason: str | None = None
    usage: Raw = ABSENT


_whole = msgspec.json.Decoder(_Whole).decode


def thought(text: Raw) -> Members:
    """Return what a model thought, or a fragment of it. Nobody signed it."""
    detail = b'[{"type":"reasoning.text","text":%b,"format":"unknown","index":0}]' % text
    return {"reasoning": text, "reasoning_details": Raw(detail)}


def citation(value: Raw) -> bytes:
    """Return a citation as an annotation, in the provider's words: it is of no page of the web."""
    return b'{"type":"file_citation","file_citation":%b}' % value


def ended(native: str, *, called: bool) -> str:
    """Return the hub's word for a reason to stop."""
    reason = _FINISH.get(native, "stop")
    return "tool_calls" if called and reason == "stop" else reason


def arguments(function: Function) -> bytes:
    """Return a call's arguments, which are a JSON string; a model may give none."""
    if not given(function.arguments):
        return b'"{}"'
    string(function.arguments)
    return bytes(function.arguments)


def fault_of(body: bytes) -> StreamFault:
    """Return what an error in a success says."""
    return stream_fault(body)


def read_answer(body: bytes) -> Answer:
    """Read a whole answer. Raises ValueError when it is none, and tells of no error either."""
    try:
        if not body.isascii():
            body.decode()
        whole = _whole(body)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
    message = whole.message
    if isinstance(message, str):
        return Answer(choices=(), fault=fault_of(body), upstream_id=whole.id or None)
    if message is None:
        raise ValueError("an answer without a message")
    native = whole.finish_reason or None
    called = bool(message.tool_calls)
    choice = Choice(
        index=0,
        message=_read(message, whole.id),
        finish_reason=native and ended(native, called=called),
        native_finish_reason=native,
    )
    return Answer(
        choices=(choice,),
        usage=read_usage(whole.usage) if given(whole.usage) else None,
        upstream_id=whole.id or None,
    )


def _read(message: _Message, answer: str | None) -> Members:
    texts, thoughts = [], []
    for part in message.content or ():
        if part.type == "text" and part.text and string(part.text):
            texts.append(part.text)
        elif part.type == "thinking" and part.thinking and string(part.thinking):
            thoughts.append(part.thinking)
    if given(message.tool_plan) and string(message.tool_plan):
        thoughts.append(message.tool_plan)
    members: Members = {"role": _ROLE}
    if texts:
        members["content"] = text_of(texts)
    if thoughts:
        members |= thought(text_of(thoughts))
    calls = []
    for number, each in enumerate(message.tool_calls or ()):
        function = each.function or Function()
        string(function.name)
        calls.append(
            call(number, call_id(each.id, answer, number), function.name, arguments(function))
        )
    if calls:
        members["tool_calls"] = Raw(b"[%b]" % b",".join(calls))
    if message.citations:
        told = b",".join([citation(each) for each in message.citations])
        members["annotations"] = Raw(b"[%b]" % told)
    return members
