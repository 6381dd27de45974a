"""The keeper: the whole application, for its workers and, by them, for those who manage.

It has the databases, the control plane and the upkeep of the catalog. Its HTTP server is
on a Unix socket; a request for the control plane is forwarded to it by the worker it reached.
"""

import asyncio
from collections.abc import Callable
from functools import partial

from msgspec import structs

from dragoman.app import Crew, build, counter_of
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.link.place import listening
from dragoman.node.places import Places
from dragoman.node.roster import Means, Roster
from dragoman.office.found import FoundFile
from dragoman.office.premises import Premises
from dragoman.office.watch import Troubles
from dragoman.upstream.health import HealthBoard
from dragoman.web.server.listener import Server

Watch = Callable[[Server, Roster], None]
"""Told of the server and the workers once the keeper is there."""


def run_keeper(
    settings: Settings,
    premises: Premises,
    where: Places,
    on_start: Watch,
    on_ready: Callable[[], None],
) -> None:
    """Be the keeper until a signal. `on_ready` is called once every worker listens.

    Raises StartFailed, and CatalogError when the settings do not make a catalog.
    """
    clock = Clock()
    counter, health = counter_of(settings, premises, clock), HealthBoard()
    troubles = Troubles()
    means = Means(
        premises=premises,
        limiter=counter.limiter,
        health=health,
        clock=clock,
        byok=settings.options.byok,
        troubles=troubles,
    )
    roster = Roster(where.keeper, means)
    workers = settings.options.server.workers
    crew = Crew(
        counter=counter,
        health=health,
        troubles=troubles,
        flush=roster.flush,
        staff=roster.staff,
        found=FoundFile(where.found),
        loops=(roster.run, partial(_announce, roster, workers, on_ready)),
    )
    edge = build(settings, premises, clock, crew)
    # Others than this node's workers never come here, and they come without TLS.
    options = structs.replace(settings.options.server, certfile=None, keyfile=None)
    server = Server(edge, options, lambda _: on_start(server, roster))
    with listening(where.control) as place:
        server.run(place)


async def _announce(roster: Roster, workers: int, on_ready: Callable[[], None]) -> None:
    await roster.listening(workers)
    on_ready()


async def left_alone(server: Server, roster: Roster, within_s: float) -> None:
    """Stop the server once all workers have gone, or after so long."""
    loop = asyncio.get_running_loop()
    end = loop.time() + within_s
    while not roster.is_empty and loop.time() < end:  # noqa: ASYNC110 - they go one by one
        await asyncio.sleep(0.1)
    server.stop()
