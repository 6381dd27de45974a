"""Hostile clients: many connections that do as little as they can, each from its address.

Run as `python -m bench.siege.hostile` with an `Attack` in JSON as the first line of
its input. Writes a line when all connections are open, and a `Toll` in JSON when its
input ends.
"""

import asyncio
import socket
import sys
import time
from collections.abc import Iterator
from itertools import cycle
from typing import Any, Final, Literal, cast

import msgspec
import uvloop

from bench.client import request
from bench.process import allow_many_files

AT_ONCE: Final = 100
SLICES: Final = 20
SMALL_BUFFER: Final = 4096
PATIENCE_S: Final = 30.0

Kind = Literal["stream", "head", "body", "silent", "reader", "flood"]
"""What they do: read a stream that has begun; send a head, or a body, byte by byte; send
nothing; ask for much and read nothing; connect and hang up, over and over."""


class Attack(msgspec.Struct, frozen=True, kw_only=True):
    """How many do what to whom. `drip_s` is between two bytes; `count` a second for a flood."""

    kind: Kind
    port: int
    path: str
    key: str
    model: str
    count: int
    sources: int = 250
    drip_s: float = 1.0


class Toll(msgspec.Struct, frozen=True, kw_only=True):
    """What became of them.

    `opened` were let in and, if streams, began; `refused` were not. `lives_s` tells of each
    one that the server closed how long it lived, `held` how many it never closed, as far
    as the client can see: who does not read sees nothing.
    """

    opened: int
    refused: int
    lives_s: list[float]
    held: int


def addresses(count: int) -> Iterator[str]:
    """Yield loopback addresses to come from, in turns."""
    return cycle([f"127.0.1.{1 + number}" for number in range(count)])


def opening(attack: Attack) -> bytes:
    """Return what such a client sends at once."""
    streamed = attack.kind in {"stream", "reader"}
    whole = request(attack.path, attack.key, attack.model, stream=streamed)
    head = whole.partition(b"\r\n\r\n")[0]
    return {"stream": whole, "reader": whole, "head": head + b"\r\nX-Slow: ",
            "body": head + b"\r\n\r\n{"}.get(attack.kind, b"")  # fmt: skip


class Guest(asyncio.Protocol):
    """One hostile connection."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        self.let_in: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.since = time.monotonic()
        self.life_s: float | None = None
        self._leaving = False
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._transport.write(opening(self._attack))
        if self._attack.kind != "stream":
            self.let_in.set_result(None)

    def data_received(self, data: bytes) -> None:
        if not self.let_in.done() and b"data: " in data:
            self.let_in.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self._leaving:
            self.life_s = time.monotonic() - self.since
        if not self.let_in.done():
            self.let_in.set_exception(exc or ConnectionError("closed before a stream began"))
            self.let_in.exception()  # it may have been given up, and nobody would look

    def look_away(self) -> None:
        """Read nothing more. In `connection_made` it is too early: uvloop then begins to read."""
        self._transport.pause_reading()

    def drip(self) -> None:
        """Send one byte more."""
        if not self._transport.is_closing():
            self._transport.write(b"a")

    def leave(self) -> None:
        """Hang up."""
        self._leaving = True
        self._transport.abort()


class Horde:
    """All of them."""

    def __init__(self, attack: Attack) -> None:
        self._attack = attack
        self._sources = addresses(attack.sources)
        self.guests: list[Guest] = []
        self.visits = 0
        self.refused = 0

    async def arrive(self) -> None:
        """Open all connections."""
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(_: int) -> None:
            async with turns:
                await self._enter()

        await asyncio.gather(*map(one, range(self._attack.count)))

    async def stay(self) -> None:
        """Drip, or flood, until cancelled."""
        attack, turn = self._attack, 0
        while True:
            await asyncio.sleep(attack.drip_s / SLICES)
            turn += 1
            if attack.kind == "flood":
                await asyncio.gather(*(self._visit() for _ in range(attack.count // SLICES)))
            elif attack.kind in {"head", "body"}:
                for guest in self.guests[turn % SLICES :: SLICES]:
                    guest.drip()

    def toll(self) -> Toll:
        """Return what became of them."""
        lives = [guest.life_s for guest in self.guests if guest.life_s is not None]
        return Toll(
            opened=len(self.guests) + self.visits,
            refused=self.refused,
            lives_s=lives,
            held=len(self.guests) - len(lives),
        )

    async def _enter(self) -> None:
        guest: Guest | None = None
        try:
            async with asyncio.timeout(PATIENCE_S):
                loop, place = asyncio.get_running_loop(), self._socket()
                await loop.sock_connect(place, ("127.0.0.1", self._attack.port))
                made: tuple[Any, Guest] = await loop.create_connection(
                    lambda: Guest(self._attack), sock=place
                )
                guest = made[1]
                await guest.let_in
                self.guests.append(guest)
                if self._attack.kind == "reader":
                    guest.look_away()
        except OSError:  # refused, cut off, or timed out: TimeoutError is one
            self.refused += 1
            if guest is not None:
                guest.leave()

    async def _visit(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            with self._socket() as place:
                async with asyncio.timeout(PATIENCE_S):
                    await loop.sock_connect(place, ("127.0.0.1", self._attack.port))
        except OSError:
            self.refused += 1
        else:
            self.visits += 1

    def _socket(self) -> socket.socket:
        place = socket.socket()
        place.settimeout(0)
        if self._attack.kind == "reader":
            place.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SMALL_BUFFER)
        place.bind((next(self._sources), 0))
        return place


async def attack(wanted: Attack) -> Toll:
    """Do it until the input ends."""
    horde = Horde(wanted)
    if wanted.kind != "flood":
        await horde.arrive()
    print(len(horde.guests), flush=True)
    staying = asyncio.create_task(horde.stay())
    await asyncio.to_thread(sys.stdin.read)
    staying.cancel()
    return horde.toll()


if __name__ == "__main__":
    allow_many_files()
    toll = uvloop.run(attack(msgspec.json.decode(sys.stdin.readline(), type=Attack)))
    with open(1, "wb", closefd=False) as out:
        out.write(msgspec.json.encode(toll))
