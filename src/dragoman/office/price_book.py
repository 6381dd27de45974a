"""Keeps every price that may be charged, under its version, before it is.

So that years later a generation can be charged anew, or explained, by the price it names.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator

from dragoman.catalog import tariff
from dragoman.catalog.types import Catalog, Endpoint, Price
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.records import prices
from dragoman.store.sql import Work

LOOK_S = 1.0

_log = logging.getLogger(__name__)


def prices_of(catalog: Catalog) -> Iterator[Price]:
    """Yield every price of a catalog that is known, those of later days too."""
    for model in catalog.models.values():
        for endpoint in model.endpoints:
            yield from _prices(endpoint)


def versions(of: Iterable[Price]) -> dict[str, bytes]:
    """Return prices as JSON, by their versions."""
    return {tariff.version(price): tariff.canonical(price) for price in set(of)}


class PriceBook:
    """Writes down the prices of each catalog as it comes into force, with `write`."""

    def __init__(
        self,
        write: Callable[[Work[int]], Awaitable[int]],
        catalog: Callable[[], Catalog],
        clock: Clock,
        look_s: float = LOOK_S,
    ) -> None:
        self._write = write
        self._catalog = catalog
        self._clock = clock
        self._look_s = look_s
        self._kept: Catalog | None = None

    async def keep(self) -> None:
        """Write down the prices of the present catalog, if it is new. Raises Unavailable."""
        catalog = self._catalog()
        if catalog is self._kept:
            return
        # In a thread: of thousands of models it takes a tenth of a second.
        found = await asyncio.to_thread(lambda: versions(prices_of(catalog)))
        await self._write(prices.keep(found, self._clock.wall()))
        self._kept = catalog

    async def begin(self) -> None:
        """Write down the first catalog's prices, before anything is charged; `run` tries again."""
        try:
            await self.keep()
        except Unavailable as error:
            _log.warning("prices.unkept reason=%s", error.message)

    async def run(self) -> None:
        """Watch for new catalogs, until cancelled."""
        while True:
            await self.begin()
            await asyncio.sleep(self._look_s)


def _prices(endpoint: Endpoint) -> Iterator[Price]:
    if endpoint.price is not None:
        yield endpoint.price
    for dated in endpoint.upcoming:
        if dated.price is not None:
            yield dated.price
