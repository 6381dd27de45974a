"""Keeps the records in order, beside the requests: parts for days to come, an end to old ones.

Speeds of days that are over are packed, and the ledger is rid of end users' purses whose
windows ended long ago.

Everything is done in small transactions with pauses between, in which writers have their
turn. Any number of nodes may do it at once; when a database does not answer, or another
node is at it, it is tried again later.
"""

import asyncio
import logging
from functools import partial

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.ledger.forget import forget_users
from dragoman.records import partitions, trail
from dragoman.records.closing import pack
from dragoman.records.content_rows import forget_before
from dragoman.records.options import RecordsOptions
from dragoman.records.retention import first_kept, forget_generations, forget_sums
from dragoman.store.sql import Database, Work

EVERY_S = 600.0
RETRY_S = 10.0
PAUSE_S = 0.05

_log = logging.getLogger(__name__)


class Housekeeping(Struct, frozen=True, kw_only=True):
    """What keeps one installation's records in order. Its owner runs the loop."""

    records: Database
    options: RecordsOptions
    clock: Clock
    ledger: Database | None = None
    """None: only the records are kept in order."""
    pause_s: float = PAUSE_S

    async def run(self) -> None:
        """Do what is due, now and from time to time, until cancelled."""
        while True:
            try:
                await self.tidy()
                rest_s = EVERY_S
            except Unavailable as reason:
                _log.info("records.housekeeping_later reason=%s", reason)
                rest_s = RETRY_S
            await asyncio.sleep(rest_s)

    async def tidy(self) -> None:
        """Do once what is due. Raises Unavailable."""
        now = self.clock.wall()
        await self.records.run(partial(partitions.prepare, now=now))
        await self._until_done(_complete_trail)
        keep = self.options
        content_days = [d for d in (keep.keep_content_days, keep.keep_days) if d is not None]
        if content_days:
            await self._until_done(forget_before(first_kept(now, min(content_days))))
        if keep.keep_days is not None:
            await self._until_done(forget_generations(first_kept(now, keep.keep_days)))
        if keep.keep_sums_days is not None:
            await self._until_done(forget_sums(first_kept(now, keep.keep_sums_days)))
        await self._until_done(pack(now))
        if self.ledger is not None:
            await self._until_done(forget_users, self.ledger)

    async def _until_done(self, work: Work[bool], database: Database | None = None) -> None:
        database = database or self.records
        more = await database.run(work)
        while more:
            await asyncio.sleep(self.pause_s)
            more = await database.run(work)


def _complete_trail(connection: Connection) -> bool:
    """Take in some generations that no way by key leads to yet; say whether there are more."""
    return connection.dialect.name == "sqlite" and not trail.extend(connection)
