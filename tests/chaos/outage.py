"""Outages: what a gateway lives on is taken from it for a while, under load, and given back.

    locked    another process locks both SQLite files
    stopped   the PostgreSQL server is stopped, in good order
    frozen    it stands still: connections stay open, and nobody answers
    full      no file of the gateway can grow (setrlimit(2), RLIMIT_FSIZE), as on a full disk; it
              needs no privilege, and not even what is there can be written over

Meanwhile keys that are known are served out of what was leased, others are told 503 and when to
come again, and nobody 401 or 402. Without a disk nobody is served, since nothing can be written
down. Afterwards everybody is served within seconds, and the books are right.
"""

import asyncio
import resource
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from typing import Final

from msgspec import Struct
from msgspec.structs import replace

from tests.chaos.crowd import WRONG, Crowd
from tests.chaos.databases import Files, Server
from tests.chaos.ordeal import CLIENTS, START_S, Ordeal
from tests.chaos.verdict import Verdict

WARM_S: Final = 1.0
"""How long the crowd calls first: until every worker knows its keys."""
PROBE_S: Final = 0.25
BACK_S: Final = 30.0
"""Within this everybody has to be served again."""
ROW: Final = "{:<8} {:>6}  {:<28} {:<22} {:>9}"


class Outage(Struct, frozen=True):
    """What is taken away, and what those may be told meanwhile whose keys are known, and others."""

    name: str
    taken: Callable[[Ordeal], AbstractContextManager[None]]
    known: frozenset[int] = frozenset({200})
    others: frozenset[int] = frozenset({503})


def of_files(files: Files) -> tuple[Outage, ...]:
    """Return what may be taken from a gateway that keeps its state in files."""
    return Outage("locked", lambda _: files.locked()), FULL


def of_server(server: Server) -> tuple[Outage, ...]:
    """Return what may be taken from a gateway that keeps its state in a server."""
    return (
        Outage("stopped", lambda _: server.stopped()),
        Outage("frozen", lambda _: server.frozen()),
        FULL,
    )


@contextmanager
def full_disk(ordeal: Ordeal) -> Iterator[None]:
    """Let no process of the gateway write to a file while the block lasts."""
    every = ordeal.processes()
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in every}
    for pid, (_, hard) in before.items():
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, hard))
    try:
        yield
    finally:
        for pid, limits in before.items():
            if Path(f"/proc/{pid}").exists():
                resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)


EITHER: Final = frozenset({200, 503})
FULL: Final = Outage("full", full_disk, EITHER, EITHER)
"""The disk is found to be full by the first write that fails: whoever began before it goes on."""


class Seen(Struct, frozen=True, kw_only=True):
    """What was seen of an outage: how often which status was told, and when all was well again."""

    known: Counter[int]
    others: Counter[int]
    back_s: float

    def words(self) -> tuple[str, str, str]:
        """Return it for a table."""
        return _words(self.known), _words(self.others), f"{self.back_s:.2f}"

    def faults(self, outage: Outage) -> list[str]:
        """Return what should not have been."""
        known, others = set(self.known) - outage.known, set(self.others) - outage.others
        found = [f"{outage.name}: known keys were told {each}" for each in sorted(known)]
        found += [f"{outage.name}: other keys were told {each}" for each in sorted(others)]
        if not self.known or not self.others:
            found.append(f"{outage.name}: nobody was told anything")
        if not self.others[503]:
            found.append(f"{outage.name}: nobody noticed")
        if self.back_s > BACK_S:
            found.append(f"{outage.name}: all is well only after {self.back_s:.1f} s")
        return found


def _words(statuses: Counter[int]) -> str:
    return ", ".join(f"{count} x {status}" for status, count in sorted(statuses.items()))


async def weather(
    ordeal: Ordeal,
    outages: Sequence[Outage],
    away_s: float,
    say: Callable[[str], object] = print,
) -> Verdict:
    """Go through the outages, one after the other; return what came of it."""
    say(ROW.format("outage", "lasts", "known keys were told", "others were told", "back in s"))
    with ordeal.provider() as url:
        every = ordeal.settle_in(url, spare=len(outages))
        known, cold = every[: -len(outages)], every[-len(outages) :]
        crowd = ordeal.crowd(known)
        await ordeal.start()
        crowd.gather(CLIENTS)
        faults: list[str] = []
        for outage, key in zip(outages, cold, strict=True):
            await crowd.is_served(START_S)
            await asyncio.sleep(WARM_S)
            seen = await _endured(ordeal, crowd, outage, key, away_s)
            say(ROW.format(outage.name, f"{away_s:g} s", *seen.words()))
            faults += seen.faults(outage)
        faults += crowd.faults()
        await crowd.disperse()
        await asyncio.to_thread(ordeal.stop)
    verdict = await asyncio.to_thread(ordeal.judge, crowd.told)
    return replace(verdict, faults=(*faults, *verdict.faults))


async def _endured(ordeal: Ordeal, crowd: Crowd, outage: Outage, cold: str, away_s: float) -> Seen:
    """Go through one outage."""
    others: Counter[int] = Counter()
    with ExitStack() as stack:
        await asyncio.to_thread(stack.enter_context, outage.taken(ordeal))
        crowd.statuses.clear()
        end = time.monotonic() + away_s
        while time.monotonic() < end:
            others[await crowd.probe(cold)] += 1
            await asyncio.sleep(PROBE_S)
        known = Counter(crowd.statuses)
        await asyncio.to_thread(stack.close)
    over = time.monotonic()
    await _all_served(crowd, cold)
    return Seen(known=known, others=others, back_s=time.monotonic() - over)


async def _all_served(crowd: Crowd, cold: str) -> None:
    """Return once the key that was refused is served, and so are others."""
    async with asyncio.timeout(START_S):
        while (status := await crowd.probe(cold)) != 200:
            assert status not in WRONG, status
            await asyncio.sleep(PROBE_S / 5)
    await crowd.is_served(START_S)
