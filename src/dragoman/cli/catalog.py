"""The catalog as a command sees it, put together without a running server.

Hosts of one's own that list their models themselves are asked, for two seconds
at most. A server's own catalog is kept by `dragoman.app`.
"""

import asyncio
from collections.abc import Mapping, Sequence

from msgspec import Struct

from dragoman.catalog.hosts import Hosts
from dragoman.catalog.types import Catalog, Model
from dragoman.cli.gateway import outward
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.office import shelf as shelves
from dragoman.office.archive import Archive
from dragoman.office.discovery import Discovery

PATIENCE_S = 2.0


class Shelf(Struct, frozen=True, kw_only=True):
    """What can be called, by whom it is served, and which hosts did not say what they serve."""

    hosts: Hosts
    catalog: Catalog
    rows: shelves.Rows
    silent: Mapping[str, str]
    """Slug -> why the host's list of models could not be read."""


def look(chosen: Settings) -> Shelf:
    """Return the catalog that a server with these settings would have. Raises CatalogError."""
    shelf = opened(chosen)
    if not shelf.hosts.discover:
        return _seen(shelf, {})
    found, silent = asyncio.run(_discovered(chosen, shelf.hosts))
    shelf.take(found)
    return _seen(shelf, silent)


def shipped_only(chosen: Settings) -> Shelf:
    """Return the catalog without what hosts would say of themselves. Raises CatalogError."""
    return _seen(opened(chosen), {})


def opened(chosen: Settings) -> shelves.Shelf:
    """Return the shelf that a server with these settings begins with. Raises CatalogError."""
    archive = Archive(chosen.data)
    return shelves.Shelf(chosen.options.declared, chosen.environ, archive, Clock())


def _seen(shelf: shelves.Shelf, silent: Mapping[str, str]) -> Shelf:
    return Shelf(hosts=shelf.hosts, catalog=shelf.catalog(), rows=shelf.rows, silent=silent)


async def _discovered(chosen: Settings, known: Hosts) -> tuple[Sequence[Model], Mapping[str, str]]:
    """Ask the hosts; return what they serve, and why some did not say."""
    async with outward(chosen) as client:
        discovery = Discovery(known, chosen.options.providers, client)
        try:
            async with asyncio.timeout(PATIENCE_S):
                await discovery.ask(known.discover)
        except TimeoutError:
            heard = {each.provider for model in discovery.models for each in model.endpoints}
            late = dict.fromkeys(known.discover - heard, f"no answer within {PATIENCE_S:g} s")
            return discovery.models, late | discovery.problems
        return discovery.models, discovery.problems
