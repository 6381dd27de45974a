"""What a key may know about itself: the body of `GET /key`.

Source: OpenRouter's OpenAPI document, `GET /key`, and the fields that its official
Python client has come to require since. Sums are USD as JSON numbers.
"""

from msgspec import Struct

from dragoman.access import keyring
from dragoman.access.types import Key
from dragoman.core.errors import NotFound
from dragoman.core.money import NanoUsd, usd
from dragoman.records.reader import KeyUsage, Reader
from dragoman.store.sql import Database


class RateLimit(Struct, frozen=True, kw_only=True):
    """A field that OpenRouter deprecated and clients still require."""

    requests: int = -1
    interval: str = "10s"
    note: str = "This field is deprecated and safe to ignore."


class FreeModelRequests(Struct, frozen=True, kw_only=True):
    """A daily quota of free requests, which does not exist here: -1, as in `RateLimit`."""

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


async def key_info(ledger: Database, reader: Reader, key_hash: str, now: float) -> KeyInfoBody:
    """Return the body for the key with this hash at Unix time `now`."""
    key = await ledger.read(keyring.by_hash(key_hash))
    if key is None:
        raise NotFound("Resource not found")
    return KeyInfoBody(describe(key, await reader.usage(key_hash, now)))


def describe(key: Key, used: KeyUsage) -> KeyInfo:
    """Return the `data` object of a key that has been used so much."""
    limit = key.limit_nanos
    return KeyInfo(
        label=key.label,
        limit=None if limit is None else usd(NanoUsd(limit)),
        limit_remaining=None if limit is None else usd(NanoUsd(max(0, limit - used.total))),
        usage=usd(used.total),
        usage_daily=usd(used.day),
        usage_weekly=usd(used.week),
        usage_monthly=usd(used.month),
    )
