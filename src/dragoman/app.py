"""The composition root: one node, put together from its settings, started and stopped.

Here, and only here, the rooms learn of each other. Everything that runs in the
background belongs to the one task group below.
"""

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from random import Random

from msgspec import Struct

from dragoman.access.gate import Gate
from dragoman.catalog.types import Catalog
from dragoman.config import Options, Settings
from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.office.archive import Archive
from dragoman.office.discovery import Discovery
from dragoman.office.keeper import LocalKeeper
from dragoman.office.premises import Premises
from dragoman.office.shelf import Shelf
from dragoman.office.upkeep import Upkeep
from dragoman.providers.registry import DIALECTS
from dragoman.records.reader import Reader
from dragoman.records.recorder import Recorder
from dragoman.relay.visit import Desk
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.demo import DemoTransport
from dragoman.upstream.failover import Upstream
from dragoman.upstream.health import HealthBoard
from dragoman.web.edge import Edge
from dragoman.web.inference import Inference, Scope
from dragoman.web.outlet import Pulse, Receive, Send
from dragoman.web.plane import Control, LatePlane

RESTART_S = 1.0

_log = logging.getLogger(__name__)


def build(settings: Settings, premises: Premises, clock: Clock) -> Edge:
    """Return the ASGI application. It starts and stops by the server's lifespan messages.

    Raises CatalogError when the settings do not make a catalog.
    """
    options = settings.options
    archive = Archive(premises.path)
    shelf = Shelf(options.declared, settings.environ, archive, clock)
    client = HttpClient(
        clock,
        ca_file=options.upstream.ca_file,
        connections_per_host=options.upstream.connections_per_host,
    )
    gate = Gate(LocalKeeper(premises.ledger), premises.pepper, clock, options.access)
    recorder = Recorder(premises.records)
    health = HealthBoard()
    rng = Random()  # noqa: S311 - a lottery between providers, not a secret
    upstream = Upstream(
        transports={"http": client, "https": client, "demo": DemoTransport()},
        dialects=DIALECTS,
        wallet=Wallet(shelf.hosts.credentials),
        health=health,
        options=options.upstream,
        clock=clock,
        rng=rng,
    )
    desk = Desk(
        catalog=shelf.catalog, upstream=upstream, record=recorder.record, clock=clock, rng=rng
    )
    pulse = Pulse(clock, options.server)
    inference = Inference(desk=desk, gate=gate, pulse=pulse, options=options.server)
    control = Control(
        catalog=shelf.catalog,
        gate=gate,
        ledger=premises.ledger,
        reader=Reader(premises.records, recorder.flush),
        clock=clock,
        problems=lambda: problems(shelf.catalog()),
        measure=lambda endpoint: health.measured(endpoint, clock.monotonic()),
    )
    plane = LatePlane(control)
    upkeep = _upkeep(shelf, archive, client, options, clock)
    background = Background(
        plane=plane,
        upkeep=upkeep,
        client=client,
        gate=gate,
        recorder=recorder,
        health=health,
        pulse=pulse,
        clock=clock,
    )
    routes = {"/v1/chat/completions": {"POST": inference.chat}}
    return Edge(routes, plane, background.lifespan)


def problems(catalog: Catalog) -> list[str]:
    """Return why nothing can be served, in words for an operator; empty when all is well."""
    callable_ = any(
        endpoint.configured and endpoint.status == "active"
        for model in catalog.models.values()
        for endpoint in model.endpoints
    )
    if callable_:
        return []
    return ["No provider is configured. Set a key such as OPENAI_API_KEY, or run `dragoman init`."]


def _upkeep(
    shelf: Shelf, archive: Archive, client: HttpClient, options: Options, clock: Clock
) -> Upkeep:
    return Upkeep(
        shelf=shelf,
        discovery=Discovery(shelf.hosts, options.providers, client),
        archive=archive,
        transport=client,
        options=options.catalog,
        clock=clock,
    )


async def _kept_up(work: Callable[[], Awaitable[None]]) -> None:
    """Do work of the background, anew when it breaks.

    A defect in one loop must neither end the others nor leave the server without it:
    without the watch over keys, say, a revoked key would stay good.
    """
    while True:
        try:
            await work()
        except Exception:  # noqa: BLE001 - whatever it was, doing nothing from now on is worse
            _log.exception("background.failed")
            await asyncio.sleep(RESTART_S)
        else:
            return


class Background(Struct, frozen=True, kw_only=True):
    """What runs beside the requests, from the server's start to its stop."""

    plane: LatePlane
    upkeep: Upkeep
    client: HttpClient
    gate: Gate
    recorder: Recorder
    health: HealthBoard
    pulse: Pulse
    clock: Clock

    async def lifespan(self, _: Scope, receive: Receive, send: Send) -> None:
        """Start with the server, stop with it (ASGI, "Lifespan Protocol")."""
        await receive()
        async with self._running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        await self.upkeep.begin()
        async with asyncio.TaskGroup() as group:
            loops = (
                self.plane.load,
                self.gate.watch,
                self.recorder.run,
                self.client.run,
                self.pulse.run,
                self._keep_health,
                self.upkeep.watch,
                self.upkeep.keep_discovering,
                self.upkeep.keep_refreshing,
            )
            tasks = [group.create_task(_kept_up(loop)) for loop in loops]
            yield
            for task in tasks:
                task.cancel()
        await self.recorder.close()
        await self.client.aclose()

    async def _keep_health(self) -> None:
        while True:
            await asyncio.sleep(1.0)
            self.health.refresh(self.clock.monotonic())
