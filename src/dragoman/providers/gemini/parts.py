"""What a model said, part by part, brought into the hub's form.

Thoughts become `reasoning` and a detail each, signatures details of their own: with the id of
the call that they sign, `image:0` for an image, no id for text. `contents` puts them back.
Source: ai.google.dev/gemini-api/docs/thought-signatures; OpenRouter, reasoning-tokens.
"""

import hashlib
from collections.abc import Iterable

import msgspec
from msgspec import Raw

from dragoman.providers.gemini.contents import FORMAT, IMAGE
from dragoman.providers.gemini.events import Blob, FunctionCall, Part
from dragoman.providers.gemini.values import given
from dragoman.providers.openai.members import first_byte
from dragoman.wire.hub import Members
from dragoman.wire.order import Course

_QUOTE = ord('"')
_SHORTEST = len('""')
_FORMAT = FORMAT.encode()
_encode = msgspec.json.Encoder().encode


def text_of(value: Raw) -> bytes:
    """Return the inside of a JSON string, empty for what is none."""
    if len(value) <= _SHORTEST or first_byte(value)[0] != _QUOTE:
        return b""
    return bytes(value)[1:-1]


class Voice:
    """What has to be known of one alternative to read on. `streamed`: calls are numbered."""

    __slots__ = (
        "_answer", "_detail", "_growing", "_images", "_streamed", "calls", "course", "plain",
    )  # fmt: skip

    def __init__(self, answer: str | None, *, streamed: bool) -> None:
        self.calls = 0
        self.plain = True
        """Whether all text so far is ASCII, so that its bytes are its characters."""
        self.course = Course()
        """In which order the parts say what they do that were read last."""
        self._answer = (answer or "").encode()
        self._streamed = streamed
        self._images = 0
        self._detail = 0
        self._growing = False

    def hear(self, text: bytes) -> None:
        """Take in the inside of a JSON string that is text of the answer: no thought goes on."""
        self._growing = False
        if self.plain and (not text.isascii() or b"\\u" in text):
            self.plain = False

    def read(self, parts: Iterable[Part]) -> Members:
        """Return what the parts add."""
        heard = _Heard()
        for part in parts:
            self._part(part, heard)
        delta: Members = {}
        if heard.text:
            delta["content"] = _string(heard.text)
        if heard.thoughts:
            delta["reasoning"] = _string(heard.thoughts)
        details = [row.json() if isinstance(row, _Thought) else row for row in heard.details]
        for name, rows in (
            ("reasoning_details", details),
            ("tool_calls", heard.calls),
            ("images", heard.images),
        ):
            if rows:
                delta[name] = Raw(b"[%b]" % b",".join(rows))
        if heard.sound:
            delta["audio"] = Raw(heard.sound)
        self.course = heard.course
        return delta

    def _part(self, part: Part, heard: "_Heard") -> None:
        signature = part.thought_signature
        if part.function_call is not None:
            id_ = self._call(part.function_call, heard)
            self._sign(signature, id_, heard)
            heard.course.rows("tool_calls")
        elif part.inline_data is not None:
            self._media(part.inline_data, signature, heard, thought=bool(part.thought))
        elif part.thought:
            self._think(text_of(part.text), signature, heard)
        else:
            self._say(text_of(part.text), signature, heard)

    def _say(self, text: bytes, signature: str | None, heard: "_Heard") -> None:
        if text:
            heard.text.append(text)
            heard.thought = None
            self.hear(text)
        self._sign(signature, None, heard)
        if text:
            heard.course.text(Raw(b'"%b"' % text))

    def _think(self, text: bytes, signature: str | None, heard: "_Heard") -> None:
        """Add a thought; one that goes on with the thought before it has its index."""
        if not text and not signature:
            return
        if not self._growing:
            self._detail += 1
        self._growing = not signature
        if text:
            heard.thoughts.append(text)
        if heard.thought is None:
            heard.thought = _Thought(self._detail - 1)
            heard.details.append(heard.thought)
            heard.course.rows("reasoning_details")
        heard.thought.texts.append(text)
        if signature:
            heard.thought.signature = signature
            heard.thought = None

    def _sign(self, signature: str | None, id_: str | None, heard: "_Heard") -> None:
        if not signature:
            return
        heard.details.append(
            b'{"type":"reasoning.encrypted","data":%b,"format":"%b","id":%b,"index":%d}'
            % (_encode(signature), _FORMAT, _encode(id_), self._detail)
        )
        heard.course.rows("reasoning_details")
        self._detail += 1
        self._growing = False
        heard.thought = None

    def _call(self, call: FunctionCall, heard: "_Heard") -> str:
        args = b"{}"
        if given(call.args):
            args = msgspec.json.format(bytes(call.args), indent=-1)
        id_ = call.id or self._named(call.name, args)
        number = b'"index":%d,' % self.calls if self._streamed else b""
        heard.calls.append(
            b'{%b"id":%b,"type":"function","function":{"name":%b,"arguments":%b}}'
            % (number, _encode(id_), _encode(call.name), _encode(args.decode()))
        )
        self.calls += 1
        self._growing = False
        heard.thought = None
        return id_

    def _named(self, name: str, args: bytes) -> str:
        """Return an id for a call without one, the same whenever the same answer is read."""
        source = b"%b %d %b %b" % (self._answer, self.calls, name.encode(), args)
        return f"call_{hashlib.sha256(source).hexdigest()[:24]}"

    def _media(self, blob: Blob, signature: str | None, heard: "_Heard", *, thought: bool) -> None:
        """Add an image or sound. Drafts of images, made while thinking, are not the answer."""
        data = text_of(blob.data)
        if thought or not data:
            return
        if blob.mime_type.startswith("audio/"):
            heard.sound = b'{"data":"%b"}' % data
        elif blob.mime_type.startswith("image/"):
            mime = _encode(blob.mime_type)[1:-1]
            heard.images.append(
                b'{"type":"image_url","image_url":{"url":"data:%b;base64,%b"}}' % (mime, data)
            )
            self._sign(signature, f"{IMAGE}{self._images}", heard)
            heard.course.rows("images")
            self._images += 1


class _Thought:
    """A thought that may go on, until it is signed."""

    __slots__ = ("_index", "signature", "texts")

    def __init__(self, index: int) -> None:
        self._index = index
        self.texts: list[bytes] = []
        self.signature: str | None = None

    def json(self) -> bytes:
        """Return it as a detail."""
        signed = b',"signature":%b' % _encode(self.signature) if self.signature else b""
        return b'{"type":"reasoning.text","text":"%b"%b,"format":"%b","index":%d}' % (
            b"".join(self.texts),
            signed,
            _FORMAT,
            self._index,
        )


class _Heard:
    """What one event adds, as pieces of JSON."""

    __slots__ = (
        "calls", "course", "details", "images", "sound", "text", "thought", "thoughts",
    )  # fmt: skip

    def __init__(self) -> None:
        self.text: list[bytes] = []
        self.thoughts: list[bytes] = []
        self.details: list[bytes | _Thought] = []
        self.thought: _Thought | None = None
        self.calls: list[bytes] = []
        self.images: list[bytes] = []
        self.sound = b""
        self.course = Course()


def _string(inside: list[bytes]) -> Raw:
    return Raw(b'"%b"' % b"".join(inside))
