"""The two ends: who can be called by whoever comes, and who calls somebody that may go away."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, Generic, TypeVar, cast

from dragoman.core.errors import Unavailable
from dragoman.link.contract import Contract, Method
from dragoman.link.line import DOWN, Line, Offers, offers
from dragoman.link.place import connected, listening

T = TypeVar("T")

BACKOFF_FIRST_S: Final = 0.02
BACKOFF_MOST_S: Final = 0.1

_log = logging.getLogger(__name__)


def far(contract: Contract[T], line: Callable[[], Line | None]) -> T:
    """Return what looks like the other side: each method a call over the line of the moment."""
    methods = contract.methods.values()
    return cast("T", SimpleNamespace(**{each.name: _caller(each, line) for each in methods}))


def _caller(method: Method, line: Callable[[], Line | None]) -> Callable[..., Any]:
    async def call(*given: Any, **named: Any) -> Any:
        there = line()
        if there is None:
            raise Unavailable(DOWN, retry_after_s=1)
        return await there.call(method, method.packed(given, named))

    def tell(*given: Any, **named: Any) -> None:
        there = line()
        if there is not None:
            there.tell(method, method.packed(given, named))

    return call if method.answered else tell


class Reach(Generic[T]):
    """The way to a process at a path, which is dialled again and again while it is not there.

    `far` is that process; `doer` does what it asks of us, by the contract `ours`.
    """

    def __init__(
        self, path: Path, contract: Contract[T], ours: Contract[Any], doer: object
    ) -> None:
        self.far = far(contract, lambda: self._line)
        self._path = path
        self._offers = offers(ours.methods, doer)
        self._line: Line | None = None
        self._up = asyncio.Event()
        self._down = asyncio.Event()

    @property
    def is_up(self) -> bool:
        """Whether the other side can be called."""
        return self._line is not None

    async def up(self, within_s: float) -> bool:
        """Wait until the other side is there, for so long at most; say whether it is."""
        try:
            async with asyncio.timeout(within_s):
                await self._up.wait()
        except TimeoutError:
            return False
        return True

    async def run(self) -> None:
        """Keep the line up until cancelled."""
        wait_s = BACKOFF_FIRST_S
        lost = False
        try:
            while True:
                if await self._dial():
                    wait_s = BACKOFF_FIRST_S
                    if lost and self.is_up:
                        _log.warning("link.up path=%s", self._path.name)
                    await self._down.wait()
                    lost = True
                    _log.warning("link.down path=%s", self._path.name)
                await asyncio.sleep(wait_s)
                wait_s = min(2 * wait_s, BACKOFF_MOST_S)
        finally:
            if self._line is not None:
                self._line.cut()

    async def _dial(self) -> bool:
        loop = asyncio.get_running_loop()
        try:
            place = connected(self._path)
        except OSError:
            return False
        self._down.clear()
        _, line = await loop.create_unix_connection(
            lambda: Line(self._offers, self._lost), sock=place
        )
        if line.is_open:
            self._line = line
            self._up.set()
        return True

    def _lost(self, _: Line) -> None:
        self._line = None
        self._up.clear()
        self._down.set()


class Caller(Generic[T]):
    """One who came to a station: `far` is that process, as long as `line` is open."""

    def __init__(self, contract: Contract[T]) -> None:
        self.far = far(contract, lambda: self.line)
        self.line: Line | None = None


class Station(Generic[T]):
    """Where others come to call. `welcome` makes, for each, who does what it asks.

    `theirs` is what can be asked of them in return.
    """

    def __init__(
        self, ours: Contract[Any], theirs: Contract[T], welcome: Callable[[Caller[T]], object]
    ) -> None:
        self._ours = ours
        self._theirs = theirs
        self._welcome = welcome
        self._goodbye: Callable[[Caller[T]], None] = lambda _: None
        self._callers: set[Caller[T]] = set()

    @property
    def callers(self) -> tuple[Caller[T], ...]:
        """Who is there now."""
        return tuple(self._callers)

    def on_goodbye(self, goodbye: Callable[[Caller[T]], None]) -> None:
        """Have a function called for everybody who has left."""
        self._goodbye = goodbye

    async def run(self, path: Path) -> None:
        """Be there for others until cancelled. Raises OSError when the path cannot be used."""
        loop = asyncio.get_running_loop()
        server = await loop.create_unix_server(self._line, sock=listening(path))
        try:
            await loop.create_future()
        finally:
            server.close()
            for caller in self.callers:
                if caller.line is not None:
                    caller.line.cut()

    def _line(self) -> Line:
        caller = Caller(self._theirs)
        doer: Offers = offers(self._ours.methods, self._welcome(caller))
        caller.line = Line(doer, partial(self._left, caller))
        self._callers.add(caller)
        return caller.line

    def _left(self, caller: Caller[T], _: Line) -> None:
        caller.line = None
        self._callers.discard(caller)
        self._goodbye(caller)
