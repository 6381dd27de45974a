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
from dragoman.store.custody import CustodyError, Pepper, keep_directory, keep_pepper
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
    now = wall()
    ledger = Database(path / LEDGER, synchronous="FULL")
    ledger.run_now(lambda c: migrate(c, access.ROOM, access.MIGRATIONS, now))
    has_pepper = (path / PEPPER).exists()
    if not has_pepper and ledger.run_now(every_key):
        ledger.close()
        raise CustodyError(
            f"{path / PEPPER} is gone, and without it none of the keys in {path / LEDGER} can be "
            f"verified. Put it back from a backup, or move {LEDGER} away to begin with new keys."
        )
    pepper = keep_pepper(path / PEPPER)
    archive = Database(path / RECORDS, synchronous="NORMAL")
    archive.run_now(lambda c: migrate(c, records.ROOM, records.MIGRATIONS, now))
    return Premises(path=path, ledger=ledger, records=archive, pepper=pepper)
