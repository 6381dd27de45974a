"""What a caller's rates mean for one request: a permit, or a 429 that says how long to wait.

Tokens are taken by estimate and put right when it is known how many there were. The
bodies and headers of refusals are OpenRouter's (docs, "Limits"): `X-RateLimit-*` on
refusals only, `Reset` in milliseconds since the epoch.
"""

import math

from dragoman.access.limiter import Denied, Draw, Item, Limiter, Quota, Slot
from dragoman.access.options import FreeModels
from dragoman.access.rates import NO_RATES, Bound, Rates, per_minute
from dragoman.access.types import Caller
from dragoman.core.clock import Clock
from dragoman.core.errors import InvalidRequest, RateLimited

PATIENT_S = 60
"""An SDK that is told to wait longer than this should not sit and wait."""

NAMES = {"rpm": "requests-per-min", "tpm": "tokens-per-min", "concurrency": "concurrency"}
HINTS = {
    "rpm": "Send requests at a slower pace.",
    "tpm": "Send requests at a slower pace, shorter prompts, or a lower max_tokens.",
    "concurrency": "Wait for a running request to end before sending another.",
}
SECOND_NS = 10**9
DAY_S = 86_400


class Permit:
    """What one request was given. To be closed when the request is over, whatever its end."""

    __slots__ = ("_items", "_limiter", "_tokens")

    def __init__(self, limiter: Limiter, items: tuple[Item, ...]) -> None:
        self._limiter = limiter
        self._items = items
        self._tokens = 0

    def used(self, tokens: int) -> None:
        """Say how many tokens it took. Unsaid, there were none."""
        self._tokens = tokens

    def close(self) -> None:
        """Give the place back, and put the count of tokens right. Does not await."""
        items, self._items = self._items, ()
        for item in items:
            if isinstance(item, Slot):
                self._limiter.leave(item)
            elif isinstance(item, Draw) and item.bucket.endswith(":tpm"):
                self._limiter.correct(item, self._tokens)


class Permits:
    """Gives permits to callers that have terms."""

    def __init__(self, limiter: Limiter, clock: Clock, per_address: Rates = NO_RATES) -> None:
        self._limiter = limiter
        self._clock = clock
        self._per_address = per_address

    async def permit(self, caller: Caller, address: str, tokens: int) -> Permit:
        """Return the permit of a request of about `tokens` tokens that came from `address`.

        Raises RateLimited, and InvalidRequest for a request that no waiting would help.
        """
        terms = caller.terms
        bounds = terms.bounds if terms else ()
        if terms and terms.limits_addresses:
            bounds = (*bounds, Bound("address", address, self._per_address))
        items = tuple(item for bound in bounds for item in _items(bound, tokens))
        denied = await self._limiter.take(items)
        if denied is not None:
            raise _too_many(denied, self._clock.wall())
        return Permit(self._limiter, items)


class FreeRequests:
    """Counts what accounts have served by free endpoints."""

    def __init__(self, limiter: Limiter, clock: Clock, options: FreeModels) -> None:
        self._limiter = limiter
        self._clock = clock
        self._options = options

    def is_high(self, bought: int) -> bool:
        """Say whether an account that bought credit for so many nano-USD has the larger quota."""
        return self._options.is_high(bought)

    async def refused(self, account: str, *, high: bool = False) -> RateLimited | None:
        """Count one more request of the account; return the error if it is one too many.

        `high` is whether its larger quota counts.
        """
        wall = self._clock.wall()
        minute = Draw(f"free:{account}:rpm", per_minute(self._options.rpm))
        day = self._day(account, wall, high=high)
        denied = await self._limiter.take((day, minute))
        if denied is None:
            return None
        if denied.item == minute:
            wait_s = denied.wait_ns / SECOND_NS
            return _free("min", self._options.rpm, wait_s, wall)
        window = "day-high-balance" if high else "day"
        return _free(window, day.most, DAY_S - wall % DAY_S, wall, more=self._more(high=high))

    async def today(self, account: str, *, high: bool = False) -> tuple[int, int]:
        """Return how many requests the account has had in this UTC day, and how many it may."""
        day = self._day(account, self._clock.wall(), high=high)
        return await self._limiter.used(day), day.most

    def _day(self, account: str, wall: float, *, high: bool) -> Quota:
        return Quota(f"free:{account}:day-{int(wall // DAY_S)}", self._options.daily(high=high))

    def _more(self, *, high: bool) -> str:
        """Return how the account would get more, in OpenRouter's words; nothing if it has all."""
        options = self._options
        if high or options.high_balance_rpd <= options.rpd:
            return ""
        return (
            f"Add {options.high_balance_usd:g} credits to unlock {options.high_balance_rpd} free"
            " model requests per day"
        )


def _items(bound: Bound, tokens: int) -> list[Item]:
    rates, name = bound.rates, f"{bound.scope}:{bound.id}"
    items: list[Item] = []
    if rates.rpm is not None:
        items.append(Draw(f"{name}:rpm", per_minute(rates.rpm)))
    if rates.tpm is not None:
        if tokens > rates.tpm:
            raise InvalidRequest(
                f"This request may take {tokens} tokens, and {bound.scope} limits allow"
                f" {rates.tpm} a minute. Shorten the messages or lower max_tokens."
            )
        items.append(Draw(f"{name}:tpm", per_minute(rates.tpm), tokens))
    if rates.concurrency is not None:
        items.append(Slot(f"{name}:concurrency", rates.concurrency))
    return items


def _too_many(denied: Denied, wall: float) -> RateLimited:
    item = denied.item
    scope, _, rest = item.bucket.partition(":")
    what = rest.rpartition(":")[2]
    limit = item.rate.burst if isinstance(item, Draw) else item.most
    wait_s = denied.wait_ns / SECOND_NS if denied.wait_ns else 1.0
    return _limited(
        f"Rate limit exceeded: {scope}-{NAMES[what]}. {HINTS[what]}",
        source=f"{scope}_{what}",
        hint=HINTS[what],
        headers=_headers(limit, denied.left, wait_s, wall),
        wait_s=wait_s,
    )


def _free(window: str, limit: int, wait_s: float, wall: float, *, more: str = "") -> RateLimited:
    daily = window != "min"
    hint = HINTS["rpm"]
    if daily:
        buy = ", or purchase credits to raise your free-model daily limit" if more else ""
        hint = f"Wait for the daily reset (see X-RateLimit-Reset){buy}."
    return _limited(
        f"Rate limit exceeded: free-models-per-{window}. {more or hint}",
        source="openrouter_free_tier_daily" if daily else "openrouter_free_tier_minute",
        hint=hint,
        headers=_headers(limit, 0, wait_s, wall),
        wait_s=wait_s,
    )


def _headers(limit: int, rest: int, wait_s: float, wall: float) -> dict[str, str]:
    return {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(rest),
        "X-RateLimit-Reset": str(math.ceil((wall + wait_s) * 1000)),
    }


def _limited(
    message: str, *, source: str, hint: str, headers: dict[str, str], wait_s: float
) -> RateLimited:
    return RateLimited(
        message,
        metadata={"headers": headers, "limit_source": source, "remedy_hint": hint},
        retry_after_s=math.ceil(wait_s),
        should_retry=False if wait_s > PATIENT_S else None,
    )
