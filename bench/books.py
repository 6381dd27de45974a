"""What the books cost: CPU of a generation from the journal into both databases, all threads.

`python -m bench.books [--keys N] [--profile]`. Each round writes as many requests as a busy
gateway does between two batches, then times what the keeper does with them, on SQLite in a
directory of its own. Nothing else should be running.
"""

import argparse
import asyncio
import cProfile
import pstats
import random
import statistics
import tempfile
from pathlib import Path
from time import process_time, thread_time
from typing import Final

import msgspec
import uvloop

from dragoman.core.clock import Clock
from dragoman.core.money import NanoUsd
from dragoman.ledger.acts import Start
from dragoman.office.bookkeeper import Bookkeeper
from dragoman.office.premises import Premises, open_premises
from dragoman.records.types import Attempt, Generation
from dragoman.relay.books import Charge, Journaled
from dragoman.store.journal.applier import Applier
from dragoman.store.journal.writer import Journal
from dragoman.wire.usage import Usage

BATCH: Final = 1_700
"""Requests between two batches: 7,000 a second, four batches a second."""
ROUNDS: Final = 60
ROUNDS_A_FLUSH: Final = 20
"""Sums that may wait are written every five seconds."""
ENDPOINTS: Final = 20
BEGAN: Final = 1_760_000_000.0


class Cost(msgspec.Struct, frozen=True):
    """µs of CPU for each generation: of the event loop's thread, and of all threads."""

    loop: float
    all: float


class Traffic:
    """Requests of many keys, each to one of some endpoints of a model."""

    def __init__(self, keys: int) -> None:
        self._chance = random.Random(1)
        self._keys = [f"{self._chance.getrandbits(256):064x}" for _ in range(keys)]
        self._sent = 0

    def next(self) -> tuple[Start, Generation]:
        """Return how a request begins and what became of it."""
        self._sent += 1
        key = self._chance.choice(self._keys)
        number = self._chance.randrange(ENDPOINTS)
        at = BEGAN + self._sent / 7_000
        name = f"gen-{int(at)}-{self._chance.getrandbits(100):020x}"[:35]
        start = Start(name, at, "default", key, "bench/twenty", streamed=False)
        return start, _made(start, number, 20 + self._chance.randrange(20))


def _made(start: Start, number: int, latency_ms: int) -> Generation:
    host, endpoint = f"host-{number}", f"bench/twenty@host-{number}"
    attempt = Attempt(
        endpoint=endpoint,
        provider=host,
        provider_name=f"Host {number}",
        model=start.requested,
        status=200,
        code=None,
        latency_ms=latency_ms,
    )
    return Generation(
        id=start.id,
        created_at=start.at,
        key_hash=start.key_hash,
        requested=start.requested,
        model=start.requested,
        provider=host,
        provider_name=f"Host {number}",
        endpoint=endpoint,
        upstream_id="chatcmpl-0123456789",
        finish_reason="stop",
        native_finish_reason="stop",
        usage=Usage(prompt=19, completion=10),
        cost_nanos=NanoUsd(29_000),
        latency_ms=latency_ms,
        generation_ms=0,
        attempts=(attempt,),
        price_id="0123456789abcdef",
    )


async def measure(premises: Premises, keys: int) -> list[Cost]:
    """Write rounds of requests; return what each cost the keeper."""
    journal = Journal.create(premises.journals, premises.node())
    books = Journaled(journal)
    bookkeeper = Bookkeeper(premises.ledger, premises.records, premises.node(), Clock())
    applier = Applier(premises.journals, premises.node(), bookkeeper, own=journal)
    await bookkeeper.begin(journal.incarnation)
    syncing = asyncio.create_task(journal.run())
    traffic = Traffic(keys)
    costs = []
    for number in range(1, ROUNDS + 1):
        for _ in range(BATCH):
            start, made = traffic.next()
            books.start(start)
            books.final(made, Charge(account="default", cost=made.cost_nanos))
        journal.write()
        while journal.synced < journal.end:  # noqa: ASYNC110  # a flush tells nobody
            await asyncio.sleep(0.01)
        loop, everything = thread_time(), process_time()
        await applier.catch_up()
        if number % ROUNDS_A_FLUSH == 0:
            await bookkeeper.flush()
        spent = Cost(thread_time() - loop, process_time() - everything)
        costs.append(Cost(*(each / BATCH * 1e6 for each in msgspec.structs.astuple(spent))))
    syncing.cancel()
    journal.close()
    applier.close()
    return costs


def main() -> None:
    """Print the mean over the later rounds, when the tables are warm."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--keys", type=int, action="append", help="how many keys take turns")
    parser.add_argument("--profile", action="store_true", help="show where the loop spends it")
    asked = parser.parse_args()
    for keys in asked.keys or [1, 100_000]:
        with tempfile.TemporaryDirectory(prefix="dragoman-books-") as place:
            premises = open_premises(Path(place))
            profile = cProfile.Profile()
            if asked.profile:
                profile.enable()
            costs = uvloop.run(measure(premises, keys))[ROUNDS_A_FLUSH:]
            profile.disable()
            premises.close()
        if asked.profile:
            pstats.Stats(profile).sort_stats("tottime").print_stats(20)
        everything = statistics.mean(each.all for each in costs)
        loop = statistics.mean(each.loop for each in costs)
        print(f"{keys:7,} keys: {everything:6.2f} µs a generation, {loop:6.2f} of them in the loop")


if __name__ == "__main__":
    main()
