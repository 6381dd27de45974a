"""Adjusting entries: what a corrected price makes of generations that were settled before.

An entry is never changed, so a corrected cost is a further one, between the account and
the house's income, and the purses that the generation was charged to move with it. What
was charged less than the corrected cost is charged only where that is asked for, and
only out of what is free: the rest is the house's, as any overrun.

A generation's adjustments are numbered in their references, so that each is booked once,
and the note of the latest tells what is charged by now. The sums per purse stand in
`charge` beside those of journals, under the name ADJUSTED, where the proof finds them.

A purse may count what was spent before there was one (`leases.bring_forward`): a generation
that it was not charged for is part of that sum, and moves with it all the same.
"""

import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Final, Literal

from msgspec import Struct
from sqlalchemy import Connection, select, text, update

from dragoman.core.money import NanoUsd
from dragoman.ledger import leases
from dragoman.ledger.entries import transfer
from dragoman.ledger.purses import INTERVALS, key_of_user, owner_of, parse, purse_of_account
from dragoman.ledger.purses import purse as purse_of
from dragoman.ledger.tables import account, charge, entry, purse
from dragoman.ledger.types import AccountKind, Code, Draw, Entry, House
from dragoman.store.sql import Work

ADJUSTED: Final = "rerate"
"""Stands in `charge` where the name of a journal does."""

Outcome = Literal["booked", "same", "left"]
"""Entries were made; nothing had to change; it costs more, and is not to be charged."""

PAYEES: Final = (House.INCOME, House.OVERRUN, House.SUSPENSE)
SIDES: Final = ("account", "house")
_NOTE = re.compile(r"charged (\d+), overrun (\d+), for (.*)")
_ADD = text(
    "INSERT INTO charge"
    " (purse, incarnation, generations, amount_nanos, beyond_nanos, suspense_nanos)"
    " VALUES (:purse, :adjusted, 0, :amount, 0, 0)"
    " ON CONFLICT (purse, incarnation) DO UPDATE SET amount_nanos = charge.amount_nanos + :amount"
)


class Settlement(Struct, frozen=True, kw_only=True):
    """A generation as it was settled, what it should have cost, and by which price.

    `cost` and `owed` include the account's fee, and `cost` what the house bore of it. `draws` is
    what was charged to purses; without any, all of the cost was charged to the account.
    """

    generation: str
    account: str
    cost: NanoUsd
    owed: NanoUsd
    price: str
    draws: tuple[Draw, ...] = ()
    scopes: tuple[str, ...] = ()
    """Whose purses may have counted it later, which were not there or not limited yet."""
    at: float = 0.0
    """When the generation began, in Unix time: it tells their windows."""


class Adjusted(Struct, frozen=True, kw_only=True):
    """What became of a settlement: how much the account and the house pay more, or less.

    `charged` is what the account pays for the generation by then.
    """

    generation: str
    outcome: Outcome
    charged: int
    account: int = 0
    house: int = 0


class _State(Struct, frozen=True):
    """What is charged to the account, what the house bears, by which price, after how many."""

    charged: int
    overrun: int
    price: str | None = None
    number: int = 0


def adjust(
    batch: Sequence[Settlement], now: float, *, charge_more: bool
) -> Work[tuple[Adjusted, ...]]:
    """Bring what is charged for generations to what they should have cost.

    Idempotent: a generation that stands at its price already is left as it is. Of an
    account that is not there, the house's suspense takes the place.
    """

    def work(connection: Connection) -> tuple[Adjusted, ...]:
        later = leases.brought_forward(connection, {id_ for each in batch for id_ in _later(each)})
        ids = {id_ for each in batch for id_ in _purses(each, later)}
        leases.lock_purses(connection, ids)
        payers = {each.account for each in batch}
        kinds = _lock_accounts(connection, {*payers, *PAYEES})
        books = _Books(connection, kinds, later, now, charge_more)
        return tuple(_adjusted(books, each) for each in batch)

    return work


class _Books(Struct, frozen=True):
    """The transaction, its accounts' kinds and late purses, its time, and what is asked for."""

    connection: Connection
    kinds: dict[str, AccountKind]
    later: Collection[str]
    now: float
    charge_more: bool


def _adjusted(books: _Books, settlement: Settlement) -> Adjusted:
    id_, was = settlement.generation, _state(books.connection, settlement)
    if was.price == settlement.price:
        return Adjusted(generation=id_, outcome="same", charged=was.charged)
    kind = books.kinds.get(settlement.account)
    purses = _purses(settlement, books.later, prepaid=kind == "prepaid")
    becomes = _becomes(books.connection, settlement, was, purses)
    more, borne = becomes.charged - was.charged, becomes.overrun - was.overrun
    if more + borne > 0 and not books.charge_more:
        return Adjusted(generation=id_, outcome="left", charged=was.charged)
    payer = settlement.account if kind is not None else House.SUSPENSE
    _book(books, settlement, (payer, more), becomes)
    _book(books, settlement, (House.OVERRUN, borne), becomes)
    for each in purses:
        _move(books.connection, each, more)
    outcome: Outcome = "booked" if more or borne else "same"
    return Adjusted(
        generation=id_, outcome=outcome, charged=becomes.charged, account=more, house=borne
    )


def _purses(settlement: Settlement, later: Collection[str], *, prepaid: bool = True) -> list[str]:
    """Return the purses that count a generation, the credit of a prepaid account in any case.

    `later` are those that something was brought forward to.
    """
    ids = {draw.purse for draw in settlement.draws}
    ids |= {id_ for id_ in _later(settlement) if id_ in later}
    return sorted(ids | {purse_of_account(settlement.account).id} if prepaid else ids)


def _later(settlement: Settlement) -> Iterator[str]:
    """Yield the purses that may count a generation though they were not charged for it."""
    for scope in settlement.scopes:
        for interval in INTERVALS:
            yield purse_of(scope, interval, settlement.at).id


def _becomes(
    connection: Connection, settlement: Settlement, was: _State, purses: Iterable[str]
) -> _State:
    """Return what is charged, and what the house bears, once the generation costs what is owed."""
    owed = settlement.owed
    if owed <= was.charged + was.overrun:
        charged = min(was.charged, owed)
    else:
        rise = owed - was.charged - was.overrun
        charged = was.charged + min(rise, _room(connection, purses, rise))
    return _State(charged, owed - charged, settlement.price, was.number + 1)


def _room(connection: Connection, purses: Iterable[str], wanted: int) -> int:
    """Return how much of what is wanted is free in all of the purses."""
    frees = [wanted]
    for id_ in purses:
        held = leases.balance(connection, id_)
        if held is not None and held.free is not None:
            frees.append(max(0, held.free))
    return min(frees)


def _state(connection: Connection, settlement: Settlement) -> _State:
    """Return how a generation stands: by its latest adjustment, or as it was settled."""
    latest = _State(*_settled(settlement))
    while True:
        number = latest.number + 1
        names = [_reference(settlement, number, side) for side in SIDES]
        query = select(entry.c.note).where(
            entry.c.code == Code.ADJUSTMENT, entry.c.reference.in_(names)
        )
        told = _NOTE.fullmatch(connection.execute(query).scalars().first() or "")
        if told is None:
            return latest
        latest = _State(int(told[1]), int(told[2]), told[3], number)


def _settled(settlement: Settlement) -> tuple[int, int]:
    if not settlement.draws:
        return settlement.cost, 0
    charged = max(draw.amount for draw in settlement.draws)
    return charged, max(0, settlement.cost - charged)


def _reference(settlement: Settlement, number: int, side: str) -> str:
    return f"{ADJUSTED}:{settlement.generation}:{number}:{side}"


def _book(books: _Books, settlement: Settlement, moved: tuple[str, int], becomes: _State) -> None:
    who, more = moved
    if not more:
        return
    debit, credit = (who, House.INCOME) if more > 0 else (House.INCOME, who)
    account_side, house_side = SIDES
    side = house_side if who == House.OVERRUN else account_side
    adjustment = Entry(
        debit=debit,
        credit=credit,
        amount_nanos=NanoUsd(abs(more)),
        code=Code.ADJUSTMENT,
        reference=_reference(settlement, becomes.number, side),
        note=f"charged {becomes.charged}, overrun {becomes.overrun}, for {settlement.price}",
    )
    transfer(books.connection, adjustment, books.now)


def _move(connection: Connection, id_: str, more: int) -> None:
    """Move what is spent of a purse, and what its charges sum up to.

    No more is taken back than it counts: of a limit, that may be less than was charged, since
    what was under way when it was set, or ended while there was none, was never in it.
    """
    if not more or _is_forgotten(connection, id_):
        return
    leases.ensure(connection, parse(id_), None)
    there = leases.balance(connection, id_)
    if there is not None and owner_of(id_) is None:
        more = max(more, -there.spent)
    connection.execute(_ADD, {"purse": id_, "adjusted": ADJUSTED, "amount": more})
    spent = update(purse).where(purse.c.id == id_)
    connection.execute(spent.values(spent_nanos=purse.c.spent_nanos + more))
    if more < 0:
        leases.tell_of(connection, id_)


def _is_forgotten(connection: Connection, id_: str) -> bool:
    """Say whether this was the purse of an end user in a window that ended long ago."""
    return key_of_user(id_) is not None and leases.balance(connection, id_) is None


def _lock_accounts(connection: Connection, ids: Iterable[str]) -> dict[str, AccountKind]:
    """Keep other writers from these accounts, in order; return the kinds of those there are."""
    query = select(account.c.id, account.c.kind).where(account.c.id.in_(sorted(ids)))
    rows = connection.execute(query.order_by(account.c.id).with_for_update())
    return {row.id: row.kind for row in rows}


def adjusted(connection: Connection) -> dict[str, int]:
    """Read how much more was charged to each purse by adjustments, in sum."""
    query = select(charge.c.purse, charge.c.amount_nanos).where(charge.c.incarnation == ADJUSTED)
    return {id_: int(amount) for id_, amount in connection.execute(query)}
