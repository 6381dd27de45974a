"""What limits of keys, of their end users and of members mean for their purses. Units of work."""

from collections.abc import Iterable

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import keyring
from dragoman.access.types import Key, Member
from dragoman.ledger import entries, leases
from dragoman.ledger.purses import (
    Interval,
    Purse,
    key_of_user,
    key_scope,
    member_scope,
    parse,
    purse,
    users_scope,
)
from dragoman.ledger.types import Account
from dragoman.records.reader import KeyUsage


class UserLimit(Struct, frozen=True):
    """What each end user of a key may spend, in nano-USD, and how long that lasts."""

    nanos: int
    interval: Interval


def interval_of(limited: Key | Member) -> Interval:
    """Return how long the limit of a key or a member lasts."""
    return limited.limit_reset or "total"


def used_within(used: KeyUsage, interval: Interval) -> tuple[int, int]:
    """Return what was spent in the present window, and what providers billed an account itself."""
    return {
        "total": (used.total, used.byok),
        "daily": (used.day, used.byok_day),
        "weekly": (used.week, used.byok_week),
        "monthly": (used.month, used.byok_month),
    }[interval]


def impose(connection: Connection, key: Key, used: KeyUsage, before: Key | None = None) -> None:
    """Open the purse of a key's limit, or change its limit.

    What the key has `used` in the present window counts, though it had no limit then, or one of
    another window; with `include_byok_in_limit` that is what providers billed the account itself,
    too. `before` is the key as it was: where that alone changes, what is spent changes with it,
    by as much as it differs. What was begun before such a change may count as it did then.
    """
    interval, inclusive = interval_of(key), key.include_byok_in_limit
    present = purse(key_scope(key.hash), interval, leases.database_time(connection))
    spent, billed = used_within(used, interval)
    if inclusive:
        spent += billed
    there = leases.balance(connection, present.id)
    if there and before is not None and before.include_byok_in_limit != inclusive:
        least, most = (0, billed) if inclusive else (-billed, 0)
        leases.bring_forward(connection, present, min(max(spent - there.spent, least), most))
    if key.limit_nanos is not None:
        counted = there is not None and _counted(before, interval)
        _open(connection, present, key.limit_nanos, None if counted else spent)


def user_limit(key: Key, account: Account) -> UserLimit | None:
    """Return what each end user of a key of this account may spend, None for no limit."""
    if key.user_limit_nanos is not None:
        return UserLimit(key.user_limit_nanos, key.user_limit_reset or "total")
    if account.user_limit_nanos is not None:
        return UserLimit(account.user_limit_nanos, account.user_limit_reset or "total")
    return None


def users_purse(key_hash: str, limit: UserLimit, now: float) -> Purse:
    """Return what the purses of a key's end users are made of, in the window of `now`."""
    return purse(users_scope(key_hash), limit.interval, now)


def user_limits(connection: Connection, purses: Iterable[str]) -> dict[str, int | None]:
    """Read the limits of end users' purses among these: id -> nano-USD, None where there is none.

    Other purses are left out.
    """
    of_users = {id_: hash_ for id_ in purses if (hash_ := key_of_user(id_)) is not None}
    limits: dict[str, int | None] = {}
    for hash_ in set(of_users.values()):
        limits[hash_] = None
        key = keyring.by_hash(hash_)(connection)
        if key is not None:
            found = user_limit(key, entries.find_account(connection, key.account))
            limits[hash_] = None if found is None else found.nanos
    return {id_: limits[hash_] for id_, hash_ in of_users.items()}


def tell_users(connection: Connection) -> None:
    """Have workers learn of limits of end users that changed, of whose money they have a part.

    Of all others they learn when they next lease.
    """
    for id_, limit in user_limits(connection, leases.leased(connection, "user:")).items():
        there = leases.balance(connection, id_)
        if there is not None and there.limit != limit:
            leases.set_limit(connection, parse(id_), limit)


def impose_budget(
    connection: Connection, member: Member, used: KeyUsage, before: Member | None = None
) -> None:
    """Open the purse of a member's budget, or change its limit; `before` is the member as it was.

    What all keys of the member have `used` in the present window counts, as it does for a key.
    """
    if member.limit_nanos is None:
        return
    interval = interval_of(member)
    scope = member_scope(member.account, member.id)
    present = purse(scope, interval, leases.database_time(connection))
    there = leases.balance(connection, present.id) is not None
    counted = there and _counted(before, interval)
    spent, _ = used_within(used, interval)
    _open(connection, present, member.limit_nanos, None if counted else spent)


def _counted(before: Key | Member | None, interval: Interval) -> bool:
    """Say whether what was spent has counted for a limit of this interval all along."""
    return before is not None and before.limit_nanos is not None and interval_of(before) == interval


def _open(connection: Connection, present: Purse, limit: int, spent: int | None) -> None:
    """Give a purse its limit. At least what was `spent` counts, unless it has counted already.

    The purse may be there from an earlier limit, and know nothing of what was spent since.
    """
    leases.set_limit(connection, present, limit)
    there = leases.balance(connection, present.id)
    if spent is not None and there is not None:
        leases.bring_forward(connection, present, max(0, spent - there.spent))
