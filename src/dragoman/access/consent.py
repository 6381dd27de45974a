"""What an account lets be stored: nothing of what is said, unless it opted in.

Each function is, or returns, a unit of work for `dragoman.store.sql.Database`.
"""

from sqlalchemy import Connection, select, text

from dragoman.access import keyring
from dragoman.access.tables import account_setting

_SET = text(
    "INSERT INTO account_setting (account, store_content) VALUES (:account, :stores)"
    " ON CONFLICT (account) DO UPDATE SET store_content = :stores"
)


def stores_content(connection: Connection, account: str) -> bool:
    """Say whether the account opted in."""
    query = select(account_setting.c.store_content).where(account_setting.c.account == account)
    return bool(connection.execute(query).scalar())


def set_stores_content(connection: Connection, account: str, *, stores: bool) -> None:
    """Opt in or out. It counts for requests that begin once their workers have heard of it."""
    keyring.touch(connection, account)
    connection.execute(_SET, {"account": account, "stores": stores})
