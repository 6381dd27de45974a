"""The event stream reader against the standard, a slow twin, and every cut."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.wire.sse import DONE, PROCESSING, SseParser, comment, data_event


def read(*feeds: bytes, limit: int = 1000) -> list[bytes]:
    parser = SseParser(limit)
    return [event for data in feeds for event in parser.feed(data)]


def pieces(stream: bytes, cuts: list[int]) -> list[bytes]:
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    return [stream[a:b] for a, b in itertools.pairwise(edges)]


def twin(stream: bytes) -> list[bytes]:
    """Follow the standard to the letter, a line at a time, over a whole stream."""
    text = stream.removeprefix(b"\xef\xbb\xbf").replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    events = []
    data = b""
    for line in text.split(b"\n")[:-1]:
        if not line:
            if data:
                events.append(data[:-1])
            data = b""
        elif not line.startswith(b":"):
            field, _, value = line.partition(b":")
            value = value[1:] if value.startswith(b" ") else value
            if field == b"data":
                data += value + b"\n"
    return events


LIKELY = st.lists(
    st.sampled_from([
        b"data: x", b"data:y", b"data", b"data:  z", b"event: ping", b"event:pong", b"event",
        b": hm", b"id: 1", b"\n", b"\n\n", b"\r", b"\r\n", b"\r\n\r\n", b"\xef\xbb\xbf",
        "data: ü€😀".encode(), b"\xff", b"dat", b"a: ", b"\x00", b":",
    ]),
    max_size=40,
).map(b"".join)  # fmt: skip


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (b"data: a\n\n", [b"a"]),
        (b"data:a\n\n", [b"a"]),
        (b"data:  a\n\n", [b" a"]),
        (b"data\n\n", [b""]),
        (b"data: \n\n", [b""]),
        (b"data: a\ndata: b\n\n", [b"a\nb"]),
        (b"data\ndata\n\n", [b"\n"]),
        (b"event: ping\ndata: {}\n\n", [b"{}"]),
        (b"event: a\nevent: b\ndata: 1\n\n", [b"1"]),
        (b"event: ping\n\n", []),
        (b"event: ping\n\ndata: 1\n\n", [b"1"]),
        (b"event: \xff\ndata: 1\n\n", [b"1"]),
        (b": hello\n\ndata: 1\n\n", [b"1"]),
        (b": hello\ndata: 1\n\n", [b"1"]),
        (b"\n\n\n\n\ndata: 1\n\n\n\n\ndata: 2\n\n", [b"1", b"2"]),
        (b"id: 7\nretry: 10\ndata: 1\nnothing: here\n\n", [b"1"]),
        (b"Data: 1\n\n", []),
        (b" data: 1\n\n", []),
        (b"data: 1\r\n\r\ndata: 2\r\r", [b"1", b"2"]),
        (b"data: 1\n\r\ndata: 2\r\n\n", [b"1", b"2"]),
        (b"\xef\xbb\xbfdata: 1\n\n", [b"1"]),
        (b"\xef\xbb\xbf\xef\xbb\xbfdata: 1\n\n", []),
        (b"data: 1\n", []),
        (b"data: 1", []),
        (b"", []),
        ("data: 😀\n\n".encode(), ["😀".encode()]),
        (DONE + PROCESSING, [b"[DONE]"]),
    ],
)
def test_a_stream_reads_as_the_standard_says_however_it_is_cut(
    stream: bytes, expected: list[bytes]
) -> None:
    assert read(stream) == expected
    assert read(*[stream[i : i + 1] for i in range(len(stream))]) == expected
    for cut in range(len(stream)):
        assert read(stream[:cut], stream[cut:]) == expected
        assert read(stream[:cut], b"", stream[cut:]) == expected


@given(LIKELY, st.lists(st.integers(min_value=0), max_size=10))
def test_events_do_not_depend_on_how_the_network_cuts_them(stream: bytes, cuts: list[int]) -> None:
    assert read(*pieces(stream, cuts)) == twin(stream)


@given(st.binary(max_size=300), st.lists(st.integers(min_value=0), max_size=5))
def test_any_bytes_are_read_without_complaint(stream: bytes, cuts: list[int]) -> None:
    assert read(*pieces(stream, cuts)) == twin(stream)


@given(LIKELY, st.lists(st.integers(min_value=0), max_size=10))
def test_the_limit_does_not_depend_on_how_the_network_cuts(stream: bytes, cuts: list[int]) -> None:
    def outcome(feeds: list[bytes]) -> str:
        try:
            read(*feeds, limit=12)
        except ValueError as error:
            return str(error)
        return "read"

    assert outcome(pieces(stream, cuts)) == outcome([stream])


@pytest.mark.parametrize("stream", [b"data: 12345\n\n", b"data: 12345"])
def test_an_event_over_the_limit_is_refused_and_one_at_the_limit_is_not(stream: bytes) -> None:
    assert SseParser(11).feed(stream) in ([], [b"12345"])
    with pytest.raises(ValueError, match="longer than 10 bytes"):
        SseParser(10).feed(stream)


def test_many_events_in_one_feed_may_exceed_the_limit_together() -> None:
    assert len(SseParser(10).feed(b"data: 1\n\n" * 100)) == 100


@pytest.mark.parametrize(
    ("stream", "rest", "event"),
    [
        (b"data: 1\n\ndata: 2", b"data: 2", b"2"),
        (b"data: 1\n\ndata: 2\r\n", b"data: 2\n", b"2"),
        (b"data: 1\n\nevent: end", b"event: end", None),
        (b'{"error": "busy"}', b'{"error": "busy"}', None),
        (b"\xef\xbb", b"\xef\xbb", None),
        (b"data: 1\n\n", b"", None),
        (b"", b"", None),
    ],
)
def test_what_follows_the_last_blank_line_can_be_examined(
    stream: bytes, rest: bytes, event: bytes | None
) -> None:
    parser = SseParser()
    parser.feed(stream)
    assert parser.rest() == rest
    assert parser.flush() == event
    assert parser.rest() == b""
    assert parser.flush() is None


@given(st.binary(max_size=50))
def test_what_is_written_is_read_back(payload: bytes) -> None:
    lines = payload.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
    assert SseParser().feed(data_event(payload)) == [lines]


@given(st.text(max_size=50))
def test_a_comment_is_never_an_event(text: str) -> None:
    written = comment(text)
    assert written.startswith(b": ")
    assert SseParser().feed(written + DONE) == [b"[DONE]"]


def test_the_keep_alive_is_the_comment_that_clients_know() -> None:
    assert comment("OPENROUTER PROCESSING") == PROCESSING
    assert data_event(b"[DONE]") == DONE
