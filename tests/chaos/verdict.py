"""What an ordeal came to: records, purses and what clients were told, against the provider's list.

- Each request that the provider began has exactly one record, and none has two.
- What a client was told that its answer cost is what is on record.
- What was spent of each purse is the sum of the costs on record, and nothing is leased.
"""

import json
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from msgspec import Struct
from sqlalchemy import Connection, text

from dragoman.ledger.proof import prove
from dragoman.office.premises import Premises


class Verdict(Struct, frozen=True, kw_only=True):
    """What an ordeal came to. `faults` is empty when the books are right."""

    began: int
    told: int
    records: int
    concluded: int
    lost: int
    faults: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.began:,} began, {self.told:,} were answered in full, {self.records:,} are "
            f"on record: {self.concluded:,} by what had come, {self.lost:,} lost."
        )


def violations(premises: Premises) -> list[str]:
    """Return what the proof finds wrong."""
    proof = premises.ledger.run_now(prove)
    return [f"{each.rule}: {each.subject}: {each.detail}" for each in proof.violations]


def judge(premises: Premises, began: Collection[int], told: Mapping[int, int]) -> Verdict:
    """Compare what is on record with what the provider began, and what clients were told."""
    rows = premises.records.run_now(_rows)
    purses = premises.ledger.run_now(_purses)
    proof = premises.ledger.run_now(prove)
    faults = [str(each) for each in proof.violations]
    faults += _doubled_or_lost(rows, set(began), told)
    faults += _misspent(rows, purses)
    if proof.generations != len(rows):
        faults.append(f"{proof.generations} generations are booked, {len(rows)} on record")
    sources = Counter(row["source"] for row in rows if row["status"] == 500)
    return Verdict(
        began=len(began),
        told=len(told),
        records=len(rows),
        concluded=sources["estimated"],
        lost=sources["lost"],
        faults=tuple(faults),
    )


def _rows(connection: Connection) -> list[dict[str, Any]]:
    query = text('SELECT id, "user", cost_nanos, draws, usage, status FROM generation')
    return [
        {
            "number": int(row.user),
            "cost": row.cost_nanos,
            "draws": json.loads(row.draws),
            "source": json.loads(row.usage).get("source", "upstream"),
            "status": row.status,
        }
        for row in connection.execute(query)
    ]


def _purses(connection: Connection) -> dict[str, tuple[int, int]]:
    found = connection.execute(text("SELECT id, spent_nanos, leased_nanos FROM purse"))
    return {row.id: (row.spent_nanos, row.leased_nanos) for row in found}


def _doubled_or_lost(
    rows: list[dict[str, Any]], began: set[int], told: Mapping[int, int]
) -> Iterator[str]:
    times = Counter(row["number"] for row in rows)
    costs = {row["number"]: row["cost"] for row in rows}
    yield from (f"request {n} has {times[n]} records" for n in times if times[n] > 1)
    yield from (f"request {n} was begun, and has no record" for n in began - times.keys())
    for number, cost in told.items():
        if (kept := costs.get(number)) != cost:
            yield f"request {number} cost {cost} by its answer, and {kept} by its record"


def _misspent(rows: list[dict[str, Any]], purses: dict[str, tuple[int, int]]) -> Iterator[str]:
    drawn: Counter[str] = Counter()
    for row in rows:
        for purse, amount in row["draws"]:
            drawn[purse] += amount
    for purse, (spent, leased) in purses.items():
        if spent != drawn[purse]:
            yield f"{spent} was spent of {purse}, and records add up to {drawn[purse]}"
        if leased:
            yield f"{leased} is still leased of {purse}"
