"""What has to hold over workers and nodes, each a check that says what it found.

Each is for itself, with keys of its own, and raises `Missed`. The race is in
`bench.cluster.race`; what is measured is judged by `bench.cluster.run`.
"""

import asyncio
import os
import signal
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Final

from bench.cluster.caller import Caller, Reply
from bench.cluster.node import MODEL, Node, Town
from bench.cluster.race import (
    COST_NANOS,
    PATIENCE_S,
    check,
    make_key,
    proof_of,
    spent_of,
)

DOLLAR: Final = 1_000_000_000
WARM: Final = 40
"""Requests over connections of their own, after which every worker has seen a key, most likely."""
KEYS: Final = 16
"""So many that a balancer which hashes them gives each node one."""
LOAD: Final = 8
AWAY_S: Final = 3.0
PACE_S: Final = 0.1
"""Slow enough for what a worker has leased to last."""
QUIET_S: Final = 1.5
"""For how long nothing may happen that had an end."""
REFUSED: Final = {401, 402, 403}


async def warm(callers: Sequence[Caller]) -> None:
    """Have every worker of every node know the key. Raises Missed."""
    for caller in callers:
        replies = await asyncio.gather(*(caller.served(MODEL) for _ in range(WARM)))
        check(fine=_all(replies, 200), what=f"a new key was answered with {_statuses(replies)}")


async def spread(town: Town, balancer: int) -> str:
    """Call through the balancer: a key stays at one node, and all nodes get some."""
    boss = Caller(town.ports[0], town.manager)
    used: Counter[int] = Counter()
    for _ in range(KEYS):
        _, key = await make_key(boss)
        before = await _made(town)
        replies = await asyncio.gather(*(Caller(balancer, key).chat(MODEL) for _ in range(WARM)))
        check(fine=_all(replies, 200), what=f"the balancer answered with {_statuses(replies)}")
        end = time.monotonic() + PATIENCE_S
        while sum(after := await _made(town)) < sum(before) + WARM:
            check(fine=time.monotonic() < end, what="the nodes do not tell of the requests")
            await asyncio.sleep(0.1)
        grown = [number for number, each in enumerate(after) if each > before[number]]
        check(fine=len(grown) == 1, what=f"requests of one key went to {len(grown)} nodes")
        used[grown[0]] += 1
    check(fine=len(used) == len(town.nodes), what=f"{KEYS} keys are spread like this: {dict(used)}")
    return f"{KEYS * WARM} requests of {KEYS} keys, each at one node: {sorted(used.values())} keys"


async def _made(town: Town) -> list[int]:
    """Return how many generations each node's workers tell of."""
    found = []
    for port in town.ports:
        reply = await Caller(port, town.manager).manage("GET", "/api/v1/node")
        found.append(sum(each["generations"] for each in reply.json()["data"]["workers"]))
    return found


async def revoked(town: Town) -> float:
    """Revoke a key in use at one node; return after how many seconds all workers knew."""
    boss = Caller(town.ports[0], town.manager)
    hash_, key = await make_key(boss)
    callers = [Caller(port, key) for port in town.ports]
    await warm(callers)
    return await _seconds_until(
        callers, 401, lambda: boss.manage("DELETE", f"/api/v1/keys/{hash_}")
    )


async def lowered(town: Town) -> float:
    """Lower the limit of a key in use below what it spent; return as `revoked` does."""
    boss = Caller(town.ports[0], town.manager)
    hash_, key = await make_key(boss, 500 * DOLLAR)
    callers = [Caller(port, key) for port in town.ports]
    await warm(callers)
    return await _seconds_until(
        callers, 403, lambda: boss.manage("PATCH", f"/api/v1/keys/{hash_}", {"limit": 0.01})
    )


async def _seconds_until(
    callers: Sequence[Caller], status: int, change: Callable[[], Awaitable[Reply]]
) -> float:
    """Change something under load; return when the last request that did not notice was sent."""
    last = [0.0]
    seen: Counter[int] = Counter()
    over = asyncio.Event()

    async def load(caller: Caller) -> None:
        while not over.is_set():
            sent = time.monotonic()
            reply = await caller.chat(MODEL)
            if reply.is_to_come_again:
                await asyncio.sleep(PACE_S)
                continue
            seen[reply.status] += 1
            if reply.status != status:
                last[0] = max(last[0], sent)

    async with asyncio.TaskGroup() as group:
        for caller in callers:
            for _ in range(LOAD):
                group.create_task(load(caller))
        await asyncio.sleep(0.3)
        done = await change()
        changed = time.monotonic()
        end = changed + PATIENCE_S
        while _lasts(last[0], changed, end):  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.05)
        over.set()
    check(fine=done.status == 200, what=f"the change was answered with {done.status}")
    check(fine=set(seen) == {200, status}, what=f"under the change: {dict(seen)}")
    check(
        fine=last[0] < end - QUIET_S,
        what=f"after {PATIENCE_S} s there are still others than {status}",
    )
    return max(0.0, last[0] - changed)


async def worker_killed(town: Town) -> str:
    """Kill a data worker of the last node under load. Raises Missed."""
    node = town.nodes[-1]
    workers, _ = await processes(town, node)
    return await _killed(town, node, workers[0])


async def keeper_killed(town: Town) -> str:
    """Kill the keeper of the last node under load. Raises Missed."""
    node = town.nodes[-1]
    _, keeper = await processes(town, node)
    return await _killed(town, node, keeper)


async def processes(town: Town, node: Node) -> tuple[list[int], int]:
    """Return the process ids of a node's workers, and of its keeper."""
    boss = Caller(node.port, town.manager)
    end = time.monotonic() + PATIENCE_S
    while True:
        reply = await boss.manage("GET", "/api/v1/node")
        told = reply.json()["data"]["workers"] if reply.status == 200 else []
        workers = [each["pid"] for each in told]
        others = [pid for pid in node.children() if pid not in workers]
        if len(workers) == town.workers and len(others) == 1:
            return workers, others[0]
        check(fine=time.monotonic() < end, what=f"workers {workers}, others {others}")
        await asyncio.sleep(0.1)


async def _killed(town: Town, node: Node, pid: int) -> str:
    """Kill a process under load at all nodes, and see that the books agree with the provider."""
    boss = Caller(town.ports[0], town.manager)
    hash_, key = await make_key(boss, 500 * DOLLAR)
    callers = [Caller(port, key) for port in town.ports]
    line = len(town.asked_so_far())
    async with _load(callers) as seen:
        await asyncio.sleep(0.5)
        os.kill(pid, signal.SIGKILL)
        await asyncio.sleep(2)
    await processes(town, node)
    await _settled(callers)
    served, began = seen[200] + len(callers), town.began(line)
    check(fine=not REFUSED & set(seen), what=f"good keys were refused: {dict(seen)}")
    proof = await proof_of(boss)
    spent = await spent_of(boss, hash_, served * COST_NANOS)
    least, most = served * COST_NANOS, began * COST_NANOS
    check(fine=least <= spent <= most, what=f"{spent} charged, where {least} to {most} were used")
    others = {status: count for status, count in seen.items() if status != 200}
    return f"{served} served, {others or 'none'} not; {proof['generations']} generations add up"


async def database_away(town: Town, stop: Callable[[], None], start: Callable[[], None]) -> str:
    """Take the database away for some seconds: keys that are known are served meanwhile.

    `stop` and `start` are for the database. Raises Missed.
    """
    boss = Caller(town.ports[0], town.manager)
    _, limited = await make_key(boss, 500 * DOLLAR)
    _, free = await make_key(boss)
    _, cold = await make_key(boss)
    known = [Caller(port, key) for port in town.ports for key in (limited, free)]
    await warm(known)
    try:
        # Without a pause: what nobody draws on goes back after a second, and would be missed.
        async with _load(known, PACE_S) as seen:
            await asyncio.to_thread(stop)
            await asyncio.sleep(AWAY_S)
        check(fine=set(seen) == {200}, what=f"known keys were answered with {dict(seen)}")
        replies = await asyncio.gather(*(Caller(port, cold).chat(MODEL) for port in town.ports))
        check(fine=_all(replies, 503), what=f"unknown keys were answered with {_statuses(replies)}")
        advised = all("retry-after" in reply.headers for reply in replies)
        check(fine=advised, what="there is no Retry-After")
    finally:
        began = time.monotonic()
        await asyncio.to_thread(start)
    await _settled([*known, *(Caller(port, cold) for port in town.ports)])
    took_s = time.monotonic() - began
    await proof_of(boss)
    return f"known keys served, others 503; everybody served {took_s:.1f} s after it was back"


async def _settled(callers: Sequence[Caller]) -> None:
    """Return once each is served. Raises Missed when one is refused, or not served for long."""
    end = time.monotonic() + PATIENCE_S
    for caller in callers:
        while (reply := await caller.chat(MODEL)).status != 200:
            fine = reply.status not in REFUSED and time.monotonic() < end
            check(fine=fine, what=f"a good key is answered with {reply.status}: {reply.body!r}")
            await asyncio.sleep(0.1)


@asynccontextmanager
async def _load(callers: Sequence[Caller], pause_s: float = 0) -> AsyncIterator[Counter[int]]:
    """Call within the block; yield how those requests ended, by status, for which was time."""
    seen: Counter[int] = Counter()
    over = asyncio.Event()

    async def call(caller: Caller) -> None:
        while not over.is_set():
            reply = await caller.chat(MODEL)
            if not reply.is_for_want_of_time:
                seen[reply.status] += 1
            await asyncio.sleep(pause_s)

    async with asyncio.TaskGroup() as group:
        for caller in callers:
            for _ in range(LOAD):
                group.create_task(call(caller))
        try:
            yield seen
        finally:
            over.set()


def _lasts(last: float, changed: float, end: float) -> bool:
    """Say whether some did not notice a moment ago, and may yet."""
    now = time.monotonic()
    return max(last, changed) > now - QUIET_S and now < end


def _all(replies: Sequence[Reply], status: int) -> bool:
    return all(reply.status == status for reply in replies)


def _statuses(replies: Sequence[Reply]) -> dict[int, int]:
    return dict(Counter(reply.status for reply in replies))
