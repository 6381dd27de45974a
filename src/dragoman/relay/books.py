"""What is written down of a request as it goes: in the worker's journal, for the bookkeeper.

`Start` before the first byte to a provider, `Progress` each second of a stream, `Final`
before the answer ends. None of it waits for a database, or for the disk: the journal is handed
to the kernel once per turn of the event loop, and requests and answers leave behind it.
"""

import logging
from typing import Protocol

from msgspec import Struct
from msgspec.structs import replace

from dragoman.core.errors import Unavailable
from dragoman.core.money import NanoUsd
from dragoman.ledger import acts
from dragoman.ledger.acts import Final, Progress, Start
from dragoman.ledger.types import Draw
from dragoman.records import lines
from dragoman.records.types import Generation

MOST_BYTES = 1 << 20
"""What a record of the journal holds."""
MOST_TEXT = 1000

_log = logging.getLogger(__name__)


class Charge(Struct, frozen=True, kw_only=True, gc=False):
    """Who pays what for a request, in nano-USD. `overrun` is what went beyond its hold."""

    account: str
    cost: NanoUsd = NanoUsd(0)
    overrun: NanoUsd = NanoUsd(0)
    draws: tuple[Draw, ...] = ()


class Books(Protocol):
    """Where requests are written down."""

    def start(self, start: Start) -> None:
        """Write down that a request is about to be sent. Raises Unavailable if it cannot be."""
        ...

    def progress(self, progress: Progress) -> None:
        """Write down how far an answer has come."""
        ...

    def final(self, made: Generation, charge: Charge) -> None:
        """Write down how a request ended. Never raises."""
        ...


class Pages(Protocol):
    """The journal, as far as it is written to."""

    def begin(self, payload: bytes) -> int:
        """Append what begins something. Raises Unavailable where nothing may begin."""
        ...

    def append(self, payload: bytes) -> int:
        """Append what goes on or ends. Raises Unavailable when there is no room at all."""
        ...


class Journaled:
    """Books that are a journal."""

    def __init__(self, pages: Pages) -> None:
        self._pages = pages
        self._begun: set[str] = set()
        self.unwritten = 0
        """How many requests ended without a place to say so."""

    def start(self, start: Start) -> None:
        """Write down that a request is about to be sent. Raises Unavailable if it cannot be."""
        self._pages.begin(acts.encode(start))
        self._begun.add(start.id)

    def progress(self, progress: Progress) -> None:
        """Write down how far an answer has come, if there is room."""
        try:
            self._pages.append(acts.encode(progress))
        except Unavailable:
            return  # what it says is said again, or by the end

    def final(self, made: Generation, charge: Charge) -> None:
        """Write down how a request ended. Never raises.

        One that was refused before it began finds a place only where something may begin: the
        last of it is kept for those that cost money.
        """
        begun = made.id in self._begun
        self._begun.discard(made.id)
        write = self._pages.append if begun or charge.cost or charge.overrun else self._pages.begin
        written = _final(made, charge)
        if len(written) > MOST_BYTES:
            written = _final(_cut_short(made), charge)
        try:
            write(written)
        except Unavailable as cause:
            self.unwritten += 1
            if begun:
                detail = {"generation": made.id, "nanos": charge.cost, "cause": str(cause)}
                _log.critical("relay.unwritten", extra=detail)


def _cut_short(made: Generation) -> Generation:
    """Return a record that is too long without what only explains it: it has to be booked."""
    return replace(
        made,
        requested=made.requested[:MOST_TEXT],
        upstream_id=_cut(made.upstream_id),
        native_finish_reason=_cut(made.native_finish_reason),
        service_tier=_cut(made.service_tier),
        attempts=(),
        notes=(),
        tags={},
        referer=None,
        title=None,
        user_agent=None,
    )


def _cut(text: str | None) -> str | None:
    return None if text is None else text[:MOST_TEXT]


def _final(made: Generation, charge: Charge) -> bytes:
    line = lines.line(made)
    return acts.encode(
        Final(made.id, charge.account, charge.cost, charge.overrun, charge.draws, line)
    )
