"""The format of journals: what is cut, changed or strange is never taken for a record."""

from itertools import accumulate
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.store.journal import frames
from dragoman.store.journal.feed import Feed
from dragoman.store.journal.frames import FRAME_BYTES, Header, JournalRefused, Record
from dragoman.store.journal.tail import Tail

NAME: Final = "0123456789abcdef" * 2
OTHER: Final = "fedcba9876543210" * 2
SALT: Final = frames.salt_of(NAME)
HEADER: Final = Header(NAME, "node-1", 7, 12345)

payloads = st.lists(st.binary(min_size=1, max_size=40), max_size=12)
offsets = st.integers(0, 2**40)


def written(bodies: list[bytes], offset: int = 0) -> bytes:
    data = b""
    for body in bodies:
        data += frames.encode(body, SALT, offset + len(data))
    return data


def ends(bodies: list[bytes], offset: int = 0) -> list[int]:
    return list(accumulate((FRAME_BYTES + len(body) for body in bodies), initial=offset))[1:]


@given(payloads, offsets)
def test_what_was_written_is_read(bodies: list[bytes], offset: int) -> None:
    records = frames.scan(written(bodies, offset), SALT, offset)
    assert [record.payload for record in records] == bodies
    assert [record.offset for record in records] == ends(bodies, offset)


@given(payloads, offsets, st.data())
def test_a_cut_anywhere_leaves_what_came_before_it(
    bodies: list[bytes], offset: int, data: st.DataObject
) -> None:
    whole = written(bodies, offset)
    cut = data.draw(st.integers(0, len(whole)))
    records = frames.scan(whole[:cut], SALT, offset)
    fitting = [end for end in ends(bodies, offset) if end <= offset + cut]
    assert [record.offset for record in records] == fitting
    assert [record.payload for record in records] == bodies[: len(fitting)]


@given(payloads.filter(bool), offsets, st.integers(1, 255), st.data())
def test_a_changed_byte_ends_the_scan_at_its_record(
    bodies: list[bytes], offset: int, change: int, data: st.DataObject
) -> None:
    spoilt = bytearray(written(bodies, offset))
    place = data.draw(st.integers(0, len(spoilt) - 1))
    spoilt[place] ^= change
    before = [end for end in ends(bodies, offset) if end <= offset + place]
    records = frames.scan(bytes(spoilt), SALT, offset)
    assert [record.offset for record in records] == before


@given(payloads.filter(bool), st.binary(max_size=30))
def test_a_record_is_found_behind_garbage(bodies: list[bytes], garbage: bytes) -> None:
    data = garbage + written(bodies, len(garbage))
    assert frames.next_record(data, SALT, 0) == len(garbage)


@given(st.binary(max_size=200))
def test_garbage_is_no_record(garbage: bytes) -> None:
    assert frames.scan(garbage, SALT, 0) == ()
    assert frames.next_record(garbage, SALT, 0) is None


@pytest.mark.parametrize("size", [8, 9, 4096])
def test_zeros_are_no_record(size: int) -> None:
    assert frames.scan(bytes(size), 0, 0) == ()
    assert frames.next_record(bytes(size), 0, 0) is None


def test_a_record_counts_in_its_place_of_its_journal_only() -> None:
    record = frames.encode(b"paid", SALT, 100)
    assert frames.scan(record, SALT, 100) == (Record(112, b"paid"),)
    assert frames.scan(record, SALT, 0) == ()
    assert frames.scan(record, frames.salt_of(OTHER), 100) == ()


@pytest.mark.parametrize("size", [0, frames.MOST_PAYLOAD_BYTES + 1])
def test_a_payload_has_its_limits(size: int) -> None:
    with pytest.raises(ValueError, match=str(size)):
        frames.encode(bytes(size), SALT, 0)


def test_the_longest_payload_is_read_and_found() -> None:
    longest = bytes(frames.MOST_PAYLOAD_BYTES)
    data = b"\0" + frames.encode(longest, SALT, 1)
    assert frames.next_record(data, SALT, 0) == 1
    assert frames.scan(data[1:], SALT, 1)[0].payload == longest


@given(
    st.builds(
        Header,
        st.binary(min_size=16, max_size=16).map(bytes.hex),
        st.text(max_size=60),
        st.integers(1, 2**32 - 1),
        st.integers(0, 2**64 - 1),
    ),
    st.binary(max_size=30),
)
def test_a_header_says_what_it_was_told(header: Header, rest: bytes) -> None:
    text = frames.encode_header(header)
    assert frames.decode_header(text + rest) == (header, len(text))


@given(st.data(), st.integers(1, 255))
def test_a_header_with_a_changed_byte_is_refused(data: st.DataObject, change: int) -> None:
    text = bytearray(frames.encode_header(HEADER))
    text[data.draw(st.integers(0, len(text) - 1))] ^= change
    with pytest.raises(JournalRefused):
        frames.decode_header(bytes(text))


@given(st.data())
def test_a_header_that_is_cut_is_refused(data: st.DataObject) -> None:
    text = frames.encode_header(HEADER)
    with pytest.raises(JournalRefused):
        frames.decode_header(text[: data.draw(st.integers(0, len(text) - 1))])


def test_a_file_from_the_future_is_refused_with_the_way_out() -> None:
    text = bytearray(frames.encode_header(HEADER))
    text[9] = 2
    with pytest.raises(JournalRefused, match=r"later release.*format 2.*Run that release"):
        frames.decode_header(bytes(text))


def test_a_node_with_a_name_too_long_is_no_node() -> None:
    with pytest.raises(ValueError, match="255"):
        frames.encode_header(Header(NAME, "n" * 256, 1, 0))


@given(st.lists(st.one_of(st.binary(min_size=1, max_size=9), st.none(), st.integers(0, 5))))
def test_a_tail_keeps_exactly_what_may_not_be_on_disk(
    steps: list[bytes | int | None],
) -> None:
    """Bytes are appended, None takes them, a number syncs what was taken that many takes ago."""
    tail, bodies, taken = Tail(NAME), [], [0]
    for step in steps:
        if isinstance(step, bytes):
            bodies.append(step)
            assert tail.append(step) == ends(bodies)[-1]
        elif step is None:
            before = tail.taken
            chunk, data = tail.take()
            assert data == written(bodies)[before : chunk.end]
            assert (chunk.start, chunk.end) == (before, tail.appended)
            taken.append(chunk.end)
        elif taken[-1 - step : -step or None] and taken[-1 - step] >= tail.synced:
            tail.sync(taken[-1 - step])
        assert tail.again() == written(bodies)[tail.synced : tail.taken]
        assert tail.waiting == (tail.appended > tail.taken)
        assert tail.unsynced == len(written(bodies)) - tail.synced


@given(
    st.lists(st.lists(st.binary(min_size=1, max_size=9), min_size=1, max_size=6), max_size=8),
    st.integers(1, 5),
    st.integers(0, 150),
)
def test_a_feed_hands_on_in_order_what_it_had_room_for(
    turns: list[list[bytes]], most: int, capacity: int
) -> None:
    feed, tail = Feed(capacity), Tail(NAME)
    for turn in turns:
        for body in turn:
            tail.append(body)
        feed.put(tail.take()[0])
    bodies = [body for turn in turns for body in turn]
    expected = [Record(*pair) for pair in zip(ends(bodies), bodies, strict=True)]
    offset, missed = 0, 0
    for record in expected:
        if record.offset <= offset:
            continue
        taken = feed.take(offset, most)
        assert len(taken) <= most
        if taken:
            place = expected.index(record)
            assert list(taken) == expected[place : place + len(taken)]
            offset = taken[-1].offset
        else:
            missed += 1
            offset = record.offset
    assert capacity < len(written(bodies)) or not missed
    assert feed.take(offset, most) == []
    assert feed.fresh.is_set() == bool(turns)
