"""Reads whole answers. Source: Bedrock Runtime API reference, `Converse`, response."""

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.blocks import (
    ABSENT,
    call,
    call_id,
    given,
    joined,
    quoted,
    redacted,
    string,
    text_of,
)
from dragoman.providers.anthropic.content import NULL
from dragoman.providers.bedrock.faults import in_body
from dragoman.providers.bedrock.pieces import (
    Image,
    Passage,
    Tier,
    annotation,
    ended,
    image,
    thought,
)
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import Answer, Choice, Members
from dragoman.wire.order import Course

BY_PROVIDER = "server_tool_use"
"""The type of a tool that the provider runs itself: no client can."""

_ROLE = Raw(b'"assistant"')


class _ToolUse(Struct, gc=False, rename="camel"):
    tool_use_id: Raw = ABSENT
    name: Raw = ABSENT
    input: Raw = ABSENT
    type: str | None = None


class _Signed(Struct, gc=False):
    text: Raw = ABSENT
    signature: Raw = ABSENT


class _Reasoning(Struct, gc=False, rename="camel"):
    reasoning_text: _Signed | None = None
    redacted_content: Raw = ABSENT


class _Cited(Struct, gc=False):
    content: list[Passage] | None = None
    citations: list[Raw] | None = None


class _Block(Struct, gc=False, rename="camel"):
    text: Raw = ABSENT
    tool_use: _ToolUse | None = None
    reasoning_content: _Reasoning | None = None
    citations_content: _Cited | None = None
    image: Image | None = None


class _Message(Struct, gc=False):
    content: list[_Block] | None = None


class _Output(Struct, gc=False):
    message: _Message | None = None


class _Whole(Struct, gc=False, rename="camel"):
    output: _Output | None = None
    stop_reason: str | None = None
    usage: Raw = ABSENT
    service_tier: Tier | None = None


_whole = msgspec.json.Decoder(_Whole).decode


class _Reading:
    """Collects what the blocks of one answer say."""

    __slots__ = (
        "annotations", "calls", "course", "details", "images", "said", "texts", "thoughts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.texts: list[Raw] = []
        self.said = 0
        self.annotations: list[bytes] = []
        self.thoughts: list[Raw] = []
        self.details: list[Raw] = []
        self.calls: list[bytes] = []
        self.images: list[bytes] = []
        self.course = Course()

    def read(self, block: _Block, index: int) -> None:
        if block.text:
            self._text(block.text)
        elif block.tool_use is not None:
            self._tool(block.tool_use)
        elif block.reasoning_content is not None:
            self._reasoning(block.reasoning_content, index)
        elif block.citations_content is not None:
            self._cited(block.citations_content)
        elif block.image is not None:
            made = image(block.image.format, block.image.source)
            self.images += [made] if made else []
            self.course.rows("images", 1 if made else 0)

    def _text(self, text: Raw) -> None:
        length = len(string(text))
        if length:
            self.texts.append(text)
            self.course.text(text)
            self.said += length

    def _tool(self, tool: _ToolUse) -> None:
        if tool.type == BY_PROVIDER:
            return
        number = len(self.calls)
        string(tool.name)
        arguments = quoted(tool.input) if tool.input and tool.input != NULL else b'"{}"'
        self.calls.append(
            call(number, call_id(tool.tool_use_id, None, number), tool.name, arguments)
        )
        self.course.rows("tool_calls")

    def _reasoning(self, said: _Reasoning, index: int) -> None:
        if given(said.redacted_content):
            string(said.redacted_content)
            self.details.append(redacted(index, said.redacted_content))
            self.course.rows("reasoning_details")
        signed = said.reasoning_text
        if signed is None:
            return
        if given(signed.text):
            string(signed.text)
            self.thoughts.append(signed.text)
        elif not given(signed.signature):
            return
        self.details.append(thought(index, signed.text, signed.signature))
        self.course.rows("reasoning_details")

    def _cited(self, cited: _Cited) -> None:
        begin = self.said
        for passage in cited.content or ():
            if passage.text:
                self._text(passage.text)
        self.annotations += [annotation(each, begin, self.said) for each in cited.citations or ()]

    def message(self) -> Members:
        """Return all of it as a message."""
        members: Members = {"role": _ROLE}
        if self.texts:
            members["content"] = text_of(self.texts)
        if self.thoughts:
            members["reasoning"] = text_of(self.thoughts)
        if self.details:
            members["reasoning_details"] = joined(self.details)
        lists = (
            ("tool_calls", self.calls),
            ("annotations", self.annotations),
            ("images", self.images),
        )
        for name, found in lists:
            if found:
                members[name] = Raw(b"[%b]" % b",".join(found))
        return members


def read_answer(body: bytes) -> Answer:
    """Read a whole answer. Raises ValueError when it is none, and tells of no error either."""
    try:
        if not body.isascii():
            body.decode()
        whole = _whole(body)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
    message = whole.output.message if whole.output else None
    if message is None or message.content is None:
        fault = in_body(body)
        if fault is None:
            raise ValueError("an answer without content")
        return Answer(choices=(), fault=fault)
    reading = _Reading()
    for index, block in enumerate(message.content):
        reading.read(block, index)
    native = whole.stop_reason
    choice = Choice(
        index=0,
        message=reading.message(),
        finish_reason=native and ended(native, called=bool(reading.calls)),
        native_finish_reason=native,
        steps=reading.course.steps(),
    )
    return Answer(
        choices=(choice,),
        usage=read_usage(whole.usage) if given(whole.usage) else None,
        service_tier=whole.service_tier.type if whole.service_tier else None,
    )
