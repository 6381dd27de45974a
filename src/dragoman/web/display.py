"""The lists of a catalog: rows and pages, made apart from the event loop that serves everybody.

Of a large catalog a list takes a tenth of a second to make and 6 MB to say. It is made in a thread,
one at a time, so that a crowd that asks does not take the interpreter from the loop; what most
clients ask for is made once for all of them.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeVar

import msgspec
from msgspec import structs

from dragoman.catalog import listing
from dragoman.catalog.byok import Byok
from dragoman.catalog.filters import passing, read
from dragoman.catalog.listing import NOT_MEASURED, Availability, Listed, Measure, unmeasured
from dragoman.catalog.rows import Measured, ModelsPage
from dragoman.catalog.sorting import MEASURED, in_order
from dragoman.catalog.types import Catalog, Endpoint
from dragoman.routing.own import reached
from dragoman.web.plane import Control
from dragoman.web.responses import Page, json_page, page

T = TypeVar("T")

MOST_EFFORT = 1000
"""How many endpoints are looked at in one turn of the event loop: some 0.4 ms."""
EFFORT_OF_SEEN = 250
"""What one costs more of which anything was seen."""

_encode = msgspec.json.Encoder().encode


class Display:
    """What is made of one catalog. What everybody asks for is made once."""

    def __init__(self, catalog: Catalog, control: Control) -> None:
        self.catalog = catalog
        self._control = control
        self._turn = asyncio.Lock()
        self._rows: dict[Availability, asyncio.Task[tuple[Listed, ...]]] = {}
        self._plain: asyncio.Task[Page] | None = None

    async def apart(self, work: Callable[[], T]) -> T:
        """Do work in a thread, when that of others is done."""
        async with self._turn:
            return await asyncio.to_thread(work)

    async def chosen(
        self, query: Mapping[str, str], own: Sequence[Byok] = ()
    ) -> tuple[Listed, ...]:
        """Return the rows that a query asks for, in its order. Raises InvalidRequest.

        Among them those that can be called with `own` credentials alone.
        """
        catalog, filters = self.catalog, read(query, self.catalog)
        if own:
            availability = filters.availability
            rows = await self.apart(
                lambda: listing.listed(catalog, availability, reached(own, catalog))
            )
        else:
            rows = await self._listed(filters.availability)
        measure: Measure = unmeasured
        if filters.sort in MEASURED:
            measure = await self.measured(each for row in rows for each in row.endpoints)
        now = self._control.clock.wall()
        return await self.apart(
            lambda: in_order(passing(rows, filters, catalog, now), filters.sort, measure)
        )

    async def plain(self) -> Page:
        """Return the list of those who ask for nothing in particular."""
        if self._plain is None or _failed(self._plain):
            self._plain = asyncio.create_task(self._made())
        return await asyncio.shield(self._plain)

    async def zdr(self) -> Page:
        """Return the endpoints that retain nothing."""
        catalog = self.catalog
        wanted = await self.apart(lambda: listing.zdr_endpoints(catalog))
        measure = await self.measured(wanted)
        return await self.apart(lambda: json_page({"data": listing.zdr_rows(catalog, measure)}))

    async def measured(self, endpoints: Iterable[Endpoint]) -> Measure:
        """Return what was seen of some endpoints: as it is now, and to be read in any thread."""
        found: dict[str, Measured] = {}
        effort = 0
        for each in endpoints:
            seen = self._control.measure(each.id)
            effort += 1
            if seen != NOT_MEASURED:
                found[each.id] = seen
                effort += EFFORT_OF_SEEN
            if effort >= MOST_EFFORT:
                effort = 0
                await asyncio.sleep(0)
        return lambda id_: found.get(id_, NOT_MEASURED)

    async def _listed(self, availability: Availability) -> tuple[Listed, ...]:
        task = self._rows.get(availability)
        if task is None or _failed(task):
            made = self.apart(lambda: listing.listed(self.catalog, availability))
            task = self._rows[availability] = asyncio.create_task(made)
        return await asyncio.shield(task)

    async def _made(self) -> Page:
        rows = [each.row for each in await self.chosen({})]
        return await self.apart(lambda: models_page(listing.page(rows)))


class Shelf:
    """Holds the display of the catalog of the moment."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._display = Display(control.catalog(), control)

    def display(self) -> Display:
        """Return the display of the catalog of the moment."""
        catalog = self._control.catalog()
        if catalog is not self._display.catalog:
            self._display = Display(catalog, self._control)
        return self._display


def models_page(body: ModelsPage) -> Page:
    """Return a list of models as JSON, with its tag.

    Row by row: in a thread, the event loop has its turn between two of them and not within.
    """
    rows = b",".join([_encode(row) for row in body.data])
    frame = _encode(structs.replace(body, data=()))
    return page(frame.replace(b'"data":[]', b'"data":[%b]' % rows, 1))


def _failed(task: asyncio.Task[T]) -> bool:
    return task.done() and (task.cancelled() or task.exception() is not None)
