"""Charge past generations anew, by a corrected price.

Only what was charged by a price list can be: its version is on record, and the recorded
cost must be what that price makes of the recorded usage, or the part of it that was held
where the house bore the rest. So what a provider reported itself, what was free because
it failed, and what was adjusted by hand stay as they are. What goes on record is what the
account pays by then, so that reports and its balance agree.

The ledger comes first, then the records: a run that was broken off is taken up by the
next, which finds booked what was booked. Each page is a transaction of its own.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import Final

import msgspec
from msgspec import Struct
from sqlalchemy import Connection

from dragoman.access import audit, keyring
from dragoman.access.audit import Act
from dragoman.access.types import Key
from dragoman.catalog import tariff
from dragoman.catalog.types import Price
from dragoman.core.money import NanoUsd
from dragoman.ledger import adjust
from dragoman.ledger.adjust import Adjusted, Settlement
from dragoman.ledger.purses import key_scope, member_scope
from dragoman.ledger.types import Draw
from dragoman.office.listed import is_part, owed, prices_of
from dragoman.records import corrections, prices
from dragoman.records.corrections import Correction, Span
from dragoman.records.types import Generation
from dragoman.store.sql import Database, Work

PAGE: Final = 200

NewPrice = Callable[[str], Price | None]
"""Endpoint id -> the price that should have counted, None where there is none."""


class Skip(StrEnum):
    """Why a generation stays as it is."""

    REPORTED = "its provider reported the cost"
    FREE = "it was free, since it failed or brought nothing"
    NO_VERSION = "the price it was charged at is not on record"
    NO_PRICE = "no corrected price for its endpoint"
    NOT_BY_LIST = "its cost is not what its price makes of it"
    SAME = "it stands at that price already"
    BYOK = "the account's own credential served it"


class Change(Struct, frozen=True, kw_only=True):
    """A generation that would cost something else. `listed` is what it costs at its price."""

    made: Generation
    listed: NanoUsd
    price: Price
    version: str
    owed: NanoUsd


class Line(Struct, frozen=True, kw_only=True):
    """The differences at one endpoint between two prices, summed up, in nano-USD.

    `less` is what goes back, `more` what would have to be charged beyond the price before.
    """

    endpoint: str
    was: str | None
    becomes: str
    generations: int
    charged: int
    owed: int
    less: int
    more: int


class Differences(Struct, frozen=True, kw_only=True):
    """What a corrected price changes, and how many generations it leaves alone, and why."""

    lines: tuple[Line, ...]
    skipped: dict[str, int]


class Done(Struct, frozen=True, kw_only=True):
    """What was booked, in nano-USD: generations changed, given back, charged, and by the house.

    `left` would have cost more, and was not charged.
    """

    booked: int = 0
    given_back: int = 0
    charged: int = 0
    house: int = 0
    left: int = 0


def differences(records: Database, span: Span, new: NewPrice) -> Differences:
    """Return what re-rating would change. Reads only, and blocks."""
    lines: dict[tuple[str, str | None, str], Line] = {}
    skipped: Counter[str] = Counter()
    for batch in _pages(records, span):
        for each in _judged(records, batch, new):
            if isinstance(each, Skip):
                skipped[each] += 1
            else:
                _add(lines, each)
    ordered = tuple(lines[key] for key in sorted(lines, key=str))
    return Differences(lines=ordered, skipped=dict(sorted(skipped.items())))


def rerate(
    homes: tuple[Database, Database], span: Span, new: NewPrice, act: Act, *, charge_more: bool
) -> Done:
    """Book the differences in ledger and records, the two `homes`. Idempotent, and blocks."""
    ledger, records = homes
    totals: Counter[str] = Counter()
    for batch in _pages(records, span):
        changes = [each for each in _judged(records, batch, new) if isinstance(each, Change)]
        if not changes:
            continue
        records.run_now(prices.keep(_versions(changes), act.at))
        keys = ledger.run_now(keyring.by_hashes({each.made.key_hash for each in changes}))
        settlements = [_settlement(each, keys) for each in changes]
        work = adjust.adjust(settlements, act.at, charge_more=charge_more)
        found = ledger.run_now(_told(work, span, act))
        records.run_now(corrections.correct(_corrections(changes, found)))
        totals.update(_totals(found))  # keeps a sum below zero, as + would not
    return _done(totals)


def _pages(records: Database, span: Span) -> Iterator[tuple[Generation, ...]]:
    after = (0.0, "")
    while batch := records.read_now(corrections.page(span, PAGE, after)):
        yield batch
        after = (batch[-1].created_at, batch[-1].id)


def _judged(
    records: Database, batch: tuple[Generation, ...], new: NewPrice
) -> Iterator[Change | Skip]:
    known = prices_of(records, batch)
    for made in batch:
        yield _judge(made, known, new)


def _judge(made: Generation, known: Mapping[str, Price], new: NewPrice) -> Change | Skip:
    if made.is_byok or made.usage.cost_usd is not None:
        return Skip.BYOK if made.is_byok else Skip.REPORTED
    was = known.get(made.price_id or "")
    if was is None and made.price_known:
        return Skip.NO_VERSION if made.cost_nanos or made.price_id else Skip.FREE
    price = new(made.endpoint or "")
    if price is None:
        return Skip.NO_PRICE
    listed = NanoUsd(0) if was is None else owed(made, was)
    if not _is_by_list(made, listed):
        return Skip.NOT_BY_LIST
    version = tariff.version(price)
    if version == made.price_id:
        return Skip.SAME
    return Change(made=made, listed=listed, price=price, version=version, owed=owed(made, price))


def _is_by_list(made: Generation, listed: NanoUsd) -> bool:
    """Say whether a price list made the cost. Beyond what was held, the house bears it."""
    return is_part(made, listed) or made.cost_nanos == listed


def _add(lines: dict[tuple[str, str | None, str], Line], change: Change) -> None:
    made = change.made
    key = (made.endpoint or "", made.price_id, change.version)
    before = lines.get(key) or Line(
        endpoint=key[0],
        was=key[1],
        becomes=key[2],
        generations=0,
        charged=0,
        owed=0,
        less=0,
        more=0,
    )
    lines[key] = msgspec.structs.replace(
        before,
        generations=before.generations + 1,
        charged=before.charged + made.cost_nanos,
        owed=before.owed + change.owed,
        less=before.less + max(0, made.cost_nanos - change.owed),
        more=before.more + max(0, change.owed - change.listed),
    )


def _versions(changes: list[Change]) -> dict[str, bytes]:
    return {each.version: tariff.canonical(each.price) for each in changes}


def _settlement(change: Change, keys: Mapping[str, Key]) -> Settlement:
    made, scopes = change.made, [key_scope(change.made.key_hash)]
    key = keys.get(made.key_hash)
    account = made.account if key is None else key.account
    if key is not None and key.creator is not None:
        scopes.append(member_scope(account, key.creator))
    return Settlement(
        generation=made.id,
        account=account,
        cost=change.listed,
        owed=change.owed,
        price=change.version,
        draws=tuple(Draw(purse, NanoUsd(amount)) for purse, amount in made.draws),
        scopes=tuple(scopes),
        at=made.created_at,
    )


def _corrections(changes: list[Change], found: tuple[Adjusted, ...]) -> list[Correction]:
    """Return what the records are told: all but what would cost more and was not charged."""
    return [
        Correction(
            id=change.made.id,
            created_at=change.made.created_at,
            cost=NanoUsd(each.charged),
            price_id=change.version,
        )
        for change, each in zip(changes, found, strict=True)
        if each.outcome != "left"
    ]


def _told(work: Work[tuple[Adjusted, ...]], span: Span, act: Act) -> Work[tuple[Adjusted, ...]]:
    """Return the work with its entry in the audit log, in one transaction."""

    def both(connection: Connection) -> tuple[Adjusted, ...]:
        keyring.touch(connection)
        found = work(connection)
        done = _done(_totals(found))
        if done.booked:
            told = msgspec.structs.asdict(span) | msgspec.structs.asdict(done)
            subject = f"model:{span.model or '*'}"
            audit.append(connection, act, "prices.rerate", subject, told)
        return found

    return both


def _totals(found: tuple[Adjusted, ...]) -> Counter[str]:
    booked = [each for each in found if each.outcome == "booked"]
    return Counter(
        booked=len(booked),
        given_back=sum(max(0, -each.account) for each in booked),
        charged=sum(max(0, each.account) for each in booked),
        house=sum(each.house for each in booked),
        left=sum(each.outcome == "left" for each in found),
    )


def _done(totals: Counter[str]) -> Done:
    return Done(**{name: totals[name] for name in Done.__struct_fields__})
