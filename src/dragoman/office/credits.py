"""Accounts and their credit: open a prepaid one, add credit, pay it back, show it.

A use case is a unit of work, which a server gives to `Database.run` and a command to
`Database.run_now`. Each change of credit carries a reference: with the same one it is
done once, however often it is asked for.
"""

import re
import secrets
import string

from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import audit, keyring
from dragoman.access.audit import Act
from dragoman.access.types import Reset
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import NanoUsd, usd
from dragoman.ledger import entries, leases
from dragoman.ledger.purses import Balance, purse_of_account
from dragoman.ledger.types import Account, Code, Entry, House
from dragoman.office.limits import tell_users
from dragoman.store.sql import Work

NAME_LENGTH = 100
REFERENCE = re.compile(r"[!-~]{1,255}")
ID_LETTERS = string.digits + string.ascii_lowercase
ID_RANDOM = 12
MOST_FEE_PPM = 1_000_000
CLI = "cli"


class Statement(Struct, frozen=True, kw_only=True):
    """What an account was given, what it used, and what is left. In nano-USD.

    `reserved` is set aside for requests under way; `free` what neither is nor will be
    used by them, None for a postpaid account, which nothing is refused for.
    """

    account: Account
    credits: NanoUsd
    usage: NanoUsd
    reserved: NanoUsd = NanoUsd(0)
    free: NanoUsd | None = None


class Movement(Struct, frozen=True, kw_only=True):
    """Credit that was added or paid back. `repeated`: it had been, under its reference."""

    reference: str
    amount: NanoUsd
    repeated: bool
    statement: Statement


class CreditTotals(Struct, frozen=True, kw_only=True):
    """The `data` object of `GET /credits`, in USD (OpenRouter's OpenAPI document)."""

    total_credits: float
    total_usage: float


class CreditsBody(Struct, frozen=True):
    """The whole body."""

    data: CreditTotals


def open_prepaid(
    name: str, *, free_credit: NanoUsd, now: float, fee_ppm: int = 0, by: str = CLI
) -> Work[Statement]:
    """Open a prepaid account that begins with some credit. `by` is who does it, for the audit log.

    Raises InvalidRequest for its name and its fee.
    """
    _check_fee(fee_ppm)
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InvalidRequest(f"An account's name has 1 to {NAME_LENGTH} printable characters")
    id_ = "acct_" + "".join(secrets.choice(ID_LETTERS) for _ in range(ID_RANDOM))

    def work(connection: Connection) -> Statement:
        keyring.take_turn(connection)
        made = Account(id=id_, kind="prepaid", name=name, created_at=now, fee_ppm=fee_ppm)
        entries.add_account(connection, made)
        leases.set_limit(connection, purse_of_account(id_), 0)
        if free_credit:
            _credit(connection, made, _given(id_, free_credit, Code.GRANT, f"free:{id_}"), now)
        keyring.touch(connection, id_)
        detail = {"name": name, "fee_ppm": fee_ppm, "free_credit_nanos": free_credit}
        act = Act(actor=by, at=now)
        audit.append(connection, act, "account.create", f"account:{id_}", detail)
        return _statement(connection, id_)

    return work


def add(
    account: str,
    amount: NanoUsd,
    *,
    reference: str | None,
    grant: bool,
    now: float,
    by: str = CLI,
) -> Work[Movement]:
    """Add credit that was paid for, or that is given away (`grant`).

    Raises Conflict for a reference that was used for another amount or account,
    NotFound for an account that does not exist.
    """
    code = Code.GRANT if grant else Code.TOP_UP
    given = _given(account, amount, code, _reference(reference))

    def work(connection: Connection) -> Movement:
        return _moved(connection, given, account, Act(actor=by, at=now))

    return work


def refund(
    account: str, amount: NanoUsd, *, reference: str | None, now: float, by: str = CLI
) -> Work[Movement]:
    """Pay credit back: what is neither used nor reserved. Raises as `add` does."""
    back = Entry(
        debit=account,
        credit=House.CASH,
        amount_nanos=amount,
        code=Code.REFUND,
        reference=_reference(reference),
    )

    def work(connection: Connection) -> Movement:
        return _moved(connection, back, account, Act(actor=by, at=now))

    return work


def set_fee(account: str, fee_ppm: int, act: Act) -> Work[Statement]:
    """Change what an account pays on top of what its requests cost, in millionths.

    It counts for requests that begin once their workers have heard of it, within a second.
    Raises InvalidRequest for a fee below 0 or above MOST_FEE_PPM and for an account of the
    house, NotFound for one that does not exist.
    """
    _check_fee(fee_ppm)

    def work(connection: Connection) -> Statement:
        keyring.take_turn(connection)
        owner = entries.find_account(connection, account)
        if owner.kind == "house":
            raise InvalidRequest(f"{account} is an account of the house, which pays no fee")
        if owner.fee_ppm != fee_ppm:
            entries.set_fee(connection, account, fee_ppm)
            keyring.touch(connection, account)
            detail = {"fee_ppm": [owner.fee_ppm, fee_ppm]}
            audit.append(connection, act, "account.update", f"account:{account}", detail)
        return _statement(connection, account)

    return work


def set_user_limit(
    account: str, limit: int | None, reset: Reset | None, act: Act
) -> Work[Statement]:
    """Change what each end user may spend of the account's keys that do not say it themselves.

    In nano-USD, for each window that `reset` names, else for good; None: no limit. Raises
    InvalidRequest for an account of the house, NotFound for one that does not exist.
    """

    def work(connection: Connection) -> Statement:
        keyring.take_turn(connection)
        owner = entries.find_account(connection, account)
        if owner.kind == "house":
            raise InvalidRequest(f"{account} is an account of the house, which has no users")
        before = owner.user_limit_nanos, owner.user_limit_reset
        if before != (limit, reset):
            # Purses before accounts: that is the order in which usage is booked.
            leases.lock_purses(connection, leases.leased(connection, "user:"))
            entries.set_user_limit(connection, account, limit, reset)
            keyring.touch(connection, account)
            tell_users(connection)
            said = zip(
                ("user_limit_nanos", "user_limit_reset"), before, (limit, reset), strict=True
            )
            detail = {name: [was, now] for name, was, now in said if was != now}
            audit.append(connection, act, "account.update", f"account:{account}", detail)
        return _statement(connection, account)

    return work


def statement(account: str) -> Work[Statement]:
    """Show an account. Raises NotFound."""
    return lambda connection: _statement(connection, account)


def statements(connection: Connection) -> tuple[Statement, ...]:
    """Show all accounts but those of the house."""
    accounts = entries.every_account(connection)
    return tuple(_statement(connection, each.id) for each in accounts if each.kind != "house")


def statements_page(offset: int, limit: int) -> Work[tuple[tuple[Statement, ...], int]]:
    """Show a page of these, oldest first, and say how many there are."""

    def work(connection: Connection) -> tuple[tuple[Statement, ...], int]:
        found, total = entries.customers(connection, offset, limit)
        return tuple(_statement(connection, each.id) for each in found), total

    return work


def credits_body(shown: Statement) -> CreditsBody:
    """Return the body of `GET /credits`."""
    totals = CreditTotals(total_credits=usd(shown.credits), total_usage=usd(shown.usage))
    return CreditsBody(totals)


def _moved(connection: Connection, moved: Entry, account: str, act: Act) -> Movement:
    keyring.take_turn(connection)
    owner = entries.find_account(connection, account)
    if owner.kind == "house":
        raise InvalidRequest(f"{account} is an account of the house, which has no credit")
    if owner.closed_at is not None:
        raise InvalidRequest(f"The account {account} is closed")
    fresh = _credit(connection, owner, moved, act.at)
    if fresh:
        keyring.touch(connection, account)  # what was bought is known of each of its keys
        detail = {"amount_nanos": moved.amount_nanos, "reference": moved.reference}
        action = f"account.{moved.code.value}"
        audit.append(connection, act, action, f"account:{account}", detail)
    return Movement(
        reference=moved.reference,
        amount=moved.amount_nanos,
        repeated=not fresh,
        statement=_statement(connection, account),
    )


def _credit(connection: Connection, owner: Account, moved: Entry, now: float) -> bool:
    """Book a change of credit and move the limit of the account's purse with it.

    Credit that was given is checked against nothing; what is paid back must be free
    once the entry is known to be new, and all is undone if it is not.
    """
    held = purse_of_account(owner.id)
    leases.lock_purses(connection, [held.id])
    if not entries.transfer(connection, moved, now):
        return False
    by = moved.amount_nanos if moved.credit == owner.id else -moved.amount_nanos
    if by < 0:
        _check_free(connection, owner, -by)
    if owner.kind == "prepaid":
        leases.raise_limit(connection, held, by)
    return True


def _check_fee(fee_ppm: int) -> None:
    if not 0 <= fee_ppm <= MOST_FEE_PPM:
        raise InvalidRequest(f"A fee is from 0 to {MOST_FEE_PPM:,} millionths of the cost")


def _check_free(connection: Connection, owner: Account, amount: int) -> None:
    if owner.kind == "prepaid":
        held = leases.balance(connection, purse_of_account(owner.id).id) or Balance(0)
        left = held.free or 0
    else:
        left = entries.find_account(connection, owner.id).balance_nanos + amount
    if amount > left:
        raise InvalidRequest(
            f"{owner.id} has {max(0, left) / 10**9:.9f} USD that are neither used nor reserved, "
            f"so that {amount / 10**9:.9f} USD cannot be paid back"
        )


def _statement(connection: Connection, account: str) -> Statement:
    owner = entries.find_account(connection, account)
    given = entries.credited(connection, account)
    usage = NanoUsd(given - owner.balance_nanos)
    held = leases.balance(connection, purse_of_account(account).id)
    if owner.kind != "prepaid" or held is None or held.free is None:
        return Statement(account=owner, credits=given, usage=usage)
    return Statement(
        account=owner,
        credits=given,
        usage=usage,
        reserved=NanoUsd(held.leased),
        free=NanoUsd(held.free),
    )


def _given(account: str, amount: NanoUsd, code: Code, reference: str) -> Entry:
    return Entry(
        debit=House.GRANTS if code is Code.GRANT else House.CASH,
        credit=account,
        amount_nanos=amount,
        code=code,
        reference=reference,
    )


def _reference(wanted: str | None) -> str:
    """Return the reference as given, or a new one, which nobody can repeat."""
    if wanted is None:
        return f"by-hand:{secrets.token_hex(8)}"
    if not REFERENCE.fullmatch(wanted):
        raise InvalidRequest("A reference has 1 to 255 printable ASCII characters, and no blanks")
    return wanted
