"""What came of requests with an `Idempotency-Key`, so that a repeated one has no second effect.

The row commits with the effect. So there is no state between the two: a request that is
repeated while it runs waits for the database, and is then answered like any later one.
"""

from msgspec import Struct
from sqlalchemy import Connection, delete, insert, select, text, update

from dragoman.access.tables import idempotency

KEPT_S = 86_400.0
_CLAIM = text(
    "INSERT INTO idempotency (account, key, digest, nonce, subject, created_at)"
    " VALUES (:account, :key, '', '', '', :now) ON CONFLICT (account, key) DO NOTHING"
)


class Done(Struct, frozen=True, kw_only=True):
    """An effect: what asked for it (`digest`), what it made (`subject`), and a random `nonce`."""

    digest: str
    nonce: str
    subject: str


def recall(connection: Connection, account: str, key: str, now: float) -> Done | None:
    """Return what came of the request with this key within a day, None if there was none."""
    table = idempotency.c
    query = select(table.digest, table.nonce, table.subject).where(
        table.account == account, table.key == key, table.created_at > now - KEPT_S
    )
    row = connection.execute(query).mappings().first()
    return None if row is None else Done(**row)


def claim(connection: Connection, account: str, key: str, now: float) -> bool:
    """Reserve a key for an effect that follows in this transaction, and `settle` ends.

    False where it is taken: whoever took it in a transaction that runs is waited for.
    """
    connection.execute(delete(idempotency).where(idempotency.c.created_at <= now - KEPT_S))
    values = {"account": account, "key": key, "now": now}
    return connection.execute(_CLAIM, values).rowcount == 1


def settle(connection: Connection, account: str, key: str, done: Done) -> None:
    """Keep what came of a request whose key was claimed."""
    mine = (idempotency.c.account == account) & (idempotency.c.key == key)
    values = {"digest": done.digest, "nonce": done.nonce, "subject": done.subject}
    connection.execute(update(idempotency).where(mine).values(**values))


def remember(connection: Connection, account: str, key: str, done: Done, now: float) -> None:
    """Keep what came of a request for a day, and forget what is older."""
    connection.execute(delete(idempotency).where(idempotency.c.created_at <= now - KEPT_S))
    connection.execute(
        insert(idempotency).values(
            account=account,
            key=key,
            digest=done.digest,
            nonce=done.nonce,
            subject=done.subject,
            created_at=now,
        )
    )
