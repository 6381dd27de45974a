"""Books for tests: a database of money, an account with credit, and a worker with a journal."""

from pathlib import Path

from sqlalchemy import Connection

from dragoman.access import migrations as access
from dragoman.core.money import NanoUsd
from dragoman.ledger import leases
from dragoman.ledger.entries import add_account, transfer
from dragoman.ledger.migrations import MIGRATIONS, ROOM
from dragoman.ledger.purses import Balance, Purse, Taken, purse_of_account
from dragoman.ledger.types import Account, Code, Draw, Entry, House, Settled
from dragoman.store.migrations import migrate
from dragoman.store.sql import Database
from dragoman.store.sqlite import SqliteDatabase

KEY = Purse("key:k", "daily", 86_400)
OTHER = Purse("key:k", "monthly", 0)
LIFE = "life-1"


def opened(path: Path) -> Database:
    """Return a database with the ledger's tables."""
    database = SqliteDatabase(path, synchronous="NORMAL")
    database.run_now(lambda connection: migrate(connection, ROOM, MIGRATIONS, 0.0))
    # A change of credit is told to the keys, and to the audit log.
    database.run_now(lambda connection: migrate(connection, access.ROOM, access.MIGRATIONS, 0.0))
    return database


def limited(db: Database, limit: int | None, purse: Purse = KEY) -> str:
    """Open a purse with this limit and a worker's journal; return the purse's id."""
    db.run_now(leases.open_journal(LIFE, "node", 0.0))
    db.run_now(lambda connection: leases.set_limit(connection, purse, limit))
    return purse.id


def prepaid(db: Database, credit: int, account: str = "acct_a") -> str:
    """Open a prepaid account that has paid for this credit; return its purse's id."""
    held = purse_of_account(account)

    def work(connection: Connection) -> None:
        add_account(connection, Account(id=account, kind="prepaid", name="A", created_at=0.0))
        transfer(connection, top_up(account, credit, f"paid-by-{account}"), 0.0)
        leases.raise_limit(connection, held, credit)

    db.run_now(leases.open_journal(LIFE, "node", 0.0))
    db.run_now(work)
    return held.id


def top_up(account: str, amount: int, reference: str) -> Entry:
    return Entry(
        debit=House.CASH,
        credit=account,
        amount_nanos=NanoUsd(amount),
        code=Code.TOP_UP,
        reference=reference,
    )


def take(db: Database, wanted: dict[str, int], life: str = LIFE) -> Taken:
    return db.run_now(leases.take(life, wanted, 1.0))


def balance(db: Database, id_: str) -> Balance:
    found = db.run_now(lambda connection: leases.balance(connection, id_))
    assert found is not None
    return found


def ended(
    offset: int, cost: int, *purses: str, account: str = "default", leased: bool = True
) -> Settled:
    """Return a generation that has ended and is charged to the purses."""
    draws = tuple(Draw(purse, NanoUsd(cost), leased) for purse in purses)
    return Settled(offset=offset, account=account, cost=NanoUsd(cost), draws=draws)
