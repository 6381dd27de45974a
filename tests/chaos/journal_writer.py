"""A process that writes a journal as fast as it can, and says on stdout what is written.

A line is `<incarnation> <count>`: so many records were handed to the kernel. It
runs until it is killed.
"""

import asyncio
import os
import sys
from pathlib import Path

from dragoman.store.journal.writer import Journal, JournalOptions

SMALL = JournalOptions(sync_s=0.002, segment_bytes=40_000)


def body(number: int) -> bytes:
    """Return what the record of this number holds: its number, and up to 300 bytes more."""
    return b"%d " % number + bytes(number * 7 % 300)


async def write(root: Path) -> None:
    """Append without end, a few records a turn, and acknowledge each turn."""
    journal = Journal.create(root, "node-1", SMALL)
    running = asyncio.create_task(journal.run())
    number = 0
    while not running.done():
        for _ in range(1 + number % 5):
            journal.append(body(number))
            number += 1
        await journal.written()
        os.write(sys.stdout.fileno(), b"%s %d\n" % (journal.incarnation.encode(), number))


if __name__ == "__main__":
    asyncio.run(write(Path(sys.argv[1])))
