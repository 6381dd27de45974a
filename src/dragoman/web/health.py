"""`/healthz` and `/readyz` of a process that has no control plane of its own.

It is up as long as it answers. It is ready while there is something to serve and callers
are known: a keeper that is away for moments does not matter to keys in use. Where the
installation can call no provider, accounts may, with credentials of their own: only the
control plane can look, so it is asked.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from dragoman.web.edge import Routes
from dragoman.web.inference import Handler, Scope
from dragoman.web.outlet import JSON, Receive, Send, reply

SILENT = "The keeper of this node has not answered for minutes."
UNHEARD = "The keeper of this node has not answered yet, so no key is known."
QUIET = "The keeper of this node does not answer: keys in use are served, others have to wait."
UNWRITABLE = "The journal cannot be written, so nothing new begins: look at the disk of the data."


def unwritable(trouble: str | None) -> list[str]:
    """Return what is wrong with a journal, in a sentence; nothing where nothing is."""
    return [] if trouble is None else [f"{UNWRITABLE} {trouble}."]


def readiness(problems: Sequence[str], troubles: Sequence[str]) -> tuple[int, dict[str, Any]]:
    """Return the status and the body of `/readyz`.

    `problems` are why nothing can be served. With mere `troubles` the node does serve, so that
    no balancer should leave it out: 200, and `degraded`.
    """
    if problems:
        return 503, {"status": "unavailable", "problems": [*problems, *troubles]}
    if troubles:
        return 200, {"status": "degraded", "problems": [*troubles]}
    return 200, {"status": "ok"}


class Health(Struct, frozen=True):
    """Answers who asks.

    `problems` says in words why nothing can be served, `is_empty` whether the installation
    itself can call nothing, and `elsewhere` serves the request in the control plane.
    `troubles` says what is wrong though requests are served.
    """

    problems: Callable[[], list[str]]
    is_empty: Callable[[], bool]
    elsewhere: Handler
    troubles: Callable[[], Sequence[str]] = tuple

    @property
    def routes(self) -> Routes:
        """The routes, as the edge knows them."""
        return {"/healthz": {"GET": self.healthz}, "/readyz": {"GET": self.readyz}}

    async def healthz(self, _: Scope, __: Receive, send: Send) -> None:
        """Say that the process is up."""
        await reply(send, 200, b'{"status":"ok"}', JSON)

    async def readyz(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Say whether requests can be served."""
        if not (problems := self.problems()) and self.is_empty():
            await self.elsewhere(scope, receive, send)
            return
        status, body = readiness(problems, self.troubles())
        await reply(send, status, msgspec.json.encode(body), JSON)
