"""Frames come out of a stream as they went in, wherever it is cut, and nonsense is told apart."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.link.frames import LENGTH, MOST_BYTES, BadFrame, Cutter, Frame, Kind, framed

FRAMES = st.builds(
    Frame,
    kind=st.sampled_from(Kind),
    call=st.integers(0, 2**40),
    name=st.text(max_size=20),
    body=st.binary(max_size=300).map(lambda data: msgspec.Raw(msgspec.msgpack.encode(data))),
)


@given(st.lists(FRAMES, max_size=6), st.integers(1, 40))
def test_frames_survive_any_cut(frames: list[Frame], step: int) -> None:
    stream = b"".join(map(framed, frames))
    cutter = Cutter()
    came = [
        frame for at in range(0, len(stream), step) for frame in cutter.feed(stream[at : at + step])
    ]
    assert [(f.kind, f.call, f.name, bytes(f.body)) for f in came] == [
        (f.kind, f.call, f.name, bytes(f.body)) for f in frames
    ]


@pytest.mark.parametrize(
    "data",
    [
        LENGTH.pack(MOST_BYTES + 1),
        LENGTH.pack(3) + b"abc",
        LENGTH.pack(1) + b"\xc0",
        LENGTH.pack(2) + b"\x91\x09",
    ],
)
def test_what_is_no_frame_is_told(data: bytes) -> None:
    with pytest.raises(BadFrame):
        list(Cutter().feed(data))


def test_a_frame_that_nobody_would_take_is_not_made() -> None:
    body = msgspec.Raw(msgspec.msgpack.encode(bytes(MOST_BYTES)))
    with pytest.raises(BadFrame, match="too many"):
        framed(Frame(Kind.CALL, 1, "record", body))
