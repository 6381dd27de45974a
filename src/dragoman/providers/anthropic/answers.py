"""Reads whole answers. Source: Anthropic's SDK types `Message` and `ContentBlock`."""

from collections.abc import Callable

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.blocks import (
    ABSENT,
    annotation,
    call,
    call_id,
    given,
    joined,
    quoted,
    redacted,
    refusal,
    string,
    text_of,
    thought,
)
from dragoman.providers.anthropic.content import NULL
from dragoman.providers.openai.faults import stream_fault
from dragoman.providers.openai.members import finish
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Answer, Choice, Members
from dragoman.wire.order import Course

TIERS = {"standard": "default"}
"""The hub's names of service tiers, where they differ."""

_ROLE = Raw(b'"assistant"')


class Block(Struct, gc=False):
    """A block of an answer, as far as the hub has words for it."""

    type: str
    id: Raw = ABSENT
    name: Raw = ABSENT
    input: Raw = ABSENT
    text: Raw = ABSENT
    citations: list[Raw] | None = None
    thinking: Raw = ABSENT
    signature: Raw = ABSENT
    data: Raw = ABSENT


class TierOnly(Struct, gc=False):
    """The tier that served, which the object of usage tells."""

    service_tier: str | None = None


class _Message(Struct, gc=False):
    type: str | None = None
    id: str | None = None
    content: list[Block] | None = None
    stop_reason: str | None = None
    stop_details: Raw = ABSENT
    usage: Raw = ABSENT
    error: Raw = ABSENT


_message = msgspec.json.Decoder(_Message).decode
_tier = msgspec.json.Decoder(TierOnly).decode


class _Reading:
    """Collects what the blocks of one answer say."""

    __slots__ = (
        "annotations", "answer", "calls", "course", "details", "said", "texts", "thoughts",
    )  # fmt: skip

    def __init__(self, answer: str | None) -> None:
        self.answer = answer
        self.texts: list[Raw] = []
        self.said = 0
        self.annotations: list[bytes] = []
        self.thoughts: list[Raw] = []
        self.details: list[Raw] = []
        self.calls: list[bytes] = []
        self.course = Course()

    def text(self, block: Block, _index: int) -> None:
        begin, length = self.said, len(string(block.text))
        if length:
            self.texts.append(block.text)
            self.course.text(block.text)
            self.said += length
        for each in block.citations or ():
            self.annotations.append(annotation(each, begin, self.said))

    def thinking(self, block: Block, index: int) -> None:
        if given(block.thinking):
            string(block.thinking)
            self.thoughts.append(block.thinking)
        elif not given(block.signature):
            return
        self.details.append(thought(index, block.thinking, block.signature))
        self.course.rows("reasoning_details")

    def redacted(self, block: Block, index: int) -> None:
        if given(block.data):
            self.details.append(redacted(index, block.data))
            self.course.rows("reasoning_details")

    def tool(self, block: Block, _index: int) -> None:
        number = len(self.calls)
        arguments = quoted(block.input) if block.input and block.input != NULL else b'"{}"'
        string(block.name)
        id_ = call_id(block.id, self.answer, number)
        self.calls.append(call(number, id_, block.name, arguments))
        self.course.rows("tool_calls")

    def message(self) -> Members:
        """Return all of it as a message."""
        members: Members = {"role": _ROLE}
        if self.texts:
            members["content"] = text_of(self.texts)
        if self.thoughts:
            members["reasoning"] = text_of(self.thoughts)
        if self.details:
            members["reasoning_details"] = joined(self.details)
        if self.calls:
            members["tool_calls"] = Raw(b"[%b]" % b",".join(self.calls))
        if self.annotations:
            members["annotations"] = Raw(b"[%b]" % b",".join(self.annotations))
        return members


_READS: dict[str, Callable[[_Reading, Block, int], None]] = {
    "text": _Reading.text,
    "thinking": _Reading.thinking,
    "redacted_thinking": _Reading.redacted,
    "tool_use": _Reading.tool,
}


def read_answer(body: bytes) -> Answer:
    """Read a whole answer. Raises ValueError when it is none, and tells of no error either."""
    try:
        if not body.isascii():
            body.decode()
        message = _message(body)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
    if given(message.error):
        return Answer(choices=(), fault=stream_fault(body), upstream_id=message.id)
    if message.content is None:
        raise ValueError("an answer without content")
    reading = _Reading(message.id)
    for index, block in enumerate(message.content):
        read = _READS.get(block.type)
        if read is not None:
            read(reading, block, index)
    native = message.stop_reason
    choice = Choice(
        index=0,
        message={**reading.message(), **refusal(message.stop_details)},
        finish_reason=native and finish(native, called=bool(reading.calls)),
        native_finish_reason=native,
        steps=reading.course.steps(),
    )
    known = given(message.usage)
    return Answer(
        choices=(choice,),
        usage=read_usage(message.usage) if known else None,
        upstream_id=message.id or None,
        service_tier=tier(message.usage) if known else None,
        native=body,
    )


def tier(usage: Raw) -> str | None:
    """Return the tier that served, by the hub's name, None if nothing is said."""
    try:
        said = _tier(usage).service_tier
    except msgspec.ValidationError:
        return None
    return None if said is None else TIERS.get(said, said)
