"""Frames: what two processes say to each other, one after the other on a stream.

    length of the rest, 4 bytes, big endian | MessagePack array: kind, call, name, body

`call` is the number by which a call and its answer find each other, `name` that of the
method, `body` its arguments, its result, or a refusal. Pure: bytes in, values out.
"""

import struct
from collections.abc import Iterator
from enum import IntEnum
from typing import Final

import msgspec
from msgspec import Struct

MOST_BYTES: Final = 16 * 1024 * 1024
LENGTH: Final = struct.Struct(">I")
NOTHING: Final = msgspec.Raw(b"\xc0")
"""MessagePack's nil."""


class Kind(IntEnum):
    """What a frame is."""

    CALL = 0
    ANSWER = 1
    REFUSAL = 2
    NOTE = 3
    """A call that nobody answers."""


class Frame(Struct, frozen=True, array_like=True):
    """One thing said."""

    kind: Kind
    call: int = 0
    name: str = ""
    body: msgspec.Raw = NOTHING


class BadFrame(Exception):
    """What came is no frame, or what is to go makes none that is small enough."""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(Frame).decode


def framed(frame: Frame) -> bytes:
    """Return the bytes of a frame. Raises BadFrame when it is too large."""
    data = _encode(frame)
    if len(data) > MOST_BYTES:
        raise BadFrame(f"{frame.name}: {len(data)} bytes are too many for a frame")
    return LENGTH.pack(len(data)) + data


class Cutter:
    """Cuts what comes into frames, wherever the stream was cut before."""

    __slots__ = ("_rest",)

    def __init__(self) -> None:
        self._rest = bytearray()

    def feed(self, data: bytes) -> Iterator[Frame]:
        """Yield the frames that are complete. Raises BadFrame; nothing after that makes sense."""
        rest = self._rest
        rest += data
        at = 0
        try:
            while len(rest) - at >= LENGTH.size:
                (size,) = LENGTH.unpack_from(rest, at)
                if size > MOST_BYTES:
                    raise BadFrame(f"a frame of {size} bytes")
                end = at + LENGTH.size + size
                if len(rest) < end:
                    break
                body = bytes(rest[at + LENGTH.size : end])
                at = end
                yield _read(body)
        finally:
            del rest[:at]


def _read(body: bytes) -> Frame:
    try:
        return _decode(body)
    except msgspec.DecodeError as error:
        raise BadFrame(str(error)) from error
