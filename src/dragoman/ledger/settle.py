"""From journals to the books: what has ended moves from leased to spent, exactly once.

A journal is applied in batches. How far is written in its row, in the transaction that
moves the money, so that a batch that comes twice does nothing the second time. The
keeper calls `apply` for what has ended and `close` when a dead worker's journal was
read to its end. When it cannot be read, `write_off` charges all that its worker had
leased, and should it appear after all, `apply` and `close` put that right.

Lock order everywhere: the journal, then purses by id, then accounts by id.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import asdict
from sqlalchemy import Connection, RowMapping, select, text, update

from dragoman.core.money import NanoUsd
from dragoman.ledger import leases
from dragoman.ledger.entries import post
from dragoman.ledger.purses import owner_of, parse, purse_of_account
from dragoman.ledger.tables import account, charge, journal, purse
from dragoman.ledger.types import Code, Draw, Entry, House, Settled
from dragoman.store.sql import Work

_CHARGE = text(
    "INSERT INTO charge"
    " (purse, incarnation, generations, amount_nanos, beyond_nanos, suspense_nanos)"
    " VALUES (:purse, :incarnation, :generations, :amount, :beyond, :suspense)"
    " ON CONFLICT (purse, incarnation) DO UPDATE SET"
    " generations = charge.generations + :generations,"
    " amount_nanos = charge.amount_nanos + :amount,"
    " beyond_nanos = charge.beyond_nanos + :beyond,"
    " suspense_nanos = charge.suspense_nanos + :suspense"
)


class UnknownJournal(Exception):
    """A journal of which the ledger has never heard: of another installation, or a lost one."""


class Behind(Exception):
    """Less of a journal is booked than was: the database lost what it had committed."""


class Reached(Struct, frozen=True):
    """How far a journal is booked, from where it has to be read, and whether it was closed.

    What was begun after `open_from` may not have ended yet.
    """

    applied: int
    open_from: int
    closed: bool


def reached(incarnation: str) -> Work[Reached | None]:
    """Read how far a journal is booked, None if the ledger does not know it."""
    columns = journal.c.applied_offset, journal.c.open_from, journal.c.closed_at
    query = select(*columns).where(journal.c.incarnation == incarnation)

    def work(connection: Connection) -> Reached | None:
        row = connection.execute(query).first()
        return None if row is None else Reached(row[0], row[1], row[2] is not None)

    return work


def apply(
    incarnation: str,
    batch: Sequence[Settled],
    offset: int,
    now: float,
    open_from: int | None = None,
    start: int = 0,
) -> Work[int]:
    """Book what has ended, and note that the journal is applied up to `offset`.

    `open_from` is where the oldest request begins that has not ended, `offset` if it is None.
    Returns how many generations were new. What lies at or before the offset that is
    already noted is passed over. All before `start` was booked, once: raises Behind when
    it no longer is, and UnknownJournal.
    """

    def work(connection: Connection) -> int:
        row = _journal(connection, incarnation)
        reached = int(row["applied_offset"])
        if offset <= reached:
            return 0
        if reached < start:
            raise Behind(f"Of journal {incarnation} {reached} bytes are booked, not {start}.")
        fresh = [each for each in batch if each.offset > reached]
        draws = _draws(fresh)
        for id_ in sorted(draws):
            leases.ensure(connection, parse(id_), None)
        leases.lock_purses(connection, draws)
        known = _charge_all(connection, incarnation, draws)
        post(connection, _entries(connection, (incarnation, offset), fresh, known), now)
        connection.execute(
            update(journal)
            .where(journal.c.incarnation == incarnation)
            .values(
                applied_offset=offset,
                open_from=offset if open_from is None else open_from,
                generations=journal.c.generations + len(fresh),
                charged_nanos=journal.c.charged_nanos + sum([each.cost for each in fresh]),
            )
        )
        return len(fresh)

    return work


def close(incarnation: str, now: float) -> Work[None]:
    """End a worker's life whose journal was applied to its end: its leases are free again.

    What was written off and is explained by no generation is refunded. Idempotent.
    Raises UnknownJournal.
    """

    def work(connection: Connection) -> None:
        if _journal(connection, incarnation)["closed_at"] is not None:
            return
        rest = leases.leases_of(connection, incarnation)
        refunds = _suspended(connection, incarnation)
        leases.lock_purses(connection, {*rest, *refunds})
        for id_, amount in rest.items():
            leases.shrink(connection, incarnation, id_, amount)
        for id_, amount in refunds.items():
            _spend(connection, id_, -amount)
            _note(connection, _Charged(id_, incarnation, amount=-amount, suspense=-amount))
        back = [
            Entry(
                debit=House.SUSPENSE,
                credit=owner,
                amount_nanos=NanoUsd(amount),
                code=Code.RETURNED,
                incarnation=incarnation,
                reference=f"journal:{incarnation}:{owner}",
            )
            for id_, amount in refunds.items()
            if (owner := owner_of(id_)) is not None
        ]
        post(connection, back, now)
        _mark(connection, incarnation, closed_at=now)

    return work


def write_off(incarnation: str, now: float) -> Work[int]:
    """Charge all that a worker had leased, which is gone and whose journal cannot be read.

    So that nothing becomes free that may have been spent. Returns the sum charged to
    accounts. Idempotent. Raises UnknownJournal.
    """

    def work(connection: Connection) -> int:
        row = _journal(connection, incarnation)
        if row["closed_at"] is not None or row["written_off_at"] is not None:
            return 0
        rest = leases.leases_of(connection, incarnation)
        leases.lock_purses(connection, rest)
        moved = []
        for id_, amount in rest.items():
            leases.shrink(connection, incarnation, id_, amount)
            _spend(connection, id_, amount)
            _note(connection, _Charged(id_, incarnation, amount=amount, suspense=amount))
            if (owner := owner_of(id_)) is not None:
                moved.append(
                    Entry(
                        debit=owner,
                        credit=House.SUSPENSE,
                        amount_nanos=NanoUsd(amount),
                        code=Code.WRITE_OFF,
                        reference=f"journal:{incarnation}:{owner}:{now:.0f}",
                        incarnation=incarnation,
                    )
                )
        post(connection, moved, now)
        _mark(connection, incarnation, written_off_at=now)
        return sum(each.amount_nanos for each in moved)

    return work


class _Drawn(Struct):
    """What a batch draws on one purse."""

    generations: int = 0
    held: int = 0
    unheld: int = 0


class _Charged(Struct, frozen=True):
    """What is added to the sum of charges of one purse by one journal."""

    purse: str
    incarnation: str
    amount: int
    generations: int = 0
    beyond: int = 0
    suspense: int = 0


def _draws(batch: Iterable[Settled]) -> dict[str, _Drawn]:
    """Return what a batch draws, by purse."""
    drawn: dict[str, _Drawn] = {}
    for each in batch:
        for draw in each.draws:
            _add(drawn.setdefault(draw.purse, _Drawn()), draw)
    return drawn


def _add(drawn: _Drawn, draw: Draw) -> None:
    drawn.generations += 1
    if draw.leased:
        drawn.held += draw.amount - draw.beyond
        drawn.unheld += draw.beyond
    else:
        drawn.unheld += draw.amount


def _charge_all(
    connection: Connection, incarnation: str, draws: dict[str, _Drawn]
) -> dict[str, int]:
    """Charge all purses; return how much of each a write-off had charged already."""
    leased = leases.leases_of(connection, incarnation)
    suspended = _suspended(connection, incarnation)
    known = {}
    for id_ in sorted(draws):
        drawn = draws[id_]
        if out_of_lease := min(drawn.held, leased.get(id_, 0)):
            leases.shrink(connection, incarnation, id_, out_of_lease)
        rest = drawn.held - out_of_lease
        known[id_] = min(rest, suspended.get(id_, 0))
        amount = drawn.held + drawn.unheld - known[id_]
        _spend(connection, id_, amount)
        charged = _Charged(
            id_,
            incarnation,
            amount=amount,
            generations=drawn.generations,
            beyond=rest - known[id_],
            suspense=-known[id_],
        )
        _note(connection, charged)
    return known


def _spend(connection: Connection, id_: str, amount: int) -> None:
    spent = update(purse).where(purse.c.id == id_)
    connection.execute(spent.values(spent_nanos=purse.c.spent_nanos + amount))


def _note(connection: Connection, charged: _Charged) -> None:
    connection.execute(_CHARGE, asdict(charged))


def _suspended(connection: Connection, incarnation: str) -> dict[str, int]:
    """Read what of a write-off no generation has explained yet, by purse in the order of ids."""
    query = select(charge.c.purse, charge.c.suspense_nanos)
    query = query.where(charge.c.incarnation == incarnation, charge.c.suspense_nanos > 0)
    return {id_: int(amount) for id_, amount in sorted(connection.execute(query))}


def _entries(
    connection: Connection,
    place: tuple[str, int],
    batch: Iterable[Settled],
    known: dict[str, int],
) -> list[Entry]:
    """Return the entries of a batch: one for each account, and those of the house."""
    costs: dict[str, int] = {}
    overrun = lost = 0
    for each in batch:
        owner = each.account
        costs[owner] = costs.get(owner, 0) + each.cost
        overrun += each.overrun
        lost += each.lost
    query = select(account.c.id).where(account.c.id.in_(sorted(costs)))
    there = set(connection.execute(query).scalars())
    moved = []
    for id_ in sorted(costs):
        explained = min(known.get(purse_of_account(id_).id, 0), costs[id_])
        payer = id_ if id_ in there else House.SUSPENSE
        moved.append(_entry(place, payer, costs[id_] - explained, Code.USAGE, id_))
        moved.append(_entry(place, House.SUSPENSE, explained, Code.FOUND, id_))
    moved.append(_entry(place, House.OVERRUN, overrun, Code.OVERRUN))
    moved.append(_entry(place, House.SUSPENSE, lost, Code.LOST))
    return [each for each in moved if each.amount_nanos]


def _entry(
    place: tuple[str, int], debit: str, amount: int, code: Code, about: str | None = None
) -> Entry:
    incarnation, offset = place
    return Entry(
        debit=debit,
        credit=House.INCOME,
        amount_nanos=NanoUsd(amount),
        code=code,
        reference=f"journal:{incarnation}:{offset}" + (f":{about}" if about else ""),
        note=None if about in {None, debit} or debit != House.SUSPENSE else f"account {about}",
        incarnation=incarnation,
    )


def _journal(connection: Connection, incarnation: str) -> RowMapping:
    query = select(journal).where(journal.c.incarnation == incarnation).with_for_update()
    row = connection.execute(query).mappings().first()
    if row is None:
        raise UnknownJournal(f"The ledger knows no journal {incarnation[:100]!r}.")
    return row


def _mark(connection: Connection, incarnation: str, **values: float) -> None:
    connection.execute(update(journal).where(journal.c.incarnation == incarnation).values(**values))
