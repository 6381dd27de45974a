"""The entrance: who is let in when, who waits, and who is told to come back."""

import asyncio
import socket
import sys
from collections.abc import Callable, Mapping
from random import Random

import pytest

from dragoman.web.server.entrance import Entrance
from dragoman.web.server.sockets import waited_s
from dragoman.web.shedding import (
    CROWD,
    LET_IN,
    LET_IN_OVERLOADED,
    LONGEST_TURN_S,
    MANY,
    PATIENCE_S,
    ROOM,
    admits,
)
from dragoman.web.voices import IN_CHAT, Voice
from tests.access.fakes import HandClock
from tests.web.wire import GET, POST, App, Carrier, Scene, settled


class Request:
    """A request that notes what becomes of it."""

    def __init__(
        self, log: list[int], number: int, arrive: Callable[["Request"], None], *, is_odd: bool
    ) -> None:
        self.left = False
        self.is_odd = is_odd
        self._arrive = arrive
        self.told: int | None = None
        self._log = log
        self._number = number

    def start(self) -> None:
        self._log.append(self._number)

    def turn_away(self, retry_after_s: int) -> None:
        self.told = retry_after_s

    def come_in(self) -> None:
        self._arrive(self)

    def brush_off(self, refusals: Mapping[Voice, bytes]) -> bool:
        if self.is_odd:
            return False
        self.told = int(refusals[IN_CHAT])
        return True


class Door:
    """An entrance, a clock worked by hand, and requests by number."""

    def __init__(self) -> None:
        self.clock = HandClock()
        self.entrance = Entrance(Random(1), lambda seconds: {IN_CHAT: b"%d" % seconds}, self.clock)
        self.begun: list[int] = []
        self.requests: list[Request] = []

    def arrive(self, count: int, *, late: bool = False) -> None:
        for _ in range(count):
            self._arrive(self._next(), late=late)

    def come(self, count: int, *, is_odd: bool = False) -> None:
        for _ in range(count):
            self.entrance.come(self._next(is_odd=is_odd), asyncio.get_running_loop())

    def _next(self, *, is_odd: bool = False) -> Request:
        request = Request(self.begun, len(self.requests), self._arrive, is_odd=is_odd)
        self.requests.append(request)
        return request

    def _arrive(self, request: Request, *, late: bool = False) -> None:
        self.entrance.arrive(request, asyncio.get_running_loop(), late=late)

    async def turn(self, seconds: float = 0.001) -> list[int]:
        """Let one turn of the event loop pass, and return who was let in."""
        before = len(self.begun)
        self.clock.now += seconds
        await asyncio.sleep(0)
        return self.begun[before:]

    @property
    def refused(self) -> list[int]:
        return [number for number, each in enumerate(self.requests) if each.told]


async def test_a_few_at_a_time_are_let_in_at_once_and_the_others_in_their_order() -> None:
    door = Door()
    door.arrive(3 * LET_IN)
    assert door.begun == list(range(LET_IN))
    assert await door.turn() == list(range(LET_IN, 2 * LET_IN))
    door.arrive(1)
    assert await door.turn() == list(range(2 * LET_IN, 3 * LET_IN))
    assert await door.turn() == [3 * LET_IN]
    await door.turn()
    door.arrive(1)
    assert door.begun[-1] == 3 * LET_IN + 1
    assert (door.refused, door.entrance.overloaded, door.entrance.waiting) == ([], False, 0)


async def test_of_a_crowd_those_who_came_last_are_let_in_first_until_it_is_none() -> None:
    door = Door()
    door.arrive(LET_IN + MANY + 1)
    last = LET_IN + MANY
    assert await door.turn() == list(range(last, last - LET_IN, -1))
    assert await door.turn() == list(range(LET_IN, 2 * LET_IN))


async def test_who_was_late_to_be_taken_in_has_waited_longest() -> None:
    door = Door()
    door.arrive(LET_IN + 1)
    assert not door.entrance.crowded
    door.arrive(1, late=True)
    assert await door.turn() == [LET_IN + 1, LET_IN]
    await door.turn()
    door.arrive(LET_IN + MANY)
    assert not door.entrance.crowded
    before = len(door.requests)
    door.arrive(1, late=True)
    assert door.entrance.crowded
    assert before not in await door.turn()


async def test_the_system_tells_how_long_a_request_waited_for_its_connection() -> None:
    came: asyncio.Queue[float] = asyncio.Queue()

    class Line(asyncio.Protocol):
        def connection_made(self, transport: asyncio.BaseTransport) -> None:
            self.transport = transport

        def data_received(self, _: bytes) -> None:
            came.put_nowait(waited_s(self.transport))

    loop = asyncio.get_running_loop()
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, socket.create_connection(listener.getsockname()) as client:
        client.sendall(GET)
        await asyncio.sleep(0.1)
        server = await loop.create_server(Line, sock=listener)
        waited = await asyncio.wait_for(came.get(), 30)
        server.close()
    assert waited >= (0.05 if sys.platform == "linux" else 0.0)
    assert waited_s(Carrier()) == 0.0


async def test_a_burst_is_no_overload() -> None:
    door = Door()
    door.arrive(1000)
    while await door.turn():
        pass
    assert sorted(door.begun) == list(range(1000))
    assert door.refused == []


async def test_a_long_pause_is_no_overload() -> None:
    door = Door()
    door.arrive(100)
    await door.turn(60.0)
    assert not door.entrance.overloaded
    assert door.refused == []


async def test_who_waits_too_long_is_told_to_come_back_and_so_are_all_but_the_last() -> None:
    door = Door()
    door.arrive(LET_IN + MANY)
    for _ in range(round(PATIENCE_S / LONGEST_TURN_S) + 1):
        door.arrive(2 * LET_IN)
        await door.turn(LONGEST_TURN_S)
    assert door.entrance.overloaded
    assert door.entrance.waiting == max(ROOM - LET_IN, 0)
    assert all(1 <= (door.requests[number].told or 0) <= 5 for number in door.refused)
    assert len(door.begun) + len(door.refused) + door.entrance.waiting == len(door.requests)


async def test_a_crowd_that_nobody_has_the_patience_for_is_not_waited_for() -> None:
    door = Door()
    door.arrive(LET_IN + CROWD)
    await door.turn()
    assert door.entrance.overloaded
    assert len(door.refused) == CROWD - ROOM


async def test_in_an_overload_those_who_came_last_are_let_in_and_few_are_kept_at_hand() -> None:
    door = Door()
    door.entrance.overloaded = True
    door.come(100)
    assert (door.begun, door.refused) == ([], []), "nobody is chosen before the turn ends"
    most = admits(100, overloaded=True)
    assert LET_IN_OVERLOADED < most < 100
    assert await door.turn() == list(range(99, 99 - most, -1))
    assert door.refused == list(range(100 - most - ROOM))
    assert len({door.requests[number].told for number in door.refused}) == 1
    left = range(100 - most - ROOM, 100 - most)
    assert await door.turn() == list(reversed(left))[:LET_IN_OVERLOADED]
    door.come(LET_IN_OVERLOADED + 1)
    assert await door.turn() == list(range(100 + LET_IN_OVERLOADED, 100, -1))
    while await door.turn():
        pass
    assert len(door.begun) + len(door.refused) == len(door.requests)


async def test_however_many_come_in_a_turn_to_refuse_them_is_not_all_that_is_done() -> None:
    door = Door()
    door.entrance.overloaded = True
    door.come(1600)
    assert len(await door.turn()) == LET_IN_OVERLOADED + 100
    assert door.entrance.waiting == 0


async def test_who_cannot_be_refused_unread_is_read() -> None:
    door = Door()
    door.entrance.overloaded = True
    door.come(1, is_odd=True)
    door.come(LET_IN_OVERLOADED + ROOM)
    await door.turn()
    assert door.refused == []
    while await door.turn():
        pass
    assert sorted(door.begun) == list(range(1 + LET_IN_OVERLOADED + ROOM))


async def test_a_door_that_closes_brushes_off_who_has_just_come() -> None:
    door = Door()
    door.entrance.overloaded = True
    door.come(2)
    door.entrance.close()
    assert await door.turn() == []
    assert door.refused == [0, 1]


async def test_an_overload_is_over_when_nobody_was_refused_for_a_while() -> None:
    door = Door()
    door.entrance.overloaded = True
    assert 1 <= door.entrance.refuse() <= 5
    door.entrance.tick()
    assert door.entrance.overloaded
    door.entrance.tick()
    assert not door.entrance.overloaded


async def test_who_has_left_takes_no_place() -> None:
    door = Door()
    door.arrive(3 * LET_IN)
    for request in door.requests[LET_IN : 2 * LET_IN]:
        request.left = True
    assert await door.turn() == list(range(2 * LET_IN, 3 * LET_IN))


async def test_a_door_that_closes_turns_away_who_waits() -> None:
    door = Door()
    door.arrive(LET_IN + 2)
    door.requests[-1].left = True
    door.entrance.close()
    assert await door.turn() == []
    assert door.refused == [LET_IN]


@pytest.mark.parametrize(
    ("data", "stays"),
    [
        (POST % 3 + b"abc", True),
        (GET, True),
        (GET[:-2] + b"Connection: close\r\n\r\n", False),
        (POST % 3 + b"ab", False),
        (GET + GET, False),
    ],
    ids=["whole", "no body", "says close", "half a body", "two at once"],
)
async def test_a_client_that_is_refused_may_ask_again_if_its_request_was_whole(
    data: bytes, *, stays: bool
) -> None:
    scene = Scene(requests=0)
    line, carrier = scene.client()
    line.data_received(data)
    assert carrier.sent.startswith(b"HTTP/1.1 503 ")
    assert (b"connection: close" in carrier.sent) is not stays
    assert b"retry-after: " in carrier.sent
    assert b"date: now\r\n" in carrier.sent
    assert carrier.ended is not stays
    line.data_received(GET.replace(b"/a", b"/healthz"))
    await settled()
    assert (b"HTTP/1.1 200 " in carrier.sent) is stays


@pytest.mark.parametrize(("data", "stays"), [(GET, True), (POST % 3 + b"ab", False)])
async def test_a_client_that_waited_for_nothing_may_ask_again_if_its_request_was_whole(
    data: bytes, *, stays: bool
) -> None:
    scene = Scene(App(), requests=1000)
    for _ in range(LET_IN):
        scene.client()[0].data_received(GET)
    line, carrier = scene.client()
    line.data_received(data)
    assert not carrier.sent
    scene.floor.abandon()
    assert carrier.sent.startswith(b"HTTP/1.1 503 ")
    assert carrier.ended is not stays
    line.data_received(GET)
    await settled()
    assert (b"HTTP/1.1 200 " in carrier.sent) is stays


async def test_the_answer_to_head_has_no_body_even_when_it_is_refused() -> None:
    line, carrier = Scene(requests=0).client()
    line.data_received(GET.replace(b"GET", b"HEAD"))
    assert carrier.sent.startswith(b"HTTP/1.1 503 ")
    assert carrier.sent.endswith(b"\r\n\r\n")


def busy(scene: Scene) -> None:
    """Have so many come within this turn that others are not let in."""
    scene.floor.entrance.overloaded = True
    for _ in range(LET_IN + ROOM):
        scene.client()[0].data_received(GET)


async def test_in_an_overload_a_plain_request_is_refused_unread_and_its_client_may_go_on() -> None:
    scene = Scene(requests=1000)
    line, carrier = scene.client()
    scene.floor.entrance.overloaded = True
    line.data_received(POST % 3 + b"abc")
    assert not carrier.sent
    busy(scene)
    await settled()
    assert carrier.sent.startswith(b"HTTP/1.1 503 ")
    assert b"gateway_overloaded" in carrier.sent
    assert b"retry-after: " in carrier.sent
    assert (carrier.ended, carrier.closed) == (False, False)
    scene.floor.entrance.overloaded = False
    line.data_received(GET)
    await settled()
    assert b"HTTP/1.1 200 " in carrier.sent


@pytest.mark.parametrize(
    ("data", "rest", "status"),
    [
        (GET.replace(b"/a", b"/healthz"), b"", b"200"),
        (POST % 3 + b"ab", b"c", b"200"),
        (b"GET / HTTP/9.9\r\n\r\n", b"", b"505"),
    ],
    ids=["health", "comes in parts", "malformed"],
)
async def test_in_an_overload_whatever_is_not_plain_is_read(
    data: bytes, rest: bytes, status: bytes
) -> None:
    scene = Scene(requests=1000)
    line, carrier = scene.client()
    scene.floor.entrance.overloaded = True
    line.data_received(data)
    if rest:
        line.data_received(rest)
    busy(scene)
    await settled()
    assert carrier.sent.startswith(b"HTTP/1.1 " + status)


async def test_who_has_left_or_is_told_to_before_being_chosen_is_not_answered() -> None:
    scene = Scene(requests=1000)
    scene.floor.entrance.overloaded = True
    line, carrier = scene.client()
    line.data_received(POST % 3 + b"abc")
    line.connection_lost(None)
    busy(scene)
    await settled()
    assert not carrier.sent
