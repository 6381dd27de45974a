"""A SQL database behind a few methods: `run` writes, `read` reads, each in one transaction.

Units of work are functions of a SQLAlchemy Core connection, which keeps them free of any
driver. What they say is the business of the room that owns the tables; this module knows
none. There are two kinds of database: a SQLite file (`store.sqlite`) and a schema in a
PostgreSQL server (`store.postgres`).
"""

from collections.abc import Callable
from typing import Protocol, TypeVar

from sqlalchemy import Connection, text

T = TypeVar("T")
Work = Callable[[Connection], T]
"""What to do inside one transaction: committed when it returns, rolled back when it raises."""

MOST_WAITING = 1000
"""How much work may wait for a database. Beyond that it is refused at once."""

CHANNEL = "dragoman"
"""Under this name servers of PostgreSQL pass on that something changed."""

GIVES_WAY = "gives_way"
"""The execution option of a connection that rests between statements."""


class Database(Protocol):
    """Where a room keeps its tables. Every method but `news` raises Unavailable.

    That is: the database did not answer, was locked for too long, is full or closed. A
    violated constraint or a value that does not fit is a defect of ours, and leaves raw.
    """

    async def run(self, work: Work[T]) -> T:
        """Do `work` in a write transaction."""

    async def read(self, work: Work[T]) -> T:
        """Do `work`, which must not write, beside the writer. It sees one moment throughout."""

    def run_now(self, work: Work[T]) -> T:
        """Do what `run` does, and block until it is done: for commands, never in a server."""

    def read_now(self, work: Work[T]) -> T:
        """Do what `read` does, and block until it is done: for commands, never in a server."""

    async def news(self, within_s: float) -> None:
        """Return when another node announced a change, at the latest after `within_s`."""

    def close(self) -> None:
        """Finish what was asked for and close every connection. Blocks; idempotent."""


def announce(connection: Connection) -> None:
    """Tell whoever awaits `Database.news` of this change, once it is committed.

    Where databases pass nothing on, the change is found at the next look.
    """
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"NOTIFY {CHANNEL}"))


def giving_way(work: Work[T]) -> Work[T]:
    """Return work that lets an event loop of its process have the interpreter in between.

    For what nobody waits for. Of no effect on PostgreSQL.
    """
    return lambda connection: work(connection.execution_options(**{GIVES_WAY: True}))


def be_patient(connection: Connection, lock_s: float = 0.0) -> None:
    """Let this transaction take as long as it takes, and wait `lock_s` for a lock, 0 for ever.

    Nothing on a database that sets no such limits.
    """
    if connection.dialect.name == "postgresql":
        for name, value_ms in (
            ("statement_timeout", 0),
            ("idle_in_transaction_session_timeout", 0),
            ("lock_timeout", int(lock_s * 1000)),
        ):
            connection.execute(text(f"SET LOCAL {name} = {value_ms}"))
