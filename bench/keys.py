"""Keys in quantity: made as `dragoman keys create` makes one, but in a single statement."""

import time
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import Connection, insert, update

from dragoman.access.keyring import row_of
from dragoman.access.options import AccessOptions
from dragoman.access.tables import api_key, epoch
from dragoman.access.types import Key
from dragoman.core import ids
from dragoman.office.premises import open_premises
from dragoman.store.custody import Pepper


def make_keys(data: Path, count: int) -> list[str]:
    """Add `count` keys to a data directory, made if it is missing, and return their texts."""
    prefix, now = AccessOptions().key_prefix, time.time()
    texts = [ids.new_key(prefix) for _ in range(count)]
    premises = open_premises(data)
    try:
        rows = [key_of(text, prefix, premises.pepper, now) for text in texts]
        premises.ledger.run_now(lambda connection: _insert(connection, rows))
    finally:
        premises.close()
    return texts


def key_of(text: str, prefix: str, pepper: Pepper, now: float) -> Key:
    """Return the row for a key, as `dragoman.office.keys.create` makes it."""
    return Key(
        hash=ids.key_hash(text),
        verifier=pepper.sign(text),
        name=f"bench {text[-6:]}",
        label=ids.key_label(text, prefix),
        created_at=now,
    )


def _insert(connection: Connection, rows: Sequence[Key]) -> None:
    connection.execute(update(epoch).values(value=epoch.c.value + 1))
    changed = {"changed_epoch": 1}
    connection.execute(insert(api_key), [row_of(row) | changed for row in rows])
