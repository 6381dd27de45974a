"""What an operator may set about keys."""

import re
import string
from typing import Annotated

from msgspec import Meta, Struct

from dragoman.access.rates import Count, Rates

NANO = 10**9

PREFIX_LETTERS = frozenset(string.ascii_letters + string.digits + "-_")
PREFIX_LENGTH = 32
PREFIX = re.compile(r"[a-z0-9_-]{1,32}")

Url = Annotated[
    str,
    Meta(
        pattern=r"^(rediss?|unix)://.+",
        description="`redis://user:password@host:6379/0`, `rediss://…` or `unix:///path`",
    ),
]


class FreeModels(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many requests an account may have served by free endpoints: a minute, a UTC day.

    The numbers are OpenRouter's (docs, "Limits"). An account that bought credit of at least
    `high_balance_usd` in all may have `high_balance_rpd` a day.
    """

    rpm: Count = 20
    rpd: Count = 50
    high_balance_usd: Annotated[float, Meta(ge=0, le=10_000_000)] = 10.0
    high_balance_rpd: Count = 1000

    def is_high(self, bought: int) -> bool:
        """Say whether an account that bought credit for so many nano-USD has the larger quota."""
        return bought >= self.high_balance_usd * NANO

    def daily(self, *, high: bool) -> int:
        """Return how many requests a day an account may have."""
        return self.high_balance_rpd if high else self.rpd


class RedisOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Redis or Valkey, by which several nodes count together. Without it each counts its part."""

    url: Url | None = None
    """`redis://user:password@host:6379/0`, `rediss://…` for TLS, `unix:///path`. Without it the
    environment's `REDIS_URL` counts."""
    prefix: str = "dragoman"
    """How our keys begin there, so that several installations can share a server."""

    def __post_init__(self) -> None:
        if not PREFIX.fullmatch(self.prefix):
            raise ValueError(f"prefix {self.prefix!r}: give 1 to 32 small letters, digits, - or _")

    def __repr__(self) -> str:
        return f"RedisOptions(prefix={self.prefix!r}, …)"


class AccessOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How new keys look, and what is limited for all. Nothing is, unless it is set here.

    Keys made under an earlier prefix stay good. Limits of single keys are set with the keys.
    """

    key_prefix: str = "sk-dm-v1-"
    account_limits: Rates = Rates()
    """What each account may do in all."""
    address_limits: Rates = Rates()
    """What may come from each address, over all keys."""
    free_models: FreeModels | None = None

    def __post_init__(self) -> None:
        if not 0 < len(self.key_prefix) <= PREFIX_LENGTH or set(self.key_prefix) - PREFIX_LETTERS:
            raise ValueError(
                f"key_prefix {self.key_prefix!r}: give 1 to {PREFIX_LENGTH} ASCII letters, digits, "
                "hyphens or underscores"
            )
