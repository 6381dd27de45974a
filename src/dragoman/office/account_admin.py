"""What the management API does with accounts: open them, add credit, pay it back, show them.

Only management keys of the operator's account may see or change others; for every other key
they do not exist, and its own is shown. Each change is one transaction, with its
audit entry, and with what came of its `Idempotency-Key`.
"""

import hashlib
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import Meta, Struct
from sqlalchemy import Connection

from dragoman.access import keyring, replays
from dragoman.access.replays import Done
from dragoman.access.types import DEFAULT_ACCOUNT, Reset
from dragoman.core import money
from dragoman.core.errors import InvalidRequest, KeyReused, NotFound, PermissionDenied
from dragoman.core.money import NanoUsd, usd
from dragoman.ledger import entries
from dragoman.office import credits as office
from dragoman.office.credits import Movement, Statement
from dragoman.office.key_admin import NOWHERE, Manager, checked_repeat
from dragoman.office.key_info import iso, user_limit_usd
from dragoman.store.sql import Work

NOT_THE_OPERATOR = "Only management keys of the default account can do this"
REUSED = "Idempotency-Key: it came with another request before; use a new one"

ZERO = re.compile(r"0+(\.0*)?|\.0+")

T = TypeVar("T")

Text = Annotated[str, Meta(min_length=1, max_length=255)]


class NewAccount(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /accounts`. Without `free_credit` (USD) it is that of the settings."""

    name: Text
    free_credit: float | str | None = None
    fee_ppm: int = 0


class NewCredit(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /accounts/{id}/credits`: USD, and whether they are given away."""

    amount: float | str
    reference: Text | None = None
    grant: bool = False


class NewRefund(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /accounts/{id}/refunds`, in USD."""

    amount: float | str
    reference: Text | None = None


class AccountRow(Struct, frozen=True, kw_only=True):
    """An account as the API shows it, in USD. `free` is null where nothing is refused."""

    id: str
    name: str
    kind: str
    created_at: str | None
    closed_at: str | None
    fee_ppm: int
    total_credits: float
    total_usage: float
    balance: float
    reserved: float
    free: float | None
    user_limit: float | None
    user_limit_reset: Reset | None


class AccountBody(Struct, frozen=True):
    """One account."""

    data: AccountRow


class AccountsBody(Struct, frozen=True):
    """A page of accounts, and how many there are in all."""

    data: tuple[AccountRow, ...]
    total_count: int


class MovementRow(Struct, frozen=True, kw_only=True):
    """Credit that was added or paid back. `repeated`: it had been, under its reference."""

    reference: str
    amount: float
    repeated: bool
    account: AccountRow


class MovementBody(Struct, frozen=True):
    """One movement."""

    data: MovementRow


class Outcome(Struct, frozen=True):
    """The body of an answer, and whether the request had been answered before."""

    body: bytes
    replayed: bool = False


def check_operator(manager: Manager) -> None:
    """Raise PermissionDenied unless the operator's own key asks."""
    if manager.account != DEFAULT_ACCOUNT:
        raise PermissionDenied(NOT_THE_OPERATOR)


def check_visible(manager: Manager, account: str) -> None:
    """Raise NotFound for an account that is not there for who asks."""
    if manager.account not in {account, DEFAULT_ACCOUNT}:
        raise NotFound(NOWHERE)


def open_(
    new: NewAccount, free_credit: float, manager: Manager, repeat: str | None
) -> Work[Outcome]:
    """Open a prepaid account. `free_credit` is what the settings give. Raises InvalidRequest."""
    wanted = free_credit if new.free_credit is None else new.free_credit
    work = office.open_prepaid(
        new.name,
        free_credit=NanoUsd(0) if _is_zero(wanted) else _amount(wanted, "free_credit"),
        now=manager.act.at,
        fee_ppm=new.fee_ppm,
        by=manager.act.actor,
    )
    return _once("POST /accounts", new, manager, repeat, _then(work, account_body))


def add(id_: str, new: NewCredit, manager: Manager, repeat: str | None) -> Work[Outcome]:
    """Add credit to an account. Raises InvalidRequest and NotFound."""
    work = office.add(
        id_,
        _amount(new.amount, "amount"),
        reference=new.reference,
        grant=new.grant,
        now=manager.act.at,
        by=manager.act.actor,
    )
    path = f"POST /accounts/{id_}/credits"
    return _once(path, new, manager, repeat, _of_customer(id_, _then(work, _movement_body)))


def refund(id_: str, new: NewRefund, manager: Manager, repeat: str | None) -> Work[Outcome]:
    """Pay credit back that is neither used nor reserved. Raises InvalidRequest and NotFound."""
    work = office.refund(
        id_,
        _amount(new.amount, "amount"),
        reference=new.reference,
        now=manager.act.at,
        by=manager.act.actor,
    )
    path = f"POST /accounts/{id_}/refunds"
    return _once(path, new, manager, repeat, _of_customer(id_, _then(work, _movement_body)))


def show(id_: str) -> Work[AccountBody]:
    """Show an account. Raises NotFound."""
    return _of_customer(id_, _then(office.statement(id_), account_body))


def show_all(account: str, offset: int, limit: int) -> Work[AccountsBody]:
    """Show a page of the accounts that a management key of this account sees, oldest first."""

    def work(connection: Connection) -> AccountsBody:
        if account == DEFAULT_ACCOUNT:
            found, total = office.statements_page(offset, limit)(connection)
            return AccountsBody(tuple(map(_row, found)), total)
        own = (_row(office.statement(account)(connection)),)
        return AccountsBody(own[offset : offset + limit], len(own))

    return work


def account_body(shown: Statement) -> AccountBody:
    """Return the body for one account."""
    return AccountBody(_row(shown))


def _movement_body(done: Movement) -> MovementBody:
    row = MovementRow(
        reference=done.reference,
        amount=usd(done.amount),
        repeated=done.repeated,
        account=_row(done.statement),
    )
    return MovementBody(row)


def _row(shown: Statement) -> AccountRow:
    of = shown.account
    return AccountRow(
        id=of.id,
        name=of.name,
        kind=of.kind,
        created_at=None if of.created_at is None else iso(of.created_at),
        closed_at=None if of.closed_at is None else iso(of.closed_at),
        fee_ppm=of.fee_ppm,
        total_credits=usd(shown.credits),
        total_usage=usd(shown.usage),
        balance=usd(of.balance_nanos),
        reserved=usd(shown.reserved),
        free=None if shown.free is None else usd(shown.free),
        user_limit=user_limit_usd(of),
        user_limit_reset=of.user_limit_reset,
    )


def _amount(value: float | str, name: str) -> NanoUsd:
    try:
        return money.amount(Decimal(str(value)) if isinstance(value, float) else value)
    except ValueError as error:
        raise InvalidRequest(f"{name}: {error}") from error


def _is_zero(value: float | str) -> bool:
    return value == 0 or (isinstance(value, str) and ZERO.fullmatch(value) is not None)


def _then(work: Work[Any], shape: Callable[[Any], T]) -> Work[T]:
    return lambda connection: shape(work(connection))


def _of_customer(id_: str, work: Work[T]) -> Work[T]:
    """Do work on an account, unless it is one of the house: those are not for the API."""

    def checked(connection: Connection) -> T:
        if entries.find_account(connection, id_).kind == "house":
            raise NotFound(NOWHERE)
        return work(connection)

    return checked


def _once(
    path: str, new: Struct, manager: Manager, repeat: str | None, work: Work[Any]
) -> Work[Outcome]:
    """Do `work` once for all requests with the same `Idempotency-Key`, within a day.

    A repeated request gets the very answer of the first. Raises KeyReused when it is
    another request.
    """
    if repeat is None:
        return lambda connection: Outcome(msgspec.json.encode(work(connection)))
    account, now, key = manager.account, manager.act.at, checked_repeat(repeat)
    digest = hashlib.sha256(f"{path}\n".encode() + msgspec.json.encode(new)).hexdigest()

    def once(connection: Connection) -> Outcome:
        keyring.take_turn(connection)
        if not replays.claim(connection, account, key, now):
            done = replays.recall(connection, account, key, now)
            if done is None or done.digest != digest:
                raise KeyReused(REUSED)
            return Outcome(done.subject.encode(), replayed=True)
        body = msgspec.json.encode(work(connection))
        done = Done(digest=digest, nonce="", subject=body.decode())
        replays.settle(connection, account, key, done)
        return Outcome(body)

    return once
