"""What the control plane works with, and how it joins a gateway that already serves.

FastAPI takes as long to import as everything else together, and inference does not
need it. So it is imported by name, in a thread, once the server listens; a request
that comes before it is there waits for it (docs/decisions/0005).
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib import import_module

from msgspec import Struct

from dragoman.access.gate import Gate
from dragoman.access.permits import FreeRequests
from dragoman.access.vault import Vault
from dragoman.catalog.listing import Measure, unmeasured
from dragoman.catalog.types import Catalog
from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.office.alerts import Alerting
from dragoman.office.checkout import Checkout
from dragoman.office.key_admin import Mint
from dragoman.records.content_rows import ContentReader
from dragoman.records.reader import Reader
from dragoman.store.sql import Database
from dragoman.web.edge import Handler
from dragoman.web.inference import Scope
from dragoman.web.outlet import Receive, Send

PATIENCE_S = 10.0

Staff = Callable[[], Sequence[Struct]]
"""What the workers of this node last said of themselves."""


def nobody() -> Sequence[Struct]:
    """Stand in for the workers of a node that has none."""
    return ()


MODULE, FACTORY = "dragoman.web.control", "control_plane"


class Control(Struct, frozen=True, kw_only=True):
    """What the control plane works with.

    `mint` makes keys, `vault` seals what accounts bring along; `problems` says why the node
    is not ready, if so; `measure` what was seen of an endpoint; `free` counts requests to free
    models, where they are limited; `staff` tells of the workers.
    """

    catalog: Callable[[], Catalog]
    gate: Gate
    ledger: Database
    mint: Mint
    reader: Reader
    contents: ContentReader
    vault: Vault
    clock: Clock
    problems: Callable[[], Awaitable[list[str]]]
    measure: Measure = unmeasured
    free: FreeRequests | None = None
    staff: Staff = nobody
    checkout: Checkout | None = None
    """What sells credit, where anything does."""
    alerting: Alerting | None = None
    """With what rules of alerts are kept; without it there are none."""
    troubles: Callable[[], Sequence[str]] = tuple
    """What is wrong with the node though it serves."""
    free_credit: float = 0.0
    """What a new account is given, in USD."""


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
