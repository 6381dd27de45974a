"""The gate before a real database: other processes, forgers, and a database that is gone."""

import asyncio
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from dragoman.access import gate as gates
from dragoman.access import keyring, pulse
from dragoman.access.gate import Gate
from dragoman.access.options import AccessOptions
from dragoman.access.tables import api_key
from dragoman.access.types import Grant
from dragoman.core import ids
from dragoman.core.clock import Clock
from dragoman.core.errors import Unauthenticated, Unavailable
from dragoman.ledger import leases
from dragoman.ledger.purses import Balance, key_scope, purse
from dragoman.office import keys
from dragoman.office.keeper import LocalKeeper
from dragoman.office.premises import open_premises
from dragoman.records.reader import KeyUsage
from dragoman.store.custody import Pepper
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database, Work
from dragoman.store.sqlite import SqliteDatabase
from tests.postgres import open_database

PREFIX = "sk-dm-v1-"

REVOKE = """
import sys
from pathlib import Path
from dragoman.office import keys
from dragoman.office.premises import open_homes
from dragoman.store.options import DatabaseOptions

data, change, key, schema, *url = sys.argv[1:]
home = open_homes(Path(data), DatabaseOptions(url=url[0] if url else None, schema=schema))[0]
home.database.run_now(getattr(keys, change)(key, 1.0))
home.database.close()
"""


@pytest.fixture
def keeper(ledger: Database) -> LocalKeeper:
    return LocalKeeper(ledger)


@pytest.fixture
async def gate(
    keeper: LocalKeeper, pepper: Pepper, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Gate]:
    monkeypatch.setattr(pulse, "HASTY_S", 10.0)  # the machine may be busy with other tests
    gate = Gate(keeper, pepper, Clock(), AccessOptions())
    watching = asyncio.create_task(gate.watch())
    yield gate
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)


def make(ledger: Database, pepper: Pepper) -> str:
    text, _ = ledger.run_now(keys.create("laptop", prefix=PREFIX, pepper=pepper, now=0.0))
    return text


async def refused(gate: Gate, text: str) -> None:
    """Return once the key is refused."""
    async with asyncio.timeout(30):
        while True:
            try:
                await gate.admit(f"Bearer {text}", None)
            except Unauthenticated:
                return
            await asyncio.sleep(0.01)


async def test_a_key_from_the_database_is_admitted(
    ledger: Database, pepper: Pepper, gate: Gate
) -> None:
    text = make(ledger, pepper)
    assert (await gate.admit(f"Bearer {text}", None)).key_hash == ids.key_hash(text)


@pytest.mark.parametrize("change", ["disable", "revoke"])
async def test_what_another_process_does_to_a_key_acts_on_a_warm_gate(
    ledger: Database,
    state: DatabaseOptions,
    path: Path,
    pepper: Pepper,
    gate: Gate,
    change: str,
) -> None:
    text = make(ledger, pepper)
    await gate.admit(f"Bearer {text}", None)
    server = [state.server] if state.server else []
    command = [sys.executable, "-c", REVOKE, str(path.parent), change, "laptop", state.schema]
    await asyncio.to_thread(subprocess.run, [*command, *server], check=True)
    await refused(gate, text)


async def test_a_key_enabled_again_is_admitted_again(
    ledger: Database, pepper: Pepper, gate: Gate
) -> None:
    text = make(ledger, pepper)
    await ledger.run(keys.disable("laptop", 1.0))
    await refused(gate, text)
    await ledger.run(keys.enable("laptop", 2.0))
    async with asyncio.timeout(30):
        while True:
            try:
                await gate.admit(f"Bearer {text}", None)
            except Unauthenticated:
                await asyncio.sleep(0.01)
            else:
                break


@pytest.mark.parametrize("verifier", ["", "0" * 64, "ü"])
async def test_who_can_write_to_the_database_still_cannot_mint_a_key(
    ledger: Database, gate: Gate, verifier: str
) -> None:
    text = ids.new_key(PREFIX)
    row = {
        "hash": ids.key_hash(text),
        "verifier": verifier,
        "name": "forged",
        "label": "forged",
        "created_at": 0.0,
        "disabled": False,
        "changed_epoch": 1,
    }
    await ledger.run(lambda connection: connection.execute(insert(api_key).values(row)))
    with pytest.raises(Unauthenticated):
        await gate.admit(f"Bearer {text}", None)


async def test_a_verifier_of_another_key_does_not_fit(
    ledger: Database, pepper: Pepper, keeper: LocalKeeper
) -> None:
    text, other = make(ledger, pepper), make(ledger, pepper)
    swap = update(api_key).where(api_key.c.hash == ids.key_hash(text))
    await ledger.run(lambda c: c.execute(swap.values(verifier=pepper.sign(other))))
    assert await keeper.key(ids.key_hash(text), pepper.sign(text)) is None


@pytest.mark.parametrize("to", [1, 100])
async def test_a_limit_that_changes_while_its_key_is_looked_up_is_not_put_back(
    ledger: Database,
    pepper: Pepper,
    keeper: LocalKeeper,
    monkeypatch: pytest.MonkeyPatch,
    to: int,
) -> None:
    grant = Grant(limit_nanos=10)
    making = keys.create("laptop", prefix=PREFIX, pepper=pepper, now=0.0, grant=grant)
    _, key = ledger.run_now(making)
    read = ledger.read

    async def outrun(work: Work[Any]) -> Any:
        found = await read(work)
        changed = keys.Limits(key=keys.Limit(nanos=to))
        ledger.run_now(keys.limit(key.hash, changed, KeyUsage(), 1.0))
        return found

    monkeypatch.setattr(ledger, "read", outrun)
    admitted = await keeper.key(key.hash, key.verifier)
    assert admitted is not None
    assert (admitted.key.limit_nanos, admitted.funds is not None) == (to, True)
    opened = purse(key_scope(key.hash), "total", 0.0).id
    assert ledger.run_now(lambda found: leases.balance(found, opened)) == Balance(to)
    assert await keeper.key(key.hash, "f" * 64) is None


async def test_a_purse_that_what_was_booked_has_opened_gets_the_limit_of_its_key(
    ledger: Database, pepper: Pepper, keeper: LocalKeeper
) -> None:
    grant = Grant(limit_nanos=10)
    making = keys.create("laptop", prefix=PREFIX, pepper=pepper, now=0.0, grant=grant)
    _, key = ledger.run_now(making)
    opened = purse(key_scope(key.hash), "total", 0.0)
    ledger.run_now(lambda found: leases.ensure(found, opened, None))
    admitted = await keeper.key(key.hash, key.verifier)
    assert admitted is not None
    assert admitted.funds is not None
    assert admitted.funds.purses == (opened.id,)
    assert ledger.run_now(lambda found: leases.balance(found, opened.id)) == Balance(10)


async def test_a_database_that_cannot_tell_is_503_and_not_401(
    tmp_path: Path, pepper: Pepper
) -> None:
    missing = SqliteDatabase(tmp_path / "nowhere" / "ledger.db", synchronous="FULL")
    gate = Gate(LocalKeeper(missing), pepper, Clock(), AccessOptions())
    with pytest.raises(Unavailable):
        await gate.admit(f"Bearer {ids.new_key(PREFIX)}", None)
    missing.close()


async def test_changes_of_two_nodes_get_epochs_of_their_own_and_none_is_missed(
    ledger: Database, state: DatabaseOptions, path: Path, pepper: Pepper
) -> None:
    other = open_database(state, path)
    seen, since = set[str](), 0
    done = asyncio.Event()

    async def watch() -> None:
        nonlocal since
        while True:
            last = done.is_set()
            changes = await ledger.read(keyring.changes(since))
            since = changes.epoch
            seen.update(changes.keys)
            if last:
                return

    async def change(database: Database) -> None:
        for n in range(15):
            make = keys.create(f"key {n}", prefix=PREFIX, pepper=pepper, now=0.0)
            while True:
                try:
                    await database.run(make)
                except Unavailable:
                    continue
                break

    watching = asyncio.create_task(watch())
    await asyncio.gather(change(ledger), change(other))
    done.set()
    await watching
    other.close()
    every = await ledger.read(keyring.every_key)
    assert seen == {key.hash for key in every}
    epochs = select(api_key.c.changed_epoch).order_by(api_key.c.changed_epoch)
    assert await ledger.read(lambda c: c.execute(epochs).scalars().all()) == [*range(1, 31)]


async def test_a_key_that_one_node_revokes_is_refused_by_the_other_as_soon_as_it_is_told(
    postgres_state: DatabaseOptions, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "POLL_S", 3600.0)
    here = open_premises(tmp_path, postgres_state)
    there = open_premises(tmp_path, postgres_state)
    gate = Gate(LocalKeeper(there.ledger), there.pepper, Clock(), AccessOptions())
    watching = asyncio.create_task(gate.watch())
    text = make(here.ledger, here.pepper)
    await gate.admit(f"Bearer {text}", None)
    await here.ledger.run(keys.revoke("laptop", 1.0))
    await refused(gate, text)
    watching.cancel()
    await asyncio.gather(watching, return_exceptions=True)
    here.close()
    there.close()


class Frozen(SqliteDatabase):
    """A database that does not answer who reads."""

    async def read(self, _: Work[Any]) -> Any:
        await asyncio.Event().wait()


async def test_a_lease_waits_for_less_than_a_report_may(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.office.keeper.READ_S", 0.01)
    database = Frozen(tmp_path / "frozen.db", synchronous="NORMAL")
    try:
        with pytest.raises(Unavailable, match="did not answer"):
            await LocalKeeper(database).purse_changes(0)
    finally:
        database.close()
