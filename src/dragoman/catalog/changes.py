"""How far prices moved between two catalogs, and which of them wait for a person.

A price that is suddenly five times as high, or a fifth, is more often a slip of a
unit than news. The old one then stays in force until somebody approves. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import NamedTuple

from msgspec import Struct

from dragoman.catalog.tariff import applicable
from dragoman.catalog.types import Endpoint, Model, Price

MOST_TIMES = 5
NO_END = 1_000_000.0
"""The factor that is told where something begins to cost, or ceases to."""

UNITS = (
    "prompt", "completion", "cache_read", "cache_read_marked", "cache_write", "cache_write_1h",
    "reasoning", "image", "request", "audio", "audio_output", "image_output", "search",
)  # fmt: skip
STANDS_FOR = {
    "cache_read": "prompt",
    "cache_read_marked": "cache_read",
    "cache_write": "prompt",
    "cache_write_1h": "cache_write",
    "reasoning": "completion",
    "audio": "prompt",
    "audio_output": "completion",
    "image_output": "completion",
}
"""The price that counts where one is not told apart."""

Key = tuple[str, str]
"""Provider and upstream: what an endpoint is, whatever its model is called."""


class Hold(Struct, frozen=True, kw_only=True):
    """An endpoint whose new price, `asks`, waits while the old one, `was`, stays in force.

    `times` is by how much the `unit` that moved furthest went up or down, for prompts
    longer than `above` tokens.
    """

    endpoint: str
    provider: str
    upstream: str
    was: Price
    asks: Price
    times: float
    unit: str
    above: int = 0
    free: bool = False
    """Whether it was a free tier, which it then stays as well."""

    @property
    def model(self) -> str:
        """The id of the model, `:free` included."""
        return self.endpoint.partition("|")[2]

    @property
    def amounts(self) -> tuple[int, int]:
        """What the unit costs, and is to cost, in pico-dollars."""
        was, asks = (_unit(applicable(p, self.above + 1), self.unit) for p in (self.was, self.asks))
        return was or 0, asks or 0

    @property
    def key(self) -> Key:
        """What the hold is about."""
        return self.provider, self.upstream


def endpoints(models: Iterable[Model]) -> Iterator[Endpoint]:
    """Yield every endpoint of `models`."""
    for model in models:
        yield from model.endpoints


def held(before: Mapping[Key, Endpoint], after: Iterable[Endpoint]) -> tuple[Hold, ...]:
    """Return the endpoints of `after` whose price is over five times that of `before`, or under.

    A price that was announced before, and an endpoint that is new or whose price was
    unknown or is now, wait for nobody.
    """
    return tuple(
        hold
        for endpoint in after
        if (old := before.get((endpoint.provider, endpoint.upstream)))
        if (hold := _hold(old, endpoint))
    )


def comparable(before: Mapping[Key, Endpoint], after: Iterable[Endpoint]) -> int:
    """Count the endpoints that have a price before and after."""
    pairs = ((before.get((each.provider, each.upstream)), each) for each in after)
    return sum(bool(old and old.price and new.price) for old, new in pairs)


class _Move(NamedTuple):
    """By how much a unit moved, for prompts longer than `above` tokens. Moves can be compared."""

    times: float
    unit: str
    above: int


def _furthest(was: Price, asks: Price) -> _Move:
    """Return which unit went up or down most."""
    lengths = {0, *(tier.min_prompt_tokens for price in (was, asks) for tier in price.tiers)}
    moves = []
    for above in sorted(lengths):
        old, new = applicable(was, above + 1), applicable(asks, above + 1)
        moves += [_Move(_times(_unit(old, unit), _unit(new, unit)), unit, above) for unit in UNITS]
    return max(moves, key=lambda move: move.times)


def _hold(old: Endpoint, new: Endpoint) -> Hold | None:
    if old.price is None or (old.price == new.price and not new.upcoming):
        return None
    expected = (old.price, *(dated.price for dated in old.upcoming if dated.price))
    asked = [price for price in (new.price, *(each.price for each in new.upcoming)) if price]
    nearest = [(min(_furthest(was, price) for was in expected), price) for price in asked]
    if not nearest:
        return None
    move, asks = max(nearest, key=lambda pair: pair[0].times)
    if move.times <= MOST_TIMES:
        return None
    return Hold(
        endpoint=old.id,
        provider=old.provider,
        upstream=old.upstream,
        was=old.price,
        asks=asks,
        times=round(move.times, 1),
        unit=move.unit,
        above=move.above,
        free=old.free,
    )


def _unit(price: Price, unit: str) -> int | None:
    """Return what a unit costs, by what stands for it where it has no price of its own."""
    amount: int | None = getattr(price, unit)
    if amount is None and unit in STANDS_FOR:
        return _unit(price, STANDS_FOR[unit])
    return amount


def _times(was: int | None, asks: int | None) -> float:
    if was == asks or was is None or asks is None:
        return 1.0
    if not was or not asks:
        return NO_END
    return max(was / asks, asks / was)
