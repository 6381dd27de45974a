"""How an answer ends without a socket: lost, overdue, closed, cancelled."""

import asyncio
import gc
import weakref

import pytest

from dragoman.net.exchange import Exchange
from dragoman.net.types import Limits, NetError
from tests.net.carrier import FakeCarrier, exchange, failure, fed, finished
from tests.net.upstream import answer, chunked


@pytest.mark.parametrize("phase", ["eof", "reset", "send", "tls"])
@pytest.mark.parametrize(
    ("reused", "seen", "again"),
    [(True, b"", True), (True, b"H", False), (False, b"", False)],
)
def test_only_a_kept_connection_that_dies_without_a_byte_is_safe_to_repeat(
    phase: str, seen: bytes, *, reused: bool, again: bool
) -> None:
    one = exchange(FakeCarrier(reused=reused))
    if seen:
        one.feed(seen)
    one.lost(phase, "gone")  # type: ignore[arg-type]
    error = failure(one)
    assert (error.phase, error.reused) == (phase, again)


def test_a_kept_connection_that_dies_while_the_request_is_under_way_is_not_safe_to_repeat() -> None:
    limits = Limits(head_s=60.0)
    for now, again in ((40.5, True), (41.5, False)):  # it began at 40
        one = exchange(FakeCarrier(reused=True), limits=limits)
        one.sweep(now)
        one.lost("reset", "gone")
        assert failure(one).reused is again


def test_a_kept_connection_that_is_silent_is_not_safe_to_repeat() -> None:
    one = exchange(FakeCarrier(reused=True))
    one.sweep(100.0)
    error = failure(one)
    assert (error.phase, error.reused) == ("head", False)


@pytest.mark.parametrize("data", [answer(b"abc")[:-1], chunked(b"abc")[:-5], chunked(b"abc")[:-2]])
def test_an_end_before_the_end_is_an_error_after_what_had_arrived(data: bytes) -> None:
    one = fed(data)
    one.lost("eof", "gone")
    finished(one.head())
    finished(one.__anext__())
    with pytest.raises(NetError) as raised:
        finished(one.__anext__())
    assert raised.value.phase == "eof"


def test_a_reset_is_no_end_of_a_body() -> None:
    one = fed(b"HTTP/1.1 200 OK\r\n\r\nabc")
    one.lost("reset", "gone")
    with pytest.raises(NetError) as raised:
        finished(one.read())
    assert raised.value.phase == "reset"


def test_losing_the_connection_after_the_end_loses_nothing() -> None:
    one = fed(answer(b"abc"))
    one.lost("reset", "gone")
    assert finished(one.read()) == b"abc"


def test_a_head_has_until_its_deadline() -> None:
    one = fed(b"HTTP/1.1 200 OK\r\n")
    one.sweep(99.9)
    one.sweep(100.0)
    one.feed(b"\r\n")
    assert failure(one).phase == "head"


async def test_silence_is_measured_from_the_last_byte_while_somebody_waits() -> None:
    one = fed(answer(b"abc")[:-3], limits=Limits(idle_s=10.0))
    reading = asyncio.create_task(one.read())
    await asyncio.sleep(0)
    one.sweep(1000.0)
    one.sweep(1009.9)
    one.feed(b"a")
    await asyncio.sleep(0)
    one.sweep(1010.0)
    one.sweep(1019.9)
    assert not reading.done()
    one.sweep(1020.0)
    with pytest.raises(NetError) as raised:
        await reading
    assert raised.value.phase == "idle"


def test_a_reader_who_does_not_wait_is_not_kept_waiting() -> None:
    one = fed(answer(b"abc")[:-1], limits=Limits(idle_s=10.0))
    one.sweep(1000.0)
    one.sweep(2000.0)
    one.feed(b"c")
    assert finished(one.read()) == b"abc"


async def test_a_body_given_up_stays_given_up_whatever_comes_after() -> None:
    one = fed(b"HTTP/1.1 200 OK\r\n\r\n", limits=Limits(idle_s=10.0))
    reading = asyncio.create_task(one.__anext__())
    await asyncio.sleep(0)
    one.sweep(1000.0)
    one.sweep(1010.0)
    one.feed(b"late")
    one.lost("eof", "gone")
    for step in (reading, one.__anext__()):
        with pytest.raises(NetError, match="idle"):
            await step


@pytest.mark.parametrize("data", [b"", answer(b"abc")[:-3]])
async def test_closing_wakes_who_waits_and_is_nothing_to_repeat(data: bytes) -> None:
    one = exchange(FakeCarrier(reused=True))
    one.feed(data)
    reading = asyncio.create_task(one.read())
    await asyncio.sleep(0)
    one.close()
    with pytest.raises(NetError, match="closed before its end") as raised:
        await reading
    assert not raised.value.reused


def released(data: bytes) -> tuple[Exchange, FakeCarrier]:
    """Return an exchange that was released after `data`, and its carrier."""
    carrier = FakeCarrier()
    one = exchange(carrier)
    one.feed(data)
    one.release()
    return one, carrier


@pytest.mark.parametrize("missing", [0, 2, 5])
def test_an_answer_released_before_its_end_keeps_its_connection(missing: int) -> None:
    whole = chunked(b"abc")
    cut = len(whole) - missing
    one, carrier = released(whole[:cut])
    if missing:
        assert carrier.done == []
        one.feed(whole[cut:-1])
        one.feed(whole[-1:])
    assert carrier.done == ["finish"]


@pytest.mark.parametrize(
    "after",
    [b"x" * 20_000, b"ZZ\r\n", b"0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n"],
    ids=["too much", "nonsense", "a second answer"],
)
def test_what_comes_after_a_release_may_cost_the_connection(after: bytes) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    one, carrier = released(head + b"3\r\nabc\r\n")
    one.feed(b"5000\r\n" + after if after.startswith(b"x") else after)
    assert carrier.done[0] == "cut"
    assert carrier.done[-1] == "finish"
    assert carrier.done.count("finish") == 1


def test_a_released_answer_has_a_second_to_end() -> None:
    one, carrier = released(chunked(b"abc")[:-5])
    one.sweep(100.0)
    assert carrier.done == []
    one.sweep(101.0)
    one.close()
    one.release()
    assert (carrier.done[0], carrier.done.count("finish")) == ("cut", 1)


@pytest.mark.parametrize("phase", ["eof", "reset"])
def test_a_released_answer_may_lose_its_connection(phase: str) -> None:
    one, carrier = released(chunked(b"abc")[:-5])
    one.lost(phase, "gone")  # type: ignore[arg-type]
    assert carrier.done[-1] == "finish"


def test_an_answer_that_only_the_connection_ends_is_not_waited_for() -> None:
    _, carrier = released(b"HTTP/1.1 200 OK\r\n\r\nabc")
    assert (carrier.done[0], carrier.done[-1]) == ("cut", "finish")


def test_a_peer_that_was_made_to_wait_may_go_on_after_a_release() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    one.feed(chunked(b"x" * 300_000)[:-5])
    one.release()
    one.feed(b"0\r\n\r\n")
    assert carrier.done == ["pause", "resume", "finish"]


async def test_a_cancelled_reader_closes() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    one.feed(answer(b"abc")[:-3])
    reading = asyncio.create_task(one.read())
    await asyncio.sleep(0)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    one.close()
    assert carrier.done == ["cut", "cut", "finish"]


async def test_a_reader_cancelled_as_bytes_arrive_closes() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    one.feed(answer(b"abc")[:-3])
    reading = asyncio.create_task(one.read())
    await asyncio.sleep(0)
    reading.cancel()
    one.feed(b"a")
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert carrier.done[-1] == "finish"


def test_a_closed_exchange_is_freed_without_the_garbage_collector() -> None:
    carrier = FakeCarrier()
    one = exchange(carrier)
    one.feed(answer(b"abc"))
    one.close()
    under_it = weakref.ref(carrier)
    gc.disable()
    try:
        del one, carrier
        assert under_it() is None
    finally:
        gc.enable()


async def test_who_reads_may_expect_less_silence_in_the_middle_of_an_answer() -> None:
    one = fed(answer(b"abc")[:-3], limits=Limits(idle_s=60.0))
    reading = asyncio.create_task(one.read())
    await asyncio.sleep(0)
    one.sweep(1000.0)
    one.feed(b"a")
    one.idle_s = 1.0
    one.sweep(1001.0)
    one.sweep(1001.9)
    assert not reading.done()
    one.sweep(1002.0)
    with pytest.raises(NetError, match="no bytes for 1 s"):
        await reading
