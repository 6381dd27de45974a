"""Names are looked up beside each other: one that hangs concerns nobody else."""

import asyncio
import errno
import socket
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from dragoman.net import resolver
from dragoman.net.resolver import MOST_OF_A_NAME, SystemResolver
from tests.net.calls import until

FOUND = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("192.0.2.7", 443))] * 2


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Make the system silent on names that begin with `silent`, until the event is set."""
    spoken = threading.Event()

    def getaddrinfo(host: str, port: int, **_: Any) -> Any:
        if host.startswith("silent"):
            spoken.wait()
            raise socket.gaierror(socket.EAI_AGAIN, f"no answer, port {port}")
        return FOUND

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    yield spoken
    spoken.set()


async def test_the_system_resolves_names_and_numbers() -> None:
    resolve = SystemResolver()
    assert await resolve("127.0.0.1", 80) == ["127.0.0.1"]
    assert {"127.0.0.1", "::1"} & set(await resolve("localhost", 80))


async def test_an_address_that_is_found_twice_is_told_once(silent: threading.Event) -> None:
    assert not silent.is_set()
    assert await SystemResolver()("host.test", 443) == ["192.0.2.7"]


async def test_names_that_hang_hold_up_no_other(silent: threading.Event) -> None:
    resolve = SystemResolver()
    hanging = [asyncio.create_task(resolve(f"silent-{n}.test", 443)) for n in range(20)]
    await asyncio.sleep(0)
    assert await resolve("host.test", 443) == ["192.0.2.7"]
    silent.set()
    ended = await asyncio.gather(*hanging, return_exceptions=True)
    assert {type(each) for each in ended} == {socket.gaierror}


async def test_a_name_that_hangs_takes_two_lookups_whoever_gives_up(
    silent: threading.Event,
) -> None:
    resolve = SystemResolver()
    for _ in range(MOST_OF_A_NAME):
        asked = asyncio.create_task(resolve("silent.test", 443))
        await asyncio.sleep(0)
        asked.cancel()
    with pytest.raises(OSError, match="not answered yet") as refused:
        await resolve("silent.test", 443)
    assert refused.value.errno == errno.ETIMEDOUT
    silent.set()
    await until(lambda: not resolve._under_way)
    with pytest.raises(socket.gaierror):
        await resolve("silent.test", 443)


async def test_lookups_are_limited_in_all(
    silent: threading.Event, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(resolver, "MOST", 3)
    resolve = SystemResolver()
    hanging = [asyncio.create_task(resolve(f"silent-{n}.test", 443)) for n in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(OSError, match="looked up already") as refused:
        await resolve("host.test", 443)
    assert refused.value.errno == errno.ENOBUFS
    silent.set()
    await asyncio.gather(*hanging, return_exceptions=True)
    assert await resolve("host.test", 443) == ["192.0.2.7"]
