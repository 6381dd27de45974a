"""What was said: who may read it, which accounts let it be stored, and how it is forgotten."""

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import audit, consent, keyring
from dragoman.access.audit import Act
from dragoman.access.callers import NOT_FOR_MANAGEMENT, role_of
from dragoman.access.types import Caller, Reset
from dragoman.core.errors import InvalidRequest, NotFound, PermissionDenied
from dragoman.ledger import entries
from dragoman.office.generations import LONGEST_ID
from dragoman.office.key_info import user_limit_usd
from dragoman.records.content import unpacked
from dragoman.records.content_rows import ContentReader
from dragoman.store.sql import Work

NOWHERE = "There is no such generation, or nothing that was said in it is stored"


class AccountSettings(Struct, frozen=True, kw_only=True):
    """What an account wants otherwise than others."""

    id: str
    store_content: bool
    user_limit: float | None
    """What each end user may spend, in USD, of keys that do not say it themselves."""
    user_limit_reset: Reset | None


class AccountBody(Struct, frozen=True):
    """The whole body."""

    data: AccountSettings


async def content_body(reader: ContentReader, id_: str, caller: Caller) -> bytes:
    """Return the body of `GET /generation/content`, for the key that asks.

    Raises NotFound for what is not stored, or is another account's; PermissionDenied, in
    OpenRouter's words, for what was said with another key, unless the caller manages all keys.
    """
    known = 0 < len(id_) <= LONGEST_ID and id_.isascii() and id_.isprintable()
    found = await reader.one(id_, caller.account) if known else None
    if found is None:
        raise NotFound(NOWHERE)
    if found.key_hash != caller.key_hash and not _reads_all(caller):
        raise PermissionDenied(NOT_FOR_MANAGEMENT)
    return b'{"data":%b}' % unpacked(found)


def set_store_content(account: str, *, stores: bool, act: Act) -> Work[AccountSettings]:
    """Let what is said with an account's keys be stored, or no longer; what is there stays.

    It counts for requests that begin once their workers have heard of it, within a second.
    Raises NotFound for an account that does not exist, InvalidRequest for one of the house.
    """

    def work(connection: Connection) -> AccountSettings:
        keyring.take_turn(connection)
        owner = entries.find_account(connection, account)
        if owner.kind == "house":
            raise InvalidRequest(f"{account} is an account of the house, which has no keys")
        before = consent.stores_content(connection, account)
        if before != stores:
            consent.set_stores_content(connection, account, stores=stores)
            detail = {"store_content": [before, stores]}
            audit.append(connection, act, "account.update", f"account:{account}", detail)
        return account_settings(account)(connection)

    return work


def account_settings(account: str) -> Work[AccountSettings]:
    """Read what an account wants otherwise. Raises NotFound."""

    def work(connection: Connection) -> AccountSettings:
        owner = entries.find_account(connection, account)
        return AccountSettings(
            id=account,
            store_content=consent.stores_content(connection, account),
            user_limit=user_limit_usd(owner),
            user_limit_reset=owner.user_limit_reset,
        )

    return work


def _reads_all(caller: Caller) -> bool:
    """Say whether a caller manages what was said with any key: stored words are for admins."""
    manages = caller.terms is not None and caller.terms.management
    return manages and role_of(caller) != "member"
