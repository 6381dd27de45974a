"""Requests sent at a rate by a client that costs little, so that it does not measure itself.

An open loop, as `bench.client` is one: a request is sent when its time has come, over a
kept connection if one is free and a new one if none is. But this one shares the machine with
a gateway that has no time to spare, so it is a bare loop over epoll which looks at
nothing but status, length and Retry-After. Times are from when a request was due, not from when
it was sent: a client that lags would flatter the gateway. How far it lagged is told, too.
Run as `python -m bench.siege.volley`, a `Volley` in JSON on its input; Linux only.
"""

import errno
import itertools
import os
import select
import socket
import sys
import time
from collections import Counter
from typing import Final

import msgspec

from bench.client import request
from bench.process import allow_many_files

GRACE_S: Final = 5.0
READ_BYTES: Final = 65536
NAP_S: Final = 0.0001
"""How long to sleep when nothing is due and nothing has come: the error of what is measured."""
AT_ONCE: Final = 64
"""How many requests are sent before answers are looked at, if it lags."""
IN_PROGRESS: Final = frozenset({0, errno.EINPROGRESS})


class Volley(msgspec.Struct, frozen=True, kw_only=True):
    """What to send: where to, how often a second, for how long.

    `closed` sends instead from so many connections, each its next request when the last
    is answered. `sources` are the addresses to come from, in turns; no more than `most_open`
    connections are open, and what finds none is lost. `cpus` are the processors to run on.
    """

    port: int
    path: str
    key: str
    model: str
    rate: float
    seconds: float
    closed: int = 0
    sources: tuple[str, ...] = ("127.0.0.1",)
    most_open: int = 4000
    cpus: tuple[int, ...] = ()


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What became of it: times in ms of answers with 200 and of refusals, and counts.

    `in_time` of the answers came before the volley was over, `advised` of the refusals
    carry Retry-After, `lost` requests have no whole answer. `lags_ms` is how late requests
    were sent, `cpu_s` the processor time it took to send them.
    """

    times_ms: list[float]
    refused_ms: list[float]
    in_time: int
    statuses: dict[int, int]
    advised: int
    lost: int
    seconds: float
    lags_ms: list[float]
    cpu_s: float

    @property
    def goodput(self) -> float:
        """How many requests a second were served in time."""
        return self.in_time / self.seconds


class _Line:
    """One connection, and its request under way, which was due at `due`."""

    __slots__ = ("buffer", "due", "place", "waits")

    def __init__(self, place: socket.socket) -> None:
        self.place = place
        self.buffer = b""
        self.due = 0.0
        self.waits = False


class Gunner:
    """Sends what is due and reads what comes back."""

    def __init__(self, volley: Volley) -> None:
        self._volley = volley
        self._payload = request(volley.path, volley.key, volley.model)
        self._poll = select.epoll()
        self._lines: dict[int, _Line] = {}
        self._free: list[_Line] = []
        self._sources = itertools.cycle(volley.sources)
        self._times: list[float] = []
        self._refusals: list[float] = []
        self._lags: list[float] = []
        self._statuses: Counter[int] = Counter()
        self._advised = self._lost = self._busy = 0
        self._over = False

    def fire(self) -> Impact:
        """Do it, wait for what is still under way, and tell."""
        started, cpu = time.perf_counter(), time.process_time()
        for _ in range(self._volley.closed):
            self._send(started)
        self._paced(started)
        seconds, in_time = time.perf_counter() - started, len(self._times)
        self._over = True
        self._settle()
        return Impact(
            times_ms=self._times,
            refused_ms=self._refusals,
            in_time=in_time,
            statuses=dict(self._statuses),
            advised=self._advised,
            lost=self._lost + self._busy,
            seconds=seconds,
            lags_ms=self._lags,
            cpu_s=time.process_time() - cpu,
        )

    def _paced(self, started: float) -> None:
        volley, sent = self._volley, 0
        end = started + volley.seconds
        while (now := time.perf_counter()) < end:
            if not volley.closed:
                due = min(int((now - started) * volley.rate) + 1, sent + AT_ONCE)
                for number in range(sent, due):
                    self._send(started + number / volley.rate)
                sent = max(sent, due)
            if not self._read():
                time.sleep(NAP_S)

    def _settle(self) -> None:
        end = time.perf_counter() + GRACE_S
        while self._busy and time.perf_counter() < end:
            if not self._read():
                time.sleep(NAP_S)

    def _send(self, due: float) -> None:
        line = self._free.pop() if self._free else self._opened()
        if line is None:
            self._lost += 1
            return
        line.due, line.waits = due, True
        self._busy += 1
        self._lags.append((time.perf_counter() - due) * 1000)
        try:
            line.place.send(self._payload)
        except BlockingIOError:  # not connected yet: told when it is
            self._poll.modify(line.place.fileno(), select.EPOLLIN | select.EPOLLOUT)
        except OSError:
            self._close(line)

    def _opened(self) -> _Line | None:
        if len(self._lines) >= self._volley.most_open:
            return None
        place = socket.socket()
        place.settimeout(0)
        place.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        place.bind((next(self._sources), 0))
        if place.connect_ex(("127.0.0.1", self._volley.port)) not in IN_PROGRESS:
            place.close()
            return None
        line = _Line(place)
        self._lines[place.fileno()] = line
        self._poll.register(place.fileno(), select.EPOLLIN)
        return line

    def _read(self) -> int:
        events = self._poll.poll(0, 1024)
        for number, event in events:
            line = self._lines.get(number)
            if line is None:
                continue
            if event & select.EPOLLOUT:
                self._on_connected(line)
            if event & ~select.EPOLLOUT:
                self._on_readable(line)
        return len(events)

    def _on_connected(self, line: _Line) -> None:
        try:
            line.place.send(self._payload)
        except OSError:
            self._close(line)
            return
        self._poll.modify(line.place.fileno(), select.EPOLLIN)

    def _on_readable(self, line: _Line) -> None:
        try:
            data = line.place.recv(READ_BYTES)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._close(line)
            return
        data = line.buffer + data if line.buffer else data
        head_end = data.find(b"\r\n\r\n")
        head = data[:head_end].lower() if head_end >= 0 else b""
        if not head or len(data) < head_end + 4 + _length(head):
            line.buffer = data
            return
        line.buffer = b""
        self._on_answer(line, head)

    def _on_answer(self, line: _Line, head: bytes) -> None:
        now, status = time.perf_counter(), int(head[9:12])
        line.waits = False
        self._busy -= 1
        self._statuses[status] += 1
        if status == 200:
            self._times.append((now - line.due) * 1000)
        else:
            self._refusals.append((now - line.due) * 1000)
            self._advised += b"\r\nretry-after: " in head
        if b"\r\nconnection: close" in head:
            self._close(line)
        else:
            self._free.append(line)
        if self._volley.closed and not self._over:
            self._send(now)

    def _close(self, line: _Line) -> None:
        if self._lines.pop(line.place.fileno(), None) is None:
            return
        if line.waits:
            line.waits = False
            self._busy -= 1
            self._lost += 1
        elif line in self._free:
            self._free.remove(line)
        line.place.close()


def _length(head: bytes) -> int:
    start = head.find(b"\r\ncontent-length: ")
    return int(head[start + 18 :].split(b"\r\n", 1)[0]) if start >= 0 else 0


if __name__ == "__main__":
    allow_many_files()
    wanted = msgspec.json.decode(sys.stdin.buffer.read(), type=Volley)
    if wanted.cpus:
        os.sched_setaffinity(0, wanted.cpus)
    impact = Gunner(wanted).fire()
    with open(1, "wb", closefd=False) as out:
        out.write(msgspec.json.encode(impact))
