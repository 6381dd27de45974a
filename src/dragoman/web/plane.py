"""What the control plane works with, and how it joins a gateway that already serves.

FastAPI takes as long to import as everything else together, and inference does not
need it. So it is imported by name, in a thread, once the server listens; a request
that comes before it is there waits for it (docs/decisions/0005).
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module

from msgspec import Struct

from dragoman.access.gate import Gate
from dragoman.catalog.listing import Measure, unmeasured
from dragoman.catalog.types import Catalog
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.records.reader import Reader
from dragoman.store.sql import Database
from dragoman.web.edge import Handler
from dragoman.web.inference import Scope
from dragoman.web.outlet import Receive, Send

PATIENCE_S = 10.0
MODULE, FACTORY = "dragoman.web.control", "control_plane"


class Control(Struct, frozen=True, kw_only=True):
    """What the control plane works with.

    `problems` says why the node is not ready, if so; `measure` what was seen of an endpoint.
    """

    catalog: Callable[[], Catalog]
    gate: Gate
    ledger: Database
    reader: Reader
    clock: Clock
    problems: Callable[[], list[str]]
    measure: Measure = unmeasured


class LatePlane:
    """The ASGI application of the control plane, from before it is there."""

    def __init__(self, control: Control) -> None:
        self._control = control
        self._plane: Handler | None = None
        self._there = asyncio.Event()

    async def load(self) -> None:
        """Import and build the control plane beside everything else."""
        self._plane = await asyncio.to_thread(self._make)
        self._there.set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request, once the control plane is there. Raises Unavailable if it is late."""
        if self._plane is None:
            with suppress(TimeoutError):
                async with asyncio.timeout(PATIENCE_S):
                    await self._there.wait()
        if self._plane is None:
            raise Unavailable("The control plane is not there yet.", retry_after_s=1)
        await self._plane(scope, receive, send)

    def _make(self) -> Handler:
        factory: Callable[[Control], Handler] = getattr(import_module(MODULE), FACTORY)
        return factory(self._control)
