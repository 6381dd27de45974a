"""Changes of the management API that come at once: none undoes another, or stands in its way."""

import asyncio
from collections.abc import Callable
from itertools import count
from pathlib import Path
from typing import Any

from dragoman.access import keyring, own_credentials
from dragoman.access.audit import Act
from dragoman.access.types import Grant, Key, OwnCredential, Reset
from dragoman.access.vault import Vault
from dragoman.catalog.types import Catalog
from dragoman.core.money import NanoUsd
from dragoman.ledger import entries, leases, settle
from dragoman.ledger.proof import prove
from dragoman.ledger.types import DEFAULT
from dragoman.office import account_settings, byok, key_admin, keys, members
from dragoman.office import credits as office
from dragoman.office.account_settings import AccountChange
from dragoman.office.byok_bodies import ByokChange
from dragoman.office.key_admin import Manager, Mint
from dragoman.office.key_bodies import KeyChange, NewKey, amended
from dragoman.office.keys import Limit, Limits
from dragoman.office.members import MemberChange, NewMember
from dragoman.records.reader import KeyUsage
from dragoman.store.custody import Pepper
from dragoman.store.kek import KekFile
from dragoman.store.sql import Database, Work
from tests.ledger.books import ended

ACT = Act(actor="test", at=2.0)
BOSS = Manager(DEFAULT, ACT)
CATALOG = Catalog(models={}, providers={})
ROUNDS = 8
UNUSED = KeyUsage()


def made(ledger: Database, pepper: Pepper) -> Key:
    return ledger.run_now(keys.create("k", prefix="sk-", pepper=pepper, now=1.0))[1]


def changed(key: Key, **said: Any) -> Work[Key]:
    change = KeyChange(**said)
    return key_admin.amend(key.hash, lambda old: amended(old, change, CATALOG), BOSS, UNUSED)


async def together(ledger: Database, *works: Work[Any]) -> list[Any]:
    return await asyncio.gather(*[ledger.run(work) for work in works])


async def test_changes_of_a_key_at_once_undo_nothing(ledger: Database, pepper: Pepper) -> None:
    key = made(ledger, pepper)
    for each in range(1, ROUNDS):
        to = Limits(key=Limit(nanos=each))
        await together(
            ledger,
            changed(key, name=f"n{each}"),
            changed(key, rpm=each),
            keys.limit(key.hash, to, UNUSED, 2.0),
        )
        now = ledger.run_now(keyring.by_hash(key.hash))
        assert now is not None
        assert (now.name, now.rpm, now.limit_nanos) == (f"n{each}", each, each)
    last = (changed(key, name="late"), key_admin.delete(key.hash, BOSS), changed(key, rpm=9))
    await asyncio.gather(*[ledger.run(work) for work in last], return_exceptions=True)
    gone = ledger.run_now(keyring.by_hash(key.hash))
    assert gone is not None
    assert gone.revoked_at is not None


async def test_changes_of_a_credential_at_once_undo_nothing(
    ledger: Database, tmp_path: Path
) -> None:
    vault = Vault(KekFile(tmp_path / "kek"))
    row = OwnCredential(
        id="own", account=DEFAULT, provider="acme", origin="http://x", label="l", created_at=1.0
    )
    ledger.run_now(lambda connection: own_credentials.add(connection, row))

    def change(**said: Any) -> Work[OwnCredential]:
        return byok.amend("own", ByokChange(**said), CATALOG, vault, BOSS)

    for each in range(1, ROUNDS):
        fallback = bool(each % 2)
        await together(ledger, change(name=f"n{each}"), change(is_fallback=fallback))
        now = ledger.run_now(byok.one("own", DEFAULT))
        assert (now.name, now.is_fallback) == (f"n{each}", fallback)


async def test_changes_of_an_account_at_once_undo_nothing(ledger: Database) -> None:
    for each in range(1, ROUNDS):
        reset: Reset = "daily" if each % 2 else "weekly"
        await together(
            ledger,
            account_settings.amend(DEFAULT, AccountChange(user_limit=float(each)), ACT),
            account_settings.amend(DEFAULT, AccountChange(user_limit_reset=reset), ACT),
        )
        now = ledger.run_now(lambda connection: entries.find_account(connection, DEFAULT))
        assert (now.user_limit_nanos, now.user_limit_reset) == (each * 10**9, reset)


async def test_a_request_that_is_repeated_while_it_runs_makes_one_key(
    ledger: Database, pepper: Pepper
) -> None:
    mint = Mint("sk-", pepper)
    for each in range(ROUNDS):
        one = [key_admin.make(NewKey(name="k"), Grant(), mint, BOSS, f"r{each}") for _ in range(4)]
        found = await asyncio.gather(*[ledger.run(work) for work in one])
        assert len({each.text for each in found}) == 1
        assert sorted(each.replayed for each in found) == [False, True, True, True]


async def test_changes_of_limits_and_credit_do_not_stop_each_other(
    ledger: Database, pepper: Pepper
) -> None:
    opened = office.open_prepaid("Acme", free_credit=NanoUsd(1000), now=1.0)
    account = ledger.run_now(opened).account.id
    key = made(ledger, pepper)
    new = NewMember(email="a@example.com", name="a", limit=1.0)
    member = ledger.run_now(members.add(new, BOSS))
    user = f"user:{key.hash}:a|total|0"
    ledger.run_now(leases.open_journal("life", "node", 0.0))
    ledger.run_now(leases.take("life", {user: 100}, 0.0, {user: 1000}))
    numbers = count(1)

    def some(kind: Callable[[int], Work[Any]]) -> list[Work[Any]]:
        return [kind(next(numbers)) for _ in range(ROUNDS)]

    def used(offset: int) -> Work[Any]:
        return settle.apply("life", [ended(offset, 1, user)], offset, 2.0)

    def paid(number: int) -> Work[Any]:
        reference = f"r{number}"
        return office.add(account, NanoUsd(1), reference=reference, grant=False, now=2.0)

    works = [
        *some(lambda n: members.amend(member.id, MemberChange(limit=float(n)), BOSS, UNUSED)),
        *some(paid),
        *some(lambda n: changed(key, limit=float(n), user_limit=float(n))),
        *some(lambda n: office.set_user_limit(DEFAULT, n, None, ACT)),
        *some(lambda n: office.open_prepaid(f"n{n}", free_credit=NanoUsd(1), now=2.0)),
    ]
    mixed = [works[at] for start in range(ROUNDS) for at in range(start, len(works), ROUNDS)]
    booked = asyncio.create_task(in_turn(ledger, [used(n) for n in range(1, ROUNDS)]))
    await together(ledger, *mixed)
    await booked
    assert ledger.run_now(prove).holds
    shown = ledger.run_now(office.statement(account))
    assert shown.credits == 1000 + ROUNDS


async def in_turn(ledger: Database, works: list[Work[Any]]) -> None:
    for work in works:
        await ledger.run(work)
