"""The data directory, opened: both databases in today's shape, and the pepper.

Servers and commands open it alike, so that `dragoman keys create` works before
the first start and beside a running server.
"""

import time
from collections.abc import Callable
from pathlib import Path

from msgspec import Struct

from dragoman.access import migrations as access
from dragoman.access.keyring import every_key
from dragoman.records import migrations as records
from dragoman.store.custody import Pepper, keep_directory, keep_pepper
from dragoman.store.migrations import migrate
from dragoman.store.sql import Database

LEDGER, RECORDS, PEPPER = "ledger.db", "records.db", "pepper"


class Premises(Struct, frozen=True, kw_only=True):
    """Where state lives. Close it when done."""

    path: Path
    ledger: Database
    records: Database
    pepper: Pepper

    def has_usable_key(self) -> bool:
        """Say whether any key could be admitted. Blocks."""
        keys = self.ledger.run_now(every_key)
        return any(not key.disabled and key.revoked_at is None for key in keys)

    def has_any_key(self) -> bool:
        """Say whether a key was ever made. Blocks."""
        return bool(self.ledger.run_now(every_key))

    def close(self) -> None:
        """Finish pending work and close both databases. Blocks."""
        self.ledger.close()
        self.records.close()


def open_premises(path: Path, wall: Callable[[], float] = time.time) -> Premises:
    """Open the data directory, making what is missing. Blocks.

    Raises CustodyError, NewerDatabase, or Unavailable when it cannot be used.
    """
    keep_directory(path)
    premises = Premises(
        path=path,
        ledger=Database(path / LEDGER, synchronous="FULL"),
        records=Database(path / RECORDS, synchronous="NORMAL"),
        pepper=keep_pepper(path / PEPPER),
    )
    now = wall()
    premises.ledger.run_now(lambda c: migrate(c, access.ROOM, access.MIGRATIONS, now))
    premises.records.run_now(lambda c: migrate(c, records.ROOM, records.MIGRATIONS, now))
    return premises
