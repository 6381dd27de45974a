"""The supervisor of a node with several workers, and what each of its processes begins with.

`dragoman serve` becomes this (`orders`). Whatever needs SQL or a terminal is imported by name,
in the process that needs it, so that workers, which are forks of this one, have none of it.
"""

import asyncio
import os
import socket
import sys
from collections.abc import Callable, Sequence
from functools import partial
from importlib import import_module
from types import TracebackType
from typing import Any, Final, Self

from dragoman.cli import log_lines
from dragoman.cli.exits import Failure, in_use
from dragoman.cli.orders import received
from dragoman.config import Settings
from dragoman.node.places import Places, occupied, places
from dragoman.node.process import settle
from dragoman.node.supervisor import Pipes, Role, Supervisor, pipes
from dragoman.node.worker import Post, run_worker
from dragoman.web.server.listener import GRACE_S, Server, StartFailed, url_of

CLOSING_S: Final = 15.0
"""How long it may take, beyond open requests, to write down what is left."""


class Node:
    """The roles of a node, and what they share."""

    def __init__(
        self, settings: Settings, listeners: Sequence[socket.socket], where: Places
    ) -> None:
        self._settings = settings
        self._listeners = listeners
        self._where = where
        self._pipes: Pipes = pipes()
        self._supervisor = Supervisor(self._roles(), self._pipes, self._let_in_nobody)

    def run(self) -> int:
        """Run the node; return its exit code."""
        settle()
        return self._supervisor.run()

    def _roles(self) -> list[Role]:
        server = self._settings.options.server
        patience_s = server.drain_s + GRACE_S + CLOSING_S
        return [
            Role("keeper", self._keeper, patience_s, last=True),
            *(
                Role(f"worker-{n}", partial(self._worker, f"worker-{n}", listener), patience_s)
                for n, listener in enumerate(self._listeners, 1)
            ),
        ]

    def _let_in_nobody(self, but_by: socket.socket | None = None) -> None:
        """Close the sockets of all workers, or of all other workers.

        What is open in one process is open: connections would go there and wait in vain.
        """
        for listener in self._listeners:
            if listener is not but_by:
                listener.close()

    def _worker(self, name: str, listener: socket.socket) -> int:
        self._let_in_nobody(but_by=listener)
        post = Post(name=name, workers=self._settings.options.server.workers, places=self._where)
        with _Sentences() as end:
            run_worker(self._settings, post, listener, self._on_worker)
        return end.code

    def _keeper(self) -> int:
        host, port = self._listeners[0].getsockname()[:2]
        scheme = "https" if self._settings.options.server.certfile else "http"
        self._let_in_nobody()
        with _Sentences() as end:
            context: Any = import_module("dragoman.cli.context")
            keeper: Any = import_module("dragoman.node.keeper")
            with context.opened(self._settings) as premises:
                keeper.run_keeper(
                    self._settings,
                    premises,
                    self._where,
                    partial(self._on_keeper, keeper.left_alone),
                    partial(self._on_up, premises, url_of(scheme, host, port)),
                )
        return end.code

    def _on_worker(self, server: Server) -> None:
        settle()
        self._when_orphaned(server.stop)

    def _on_keeper(self, left_alone: Callable[..., Any], server: Server, roster: Any) -> None:
        loop, within_s = asyncio.get_running_loop(), self._settings.options.server.drain_s + GRACE_S
        waiting: list[asyncio.Task[None]] = []  # a loop alone does not keep what it runs
        self._when_orphaned(
            lambda: waiting.append(loop.create_task(left_alone(server, roster, within_s)))
        )

    def _on_up(self, premises: Any, url: str) -> None:
        """Greet, once: not when it is the keeper that was started again.

        Who has read the greeting may rely on it that what ends is started again.
        """
        os.write(self._pipes.up_told, b".")
        if not self._supervisor.is_up:
            welcome: Any = import_module("dragoman.cli.welcome")
            welcome.greet(self._settings, premises, url)
        settle()

    def _when_orphaned(self, then: Callable[[], object]) -> None:
        """Do something when the supervisor ends without a word."""
        loop, alive = asyncio.get_running_loop(), self._pipes.alive

        def ended() -> None:
            loop.remove_reader(alive)
            then()

        loop.add_reader(alive, ended)


class _Sentences:
    """Turns a known failure within it into a sentence on stderr and an exit code."""

    def __init__(self) -> None:
        self.code = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, error: BaseException | None, __: TracebackType | None
    ) -> bool:
        if not isinstance(error, Exception):
            return False
        if isinstance(error, StartFailed):
            error = Failure(f"The gateway did not start: {error}")
        code = import_module("dragoman.cli.failures").report(error)
        if code is None:
            return False
        self.code = code
        return True


def main() -> None:
    """Be the supervisor of the node that `dragoman serve` wants."""
    orders = received(int(sys.argv[1]))
    sys.argv[:] = [orders.called]
    log_lines.to_stderr()
    settings = orders.settings()
    listeners = [socket.socket(fileno=each) for each in orders.listeners]
    where = places(settings.data)
    with _Sentences() as end:
        lock = occupied(where)
        if lock is None:
            raise Failure(in_use(settings.data))
        with lock:
            end.code = Node(settings, listeners, where).run()
    sys.exit(end.code)


if __name__ == "__main__":
    main()
