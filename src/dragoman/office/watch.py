"""The watch: looks whether thresholds of alerts were reached, and journals refused.

It runs beside the keeper's booking, never beside a request. What it finds is told in one
transaction with the note that it was told: a restart neither loses nor repeats it, and of
several nodes one tells. Without rules a look is one small read, and only after something
was booked.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, Final

from msgspec import Struct
from sqlalchemy import Connection, select

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.ledger import alert_rows, leases
from dragoman.ledger.alert_rows import HOUSE, Mark
from dragoman.ledger.alerts import Figures, Rule, Verdict, judge
from dragoman.ledger.purses import window_start
from dragoman.office import alarms
from dragoman.office.alarms import House
from dragoman.office.alert_figures import Spent, figures, spent
from dragoman.store.sql import Database, Work

LOOK_S: Final = 2.0
ANYWAY_S: Final = 60.0
"""How often rules are judged though nothing was booked here: limits change, and other nodes die."""
CLEAR_S: Final = 60.0
"""How long after the start a journal that is not refused any more counts as mended."""

Told = Mapping[tuple[str, int], Mapping[str, int | None]]

_log = logging.getLogger(__name__)


class Troubles:
    """What is wrong with a node though it serves, in words for an operator."""

    def __init__(self) -> None:
        self.said: tuple[str, ...] = ()


class Books(Struct, frozen=True, kw_only=True):
    """What the watch looks at beside the databases.

    `booked` counts batches that were booked here, `flush` completes the sums, `refused`
    names the journals that cannot be booked to their end, and why.
    """

    booked: Callable[[], int]
    flush: Callable[[], Awaitable[None]]
    refused: Callable[[], Mapping[str, str]]


class Watch:
    """Judges all rules from time to time. Its owner runs the loop."""

    def __init__(
        self,
        ledger: Database,
        records: Database,
        books: Books,
        house: House,
        clock: Clock,
        troubles: Troubles,
    ) -> None:
        self.told = asyncio.Event()
        """Set when there is something to deliver."""
        self._ledger = ledger
        self._records = records
        self._books = books
        self._house = house
        self._now = clock.monotonic
        self._troubles = troubles
        self._since = self._now()
        self._seen: int | None = None
        self._looked_at = float("-inf")
        self._refused: dict[str, str] = {}
        self._mended = False

    async def run(self) -> None:
        """Look again and again, until cancelled. A database that is away is a trouble, too."""
        is_away = False
        while True:
            try:
                await self._ask_databases()
                await self.look()
            except Unavailable as reason:
                self._troubles.said = (*self._unbooked(), f"The database is away: {reason.message}")
                if not is_away:
                    _log.error("watch.database_away reason=%s", reason.message)
                is_away = True
            else:
                if is_away:
                    _log.warning("watch.database_back")
                is_away = False
            await asyncio.sleep(LOOK_S)

    async def look(self) -> None:
        """Tell of what is new. Raises Unavailable."""
        await self._look_at_journals()
        booked, now = self._books.booked(), self._now()
        if booked == self._seen and now - self._looked_at < ANYWAY_S:
            return
        await self.judge()
        self._seen, self._looked_at = booked, now

    async def judge(self) -> None:
        """Judge all rules by what is booked now. Raises Unavailable."""
        rules = await self._ledger.read(alert_rows.every)
        if not rules:
            return
        if any(rule.measure == "usd" for rule in rules):
            await self._books.flush()
        now = await self._ledger.read(leases.database_time)
        sums = await spent(self._records, rules, now)
        for rule in await self._ledger.read(_with_news(rules, sums, now)):
            if await self._ledger.run(_tell(rule.id, sums, now)):
                self.told.set()

    async def _ask_databases(self) -> None:
        """Raise Unavailable unless both answer."""
        await self._ledger.read(_nothing)
        if self._records is not self._ledger:
            await self._records.read(_nothing)

    def _unbooked(self) -> tuple[str, ...]:
        refused = sorted(self._books.refused().items())
        return tuple(f"The journal {name} cannot be booked: {why}" for name, why in refused)

    async def _look_at_journals(self) -> None:
        refused = dict(self._books.refused())
        self._troubles.said = self._unbooked()
        mends = self._now() - self._since >= CLEAR_S
        if refused == self._refused and (self._mended or not mends):
            return
        await self._ledger.run(_noted(self._house, refused, clear=mends))
        if refused:
            self.told.set()
        self._refused, self._mended = refused, mends


def _nothing(connection: Connection) -> None:
    """Ask for what any database that is there knows."""
    connection.execute(select(1))


def _with_news(rules: Sequence[Rule], sums: Spent, now: float) -> Work[tuple[Rule, ...]]:
    """Return the rules of which something is to be told."""

    def work(connection: Connection) -> tuple[Rule, ...]:
        found = figures(rules, sums, now)(connection)
        known: dict[tuple[str, int], dict[str, Any]] = {}
        ids = [rule.id for rule in rules]
        for start in range(0, len(ids), 500):
            known |= alert_rows.told(connection, ids[start : start + 500])
        return tuple(
            rule for rule in rules if any(_verdict(rule, each, known) for each in found[rule.id])
        )

    return work


def _tell(id_: str, sums: Spent, now: float) -> Work[bool]:
    """Judge a rule for good, and put what is news into the outbox; say whether there was any."""

    def work(connection: Connection) -> bool:
        rule = alert_rows.locked(connection, id_)
        if rule is None:
            return False
        (found,) = figures([rule], sums, now)(connection).values()
        known = alert_rows.told(connection, [rule.id])
        news = False
        for each in found:
            verdict = _verdict(rule, each, known)
            armed = map(str, verdict.armed)
            alert_rows.arm(connection, rule.id, armed, each.start)
            for threshold in verdict.reached:
                _told(connection, rule, threshold, each, now)
                news = True
        if news and (start := found[-1].start):  # of windows before the last nothing is asked
            last = window_start(found[-1].window, start - 1)
            alert_rows.forget(connection, rule.id, before=last)
        return news

    return work


def _told(connection: Connection, rule: Rule, threshold: int, found: Figures, now: float) -> None:
    mark = Mark(rule=rule.id, mark=str(threshold), start=found.start, limit=found.limit)
    if alert_rows.tell(connection, mark, now):
        data = alarms.told(rule, threshold, found)
        alarms.post(connection, alarms.destinations_of(rule), alarms.REACHED, data, now)


def _verdict(rule: Rule, found: Figures, told: Told) -> Verdict:
    known = told.get((rule.id, found.start), {})
    before = {int(mark): limit for mark, limit in known.items()}
    return judge(rule.measure, rule.thresholds, found, before)


def _noted(house: House, refused: dict[str, str], *, clear: bool) -> Work[None]:
    """Note the journals that are refused now, and forget those that are not any more."""

    def work(connection: Connection) -> None:
        now = leases.database_time(connection)
        house.refused(connection, refused, now)
        if clear:
            noted = alert_rows.notes(house.marks)(connection)
            gone = noted.keys() - {house.mark(name) for name in refused}
            if gone:
                alert_rows.arm(connection, HOUSE, sorted(gone))

    return work
