"""Prices of one model that lie far apart: which of them stand alone, and are taken for mistakes.

Hosts do differ, up to seventy times, but in a crowd without a gap. A price that nobody else's is
near is another unit, another currency or another model's, unless a person has looked. Pure.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from dragoman.catalog.build.prices import both
from dragoman.catalog.types import Price

FAR = 5
"""From so many times on, prices lie far apart."""

ALONE = "unknown: alone"
KEPT = "kept"


class Offer(Struct, frozen=True, kw_only=True):
    """The price of one endpoint. `keep` is a person's reason to believe it, empty if none has."""

    place: str
    provider: str
    price: Price
    keep: str = ""


class Conflict(Struct, frozen=True, kw_only=True):
    """A finding of `spread`: a model whose prices lie `times` apart.

    `prices` are those of all its endpoints, as where, how much, and what was decided. There,
    `kept` alone means that another host's price is near, `kept: …` that it stands alone and the
    table of corrections keeps it for that reason, and `unknown: alone` that it does and none does.
    """

    model: str
    times: float
    prices: tuple[tuple[str, str, str], ...]

    @property
    def rejected(self) -> frozenset[str]:
        """Return the places whose prices are taken for mistakes."""
        return frozenset(place for place, _, decided in self.prices if decided == ALONE)

    @property
    def decided(self) -> tuple[tuple[str, str, str], ...]:
        """Return the prices that stand alone, whatever was decided of them."""
        return tuple(each for each in self.prices if each[2] != KEPT)


def spread(model: str, offers: Sequence[Offer]) -> Conflict | None:
    """Return what is to be decided of a model's prices, None unless two hosts' lie far apart."""
    if len({offer.provider for offer in offers}) < 2:
        return None
    times = max(_times(each.price for each in offers), default=1.0)
    if times < FAR:
        return None
    return Conflict(
        model=model,
        times=times,
        prices=tuple((offer.place, both(offer.price), _decided(offer, offers)) for offer in offers),
    )


def _decided(offer: Offer, offers: Iterable[Offer]) -> str:
    """Return what becomes of one price. A host is no witness for itself."""
    others = (each.price for each in offers if each.provider != offer.provider)
    if any(_near(offer.price, other) for other in others):
        return KEPT
    return f"{KEPT}: {offer.keep}" if offer.keep else ALONE


def _near(one: Price, other: Price) -> bool:
    return max(_times((one, other)), default=1.0) < FAR


def _times(prices: Iterable[Price]) -> list[float]:
    """Return how far prompts and completions lie apart, each as the dearest by the cheapest."""
    found = tuple(prices)
    units = ([each.prompt for each in found], [each.completion for each in found])
    paid = ([amount for amount in unit if amount] for unit in units)
    return [max(amounts) / min(amounts) for amounts in paid if amounts]
