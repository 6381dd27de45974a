"""The binary frames of AWS: whole, cut, and broken in every way."""

import json
from itertools import pairwise
from struct import pack
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.bedrock.eventstream import MOST_KINDS, FrameParser
from tests.providers.bedrock_calls import broken, frame, header, raw_frame

TEXT = frame("contentBlockDelta", {"contentBlockIndex": 0, "delta": {"text": "hé"}})


def fed(*parts: bytes) -> list[object]:
    parser = FrameParser()
    return [json.loads(event) for part in parts for event in parser.feed(part)]


def test_an_event_is_named_by_its_kind() -> None:
    event = {"contentBlockDelta": {"contentBlockIndex": 0, "delta": {"text": "hé"}}}
    assert fed(TEXT + TEXT) == [event, event]
    assert fed(frame("messageStop", b"")) == [{"messageStop": {}}]


def test_a_frame_of_amazons_own_documentation() -> None:
    # smithy.io, event stream specification, "Example": no headers, payload {'foo':'bar'}.
    known = bytes.fromhex("0000001d00000000fd528c5a7b27666f6f273a27626172277dc3653936")
    assert raw_frame(b"", b"{'foo':'bar'}") == known
    assert FrameParser().feed(known) == [b"{\"\":{'foo':'bar'}}"]


def test_an_exception_tells_its_name() -> None:
    assert fed(broken("throttlingException", "slow")) == [
        {"exception": "throttlingException", "error": {"message": "slow"}}
    ]
    error = header(":message-type", "error") + header(":error-code", "Odd")
    assert fed(raw_frame(error + header(":error-message", "why"), b"")) == [
        {"exception": "Odd", "message": "why", "error": {}}
    ]


def test_headers_of_all_types_are_read_past() -> None:
    others = b"".join(
        pack(">B", 1) + b"x" + pack(">B", kind) + bytes(size)
        for kind, size in ((0, 0), (1, 0), (2, 1), (3, 2), (4, 4), (5, 8), (8, 8), (9, 16))
    )
    others += pack(">B", 1) + b"y" + pack(">BH", 6, 3) + b"abc"
    made = raw_frame(others + header(":event-type", "metadata"), b"{}")
    assert fed(made) == [{"metadata": {}}]


@given(st.lists(st.integers(0, 3 * len(TEXT)), max_size=8))
def test_the_network_may_cut_anywhere(cuts: list[int]) -> None:
    stream = TEXT * 3
    places = [0, *sorted(cuts), len(stream)]
    parts = [stream[a:b] for a, b in pairwise(places)]
    assert fed(*parts) == fed(TEXT) * 3


@pytest.mark.parametrize("place", [0, 5, 9, 14, 40, len(TEXT) - 5, len(TEXT) - 1])
def test_a_flipped_bit_is_noticed(place: int) -> None:
    damaged = bytearray(TEXT)
    damaged[place] ^= 0x10
    with pytest.raises(ValueError, match="frame"):
        fed(bytes(damaged) + bytes(1024))


def lengths(total: int, headers: int) -> bytes:
    prelude = pack(">II", total, headers)
    return prelude + pack(">I", crc32(prelude))


@pytest.mark.parametrize(
    "head", [lengths(2**31, 0), lengths(15, 0), lengths(100, 90), lengths(2**20, 2**18)]
)
def test_lengths_that_cannot_be_are_refused_at_once(head: bytes) -> None:
    with pytest.raises(ValueError, match="frame"):
        FrameParser().feed(head)


@pytest.mark.parametrize(
    "headers",
    [b"\x05ab", b"\x01a", b"\x01a\x07\x00", b"\x01a\x07\x00\x09b", b"\x01a\x63", b"\x01\xff\x00"],
)
def test_headers_that_are_none_are_refused(headers: bytes) -> None:
    with pytest.raises(ValueError, match=r"header|utf-8"):
        FrameParser().feed(raw_frame(headers, b"{}"))


@given(st.binary(max_size=200))
def test_nonsense_is_a_value_error_and_nothing_else(data: bytes) -> None:
    parser = FrameParser(limit_bytes=4096)
    try:
        parser.feed(data)
        parser.feed(data)
    except ValueError:
        return
    assert len(parser.rest()) <= 400


def test_an_endless_frame_without_an_end_is_bounded() -> None:
    parser = FrameParser(limit_bytes=64)
    with pytest.raises(ValueError, match="longer than 64"):
        parser.feed(TEXT)
    plain = FrameParser(limit_bytes=64)
    plain.feed(b"{")
    with pytest.raises(ValueError, match="longer than 64"):
        plain.feed(bytes(64))


def test_json_in_place_of_frames_is_kept_for_whoever_asks() -> None:
    parser = FrameParser()
    assert parser.feed(b'{"message":') == []
    assert parser.feed(b'"no"}') == []
    assert parser.rest() == b'{"message":"no"}'
    assert parser.flush() is None
    assert parser.rest() == b""


def test_a_frame_that_was_cut_off_is_no_event() -> None:
    parser = FrameParser()
    assert parser.feed(TEXT[:-1]) == []
    assert parser.rest() == TEXT[:-1]
    assert parser.flush() is None


def test_names_that_never_repeat_are_not_remembered_for_ever() -> None:
    parser = FrameParser()
    for number in range(3 * MOST_KINDS):
        assert parser.feed(frame(f"k{number}", {})) == [b'{"k%d":{}}' % number]
    assert len(parser._known) == MOST_KINDS


def test_what_came_before_a_wrong_frame_is_told_however_it_was_cut() -> None:
    wrong = bytearray(TEXT)
    wrong[40] ^= 1
    at_once = FrameParser()
    assert len(at_once.feed(TEXT + bytes(wrong))) == 1
    with pytest.raises(ValueError, match="checksum"):
        at_once.feed(b"")
    with pytest.raises(ValueError, match="checksum"):
        at_once.flush()
