"""Purses: what may be spent, in which window, and how much of it may be handed out. Pure.

A purse is a scope (`account:<id>`, `key:<hash>`, `user:<hash of the key>:<digest of the
user>`), an interval and the start of a window. Its row knows a limit, what was spent and what is
leased to workers; free is what is left of the limit. When a window turns there is a new purse,
and the old one keeps its figures. The rows are `dragoman.ledger.leases`' business.
"""

import hashlib
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Literal, get_args

from msgspec import Struct

from dragoman.core.money import NanoUsd

Interval = Literal["total", "daily", "weekly", "monthly"]
INTERVALS: tuple[Interval, ...] = get_args(Interval)

MOST_LEASED = NanoUsd(1_000_000_000)
"""A lease is not made larger than a dollar, unless one request needs more."""
PORTION = 100
"""A lease is not made larger than this part of what is free, unless one request needs more."""
ANONYMOUS = "anonymous"
"""Stands for the digest of the user in requests that name none."""
DIGEST_LENGTH = 32


class Purse(Struct, frozen=True, gc=False):
    """The name of a purse. `window_start` is Unix time in seconds, 0 for `total`."""

    scope: str
    interval: Interval
    window_start: int

    @property
    def id(self) -> str:
        """The purse's key in the database and in journals."""
        return f"{self.scope}|{self.interval}|{self.window_start}"


class Balance(Struct, frozen=True, gc=False):
    """The figures of a purse, in nano-USD. Without a limit everything fits."""

    limit: int | None
    spent: int = 0
    leased: int = 0

    @property
    def free(self) -> int | None:
        """What may still be leased; below zero when the limit was lowered; None: unlimited."""
        return None if self.limit is None else self.limit - self.spent - self.leased


class Reason(StrEnum):
    """Why a purse has no room for a request."""

    IN_FLIGHT = "in_flight"
    """It would, once the requests that are under way have ended."""
    EXHAUSTED = "exhausted"
    """It has not, whatever they end with."""


class Refusal(Struct, frozen=True, gc=False):
    """A purse without room for what was asked, its figures, and why."""

    purse: str
    balance: Balance
    reason: Reason


class Taken(Struct, frozen=True):
    """What was leased, purse -> amount; or nothing, and each purse that had no room."""

    granted: dict[str, int]
    refused: tuple[Refusal, ...] = ()


def purse_of_account(account: str) -> Purse:
    """Return the purse of a prepaid account, whose limit is all the credit it was given."""
    return Purse(f"account:{account}", "total", 0)


def owner_of(id_: str) -> str | None:
    """Return the account whose credit this purse is, None for one that is but a limit."""
    kind, _, owner = parse(id_).scope.partition(":")
    return owner if kind == "account" else None


def key_scope(key_hash: str) -> str:
    """Return the scope of a key with a limit."""
    return f"key:{key_hash}"


def member_scope(account: str, member: str) -> str:
    """Return the scope of a member with a budget."""
    return f"member:{account}:{member}"


def users_scope(key_hash: str) -> str:
    """Return the scope that those of a key's end users begin with. It is no purse itself."""
    return f"user:{key_hash}"


def purse_of_user(users: str, user: str | None) -> str:
    """Return the id of the purse of one end user of a key.

    `users` is the id of a purse of `users_scope`: it tells the key and the window. All requests
    that name no user are one user's.
    """
    scope, _, window = users.partition("|")
    digest = ANONYMOUS
    if user:
        digest = hashlib.sha256(user.encode()).hexdigest()[:DIGEST_LENGTH]
    return f"{scope}:{digest}|{window}"


def key_of_user(id_: str) -> str | None:
    """Return the hash of the key whose end user's purse this is, None for any other purse."""
    kind, _, rest = id_.partition(":")
    return rest.partition(":")[0] if kind == "user" else None


def allowance_scope(account: str) -> str:
    """Return the scope of the requests by own credentials that cost an account no fee.

    Such a purse holds requests, and no money.
    """
    return f"byok:{account}"


def purse(scope: str, interval: Interval, now: float) -> Purse:
    """Return the purse of a scope whose window holds the Unix time `now`."""
    return Purse(scope, interval, window_start(interval, now))


def parse(id_: str) -> Purse:
    """Return the purse of this id. Raises ValueError when it is none."""
    scope, interval, start = id_.rsplit("|", 2)
    for known in INTERVALS:
        if known == interval and scope:
            return Purse(scope, known, int(start))
    raise ValueError(f"{id_!r} is not the id of a purse")


def window_start(interval: Interval, now: float) -> int:
    """Return when the window began that holds Unix time `now`, in UTC; weeks begin on Monday.

    Source: OpenRouter's OpenAPI document, `POST /keys`, `limit_reset`.
    """
    if interval == "total":
        return 0
    return int(_midnight(interval, now).timestamp())


def window_end(interval: Interval, now: float) -> int | None:
    """Return when the next window begins, None if there is none."""
    if interval == "total":
        return None
    start = _midnight(interval, now)
    if interval == "daily":
        return int((start + timedelta(days=1)).timestamp())
    if interval == "weekly":
        return int((start + timedelta(days=7)).timestamp())
    in_next_month = start + timedelta(days=31)
    return int(in_next_month.replace(day=1).timestamp())


def refusal(balance: Balance, hold: int) -> Reason | None:
    """Say why `hold` does not fit, None when it does."""
    if balance.limit is None or balance.limit - balance.spent - balance.leased >= hold:
        return None
    if balance.limit - balance.spent >= hold:
        return Reason.IN_FLIGHT
    return Reason.EXHAUSTED


def lease_size(balance: Balance, hold: int) -> NanoUsd:
    """Return how much a worker gets that is short of `hold`, which fits.

    As much as is needed, or a hundredth of what is free up to a dollar, so that a rich
    purse is asked seldom and a poor one is not tied up by a single worker.
    """
    if (free := balance.free) is None:
        return NanoUsd(hold)
    return NanoUsd(max(hold, min(MOST_LEASED, free // PORTION)))


def _midnight(interval: Interval, now: float) -> datetime:
    today = datetime.fromtimestamp(now, UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    if interval == "weekly":
        return today - timedelta(days=today.weekday())
    return today.replace(day=1) if interval == "monthly" else today
