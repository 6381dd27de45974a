"""The race: a thousand at once for a purse worth ten holds, and what is left afterwards.

While the provider holds its answers back, exactly as many requests reach it as there are holds
in the limit, whichever workers and nodes they came to. Then they are let go, and requests
are served one by one until less than one hold is left. The provider's log, what the callers got and
the books must agree, to the nano-dollar.
"""

import asyncio
import time
from collections import Counter
from typing import Any, Final

import msgspec

from bench.cluster.caller import Caller, Reply
from bench.cluster.node import MODEL, Town
from bench.cluster.upstream import ANSWER_TOKENS, PROMPT_TOKENS

HOLDS: Final = 10
AT_ONCE: Final = 1000
PATIENCE_S: Final = 60.0
MOST_AFTER: Final = 30
IN_FLIGHT: Final = "openrouter_in_flight_budget"
COST_NANOS: Final = ANSWER_TOKENS * 10_000 + PROMPT_TOKENS * 1
"""What an answer costs at the price of `bench.cluster.node`."""


class Missed(AssertionError):
    """What was not as it must be, with the figures."""


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """How a race went; sums are nano-USD.

    `admitted` reached the provider at once, `refused` were told to come again, `after` were
    served one by one once the first had been let go; `waited_s` is how long the refusals took.
    """

    hold: int
    limit: int
    admitted: int
    refused: int
    waited_s: float
    after: int
    spent: int

    def __str__(self) -> str:
        return (
            f"{self.admitted} admitted, {self.refused} refused in {self.waited_s:.1f} s, then "
            f"{self.after} one by one; spent {self.spent / self.limit:.1%} of the limit, "
            f"{(self.limit - self.spent) / self.hold:.2f} holds left"
        )


def check(*, fine: bool, what: str) -> None:
    """Raise Missed unless it is fine."""
    if not fine:
        raise Missed(what)


async def race(town: Town, at_once: int = AT_ONCE) -> Outcome:
    """Run it once, with a key of its own. Raises Missed."""
    boss = Caller(town.ports[0], town.manager)
    hold = await hold_of(town)
    limit = HOLDS * hold + hold // 2
    hash_, key = await make_key(boss, limit)
    callers = [Caller(port, key) for port in town.ports]
    line = len(town.asked_so_far())
    await move_gate(town, "close")
    try:
        began = time.monotonic()
        requests = [
            asyncio.create_task(callers[number % len(callers)].served(MODEL))
            for number in range(at_once)
        ]
        refused = await _refusals(requests, at_once - HOLDS)
        waited_s = time.monotonic() - began
        admitted = town.began(line)
        check(fine=admitted == HOLDS, what=f"{admitted} requests reached the provider at once")
    finally:
        await move_gate(town, "open")
    replies = await asyncio.gather(*requests)
    served = sum(reply.status == 200 for reply in replies)
    check(fine=served == HOLDS, what=f"{served} were answered: {_ends(replies)}")
    after = await _one_by_one(callers)
    await proof_of(boss)
    spent = await spent_of(boss, hash_, (served + after) * COST_NANOS)
    check(fine=spent == (served + after) * COST_NANOS, what=f"{served + after} cost {spent}")
    check(fine=spent <= limit, what=f"{spent} charged, of a limit of {limit}")
    check(fine=limit - spent < hold, what=f"{limit - spent} left, and a hold is {hold}")
    check(fine=town.began(line) == served + after, what=f"{town.began(line)} at the provider")
    for each in callers:
        await _check_all_ran(Caller(each.port, town.manager))
    return Outcome(
        hold=hold, limit=limit, admitted=admitted, refused=refused, waited_s=waited_s,
        after=after, spent=spent,
    )  # fmt: skip


async def move_gate(town: Town, how: str) -> None:
    """Have the provider hold answers back (`close`), or let them go (`open`)."""
    moved = await Caller(town.upstream, "").call("POST", f"/gate/{how}")
    check(fine=moved.status == 200, what="the provider does not answer")


async def hold_of(town: Town) -> int:
    """Return what is held for one request, as the refusal of a key without credit tells."""
    hash_, key = await make_key(Caller(town.ports[0], town.manager), 1)
    reply = await Caller(town.ports[0], key).chat(MODEL)
    check(
        fine=reply.status == 402, what=f"{reply.status} for a key that has nothing: {reply.body!r}"
    )
    await Caller(town.ports[0], town.manager).manage("DELETE", f"/api/v1/keys/{hash_}")
    required: float = reply.json()["error"]["metadata"]["required_usd"]
    return round(required * 1e9)


async def make_key(boss: Caller, limit: int | None = None) -> tuple[str, str]:
    """Make a key with a limit in nano-USD, None for none; return its hash and itself."""
    body: dict[str, Any] = {"name": "runner"}
    if limit is not None:
        body["limit"] = limit / 1e9
    reply = await boss.manage("POST", "/api/v1/keys", body)
    check(fine=reply.status == 201, what=f"no key was made: {reply.status} {reply.body!r}")
    made = reply.json()
    return made["data"]["hash"], made["key"]


async def spent_of(boss: Caller, hash_: str, least: int) -> int:
    """Return what a key has spent of its limit, in nano-USD, once it is at least so much.

    Records come a moment after the money, and another node's are not waited for. Raises Missed.
    """
    end = time.monotonic() + PATIENCE_S
    while True:
        reply = await boss.manage("GET", f"/api/v1/keys/{hash_}")
        check(fine=reply.status == 200, what=f"what a key spent is answered with {reply.status}")
        data = reply.json()["data"]
        spent: int = round((data["limit"] - data["limit_remaining"]) * 1e9)
        if spent >= least:
            return spent
        check(fine=time.monotonic() < end, what=f"{spent} charged, where {least} were used")
        await asyncio.sleep(0.1)


async def proof_of(boss: Caller) -> dict[str, Any]:
    """Return the proof once nothing is leased any more, so that all is booked. Raises Missed."""
    end = time.monotonic() + PATIENCE_S
    while True:
        reply = await boss.manage("GET", "/api/v1/ledger/proof")
        check(fine=reply.status == 200, what=f"the proof is answered with {reply.status}")
        proof: dict[str, Any] = reply.json()["data"]
        check(fine=proof["holds"], what=f"the books do not add up: {proof['violations']}")
        if not proof["leases"]:
            return proof
        check(fine=time.monotonic() < end, what=f"{proof['leases']} leases stay")
        await asyncio.sleep(0.1)


async def _check_all_ran(boss: Caller) -> None:
    """Raise Missed for a worker that had no part in it."""
    workers = (await boss.manage("GET", "/api/v1/node")).json()["data"]["workers"]
    idle = [each["name"] for each in workers if not each["generations"]]
    check(fine=not idle, what=f"nothing came to {idle}")


async def _refusals(requests: "list[asyncio.Task[Reply]]", expected: int) -> int:
    """Wait for so many refusals, each for what others have reserved."""
    end = time.monotonic() + PATIENCE_S
    while len(done := [each.result() for each in requests if each.done()]) < expected:
        check(fine=time.monotonic() < end, what=f"only {len(done)} were told: {_ends(done)}")
        await asyncio.sleep(0.05)
    ends = _ends(done)
    check(fine=set(ends) == {(402, IN_FLIGHT)}, what=f"refused with {ends}")
    return len(done)


def _ends(replies: list[Reply]) -> "Counter[tuple[int, str]]":
    return Counter((reply.status, reply.reason) for reply in replies)


async def _one_by_one(callers: list[Caller]) -> int:
    """Ask until there is less than one hold; return how many were served."""
    served = 0
    for number in range(MOST_AFTER):
        reply = await callers[number % len(callers)].served(MODEL)
        if reply.status == 200:
            served += 1
        elif reply.reason != IN_FLIGHT:
            check(
                fine=reply.status in {402, 403}, what=f"ended with {reply.status}: {reply.body!r}"
            )
            return served
    raise Missed(f"no end after {MOST_AFTER} requests, of which {served} were served")
