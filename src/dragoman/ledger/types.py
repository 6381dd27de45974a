"""The nouns of the ledger: accounts and their entries, and what a journal says has ended."""

from enum import StrEnum
from typing import Literal

from msgspec import Struct

from dragoman.core.money import NanoUsd

AccountKind = Literal["postpaid", "prepaid", "house"]

DEFAULT = "default"
"""The account of an installation that has no other. Postpaid."""


class House(StrEnum):
    """Accounts of our own: the other sides of what customers pay and use."""

    INCOME = "house:income"
    """All usage at its price, whoever bears it."""
    GRANTS = "house:grants"
    """Credit that was given away."""
    CASH = "house:cash"
    """Money that came in for credit, below zero since it is what credit came out of."""
    SUSPENSE = "house:suspense"
    """What nobody can tell yet: lost generations, leases of workers that are gone."""
    OVERRUN = "house:overrun"
    """Usage beyond what was held for it, which we bear."""


class Code(StrEnum):
    """What an entry is for."""

    TOP_UP = "top_up"
    GRANT = "grant"
    REFUND = "refund"
    """Credit that was paid back."""
    USAGE = "usage"
    OVERRUN = "overrun"
    LOST = "lost"
    """The hold of a request of which nothing but its beginning is known."""
    WRITE_OFF = "write_off"
    """The lease of a worker that is gone, charged as if all of it had been used."""
    FOUND = "found"
    """What of a write-off turned out to have been used."""
    RETURNED = "returned"
    """What of a write-off turned out not to have been used."""
    ADJUSTMENT = "adjustment"
    """What a corrected price makes of a generation, more or less than it was charged."""


class Account(Struct, frozen=True, kw_only=True):
    """A row of the table of accounts. `balance_nanos` is its credits less its debits.

    `fee_ppm` is what it pays on top of usage, in millionths. `created_at` is None for
    those that came with the installation. `user_limit_nanos` is what each end user may spend of a
    key that has no such limit of its own.
    """

    id: str
    kind: AccountKind
    name: str
    created_at: float | None
    closed_at: float | None = None
    fee_ppm: int = 0
    balance_nanos: NanoUsd = NanoUsd(0)
    user_limit_nanos: int | None = None
    user_limit_reset: Literal["daily", "weekly", "monthly"] | None = None


class Entry(Struct, frozen=True, kw_only=True):
    """A movement of money: out of one account, into another.

    `reference` is its idempotency: with its code it is there once. `incarnation` is
    the journal that it sums up, if it does.
    """

    debit: str
    credit: str
    amount_nanos: NanoUsd
    code: Code
    reference: str
    note: str | None = None
    incarnation: str | None = None


class Draw(Struct, frozen=True, array_like=True, gc=False):
    """What a generation is charged to one purse, by id.

    `leased` is whether it was held: not so in a purse that had no limit. `beyond` is what of
    the amount was not held all the same, since it went beyond the bound.
    """

    purse: str
    amount: NanoUsd
    leased: bool = True
    beyond: NanoUsd = NanoUsd(0)


class Settled(Struct, frozen=True, gc=False):
    """One generation that has ended, as a journal tells it.

    `offset` is where its record ends in the journal. `cost` is what the account pays,
    fee included; `overrun` what it cost beyond its hold. Of a generation of which only
    the beginning is known the customer pays nothing, and `lost` is its hold.
    """

    offset: int
    account: str
    cost: NanoUsd
    draws: tuple[Draw, ...] = ()
    overrun: NanoUsd = NanoUsd(0)
    lost: NanoUsd = NanoUsd(0)
