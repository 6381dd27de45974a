"""Two nodes over one PostgreSQL, with Redis, behind nginx: `make cluster`.

The topology of `deploy/compose.yaml` as processes of this machine, before a provider of our own.
Prints addresses and keys, sends some load, shows the proof, and stays until Ctrl-C. With
`--check` it shows everything that has to hold over nodes, and ends with 1 when something does not.
"""

import argparse
import asyncio
import signal
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Final

import msgspec

from bench.cluster import checks, services
from bench.cluster.caller import Caller
from bench.cluster.node import MODEL, Plan, Town, town
from bench.cluster.race import AT_ONCE, Missed, check, proof_of, race
from bench.process import allow_many_files

NODES: Final = 2
WITHIN_S: Final = 1.0
"""How soon each worker has to know of a change."""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """The cluster: its nodes, the port of the balancer, and how to stop and start the database."""

    town: Town
    balancer: int | None
    redis: str | None
    database: services.Database


@contextmanager
def built(workers: int) -> Iterator[Place]:
    """Run the cluster while the block lasts."""
    with ExitStack() as stack:
        name = stack.enter_context(tempfile.TemporaryDirectory(prefix="dragoman-cluster-"))
        directory = Path(name)
        database = stack.enter_context(services.database())
        redis = stack.enter_context(services.redis(directory))
        plan = Plan(
            nodes=NODES,
            workers=workers,
            database=database.section,
            environ={"REDIS_URL": redis} if redis else {},
        )
        found = stack.enter_context(town(directory, plan))
        port = stack.enter_context(services.balancer(directory, found.ports))
        yield Place(town=found, balancer=port, redis=redis, database=database)


def describe(place: Place) -> None:
    """Print where everything is, and how to call it."""
    found = place.town
    port = place.balancer or found.ports[0]
    for number, node in enumerate(found.nodes, 1):
        print(f"node {number}     http://127.0.0.1:{node.port}  {found.workers} workers")
    print(f"balancer   {f'http://127.0.0.1:{port}' if place.balancer else 'nginx is missing'}")
    print(f"database   {place.database.section['url']}")
    print(f"redis      {place.redis or 'neither valkey-server nor redis-server is there'}")
    print(f"key        {found.key}\nmanager    {found.manager}")
    hello = '{"role": "user", "content": "Hello!"}'
    print(
        f"\n  curl http://127.0.0.1:{port}/api/v1/chat/completions \\\n"
        f'    -H "Authorization: Bearer {found.key}" \\\n'
        f'    -d \'{{"model": "{MODEL}", "messages": [{hello}]}}\'\n',
        flush=True,
    )


def tried(what: str, work: Callable[[], Awaitable[object]]) -> bool:
    """Do one check, print what it found, and say whether all was well."""
    began = time.monotonic()

    async def done() -> object:
        return await work()

    try:
        found, fine = asyncio.run(done()), True
    except Missed as missed:
        found, fine = missed, False
    took_s = time.monotonic() - began
    print(f"{'ok    ' if fine else 'MISSED'}  {what:<18}{took_s:>5.1f} s  {found}", flush=True)
    return fine


async def in_time(town: Town, measure: Callable[[Town], Awaitable[float]]) -> str:
    """Judge how long a change took. Raises Missed."""
    took_s = await measure(town)
    check(fine=took_s <= WITHIN_S, what=f"all workers knew only after {took_s:.2f} s")
    return f"all workers knew after {took_s:.2f} s"


async def proof(town: Town) -> str:
    """Return the figures of the proof. Raises Missed."""
    found = await proof_of(Caller(town.ports[0], town.manager))
    names = ("generations", "entries", "purses", "journals", "leases")
    return ", ".join(f"{found[name]} {name}" for name in names) + ": the books add up"


def smoke(place: Place) -> bool:
    """Send some load through the balancer, and show the proof."""
    found, fine = place.town, True
    if place.balancer is not None:
        fine &= tried("load", lambda: checks.spread(found, place.balancer or 0))
    return tried("proof", partial(proof, found)) and fine


def everything(place: Place, at_once: int) -> bool:
    """Show all that has to hold."""
    found, database = place.town, place.database
    steps: list[tuple[str, Callable[[], Awaitable[object]]]] = [
        ("race", lambda: race(found, at_once)),
        ("key revoked", lambda: in_time(found, checks.revoked)),
        ("limit lowered", lambda: in_time(found, checks.lowered)),
        ("worker killed", lambda: checks.worker_killed(found)),
        ("keeper killed", lambda: checks.keeper_killed(found)),
    ]
    if (stop := database.stop) is not None and (start := database.start) is not None:
        steps.append(("database away", lambda: checks.database_away(found, stop, start)))
    steps.append(("race again", lambda: race(found, at_once)))
    steps.append(("proof", lambda: proof(found)))
    missed = sum(not tried(what, work) for what, work in steps)
    return missed == 0


def main() -> int:
    """Run as the arguments say; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="show what has to hold, and end")
    parser.add_argument("--workers", type=int, default=2, help="of each node")
    parser.add_argument("--at-once", type=int, default=AT_ONCE, help="requests of the race")
    chosen = parser.parse_args()
    allow_many_files()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # leaving nothing behind
    with built(chosen.workers) as place:
        describe(place)
        fine = smoke(place)
        if chosen.check:
            return 0 if everything(place, chosen.at_once) and fine else 1
        print("Ctrl-C stops it.", flush=True)
        with suppress(KeyboardInterrupt):
            signal.pause()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
