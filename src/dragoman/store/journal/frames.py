"""The format of a journal's files, as functions of bytes.

A journal is a sequence of records and has one incarnation, a random id. An
offset is a place in that sequence: the bytes of all records before it. The
sequence is kept in segments, which are files of a header and records:

    header   magic (8) | version u16 | length u16 | incarnation (16) | number u32
             | base u64 | node (UTF-8) | CRC-32 of all that u32
    record   length u32 | check u32 | payload

Integers are big-endian. `base` is the offset of a segment's first record. An
offset never stands for two different records, so segments may overlap, and
whichever copy is whole is the right one. `check` is the CRC-32 of the payload,
begun with a number made of incarnation and offset: bytes of another journal, or
in another place, are no record.
"""

import re
import struct
from zlib import crc32

from msgspec import Struct

MAGIC = b"DRAGOJNL"
VERSION = 1
MOST_NODE_BYTES = 255
MOST_PAYLOAD_BYTES = 1 << 20
FRAME_BYTES = 8
MASK = 0xFFFFFFFF

_frame = struct.Struct(">II")
_opening = struct.Struct(">8sHH")
_fields = struct.Struct(">16sIQ")
_check = struct.Struct(">I")

HEADER_BYTES_MOST = _opening.size + _fields.size + MOST_NODE_BYTES + _check.size

_PLAUSIBLE = re.compile(rb"(?=\x00(?:[\x01-\x10]|\x00[^\x00]|\x00\x00[^\x00]))", re.DOTALL)
"""Where a record's length may begin: between 1 and a little more than the most it can be."""


class JournalRefused(Exception):
    """A file that is no journal of this node and release. Says what to do."""


class Header(Struct, frozen=True):
    """What a segment says of itself. `base` is the offset of its first record."""

    incarnation: str
    """32 hexadecimal digits."""
    node: str
    number: int
    base: int


class Record(Struct, frozen=True, gc=False):
    """A payload, and the offset behind it: where the next record begins."""

    offset: int
    payload: bytes


def salt_of(incarnation: str) -> int:
    """Return what every check of a journal begins with."""
    return crc32(bytes.fromhex(incarnation))


def encode(payload: bytes, salt: int, offset: int) -> bytes:
    """Return the record that begins at `offset`. Raises ValueError for 0 or too many bytes."""
    return frame(payload, salt, offset) + payload


def frame(payload: bytes, salt: int, offset: int) -> bytes:
    """Return what stands before `payload` at `offset`."""
    size = len(payload)
    if not 0 < size <= MOST_PAYLOAD_BYTES:
        raise ValueError(f"A record holds 1 to {MOST_PAYLOAD_BYTES} bytes, not {size}.")
    return _frame.pack(size, crc32(payload, (salt + offset) & MASK))


def scan(data: bytes, salt: int, offset: int) -> tuple[Record, ...]:
    """Return the whole records at the start of `data`, which begins at `offset`."""
    records: list[Record] = []
    at, end = 0, len(data)
    shift = salt + offset
    unpack = _frame.unpack_from
    while end - at > FRAME_BYTES:
        size, check = unpack(data, at)
        after = at + FRAME_BYTES + size
        if not 0 < size <= MOST_PAYLOAD_BYTES or after > end:
            break
        payload = data[at + FRAME_BYTES : after]
        if crc32(payload, (shift + at) & MASK) != check:
            break
        records.append(Record(offset + after, payload))
        at = after
    return tuple(records)


def next_record(data: bytes, salt: int, offset: int) -> int | None:
    """Return the offset of the first whole record in `data`, wherever it begins, if any."""
    for found in _PLAUSIBLE.finditer(data):
        at = found.start()
        if len(data) - at <= FRAME_BYTES:
            return None
        size, check = _frame.unpack_from(data, at)
        payload = data[at + FRAME_BYTES : at + FRAME_BYTES + size]
        if len(payload) == size and crc32(payload, (salt + offset + at) & MASK) == check:
            return offset + at
    return None


def encode_header(header: Header) -> bytes:
    """Return the bytes with which a segment begins."""
    node = header.node.encode()
    if len(node) > MOST_NODE_BYTES:
        raise ValueError(f"A node's name has at most {MOST_NODE_BYTES} bytes.")
    length = _opening.size + _fields.size + len(node) + _check.size
    fields = _fields.pack(bytes.fromhex(header.incarnation), header.number, header.base)
    text = _opening.pack(MAGIC, VERSION, length) + fields + node
    return text + _check.pack(crc32(text))


def decode_header(data: bytes) -> tuple[Header, int]:
    """Read a header from the start of `data`; return it and its length in bytes.

    Raises JournalRefused for a file of another kind or of a later release, and
    for a header that is damaged.
    """
    try:
        magic, version, length = _opening.unpack_from(data)
    except struct.error as short:
        raise JournalRefused("It is too short to be a segment of a journal.") from short
    if magic != MAGIC:
        raise JournalRefused("It is no segment of a journal. Move it elsewhere.")
    if version > VERSION:
        raise JournalRefused(
            f"A later release wrote it, in format {version}, and this one reads up to {VERSION}. "
            "Run that release until its journals are applied, or keep running it."
        )
    return _header(data[:length]), length


def _header(data: bytes) -> Header:
    fields_end = _opening.size + _fields.size
    text, check = data[: -_check.size], data[-_check.size :]
    if len(text) < fields_end or check != _check.pack(crc32(text)):
        raise JournalRefused("Its header is damaged. Restore the file from a copy.")
    incarnation, number, base = _fields.unpack_from(text, _opening.size)
    return Header(incarnation.hex(), text[fields_end:].decode(), number, base)
