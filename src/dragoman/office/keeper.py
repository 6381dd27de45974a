"""The keeper within this process: answers workers straight from the ledger database."""

import asyncio
import hmac
from collections.abc import Iterator, Mapping
from functools import partial
from typing import Final, TypeGuard

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import keyring, own_credentials
from dragoman.access.types import Admission, Changes, Funds, Known
from dragoman.core.errors import Unavailable
from dragoman.ledger import entries, leases
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.purses import (
    Interval,
    Taken,
    allowance_scope,
    key_scope,
    member_scope,
    purse_of_account,
    window_end,
)
from dragoman.ledger.types import Account
from dragoman.office.limits import interval_of, user_limit, user_limits, users_purse
from dragoman.store.sql import Database

UNLIMITED = Funds()
READ_S: Final = 5.0
"""How long a request may wait for what is only read: a report may wait for much longer."""


class _Found(Struct, frozen=True):
    """A key that may be used, its account, and for how many nano-USD that bought credit."""

    key: Known
    account: Account
    bought: int


class LocalKeeper:
    """A `dragoman.access.types.Keeper` and a `dragoman.ledger.cashier.Bank` beside the database."""

    def __init__(self, ledger: Database, byok: ByokOptions = ByokOptions()) -> None:  # noqa: B008
        self._ledger = ledger
        self._free_requests = byok.free_requests_per_month if byok.fee_ppm else 0

    async def key(self, hash_: str, verifier: str) -> Admission | None:
        """Return the key if it may be used and is verified.

        With it come the purses that limit it, and what its account brings along, sealed.

        One that is disabled or revoked may not be, nor one of an account that is closed.
        Raises Unavailable when the database cannot tell.
        """
        found = await self._ledger.read(lambda connection: _find(connection, hash_))
        if not _is_verified(found, verifier):
            return None
        if not self._draws(found):
            return _admitted(found, Funds(fee_ppm=found.account.fee_ppm))
        try:
            funds = await self._ledger.run(lambda connection: self._funds(connection, found))
        except leases.OtherLimit:
            return await self._ledger.run(partial(self._in_turn, hash_=hash_, verifier=verifier))
        return _admitted(found, funds)

    def _in_turn(self, connection: Connection, hash_: str, verifier: str) -> Admission | None:
        """Find a key whose limit may have changed since it was read, while nothing can change."""
        keyring.take_turn(connection)
        found = _find(connection, hash_)
        if not _is_verified(found, verifier):
            return None
        return _admitted(found, self._funds(connection, found, sure=True))

    def _draws(self, found: _Found) -> bool:
        """Say whether requests with a key draw on any purse."""
        return _is_limited(found.key, found.account) or bool(self._free(found))

    def _free(self, found: _Found) -> int:
        return self._free_requests if found.key.own else 0

    def _funds(self, connection: Connection, found: _Found, *, sure: bool = False) -> Funds:
        return funds_of(connection, found.key, found.account, self._free(found), sure=sure)

    async def changes(self, since: int, after: str = "") -> Changes:
        """Return the present epoch, and keys that changed after epoch `since`, behind `after`."""
        return await self._ledger.read(keyring.changes(since, after))

    async def news(self, within_s: float) -> None:
        """Return when another node may have changed a key, at the latest after `within_s`."""
        await self._ledger.news(within_s)

    async def take(self, incarnation: str, wanted: Mapping[str, int]) -> Taken:
        """Lease what is wanted, purse -> amount, all or nothing.

        The purse of an end user who was not seen before is opened, with the limit of the moment.
        """

        def work(connection: Connection) -> Taken:
            now, limits = leases.database_time(connection), user_limits(connection, wanted)
            return leases.take(incarnation, wanted, now, limits)(connection)

        return await self._ledger.run(work)

    async def give_back(self, incarnation: str, amounts: Mapping[str, int]) -> None:
        """Return parts of leases."""
        await self._ledger.run(leases.give_back(incarnation, amounts))

    async def disclaim(self, incarnation: str, purses: tuple[str, ...], written: int) -> bool:
        """Take back all that is leased of purses, once the journal is booked up to `written`."""
        return await self._ledger.run(leases.disclaim(incarnation, purses, written))

    async def renew(self, incarnation: str) -> None:
        """Note that a worker lives."""

        def work(connection: Connection) -> None:
            leases.renew(incarnation, leases.database_time(connection))(connection)

        await self._ledger.run(work)

    async def purse_changes(self, since: int) -> tuple[int, tuple[str, ...]]:
        """Return purses whose limits changed after epoch `since`, and up to which these are all.

        Requests wait for it. Raises Unavailable.
        """
        try:
            async with asyncio.timeout(READ_S):
                return await self._ledger.read(leases.changes(since))
        except TimeoutError as late:
            raise Unavailable("The database did not answer.", retry_after_s=1) from late


def funds_of(
    connection: Connection, key: Known, account: Account, free_requests: int = 0, *, sure: bool
) -> Funds:
    """Return the purses of a key in the windows of this moment, making those that are new.

    `free_requests` is how many requests by own credentials cost the account no fee in a month.
    Unless the key is `sure` to be as it is now, raises OtherLimit where a purse differs from it.
    """
    now = leases.database_time(connection)
    present = [leases.present(connection, *limit, now, sure=sure) for limit in _limits(key)]
    purses = [each.purse.id for each in present]
    inclusive = purses[:1] if key.limit_nanos is not None else []
    ends = [each.until for each in present]
    if account.kind == "prepaid":
        held = purse_of_account(account.id)
        leases.ensure(connection, held, 0)
        purses.append(held.id)
    users = allowance = None
    if (limit := user_limit(key, account)) is not None:
        users = users_purse(key.hash, limit, now).id
        inclusive.append(users)
        ends.append(window_end(limit.interval, now))
    if free_requests:
        scope = allowance_scope(account.id)
        month = leases.present(connection, scope, "monthly", free_requests, now, sure=sure)
        allowance = month.purse.id
        ends.append(month.until)
    return Funds(
        purses=tuple(purses),
        inclusive=tuple(inclusive) if key.include_byok_in_limit else (),
        users=users,
        allowance=allowance,
        until=min((each for each in ends if each is not None), default=None),
        fee_ppm=account.fee_ppm,
    )


def _limits(key: Known) -> Iterator[tuple[str, Interval, int]]:
    """Return the limits of a key, its own first: the scope, how long it lasts, in nano-USD."""
    if key.limit_nanos is not None:
        yield key_scope(key.hash), interval_of(key), key.limit_nanos
    budget = key.member
    if budget is not None and budget.limit_nanos is not None:
        scope = member_scope(budget.account, budget.id)
        yield scope, interval_of(budget), budget.limit_nanos


def _is_limited(key: Known, account: Account) -> bool:
    """Say whether anything limits what requests with a key may cost."""
    limited = any(True for _ in _limits(key)) or user_limit(key, account) is not None
    return limited or account.kind == "prepaid"


def _find(connection: Connection, hash_: str) -> _Found | None:
    key = own_credentials.known(hash_)(connection)
    if key is None or key.disabled or key.revoked_at is not None:
        return None
    account = entries.find_account(connection, key.account)
    if account.closed_at is not None:
        return None
    return _Found(key, account, entries.bought(connection, account.id))


def _is_verified(found: _Found | None, verifier: str) -> TypeGuard[_Found]:
    if found is None:
        return False
    return hmac.compare_digest(found.key.verifier.encode(), verifier.encode())


def _admitted(found: _Found, funds: Funds) -> Admission:
    return Admission(
        key=found.key, funds=None if funds == UNLIMITED else funds, bought=found.bought
    )
