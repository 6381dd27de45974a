"""Whatever comes, and however it is cut: no crash, no hang, no leak, and one way to read it."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.web.framing import BROKEN, GOOD, HOSTS
from tests.web.wire import GET, POST, App, Scene, settled

PIECES = st.sampled_from(
    [
        GET, POST % 3, b"abc", b"GET ", b"/a", b" HTTP/1.1", b"\r\n", b"\r", b"\n", b"Host: x\r\n",
        b"Content-Length: 3\r\n", b"Content-Length: 4\r\n", b"Transfer-Encoding: chunked\r\n",
        b"3\r\nabc\r\n", b"0\r\n\r\n", b"Connection: close\r\n", b"Expect: 100-continue\r\n",
        b"\x00", b"\xff", b": ", b" ", b"%2e", b"//", b"A" * 9000, b"HEAD /a HTTP/1.1\r\n",
    ]
)  # fmt: skip


async def outcome(parts: list[bytes]) -> tuple[list[int], list[str], bool]:
    """Return the status of each answer, what was asked for, and whether the connection ended."""
    scene = Scene(App(body_bytes=100_000), hosts=(*HOSTS, "x"))
    line, carrier = scene.client()
    for part in parts:
        if carrier.closed:
            break
        line.data_received(part)
        await settled()
    over = carrier.closed or carrier.ended
    answers_ = carrier.sent.replace(b"HTTP/1.1 100 Continue", b"").split(b"HTTP/1.1 ")[1:]
    got = [int(part[:3]) for part in answers_]
    asked = [f"{each['method']} {each['path']}" for each in scene.app.asked]
    if not carrier.closed:
        line.connection_lost(None)
    await settled()
    assert scene.floor.empty
    assert not scene.floor.running
    assert asyncio.all_tasks() == {asyncio.current_task()}
    return got, asked, over


@given(st.lists(PIECES, max_size=14), st.integers(1, 40))
def test_any_bytes_are_answered_the_same_however_they_are_cut(
    pieces: list[bytes], step: int
) -> None:
    data = b"".join(pieces)
    cut = [data[at : at + step] for at in range(0, len(data), step)][:400]
    data = b"".join(cut)
    good, asked = alike([data] if data else [], cut)
    assert good.count(True) <= len(asked)
    assert good.count(False) <= 1
    assert set(asked) <= {"GET /a", "POST /a", "HEAD /a", "GET /a/a"}


def alike(*ways: list[bytes]) -> tuple[list[bool], list[str]]:
    """Return which answers are good and what was asked for, which must not depend on the way."""
    outcomes = [asyncio.run(outcome(way)) for way in ways]
    told = [([status == 200 for status in got], asked, over) for got, asked, over in outcomes]
    assert all(each == told[0] for each in told)
    return told[0][:2]


def pieces_of(data: bytes, cuts: list[int]) -> list[bytes]:
    """Return data in pieces of these lengths, and what is left as the last."""
    pieces = []
    for length in cuts:
        pieces.append(data[:length])
        data = data[length:]
    return [piece for piece in (*pieces, data) if piece]


OTHER_LIMITS = "a management body over the limit"


@pytest.mark.parametrize("name", sorted(BROKEN.keys() - {OTHER_LIMITS}))
def test_each_way_to_break_the_rules_is_refused(name: str) -> None:
    data, status = BROKEN[name]
    got, _, over = asyncio.run(outcome([data + GET]))
    assert (got, over) == ([status], True)


CUTS = st.lists(st.integers(1, 150), max_size=12)


@given(st.sampled_from(sorted(BROKEN.keys() - {OTHER_LIMITS})), CUTS)
def test_what_breaks_the_rules_is_refused_alike_however_it_is_cut(
    name: str, cuts: list[int]
) -> None:
    data, status = BROKEN[name]
    got, asked, over = asyncio.run(outcome(pieces_of(data + GET, cuts)))
    assert (got, over) == ([status], True)
    assert asked in ([], ["POST /api/v1/chat/completions"]), "a body that breaks off has begun"


CASES = sorted(data for data, _ in (*BROKEN.values(), *GOOD.values()) if len(data) < 5000)
SPLINTERS = b"|\r|\n|\r\n| |\t|\x00|:|0|%|/|\xff|chunked|Host: x\r\n|;|,".split(b"|")
CHANGES = st.lists(
    st.tuples(st.integers(0, 600), st.integers(0, 3), st.sampled_from(SPLINTERS)), max_size=4
)


@given(st.sampled_from(CASES), CHANGES, CUTS)
def test_a_request_that_is_changed_anywhere_is_read_in_one_way(
    data: bytes, changes: list[tuple[int, int, bytes]], cuts: list[int]
) -> None:
    for place, gone, new in changes:
        at = place % (len(data) + 1)
        data = data[:at] + new + data[at + gone :]
    data += GET
    good, asked = alike(pieces_of(data, []), pieces_of(data, cuts))
    assert good.count(False) <= 1
    assert len(good) <= len(asked) + 1
