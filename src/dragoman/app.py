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
from dragoman.catalog import shipped
from dragoman.catalog.assemble import Shipped, assemble
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.hosts import Hosts, hosts
from dragoman.catalog.types import Catalog, Model
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient
from dragoman.office.discovery import Discovery
from dragoman.office.keeper import LocalKeeper
from dragoman.office.premises import Premises
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

REDISCOVER_S = 300.0
FIRST_DISCOVERY_S = 2.0
RESTART_S = 1.0

_log = logging.getLogger(__name__)


class Shelf:
    """Holds the catalog of the moment; a new one replaces it whole."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._shipped: Shipped = shipped.load()
        options = settings.options
        self.hosts: Hosts = hosts(self._shipped.providers, options.providers, settings.environ)
        self.current: Catalog = self._assembled(())

    def catalog(self) -> Catalog:
        """Return the catalog of the moment."""
        return self.current

    def take(self, discovery: Discovery) -> None:
        """Replace the catalog by one with what was discovered."""
        self.current = self._assembled(discovery.models)

    def _assembled(self, found: tuple[Model, ...]) -> Catalog:
        options = self._settings.options
        return assemble(
            self._shipped,
            self.hosts,
            options.providers,
            options.aliases,
            discovered=found,
            demo=options.demo,
        )


def build(settings: Settings, premises: Premises, clock: Clock) -> Edge:
    """Return the ASGI application. It starts and stops by the server's lifespan messages.

    Raises CatalogError when the settings do not make a catalog.
    """
    options = settings.options
    shelf = Shelf(settings)
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
    )
    plane = LatePlane(control)
    background = Background(
        plane=plane,
        discovery=Discovery(shelf.hosts, options.providers, client),
        shelf=shelf,
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
    discovery: Discovery
    shelf: Shelf
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
        await self._discover(FIRST_DISCOVERY_S)
        async with asyncio.TaskGroup() as group:
            loops = (
                self.plane.load,
                self.gate.watch,
                self.recorder.run,
                self.client.run,
                self.pulse.run,
                self._keep_health,
                self._keep_discovering,
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

    async def _keep_discovering(self) -> None:
        while self.shelf.hosts.discover:
            await asyncio.sleep(REDISCOVER_S)
            await self._discover(REDISCOVER_S)

    async def _discover(self, within_s: float) -> None:
        """Ask the hosts for their models; those that are too slow are asked again later."""
        if not self.shelf.hosts.discover:
            return
        try:
            async with asyncio.timeout(within_s):
                changed = await self.discovery.ask_all()
        except TimeoutError:
            changed = True
        if changed:
            self._replace_catalog()

    def _replace_catalog(self) -> None:
        try:
            self.shelf.take(self.discovery)
        except CatalogError as error:
            _log.warning("catalog.kept problem=%s", error)
