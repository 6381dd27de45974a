"""What an account wants otherwise than others: `PATCH /accounts/{id}`. One transaction.

Ours: OpenRouter has no accounts in its API, and stores what is said by workspace.
"""

from msgspec import UNSET, Struct, UnsetType
from sqlalchemy import Connection

from dragoman.access import keyring
from dragoman.access.audit import Act
from dragoman.access.types import Reset
from dragoman.core.errors import InvalidRequest
from dragoman.ledger import entries
from dragoman.office import credits as office
from dragoman.office.contents import AccountBody, account_settings, set_store_content
from dragoman.office.key_bodies import Usd, nanos_of
from dragoman.office.reading import read
from dragoman.store.sql import Work


class AccountChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body. What is absent stays; null clears.

    `user_limit` is what each end user may spend, in USD, of keys that do not say it themselves.
    """

    store_content: bool | UnsetType = UNSET
    user_limit: Usd | UnsetType | None = UNSET
    user_limit_reset: Reset | UnsetType | None = UNSET


NOTHING = AccountChange()


def read_change(body: bytes) -> AccountChange:
    """Read the body. Raises InvalidRequest, also where nothing is to be changed."""
    change = read(body, AccountChange)
    if change == NOTHING:
        raise InvalidRequest("Say what to change: store_content, user_limit or user_limit_reset")
    return change


def amend(account: str, change: AccountChange, act: Act) -> Work[AccountBody]:
    """Change an account. It counts for requests that begin once their workers have heard of it.

    Raises InvalidRequest at once for an amount that is too fine; when it runs NotFound for an
    account that does not exist, InvalidRequest for one of the house.
    """
    wanted = change.user_limit
    nanos = UNSET if wanted is UNSET else nanos_of(wanted, "user_limit")

    def work(connection: Connection) -> AccountBody:
        keyring.take_turn(connection)
        if change.store_content is not UNSET:
            set_store_content(account, stores=change.store_content, act=act)(connection)
        if nanos is not UNSET or change.user_limit_reset is not UNSET:
            owner, reset = entries.find_account(connection, account), change.user_limit_reset
            limit = owner.user_limit_nanos if nanos is UNSET else nanos
            reset = owner.user_limit_reset if reset is UNSET else reset
            office.set_user_limit(account, limit, reset, act)(connection)
        return AccountBody(account_settings(account)(connection))

    return work
