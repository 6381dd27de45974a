"""Keeps the catalog of a running node up to date, beside the requests.

Four clocks: twice a second, whether another process put an edition into force or a
price came to hold; now and then, what configured hosts serve; once a day, the refresh
address, if there is one. Whatever fails leaves the catalog there is, and is logged.
"""

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from msgspec import Struct, field

from dragoman.catalog.errors import CatalogError
from dragoman.core.clock import Clock
from dragoman.net.types import Transport
from dragoman.office.archive import Archive
from dragoman.office.discovery import Discovery
from dragoman.office.options import CatalogOptions
from dragoman.office.refresh import Refused, refresh
from dragoman.office.shelf import Shelf

WATCH_S = 0.5
FIRST_DISCOVERY_S = 2.0
RETRY_S = 900.0

_log = logging.getLogger(__name__)


class Upkeep(Struct, frozen=True, kw_only=True):
    """What changes a shelf while its node runs. Its owner runs the loops."""

    shelf: Shelf
    discovery: Discovery
    archive: Archive
    transport: Transport
    options: CatalogOptions
    clock: Clock
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    """One catalog is made at a time, so that the last news is in the last one."""

    async def begin(self) -> None:
        """Ask the hosts of one's own for their models, so that the first request finds them."""
        await self._discover(self.shelf.hosts.discover, FIRST_DISCOVERY_S)

    async def watch(self) -> None:
        """Take up what is new on disk and which prices begin to hold, until cancelled."""
        while True:
            await asyncio.sleep(WATCH_S)
            if self.shelf.is_stale:
                await self._replace(self.shelf.reload)

    async def keep_discovering(self) -> None:
        """Ask every configured host for its models from time to time, until cancelled.

        Known hosts are first asked now, not in `begin`: their models are shipped, so
        nobody has to wait for the few that are new.
        """
        hosts, period_s = self.shelf.hosts, self.options.discover_minutes * 60
        await self._discover(hosts.listing, period_s)
        while every := hosts.discover | hosts.listing:
            await asyncio.sleep(period_s)
            await self._discover(every, period_s)

    async def keep_refreshing(self) -> None:
        """Fetch the catalog whenever it is due, until cancelled; at once if it is overdue."""
        url = self.options.refresh_url
        if url is None:
            return
        due_in_s = await asyncio.to_thread(self._first_due_in_s)
        while True:
            await asyncio.sleep(due_in_s)
            due_in_s = await self._refreshed(url)

    def _first_due_in_s(self) -> float:
        attempt = self.archive.attempt()
        if attempt is None or self.shelf.rows.edition is None:
            return 0.0
        period_s = RETRY_S if attempt.problems else self._period_s
        return min(max(0.0, attempt.at + period_s - self.clock.wall()), period_s)

    async def _refreshed(self, url: str) -> float:
        """Refresh once; return after how many seconds to do so again."""
        try:
            await refresh(url, self.archive, self.transport, self.clock)
        except (Refused, OSError) as error:
            _log.warning("catalog.refresh_failed problem=%s", error)
            return min(RETRY_S, self._period_s)
        return self._period_s

    @property
    def _period_s(self) -> float:
        return self.options.refresh_hours * 3600

    async def _discover(self, slugs: frozenset[str], within_s: float) -> None:
        """Ask hosts for their models; those that are too slow are asked again later."""
        if not slugs:
            return
        try:
            async with asyncio.timeout(within_s):
                changed = await self.discovery.ask(slugs)
        except TimeoutError:
            changed = True
        if changed:
            await self._replace(partial(self.shelf.take, self.discovery.models))

    async def _replace(self, make: Callable[[], None]) -> None:
        """Have a catalog made in a thread, so that requests go on meanwhile."""
        async with self.lock:
            began = self.clock.monotonic()
            try:
                await asyncio.to_thread(make)
            except (CatalogError, OSError) as error:
                _log.warning("catalog.kept problem=%s", error)
                return
        took_ms = (self.clock.monotonic() - began) * 1000
        models = len(self.shelf.current.models)
        _log.info("catalog.replaced models=%d took_ms=%.0f", models, took_ms)
