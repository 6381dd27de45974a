"""A data worker: inference and nothing else, in a process without SQL and without a framework.

Keys, changes, rate limits and money it asks of the keeper; what requests cost it writes into a
journal, which the keeper reads; what is not inference it forwards. While the keeper is away it
goes on with the keys it knows.
"""

import asyncio
import logging
import os
import resource
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from socket import socket
from typing import Final

from msgspec import Struct, structs

from dragoman.access.limiter import LocalLimiter
from dragoman.access.opener import Opener
from dragoman.catalog.errors import CatalogError
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.core.errors import OwnError, Unavailable
from dragoman.ledger.cashier import Cashier
from dragoman.link.place import connected
from dragoman.link.reach import Reach
from dragoman.node.asking import AskingKeeper
from dragoman.node.contract import KEEPER, WORKER, Member, ToKeeper
from dragoman.node.counting import SharedLimiter
from dragoman.node.places import Places
from dragoman.node.process import draining
from dragoman.office.archive import Archive
from dragoman.office.found import FoundFile
from dragoman.office.shelf import Shelf
from dragoman.records.content import Contents
from dragoman.records.types import Generation
from dragoman.relay.books import Charge, Journaled
from dragoman.serving import Means, Serving, kept_up, problems, serving
from dragoman.store.custody import keep_node, read_pepper
from dragoman.store.journal.writer import Journal, JournalOptions
from dragoman.store.kek import KekFile
from dragoman.upstream.health import TellingBoard
from dragoman.web.edge import Edge
from dragoman.web.forward import Forward
from dragoman.web.health import QUIET, SILENT, UNHEARD, Health, unwritable
from dragoman.web.options import ServerOptions
from dragoman.web.server.listener import Server

FIRST_WAIT_S: Final = 10.0
"""How long a worker waits for the keeper before it lets in requests it can do little for."""
LOOK_S: Final = 0.5
REPORT_S: Final = 1.0
SILENT_S: Final = 5.0
"""After how long without an answer the keeper counts as silent. A busy one answers sooner."""
PAGE_BYTES: Final = resource.getpagesize()
BOOKED_ELSEWHERE: Final = JournalOptions(feed_bytes=0)
"""The keeper books what a worker writes down, from the file: to keep it here, too, took 18 MB."""

_log = logging.getLogger(__name__)


class Post(Struct, frozen=True, kw_only=True):
    """Where a worker stands: its name, and how many there are."""

    name: str
    workers: int
    places: Places


class Errands:
    """Does what the keeper asks of a worker."""

    def __init__(self) -> None:
        self.journal: Journal | None = None
        self.contents: Contents | None = None

    async def flush(self) -> None:
        """Have on disk what was written down, and hand over what was said."""
        if self.journal is not None:
            await self.journal.written()
        if self.contents is not None:
            await self.contents.flush()


class Counted(Journaled):
    """Books that know how many requests ended."""

    def __init__(self, journal: Journal) -> None:
        super().__init__(journal)
        self.made = 0

    def final(self, made: Generation, charge: Charge) -> None:
        """Write down how a request ended, and count it."""
        self.made += 1
        super().final(made, charge)


class Worker:
    """One worker, put together. `edge` is what its server serves."""

    def __init__(self, settings: Settings, post: Post, clock: Clock) -> None:
        options = settings.options
        errands = Errands()
        self._post = post
        self._clock = clock
        self._since = clock.wall()
        self._since_start = clock.monotonic()
        self._heard_at: float | None = None
        self._missed = False
        self._reach: Reach[ToKeeper] = Reach(post.places.keeper, KEEPER, WORKER, errands)
        keeper = self._reach.far
        self._keeper = AskingKeeper(keeper)
        pepper = read_pepper(post.places.pepper)
        node = keep_node(post.places.node)
        journal = Journal.create(post.places.journals, node, BOOKED_ELSEWHERE)
        self._journal = errands.journal = journal
        self._cashier = Cashier(self._keeper, journal.incarnation, clock, lambda: journal.end)
        self._books = Counted(self._journal)
        self._contents = errands.contents = Contents(self._keeper.keep)
        self._board = TellingBoard()
        self._shelf = Shelf(
            options.declared,
            settings.environ,
            Archive(settings.data),
            clock,
            FoundFile(post.places.found),
        )
        own = LocalLimiter(lambda: int(clock.monotonic() * 1e9))
        means = Means(
            catalog=self._shelf.catalog,
            credentials=self._shelf.hosts.credentials,
            keeper=self._keeper,
            pepper=pepper,
            vault=Opener(KekFile(post.places.kek)),
            books=self._books,
            cashier=self._cashier,
            limiter=SharedLimiter(keeper, own, post.workers),
            health=self._board,
            contents=self._contents,
            clock=clock,
        )
        self.serving: Serving = serving(settings, means)
        self._forward = Forward(
            post.places.control, connected, options.server, clock, self._is_missed
        )
        self._troubles: tuple[str, ...] = ()
        health = Health(self._problems, self._is_empty, self._forward, self._all_troubles)
        routes = {**self.serving.routes, **health.routes}
        self.edge = Edge(routes, self._forward, self._running, options.server)
        self.server: Server | None = None
        self._news = asyncio.Event()
        self._listens = False

    def _problems(self) -> list[str]:
        if self._heard_at is None:  # who never heard of any key can serve nobody
            return [UNHEARD, *unwritable(self._journal.trouble)]
        silent = [SILENT] if self.serving.gate.is_stale else []
        return [*silent, *unwritable(self._journal.trouble)]

    def _all_troubles(self) -> tuple[str, ...]:
        return (QUIET, *self._troubles) if self._is_missed() else self._troubles

    def _is_empty(self) -> bool:
        return bool(problems(self._shelf.catalog()))

    @asynccontextmanager
    async def _running(self) -> AsyncIterator[None]:
        loops = (
            *self.serving.loops,
            self._journal.run,
            self._cashier.run,
            self._contents.run,
            self._forward.run,
            self._follow,
            self._keep_reporting,
        )
        async with asyncio.TaskGroup() as group:
            link = group.create_task(kept_up(self._reach.run))
            await self._reach.up(FIRST_WAIT_S)
            await self._look()
            opening = group.create_task(self._open_journal())
            await asyncio.wait({opening}, timeout=FIRST_WAIT_S if self._reach.is_up else 0)
            tasks = [group.create_task(kept_up(loop)) for loop in loops]
            yield
            for task in (*tasks, opening):
                task.cancel()
            await self._contents.close()
            with suppress(Unavailable):
                await self._cashier.close()
            link.cancel()
        self._journal.close()
        await self._forward.aclose()
        await self.serving.client.aclose()

    async def _open_journal(self) -> None:
        """Make the journal known to the ledger, as soon as that answers."""
        while True:
            try:
                await self._reach.far.open_journal(self._journal.incarnation)
            except OwnError:
                await asyncio.sleep(LOOK_S)
            else:
                return

    async def _follow(self) -> None:
        """Take up whatever catalog the keeper made, until cancelled."""
        while True:
            await asyncio.sleep(LOOK_S)
            await self._look()

    async def _look(self) -> None:
        if not self._shelf.is_stale:
            return
        try:
            await asyncio.to_thread(self._shelf.reload)
        except (CatalogError, OSError) as error:
            _log.warning("catalog.kept problem=%s", error)

    async def _keep_reporting(self) -> None:
        while True:
            if self._reach.is_up:
                with suppress(OwnError, TimeoutError):
                    async with asyncio.timeout(SILENT_S):
                        told = self._board.told()
                        self._troubles = await self._reach.far.report(self.member(), told)
                    self._heard_at = self._clock.monotonic()
            self._note_silence()
            with suppress(TimeoutError):
                async with asyncio.timeout(REPORT_S):
                    await self._news.wait()
            self._news.clear()

    def _note_silence(self) -> None:
        was, self._missed = self._missed, self._is_missed()
        if self._missed and not was:
            _log.error("node.keeper_silent")
        elif was and not self._missed:
            _log.warning("node.keeper_back")

    def _is_missed(self) -> bool:
        """Say whether the keeper is away, or is there and says nothing, as when it was stopped."""
        heard_at = self._since_start if self._heard_at is None else self._heard_at
        return self._clock.monotonic() - heard_at > SILENT_S

    def listens(self) -> None:
        """Note that the worker lets requests in, and say so."""
        self._listens = True
        self._news.set()

    def member(self) -> Member:
        """Return what the worker says of itself."""
        floor = self.server.floor if self.server else None
        return Member(
            name=self._post.name,
            pid=os.getpid(),
            since=self._since,
            catalog=self._shelf.version,
            listening=self._listens,
            generations=self._books.made,
            lost=self._books.unwritten,
            content_lost=self._contents.lost,
            open=len(floor.running) if floor else 0,
            connections=floor.connections if floor else 0,
            resident_bytes=_resident_bytes(),
        )


def run_worker(
    settings: Settings, post: Post, listener: socket, on_start: Callable[[Server], None]
) -> None:
    """Serve on a socket until a signal. Raises StartFailed."""
    server_options = shared(settings.options.server, post.workers)
    options = structs.replace(settings.options, server=server_options)
    worker = Worker(structs.replace(settings, options=options), post, Clock())

    def started(_: str) -> None:
        worker.listens()
        on_start(server)

    server = Server(
        worker.edge,
        server_options,
        started,
        lambda requests: say_draining(server_options.drain_s, requests),
    )
    worker.server = server
    server.run(listener)


def shared(options: ServerOptions, workers: int) -> ServerOptions:
    """Return the settings with a worker's share of what is limited for all, rounded up."""
    return structs.replace(
        options,
        connections=-(-options.connections // workers),
        connections_per_address=-(-options.connections_per_address // workers),
        requests=-(-options.requests // workers),
    )


def say_draining(patience_s: float, requests: int) -> None:
    """Say on stderr why a server does not stop at once."""
    sys.stderr.write(f"{draining(patience_s, requests)}\n")
    sys.stderr.flush()


def _resident_bytes() -> int:
    """Return how much memory the process has (proc(5), `statm`), 0 while no file can be opened."""
    try:
        told = Path("/proc/self/statm").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(told.split()[1]) * PAGE_BYTES
