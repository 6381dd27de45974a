"""The ordeal: a gateway is killed again and again under load, and its books have to be right.

Each cycle kills one process of the gateway, chosen at random, with SIGKILL, and starts it again if
it was the first one; or it harms the database (`databases`). Then somebody has to be served, and
the proof to hold. At the end nothing may be under way, and `verdict` compares the books with the
list of the provider (`upstream`), which is never killed. Nobody with a good key may be told that it
is not, or that its money is used up.
"""

import asyncio
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from random import Random

from msgspec.structs import replace

from dragoman.access.types import Grant
from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.office import credits as office
from dragoman.office import keys
from dragoman.office.premises import Premises, open_premises
from tests.chaos import upstream
from tests.chaos.crowd import NANO, Crowd
from tests.chaos.databases import Database
from tests.chaos.verdict import Verdict, judge, violations
from tests.e2e.gateway import DRAGOMAN, clean_environ
from tests.postgres import is_gone

ROOT = Path(__file__).parents[2]
MODEL = "chaos/words"
CLIENTS = 24
START_S = 90.0
GREETING = "Dragoman "
"""How the line begins that a gateway says once every process of it is there."""
HEALTH, MANAGED = b"/healthz", b"/api/v1/models/count"
"""What any process answers that serves, and what only that does which has the databases."""
PLENTY = 1_000 * NANO
EVERY = 3
"""In which cycles it is the turn of the database."""
ROW = "{:>5}  {:<21} {:>7} {:>7} {:>8} {:>9}  {}"


class Ordeal:
    """A gateway, the provider behind it, and the crowd before it."""

    def __init__(self, home: Path, database: Database, workers: int) -> None:
        self.random = Random(3)
        self._home = home
        self._database = database
        self._workers = workers
        self._log = home / "upstream.log"
        self._gateway: subprocess.Popen[bytes] | None = None
        self._orphans: list[int] = []
        self._port = _free_port()
        self.data = home / "data"

    @contextmanager
    def provider(self) -> Iterator[str]:
        """Have the provider run; yield its address."""
        command = [sys.executable, "-m", upstream.__name__, str(self._log)]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, cwd=ROOT)
        try:
            assert running.stdout is not None
            yield f"http://127.0.0.1:{int(running.stdout.readline())}/v1"
        finally:
            running.kill()
            running.communicate()

    def settle_in(self, url: str, spare: int = 0) -> tuple[str, ...]:
        """Write the settings, and make keys: with a limit, of a prepaid account, and free.

        And so many more with a limit of their own.
        """
        price = {"prompt": 0.000001, "completion": 0.000002}
        model = {"context": 16_000, "max_output": 4_000, "price": price}
        config = {
            "providers": {"scripted": {"base_url": url, "models": {MODEL: model}}},
            "server": {"workers": self._workers},
        }
        (self._home / "dragoman.yaml").write_text(json.dumps(config))
        with self._opened() as premises:
            return tuple(_keys(premises, spare))

    async def start(self) -> None:
        """Start the gateway, and return when it answers, and will start again what is killed.

        Until it is up, the end of a process is the end of it all, as `node.supervisor` has it.
        """
        greetings = self._greetings()
        environ = clean_environ() | {"DRAGOMAN_DATA": str(self.data)}
        options = self._database.options
        if options.server is not None:
            environ["DRAGOMAN__DATABASE__URL"] = options.server
            environ["DRAGOMAN__DATABASE__SCHEMA"] = options.schema
        command: list[str | Path] = [DRAGOMAN, "serve", "--port", str(self._port)]
        command += ["--config", str(self._home / "dragoman.yaml")]
        self._gateway = await asyncio.to_thread(self._spawn, command, environ)
        async with asyncio.timeout(START_S):
            while self._greetings() == greetings or not await self._answers(HEALTH):
                assert self._gateway.poll() is None, self.log()
                await asyncio.sleep(0.02)

    def strike(self, cycle: int) -> str:
        """Kill a process of the gateway, or harm its database; return which. May block."""
        return self.kill() if cycle % EVERY else self._database.strike(self.random)

    def kill(self) -> str:
        """Kill one process of the gateway; return which."""
        assert self._gateway is not None
        every = self.processes()
        place = self.random.randrange(len(every))
        os.kill(every[place], signal.SIGKILL)
        if place:
            return f"child {place}"
        self._gateway.wait()
        self._gateway = None
        self._orphans = every[1:]
        return "first"

    async def recover(self) -> None:
        """Have a gateway that answers, and a keeper behind it.

        One that is told to stop while it begins would leave the journals to the next.
        """
        async with asyncio.timeout(START_S):
            if self._gateway is None:
                await asyncio.to_thread(_await_end, self._orphans)
                await self.start()
            for path in (HEALTH, MANAGED):
                while not await self._answers(path):
                    assert self._gateway is not None
                    assert self._gateway.poll() is None, self.log()
                    await asyncio.sleep(0.02)

    def stop(self) -> None:
        """Stop the gateway as one should."""
        if self._gateway is not None:
            self._gateway.send_signal(signal.SIGTERM)
            self._gateway.wait(30)
            self._gateway = None

    def log(self) -> str:
        """Return what the gateway said."""
        return (self._home / "gateway.log").read_text(errors="replace")[-5000:]

    def _greetings(self) -> int:
        log = self._home / "gateway.log"
        text = log.read_text(errors="replace") if log.exists() else ""
        return sum(line.startswith(GREETING) for line in text.splitlines())

    def processes(self) -> list[int]:
        """Return the processes of the gateway, the first of them first."""
        assert self._gateway is not None
        return [self._gateway.pid, *_descendants(self._gateway.pid)]

    def crowd(self, keys_: Sequence[str]) -> Crowd:
        return Crowd(self._port, keys_, MODEL)

    def began(self) -> list[int]:
        """Return the numbers of the requests that reached the provider."""
        return [int(line) for line in self._log.read_text().split()]

    def violations(self) -> list[str]:
        """Return what the proof finds wrong, while the gateway runs."""
        with self._opened() as premises:
            return violations(premises)

    def judge(self, told: dict[int, int]) -> Verdict:
        """Compare records, purses and what clients were told with the provider's list."""
        with self._opened() as premises:
            return judge(premises, self.began(), told)

    @contextmanager
    def _opened(self) -> Iterator[Premises]:
        """Open the installation beside the gateway; its database may just be coming back."""
        end = time.monotonic() + START_S
        while True:
            try:
                premises = open_premises(self.data, self._database.options)
            except Unavailable:
                assert time.monotonic() < end, "the database does not come back"
                time.sleep(0.05)
            else:
                break
        try:
            yield premises
        finally:
            premises.close()

    def _spawn(self, command: list[str | Path], environ: dict[str, str]) -> subprocess.Popen[bytes]:
        with (self._home / "gateway.log").open("ab") as log:
            return subprocess.Popen(command, env=environ, stdout=log, stderr=log, cwd=self._home)

    async def _answers(self, path: bytes) -> bool:
        try:
            reader, writer = await asyncio.open_connection("127.0.0.1", self._port)
        except OSError:
            return False
        try:
            writer.write(b"GET %b HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n" % path)
            return b" 200 " in await reader.readline()
        except OSError:
            return False
        finally:
            writer.close()


async def endure(
    ordeal: Ordeal, cycles: int, load_s: float, say: Callable[[str], object] = print
) -> Verdict:
    """Go through so many cycles; return what came of it."""
    say(ROW.format("cycle", "struck", "asked", "began", "answered", "back in s", "proof"))
    with ordeal.provider() as url:
        crowd = ordeal.crowd(ordeal.settle_in(url))
        await ordeal.start()
        crowd.gather(CLIENTS)
        faults: list[str] = []
        for cycle in range(1, cycles + 1):
            await asyncio.sleep(load_s * (0.5 + ordeal.random.random()))
            struck = await asyncio.to_thread(ordeal.strike, cycle)
            at = time.monotonic()
            await ordeal.recover()
            await crowd.is_served(START_S)
            back = f"{time.monotonic() - at:.2f}"
            found = await asyncio.to_thread(ordeal.violations)
            faults += found
            proof = found[0] if found else "holds"
            asked, began = crowd.asked, len(ordeal.began())
            say(ROW.format(cycle, struck, asked, began, len(crowd.told), back, proof))
        await asyncio.sleep(load_s)
        faults += crowd.faults()
        await crowd.disperse()
        await asyncio.to_thread(ordeal.stop)
    verdict = await asyncio.to_thread(ordeal.judge, crowd.told)
    return replace(verdict, faults=(*faults, *verdict.faults))


def _keys(premises: Premises, spare: int) -> Iterator[str]:
    ledger, now = premises.ledger, time.time()
    opened = office.open_prepaid("Acme", free_credit=NanoUsd(0), now=now)
    account = ledger.run_now(opened).account.id
    ledger.run_now(office.add(account, NanoUsd(PLENTY), reference="r", grant=False, now=now))
    for name, owner, grant in (
        ("limited", "default", Grant(limit_nanos=NanoUsd(PLENTY))),
        ("daily", account, Grant(limit_nanos=NanoUsd(PLENTY), limit_reset="daily")),
        ("unlimited", "default", Grant()),
        *(
            (f"spare-{each}", "default", Grant(limit_nanos=NanoUsd(PLENTY)))
            for each in range(spare)
        ),
    ):
        make = keys.create(
            name, prefix="sk-dm-v1-", pepper=premises.pepper, now=now, grant=grant, account=owner
        )
        yield ledger.run_now(make)[0]


def _descendants(pid: int) -> list[int]:
    """Return the processes below one, by their ids."""
    try:
        below = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [each for child in map(int, below) for each in (child, *_descendants(child))]


def _await_end(pids: Sequence[int]) -> None:
    """Wait until those have gone who were left alone: they end what is open, and go."""
    end = time.monotonic() + START_S
    while not all(is_gone(each) for each in pids):
        assert time.monotonic() < end, f"some of {pids} are still there"
        time.sleep(0.02)


def _free_port() -> int:

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
