"""Several addresses: which is tried when, which is taken, and what is left of the others."""

import asyncio
from collections.abc import Sequence

import pytest
from msgspec.structs import replace

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.net.race import first_to_answer, in_turns
from dragoman.net.types import Limits
from tests.net.conftest import Serve, nothing_left
from tests.net.test_net_dial import deaf, fetch, hello, resolving

AT_ONCE, NEVER = 0.0, 3600.0


class Hosts:
    """Addresses that answer, refuse or are silent, as they are told, and who was asked."""

    def __init__(self, *silent: str, refuse: Sequence[str] = ()) -> None:
        self._silent = silent
        self._refuse = refuse
        self.asked: list[str] = []
        self.broken_off: list[str] = []
        self.discarded: list[str] = []
        self.both_asked = asyncio.Event()
        self.go_on = asyncio.Event()

    async def connect(self, address: str) -> str:
        self.asked.append(address)
        if len(self.asked) == 2:
            self.both_asked.set()
        if address in self._refuse:
            raise ConnectionRefusedError(address)
        if address in self._silent:
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                self.broken_off.append(address)
                raise
        return f"connected to {address}"

    async def first(self, *addresses: str, head_start_s: float) -> str:
        found = await first_to_answer(addresses, self.connect, self.discarded.append, head_start_s)
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return found


@pytest.mark.parametrize(
    ("addresses", "in_order"),
    [
        (["::1", "::2", "10.0.0.1", "10.0.0.2"], ["::1", "10.0.0.1", "::2", "10.0.0.2"]),
        (["10.0.0.1", "::1", "::2"], ["10.0.0.1", "::1", "::2"]),
        (["::1", "::2"], ["::1", "::2"]),
        (["10.0.0.1"], ["10.0.0.1"]),
    ],
)
def test_families_take_turns_and_the_first_stays_first(
    addresses: list[str], in_order: list[str]
) -> None:
    assert in_turns(addresses) == in_order


async def test_who_answers_within_the_head_start_is_the_only_one_asked() -> None:
    hosts = Hosts()
    assert await hosts.first("::1", "10.0.0.1", head_start_s=NEVER) == "connected to ::1"
    assert (hosts.asked, hosts.discarded) == (["::1"], [])


async def test_an_address_that_is_silent_is_overtaken_and_broken_off() -> None:
    hosts = Hosts("::1")
    assert await hosts.first("::1", "10.0.0.1", head_start_s=AT_ONCE) == "connected to 10.0.0.1"
    assert (hosts.broken_off, hosts.discarded) == (["::1"], [])


async def test_after_a_refusal_the_next_is_asked_without_waiting() -> None:
    hosts = Hosts(refuse=["::1", "::2"])
    found = await hosts.first("::1", "10.0.0.1", head_start_s=NEVER)
    assert found == "connected to 10.0.0.1"


async def test_when_all_fail_the_last_failure_is_told() -> None:
    hosts = Hosts(refuse=["::1", "10.0.0.1"])
    with pytest.raises(ConnectionRefusedError, match=r"10\.0\.0\.1"):
        await hosts.first("::1", "10.0.0.1", head_start_s=NEVER)


async def test_who_is_slow_may_still_win_when_the_others_refuse() -> None:
    hosts = Hosts("::1", refuse=["10.0.0.1"])
    race = asyncio.create_task(hosts.first("::1", "10.0.0.1", head_start_s=AT_ONCE))
    await hosts.both_asked.wait()
    hosts.go_on.set()
    assert await race == "connected to ::1"


async def test_of_two_that_answer_at_once_one_is_discarded() -> None:
    hosts = Hosts("::1", "10.0.0.1")
    race = asyncio.create_task(hosts.first("::1", "10.0.0.1", head_start_s=AT_ONCE))
    await hosts.both_asked.wait()
    hosts.go_on.set()
    assert {await race, *hosts.discarded} == {"connected to ::1", "connected to 10.0.0.1"}


async def test_who_gives_up_breaks_all_off() -> None:
    hosts = Hosts("::1", "10.0.0.1")
    race = asyncio.create_task(hosts.first("::1", "10.0.0.1", head_start_s=AT_ONCE))
    await hosts.both_asked.wait()
    race.cancel()
    await asyncio.wait([race])
    await asyncio.sleep(0)
    assert sorted(hosts.broken_off) == ["10.0.0.1", "::1"]


async def test_a_dead_address_does_not_cost_its_share_of_the_time(serve: Serve) -> None:
    upstream = await serve(hello)
    client = HttpClient(Clock(), resolve=resolving("127.0.0.2", "127.0.0.1"))
    limits = replace(Limits(), connect_s=NEVER)
    with deaf("127.0.0.2", upstream.port):
        async with asyncio.timeout(60):
            assert await fetch(client, f"http://host:{upstream.port}/", limits) == b"hello"
    await nothing_left(client)
