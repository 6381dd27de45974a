"""The figures that rules of alerts are judged by: of limits the purses', of windows the sums'.

A window that ended a while ago is judged once more, so that what was booked late, or while
nobody looked, is not lost.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import keyring
from dragoman.access.types import Key
from dragoman.ledger import leases
from dragoman.ledger.alerts import Figures, Rule
from dragoman.ledger.purses import (
    Balance,
    Interval,
    Purse,
    key_scope,
    purse,
    purse_of_account,
    window_start,
)
from dragoman.office.limits import interval_of
from dragoman.records import spend
from dragoman.records.spend import Days
from dragoman.store.sql import Database, Work

T = TypeVar("T")

LATE_S: Final = 3600.0
"""How long after its end a window is still looked at."""
AT_ONCE: Final = 500

Spent = Mapping[tuple[str, Interval, int], int]
"""Nano-USD by the id of a rule, and a window and its start."""


class Windows(Struct, frozen=True):
    """The starts of the windows of an interval to be judged, and where the last of them ends."""

    interval: Interval
    starts: tuple[int, ...]

    def days(self) -> Iterator[Days]:
        """Yield each window in days."""
        ends = (*self.starts[1:], None)
        for start, end in zip(self.starts, ends, strict=True):
            yield Days(start, end)


def windows(interval: Interval, now: float, since: float) -> Windows:
    """Return the present window, before it the last one if it ended lately and after `since`."""
    start = window_start(interval, now)
    if interval == "total" or now - start > LATE_S or since >= start:
        return Windows(interval, (start,))
    return Windows(interval, (window_start(interval, start - 1), start))


async def spent(records: Database, rules: Sequence[Rule], now: float) -> Spent:
    """Add up what was spent in the windows of all rules that ask for sums."""
    found: dict[tuple[str, Interval, int], int] = {}
    asked = [rule for rule in rules if rule.measure == "usd"]
    for interval in sorted({rule.window for rule in asked}):
        spans = windows(interval, now, 0.0)
        days = tuple(spans.days())
        these = [rule for rule in asked if rule.window == interval]
        keys = sorted({rule.key_hash for rule in these if rule.key_hash is not None})
        accounts = sorted({rule.account for rule in these if rule.key_hash is None})
        sums = await records.read(spend.of_keys(keys, days)) if keys else {}
        of_accounts = await records.read(spend.of_accounts(accounts, days)) if accounts else {}
        for rule in these:
            mine = sums if rule.key_hash is not None else of_accounts
            amounts = mine.get(rule.key_hash or rule.account, (0,) * len(days))
            for start, amount in zip(spans.starts, amounts, strict=True):
                found[rule.id, interval, start] = amount
    return found


def figures(rules: Sequence[Rule], sums: Spent, now: float) -> Work[dict[str, tuple[Figures, ...]]]:
    """Return by what each rule is judged, by its id: windows in their order. Most have one."""

    def work(connection: Connection) -> dict[str, tuple[Figures, ...]]:
        hashes = {r.key_hash for r in rules if r.measure == "percent" and r.key_hash is not None}
        keys: dict[str, Key] = {}
        for some in _parts(sorted(hashes)):
            keys |= keyring.by_hashes(some)(connection)
        purses = {rule.id: _purses(rule, keys, now) for rule in rules if rule.measure == "percent"}
        balances: dict[str, Balance] = {}
        for part in _parts(sorted({each.id for found in purses.values() for each in found})):
            balances |= leases.balances(connection, part)
        return {
            rule.id: _of_purses(purses[rule.id], balances)
            if rule.measure == "percent"
            else _of_sums(rule, sums, now)
            for rule in rules
        }

    return work


def _purses(rule: Rule, keys: Mapping[str, Key], now: float) -> tuple[Purse, ...]:
    """Return the purses of what a rule watches: none where nothing is limited."""
    if rule.key_hash is None:
        return (purse_of_account(rule.account),)
    key = keys.get(rule.key_hash)
    if key is None or key.account != rule.account or key.limit_nanos is None:
        return ()
    interval, scope = interval_of(key), key_scope(key.hash)
    starts = windows(interval, now, rule.settled_at).starts
    return tuple(purse(scope, interval, start) for start in starts)


def _of_purses(purses: Iterable[Purse], balances: Mapping[str, Balance]) -> tuple[Figures, ...]:
    return tuple(
        Figures(window=each.interval, start=each.window_start, spent=held.spent, limit=held.limit)
        for each in purses
        if (held := balances.get(each.id)) is not None
    )


def _of_sums(rule: Rule, sums: Spent, now: float) -> tuple[Figures, ...]:
    return tuple(
        Figures(window=rule.window, start=start, spent=amount)
        for start in windows(rule.window, now, rule.settled_at).starts
        if (amount := sums.get((rule.id, rule.window, start))) is not None
    )


def _parts(values: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(values), AT_ONCE):
        yield values[start : start + AT_ONCE]
