"""A response that came whole, told as the events of a stream: some hosts do not stream when asked.

Items, parts and texts keep the provider's bytes; each text comes in one piece. Order and members
of the events: OpenAI's API reference, "Streaming events".
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Members
from dragoman.wire.responses.events import Events
from dragoman.wire.responses.raw import NULL, is_list, is_object, is_string, on_one_line

_NO_TEXT = Raw(b'""')
_NO_LIST = Raw(b"[]")
_IN_PROGRESS = Raw(b'"in_progress"')
_UNTOLD = "encrypted_content"
_GROWS = {"content": _NO_LIST, "summary": _NO_LIST, "arguments": _NO_TEXT, "input": _NO_TEXT}
"""Members of an item that come bit by bit, and what they are at its beginning."""
_INPUTS = {
    "function_call": ("arguments", b"function_call_arguments"),
    "custom_tool_call": ("input", b"custom_tool_call_input"),
}
"""Type of an item -> the member that is its input, and what the events of that are called."""
_TEXTS = {
    "output_text": ("text", b"output_text"),
    "refusal": ("refusal", b"refusal"),
    "reasoning_text": ("text", b"reasoning_text"),
}
"""The same of a part of an item's content."""

_list = msgspec.json.Decoder(list[Raw]).decode
_members = msgspec.json.Decoder(Members).decode
_word = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def begun(response: Members) -> Members:
    """Return a response as it was before anything was said."""
    empty = {"status": _IN_PROGRESS, "output": _NO_LIST, "usage": NULL, "completed_at": NULL}
    return response | {name: empty[name] for name in empty if name in response}


def unrolled(output: Raw, events: Events) -> bytes:
    """Return the events that tell the items of an answer, none for what is no item."""
    found = (each for each in _rows(output) if is_object(each))
    return b"".join(
        [told for place, item in enumerate(found) for told in _item(place, item, events)]
    )


def _item(place: int, raw: Raw, events: Events) -> Iterator[bytes]:
    item = _members(raw)
    kind = _text_of(item, "type")
    first = {name: _GROWS.get(name, value) for name, value in item.items() if name != _UNTOLD}
    if "status" in first:
        first["status"] = _IN_PROGRESS
    yield events.added(place, _line(first))
    where = b'"output_index":%d,"item_id":%b' % (place, _string(item.get("id", NULL)))
    for number, summary in enumerate(_objects(item.get("summary", NULL))):
        yield from _summary(b'%b,"summary_index":%d' % (where, number), summary, events)
    for number, part in enumerate(_objects(item.get("content", NULL))):
        yield from _part(b'%b,"content_index":%d' % (where, number), part, events)
    if kind in _INPUTS:
        member, name = _INPUTS[kind]
        value = _string(item.get(member, NULL))
        yield events.event(name + b".delta", b'%b,"delta":%b' % (where, value))
        named = b',"name":%b' % _string(item.get("name", NULL)) if kind == "function_call" else b""
        yield events.event(
            name + b".done", b'%b%b,"%b":%b' % (where, named, member.encode(), value)
        )
    yield events.done(place, on_one_line(bytes(raw)))


def _summary(where: bytes, summary: Members, events: Events) -> Iterator[bytes]:
    text = _string(summary.get("text", NULL))
    empty = _line(summary | {"text": _NO_TEXT})
    yield events.event(b"reasoning_summary_part.added", b'%b,"part":%b' % (where, empty))
    yield events.event(b"reasoning_summary_text.delta", b'%b,"delta":%b' % (where, text))
    yield events.event(b"reasoning_summary_text.done", b'%b,"text":%b' % (where, text))
    yield events.event(b"reasoning_summary_part.done", b'%b,"part":%b' % (where, _line(summary)))


def _part(where: bytes, part: Members, events: Events) -> Iterator[bytes]:
    kind = _text_of(part, "type")
    if kind not in _TEXTS:
        return
    member, name = _TEXTS[kind]
    text = _string(part.get(member, NULL))
    noted = _rows(part.get("annotations", NULL))
    empty = part | {member: _NO_TEXT} | ({"annotations": _NO_LIST} if noted else {})
    tokens = b""
    if kind == "output_text":
        tokens = b',"logprobs":[%b]' % b",".join(map(_flat, _rows(part.get("logprobs", NULL))))
    yield events.event(b"content_part.added", b'%b,"part":%b' % (where, _line(empty)))
    yield events.event(name + b".delta", b'%b%b,"delta":%b' % (where, tokens, text))
    for number, each in enumerate(noted):
        rest = b'%b,"annotation_index":%d,"annotation":%b' % (where, number, _flat(each))
        yield events.event(b"output_text.annotation.added", rest)
    rest = b'%b%b,"%b":%b' % (where, tokens, member.encode(), text)
    yield events.event(name + b".done", rest)
    yield events.event(b"content_part.done", b'%b,"part":%b' % (where, _line(part)))


def _rows(value: Raw) -> list[Raw]:
    return _list(value) if is_list(value) else []


def _objects(value: Raw) -> list[Members]:
    return [_members(each) for each in _rows(value) if is_object(each)]


def _string(value: Raw) -> bytes:
    """Return a string as JSON, an empty one for what is none."""
    return bytes(value) if is_string(value) else bytes(_NO_TEXT)


def _text_of(row: Members, name: str) -> str:
    return _word(_string(row.get(name, NULL)))


def _flat(value: Raw) -> bytes:
    return on_one_line(bytes(value))


def _line(row: Members) -> bytes:
    return on_one_line(_encode(row))
