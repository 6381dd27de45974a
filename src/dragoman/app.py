"""The composition root: one node, put together from its settings, started and stopped.

Here, and only here, the rooms learn of each other. What serves inference is put together in
`serving`, since workers are made of it as well. Everything that runs in the background
belongs to the one task group below.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

from msgspec import Struct, field

from dragoman.access import own_credentials
from dragoman.config import Options, Settings
from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.office.archive import Archive
from dragoman.office.checkout import Checkout
from dragoman.office.counting import CountingHouse
from dragoman.office.discovery import Discovery
from dragoman.office.found import FoundFile
from dragoman.office.housekeeping import Housekeeping
from dragoman.office.keeper import LocalKeeper
from dragoman.office.key_admin import Mint
from dragoman.office.premises import Premises
from dragoman.office.price_book import PriceBook
from dragoman.office.shelf import Shelf
from dragoman.office.turnstile import Turnstile, turnstile
from dragoman.office.upkeep import Upkeep
from dragoman.office.watch import Troubles
from dragoman.office.watchtower import Watchtower
from dragoman.records.content import Contents
from dragoman.records.content_rows import ContentReader, store
from dragoman.records.reader import Reader
from dragoman.relay.books import Journaled
from dragoman.serving import Loop, Means, Serving, kept_up, problems, serving
from dragoman.store.journal.writer import Journal
from dragoman.upstream.health import HealthBoard
from dragoman.web.edge import Edge
from dragoman.web.health import unwritable
from dragoman.web.plane import Control, LatePlane, Staff, nobody


def counter_of(settings: Settings, premises: Premises, clock: Clock) -> Turnstile:
    """Return who counts for this node, with its workers."""
    options = settings.options
    is_alone = options.database.server is None
    return turnstile(premises, clock, options.redis, is_alone=is_alone)


async def _all_is_here() -> None:
    """Stand in for a flush of workers where there are none."""


class Crew(Struct, frozen=True, kw_only=True):
    """What a keeper has in common with its workers; without workers, what stands in for it.

    `flush` has them hand over what they recorded, `staff` tells what they are doing, `troubles`
    what is wrong with the node though it serves, `found` is where they read what hosts told;
    `loops` run beside everything else.
    """

    counter: Turnstile
    health: HealthBoard = field(default_factory=HealthBoard)
    troubles: Troubles = field(default_factory=Troubles)
    flush: Callable[[], Awaitable[None]] = _all_is_here
    staff: Staff = nobody
    found: FoundFile | None = None
    loops: tuple[Loop, ...] = ()


def build(settings: Settings, premises: Premises, clock: Clock, crew: Crew | None = None) -> Edge:
    """Return the ASGI application. It starts and stops by the server's lifespan messages.

    Raises CatalogError when the settings do not make a catalog.
    """
    options = settings.options
    crew = crew or Crew(counter=counter_of(settings, premises, clock))
    archive = Archive(premises.path)
    shelf = Shelf(options.declared, settings.environ, archive, clock, crew.found)
    keeper = LocalKeeper(premises.ledger, options.byok)
    tower = Watchtower(premises, options.alerts, clock, crew.troubles, options.upstream.ca_file)
    counting = CountingHouse(premises, keeper, clock, tower.house)
    health = crew.health
    contents = Contents(lambda kept: premises.records.run(store(kept)))
    means = Means(
        catalog=shelf.catalog,
        credentials=shelf.hosts.credentials,
        keeper=keeper,
        pepper=premises.pepper,
        vault=premises.vault,
        books=Journaled(counting.journal),
        cashier=counting.cashier,
        limiter=crew.counter.limiter,
        health=health,
        contents=contents,
        clock=clock,
    )
    work = serving(settings, means)

    control = Control(
        catalog=shelf.catalog,
        gate=work.gate,
        ledger=premises.ledger,
        mint=Mint(options.access.key_prefix, premises.pepper),
        reader=_reader(premises, crew, counting),
        contents=_content_reader(premises, crew, contents),
        clock=clock,
        problems=_readiness(premises, shelf, counting.journal),
        measure=lambda endpoint: health.measured(endpoint, clock.monotonic()),
        free=work.free,
        vault=premises.vault,
        staff=crew.staff,
        checkout=None if options.stripe is None else Checkout(options.stripe, work.client),
        free_credit=options.accounts.free_credit,
        alerting=tower.alerting,
        troubles=lambda: crew.troubles.said,
    )
    plane = LatePlane(control)
    background = Background(
        plane=plane,
        prices=PriceBook(premises.records.run, shelf.catalog, clock),
        housekeeping=_housekeeping(premises, options, clock),
        upkeep=_upkeep(shelf, archive, work.client, options, clock),
        serving=work,
        counting=counting,
        contents=contents,
        crew=crew,
        tower=tower,
    )
    return Edge(work.routes, plane, background.running, options.server)


def _readiness(
    premises: Premises, shelf: Shelf, journal: Journal
) -> Callable[[], Awaitable[list[str]]]:
    async def problems_of_all() -> list[str]:
        """Return why nothing can be served, also with credentials that accounts brought."""
        found = problems(shelf.catalog())
        own = bool(found) and await premises.ledger.read(own_credentials.any_usable)
        unwritten = unwritable(journal.trouble)
        return unwritten if own else [*unwritten, *found]

    return problems_of_all


def _reader(premises: Premises, crew: Crew, counting: CountingHouse) -> Reader:
    async def flush() -> None:
        await crew.flush()
        await counting.flush()

    return Reader(premises.records, flush)


def _content_reader(premises: Premises, crew: Crew, contents: Contents) -> ContentReader:
    async def flush() -> None:
        await crew.flush()
        await contents.flush()

    return ContentReader(premises.records, flush)


def _upkeep(
    shelf: Shelf, archive: Archive, client: HttpClient, options: Options, clock: Clock
) -> Upkeep:
    return Upkeep(
        shelf=shelf,
        discovery=Discovery(shelf.hosts, options.providers, client, shelf.found),
        archive=archive,
        transport=client,
        options=options.catalog,
        clock=clock,
    )


def _housekeeping(premises: Premises, options: Options, clock: Clock) -> Housekeeping:
    return Housekeeping(
        records=premises.records, ledger=premises.ledger, options=options.records, clock=clock
    )


class Background(Struct, frozen=True, kw_only=True):
    """What runs beside the requests, from the server's start to its stop."""

    plane: LatePlane
    prices: PriceBook
    upkeep: Upkeep
    serving: Serving
    counting: CountingHouse
    contents: Contents
    housekeeping: Housekeeping
    crew: Crew
    tower: Watchtower

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start all that goes on behind the requests, and stop it at the end."""
        await self.counting.begin()
        await self.upkeep.begin()
        await self.prices.begin()
        async with asyncio.TaskGroup() as group:
            loops = (
                self.plane.load,
                *self.serving.loops,
                *self.counting.loops,
                *self.tower.loops(self.counting),
                self.contents.run,
                *self.crew.counter.loops,
                self.housekeeping.run,
                *self.crew.loops,
                self.upkeep.watch,
                self.prices.run,
                self.upkeep.keep_discovering,
                self.upkeep.keep_refreshing,
            )
            tasks = [group.create_task(kept_up(loop)) for loop in loops]
            yield
            for task in tasks:
                task.cancel()
        await self.contents.close()
        await self.counting.close()
        await self.tower.aclose()
        await self.crew.counter.aclose()
        await self.serving.client.aclose()
