"""What a key may know about itself: the body of `GET /key`.

Source: OpenRouter's OpenAPI document, `GET /key`, and the fields that its official
Python client has come to require since. Sums are USD as JSON numbers.
"""

from datetime import UTC, datetime

from msgspec import Struct
from msgspec.structs import replace

from dragoman.access import keyring
from dragoman.access.permits import FreeRequests
from dragoman.access.types import Key
from dragoman.core.errors import NotFound
from dragoman.core.money import NanoUsd, usd
from dragoman.ledger import entries
from dragoman.ledger.types import Account
from dragoman.office.limits import interval_of, used_within
from dragoman.records.reader import KeyUsage, Reader
from dragoman.store.sql import Database, Work


class RateLimit(Struct, frozen=True, kw_only=True):
    """A field that OpenRouter deprecated and clients still require."""

    requests: int = -1
    interval: str = "10s"
    note: str = "This field is deprecated and safe to ignore."


class FreeModelRequests(Struct, frozen=True, kw_only=True):
    """The daily quota of free requests; -1, as in `RateLimit`, where there is none."""

    used: int = 0
    limit: int = -1
    remaining: int = -1


class KeyInfo(Struct, frozen=True, kw_only=True):
    """The `data` object. What an installation of one account has no use for is constant."""

    label: str
    limit: float | None
    limit_remaining: float | None
    limit_reset: str | None = None
    include_byok_in_limit: bool = False
    usage: float
    usage_daily: float
    usage_weekly: float
    usage_monthly: float
    byok_usage: float = 0.0
    byok_usage_daily: float = 0.0
    byok_usage_weekly: float = 0.0
    byok_usage_monthly: float = 0.0
    is_free_tier: bool = False
    is_management_key: bool = False
    is_provisioning_key: bool = False
    creator_user_id: str | None = None
    expires_at: str | None = None
    rate_limit: RateLimit = RateLimit()
    organization_id: str | None = None
    workspace_id: str | None = None
    allowed_data_regions: tuple[str, ...] = ("global",)
    free_model_daily_requests: FreeModelRequests = FreeModelRequests()
    budgets: tuple[()] = ()
    effective_budget: None = None


class KeyInfoBody(Struct, frozen=True):
    """The whole body."""

    data: KeyInfo


async def key_info(
    ledger: Database,
    reader: Reader,
    key_hash: str,
    now: float,
    free: FreeRequests | None = None,
) -> KeyInfoBody:
    """Return the body for the key with this hash at Unix time `now`."""
    key = await ledger.read(keyring.by_hash(key_hash))
    if key is None:
        raise NotFound("Resource not found")
    info = describe(key, await reader.usage(key_hash, now))
    account, bought = await ledger.read(_account(key.account))
    info = replace(info, is_free_tier=account.kind == "prepaid" and bought == 0)
    if free is not None:
        used, limit = await free.today(key.account, high=free.is_high(bought))
        quota = FreeModelRequests(used=used, limit=limit, remaining=max(0, limit - used))
        info = replace(info, free_model_daily_requests=quota)
    return KeyInfoBody(info)


def _account(id_: str) -> Work[tuple[Account, int]]:
    return lambda found: (entries.find_account(found, id_), entries.bought(found, id_))


def describe(key: Key, used: KeyUsage) -> KeyInfo:
    """Return the `data` object of a key that has been used so much."""
    manages = key.kind == "management"
    return KeyInfo(
        label=key.label,
        limit=limit_usd(key),
        limit_remaining=remaining_usd(key, used),
        limit_reset=key.limit_reset,
        include_byok_in_limit=key.include_byok_in_limit,
        usage=usd(used.total),
        usage_daily=usd(used.day),
        usage_weekly=usd(used.week),
        usage_monthly=usd(used.month),
        byok_usage=usd(used.byok),
        byok_usage_daily=usd(used.byok_day),
        byok_usage_weekly=usd(used.byok_week),
        byok_usage_monthly=usd(used.byok_month),
        is_management_key=manages,
        is_provisioning_key=manages,
        creator_user_id=key.creator,
        expires_at=None if key.expires_at is None else iso(key.expires_at),
    )


def limit_usd(key: Key) -> float | None:
    """Return what the key may spend in each window, None for no limit."""
    return None if key.limit_nanos is None else usd(NanoUsd(key.limit_nanos))


def user_limit_usd(limited: Key | Account) -> float | None:
    """Return what each end user may spend in each window, None where nothing is said of it."""
    nanos = limited.user_limit_nanos
    return None if nanos is None else usd(NanoUsd(nanos))


def remaining_usd(key: Key, used: KeyUsage) -> float | None:
    """Return what is left of the limit in the window of this moment, None for no limit."""
    if key.limit_nanos is None:
        return None
    spent, billed = used_within(used, interval_of(key))
    counted = spent + billed if key.include_byok_in_limit else spent
    return usd(NanoUsd(max(0, key.limit_nanos - counted)))


def iso(seconds: float) -> str:
    """Return a Unix time as ISO 8601 in UTC, with a fraction only where there is one."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")
