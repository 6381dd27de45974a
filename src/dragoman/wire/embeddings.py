"""Embeddings: texts in, vectors out. A client dialect, and the form in which answers travel.

`input` is a text, a list of texts, the tokens of one or of several, or a list of objects
whose `content` has parts as in chat (OpenRouter docs, api_reference/embeddings). Answers have
the shape of OpenAI's from every provider (`Answer.native`). Vectors come as numbers, or as
base64 of little-endian 32-bit floats; they are looked into only where the provider sent the
other form than the one asked for.
"""

import binascii
import re
import sys
from array import array
from base64 import b64decode, b64encode
from collections.abc import Mapping, Sequence
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from dragoman.core.errors import InvalidRequest
from dragoman.wire.answers import encode
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.hub import LARGE_BYTES, Answer
from dragoman.wire.json import members
from dragoman.wire.messages import TEXT_ONLY, File, Image, Text, Video, VideoUrl
from dragoman.wire.other_kinds import (
    Asked,
    CommonFields,
    Reader,
    UnstreamedDialect,
    call_of,
    embeddings_usage,
    stamp_members,
)
from dragoman.wire.shapes import NonEmpty

BYTES_PER_TOKEN: Final = 4
"""What a token of the input counts as text."""

_FRAME = b"[] \n\r\t"
_NUMBERS = b"0123456789eE+-.," + _FRAME
_FORM = re.compile(rb'"embedding"\s*:\s*(["\[])')
_DATA = re.compile(rb'"data"\s*:\s*\[')
_FORM_WITHIN = 4096
_FLOAT_BYTES = 4


Bytes = bytes | memoryview


class Media(Struct, frozen=True, gc=False):
    """What is no text, in base64 or at a URL (OpenRouter, schema `MultimodalMedia`)."""

    data: NonEmpty
    format: str | None = None


class Sound(Struct, frozen=True, gc=False, tag_field="type", tag="input_audio"):
    """A recording, whose format may be left out here."""

    input_audio: Media


class InputFile(Struct, frozen=True, gc=False, tag_field="type", tag="input_file"):
    """A document, as it is written for embeddings only."""

    input_file: Media


class InputVideo(Struct, frozen=True, gc=False, tag_field="type", tag="input_video"):
    """A video, as it is written for embeddings, or in chat."""

    input_video: Media | None = None
    video_url: VideoUrl | None = None


Part = Text | Image | Sound | Video | InputVideo | File | InputFile

_MODALITIES: Mapping[type[Part], str] = {
    Text: "text", Image: "image", Sound: "audio", Video: "video", InputVideo: "video",
    File: "file", InputFile: "file",
}  # fmt: skip


class Parts(Struct, frozen=True):
    """One thing to embed that is made of several."""

    content: Annotated[list[Part], Meta(min_length=1)]


Token = Annotated[int, Meta(ge=0, le=2**31)]
Input = str | Annotated[list[str | Token | list[Token] | Parts], Meta(min_length=1)]


class _Fields(CommonFields, frozen=True, kw_only=True):
    input: Input
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[int, Meta(ge=1, le=1_000_000)] | None = None
    input_type: Annotated[str, Meta(max_length=128)] | None = None


class Vector(Struct, gc=False):
    """One embedding: a list of numbers, or a string of base64."""

    embedding: Raw
    index: int | None = None


class _Body(Struct):
    data: list[Vector]


class _Whole(Struct):
    data: Raw


class _Written(Struct, gc=False):
    object: str
    index: int
    embedding: Raw


_reader = Reader(_Fields)
_body = msgspec.json.Decoder(_Body).decode
_whole = msgspec.json.Decoder(_Whole).decode
_floats = msgspec.json.Decoder(list[float]).decode
_text = msgspec.json.Decoder(str).decode
_word = msgspec.json.Decoder(str | None).decode


class EmbeddingsDialect(UnstreamedDialect):
    """Fulfils `ClientDialect`. Keeps nothing."""

    __slots__ = ()
    name = "embeddings"
    one_choice = False

    def parse(self, body: bytes, _headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. Raises InvalidRequest."""
        found = members(body)
        fields = _reader.read(body)
        return call_of("embeddings", fields, found, _asked(fields.input))

    def wanted(self, call: ChatCall, body: bytes) -> bytes:
        """Return a provider's body whose vectors are in the form that was asked for."""
        begins = _DATA.search(body, 0, _FORM_WITHIN)
        base64 = _wants_base64(call)
        if begins is not None and _is_in_form(body, begins.end(), base64=base64):
            return body
        return b"".join((b'{"data":', _in_form(body, base64=base64), b"}"))

    def answer(self, told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
        """Return the list of embeddings."""
        body = answer.native or b""
        data = _in_form(body, base64=_wants_base64(told.call))
        after = b',%b,"usage":%b%b}' % (
            stamp_members(told.stamp),
            embeddings_usage(spent),
            routing,
        )
        return b"".join((b'{"object":"list","data":', data, after))


EMBEDDINGS: Final = EmbeddingsDialect()


def read_vectors(body: bytes) -> list[Vector]:
    """Return the vectors of an answer in OpenAI's shape, each of which can be written in any form.

    Raises ValueError where there is none, or one that is neither numbers nor base64.
    """
    try:
        vectors = _body(body).data
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
    if not vectors:
        raise ValueError("an answer without embeddings")
    for vector in vectors:
        _check(bytes(vector.embedding))
    return vectors


def _check(value: bytes) -> None:
    if value.startswith(b"["):
        if (
            value.translate(None, _NUMBERS)
            or value.count(b"[") != 1
            or not value[:64].strip(_FRAME)
        ):
            raise ValueError("an embedding that is not a list of numbers")
        return
    if not value.startswith(b'"'):
        raise ValueError("an embedding that is neither numbers nor base64")
    try:
        size = len(binascii.a2b_base64(_text(value), strict_mode=True))
    except binascii.Error as error:
        raise ValueError(f"an embedding that is not base64: {error}") from None
    if not size or size % _FLOAT_BYTES:
        raise ValueError("an embedding that is not made of 32-bit numbers")


def _wants_base64(call: ChatCall) -> bool:
    wanted: str | None = _word(call.members.get("encoding_format", Raw(b"null")))
    return wanted == "base64"


def _data_of(body: bytes) -> Bytes:
    """Return the `data` of an answer as it came. Of much only the ends are read, none is copied.

    Between the last vector and the last bracket there is nothing but the end of its row.
    """
    begins = _DATA.search(body, 0, _FORM_WITHIN) if len(body) >= LARGE_BYTES else None
    if begins is not None:
        start, end, last = begins.end() - 1, body.rfind(b"]") + 1, body.rfind(b'"embedding"')
        brackets = body.count(b"[", last, end), body.count(b"]", last, end)
        if brackets in {(0, 1), (1, 2)} and _is_whole(body[:start] + b"[]" + body[end:]):
            return memoryview(body)[start:end]
    return bytes(_whole(body).data)


def _is_whole(body: bytes) -> bool:
    """Whether this is an answer whose `data` is empty."""
    try:
        return bytes(_whole(body).data) == b"[]"
    except ValueError:
        return False


def _is_in_form(body: Bytes, start: int, *, base64: bool) -> bool:
    """Whether the first vector after `start` is in this form, as all others are then."""
    form = _FORM.search(body, start, start + _FORM_WITHIN)
    return form is not None and (form[1] == b'"') is base64


def _in_form(body: bytes, *, base64: bool) -> Bytes:
    """Return the `data` of an answer, its vectors in the form that was asked for."""
    data = _data_of(body)
    if _is_in_form(data, 0, base64=base64):
        return data
    rows = _body(body).data
    write = _as_base64 if base64 else _as_floats
    return encode(
        [
            _Written("embedding", place if row.index is None else row.index, write(row.embedding))
            for place, row in enumerate(rows)
        ]
    )


def _as_base64(vector: Raw) -> Raw:
    if bytes(vector).startswith(b'"'):
        return vector
    packed = _little(array("f", _floats(vector)))
    return Raw(b'"%b"' % b64encode(packed.tobytes()))


def _as_floats(vector: Raw) -> Raw:
    if bytes(vector).startswith(b"["):
        return vector
    packed = array("f")
    packed.frombytes(b64decode(_text(vector)))
    return Raw(encode(_little(packed).tolist()))


def _little(numbers: "array[float]") -> "array[float]":
    """Return the numbers in the order of bytes that the wire has, or from it in our own."""
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers


def _asked(given: Input) -> Asked:
    """Measure the input. Raises InvalidRequest where it is empty, or of several sorts."""
    if isinstance(given, str):
        return _of_texts({"input": given})
    texts = {f"input.{place}": each for place, each in enumerate(given) if isinstance(each, str)}
    if len(texts) == len(given):
        return _of_texts(texts)
    tokens = sum(isinstance(each, int) for each in given)
    if tokens == len(given):
        return _of_sizes([tokens * BYTES_PER_TOKEN])
    lists = [len(each) * BYTES_PER_TOKEN for each in given if isinstance(each, list)]
    if len(lists) == len(given):
        if 0 in lists:
            raise InvalidRequest(f"input.{lists.index(0)}: must not be empty")
        return _of_sizes(lists)
    objects = [each for each in given if isinstance(each, Parts)]
    if len(objects) != len(given):
        raise InvalidRequest("input: must hold items of one sort")
    _check_videos(given)
    return _of_sizes(
        [sum(_text_bytes(part) for part in each.content) for each in objects],
        frozenset(_MODALITIES[type(part)] for each in objects for part in each.content),
    )


def _check_videos(given: Sequence[object]) -> None:
    for place, each in enumerate(given):
        for number, part in enumerate(each.content if isinstance(each, Parts) else ()):
            if isinstance(part, InputVideo) and not (part.input_video or part.video_url):
                raise InvalidRequest(f"input.{place}.content.{number}.input_video: is required")


def _of_texts(texts: Mapping[str, str]) -> Asked:
    for place, text in texts.items():
        if not text:
            raise InvalidRequest(f"{place}: must be a string of at least 1 character")
    return _of_sizes([len(text.encode()) for text in texts.values()])


def _of_sizes(sizes: list[int], inputs: frozenset[str] = TEXT_ONLY) -> Asked:
    return Asked(inputs=inputs, text_bytes=sum(sizes), prompts=len(sizes), window_bytes=max(sizes))


def _text_bytes(part: Part) -> int:
    return len(part.text.encode()) if isinstance(part, Text) else 0
