"""The restore drill: a backup made under load, restored into an empty place, on either database."""

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from msgspec.structs import replace
from sqlalchemy import Connection, func, select, text

from dragoman.access import own_credentials
from dragoman.access.types import OwnCredential
from dragoman.core.ids import key_hash
from dragoman.core.secret import Secret
from dragoman.office import backup, keys
from dragoman.office.backup import Manifest, NotEmpty, back_up, restore
from dragoman.office.keeper import LocalKeeper
from dragoman.office.premises import (
    PEPPER,
    Home,
    Premises,
    close,
    open_homes,
    open_premises,
    upgrade,
)
from dragoman.records.reader import Reader, Wanted
from dragoman.records.recorder import store
from dragoman.records.tables import generation, key_usage
from dragoman.store.bundle import Damaged, reading
from dragoman.store.custody import CustodyError
from dragoman.store.dump import Misfit, contents
from dragoman.store.migrations import Migration, NewerDatabase, steps
from dragoman.store.options import DatabaseOptions
from tests import postgres
from tests.records.samples import FULL, NOON, sample

PREFIX = "sk-dm-v1-"
MINT = Migration(1, "coins", ("CREATE TABLE coin (n INTEGER)",))
MARK = Migration(
    2, "marks", ("ALTER TABLE coin ADD COLUMN mark TEXT", "UPDATE coin SET mark = 'old'")
)


@pytest.fixture
def state(furnished: DatabaseOptions) -> DatabaseOptions:
    return furnished


@pytest.fixture(params=["sqlite", "postgresql"])
def target(request: pytest.FixtureRequest) -> Iterator[DatabaseOptions]:
    """Another place, of the same kind or the other."""
    if request.param == "sqlite":
        yield DatabaseOptions()
        return
    with postgres.schema(request.getfixturevalue("postgres_url")) as options:
        yield options


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "backup.tar"


@pytest.fixture
def source(tmp_path: Path, state: DatabaseOptions) -> Iterator[Premises]:
    premises = open_premises(tmp_path / "source", state)
    yield premises
    premises.close()


def make_key(premises: Premises, name: str = "laptop") -> str:
    make = keys.create(name, prefix=PREFIX, pepper=premises.pepper, now=0.0)
    return premises.ledger.run_now(make)[0]


def save(premises: Premises, state: DatabaseOptions, file: Path) -> Manifest:
    homes = open_homes(premises.path, state)
    try:
        return back_up(homes, premises.path / PEPPER, file, NOON)
    finally:
        close(homes)


def bring_back(file: Path, data: Path, options: DatabaseOptions, *, force: bool = False) -> None:
    data.mkdir(exist_ok=True)
    homes = open_homes(data, options)
    try:
        with reading(file) as bundle:
            restore(bundle, homes, data / PEPPER, NOON, force=force)
    finally:
        close(homes)


async def test_what_was_there_is_there_again(
    source: Premises, state: DatabaseOptions, target: DatabaseOptions, file: Path, tmp_path: Path
) -> None:
    texts = [make_key(source, "laptop"), make_key(source, "revoked")]
    source.ledger.run_now(keys.revoke("revoked", 1.0))
    made = [replace(FULL, key_hash=key_hash(texts[0]), title='it\'s "ü" 🐲\n'), sample(2)]
    source.records.run_now(lambda connection: store(connection, made))
    manifest = save(source, state, file)
    assert {table.table for table in manifest.tables} >= {"api_key", "generation", "key_usage"}

    bring_back(file, tmp_path / "target", target)
    restored = open_premises(tmp_path / "target", target)
    keeper, pepper = LocalKeeper(restored.ledger), restored.pepper
    known = [await keeper.key(key_hash(each), pepper.sign(each)) for each in texts]
    assert [each.key.name if each else None for each in known] == ["laptop", None]
    assert restored.ledger.run_now(keys.every) == source.ledger.run_now(keys.every)
    before, after = Reader(source.records), Reader(restored.records)
    assert await after.latest(Wanted(), 10) == await before.latest(Wanted(), 10)
    assert await after.usage(made[0].key_hash, NOON) == await before.usage(made[0].key_hash, NOON)
    make_key(restored, "one more")
    restored.close()


def test_a_backup_under_load_holds_one_moment(
    source: Premises, state: DatabaseOptions, file: Path, tmp_path: Path
) -> None:
    done, written = threading.Event(), [0]

    def write() -> None:
        while not done.is_set():
            first = written[0]
            source.records.run_now(
                partial(store, made=[sample(n) for n in range(first, first + 20)])
            )
            written[0] += 20

    writing = threading.Thread(target=write)
    writing.start()
    try:
        for number in range(3):
            least = written[0]
            save(source, state, file.with_name(f"{number}.tar"))
            most = written[0] + 20
            place = tmp_path / f"target-{number}"
            bring_back(file.with_name(f"{number}.tar"), place, DatabaseOptions())
            restored = open_premises(place)
            count = restored.records.run_now(
                lambda c: c.execute(select(func.count()).select_from(generation)).scalar_one()
            )
            used = restored.records.run_now(
                lambda c: c.execute(select(func.sum(key_usage.c.requests))).scalar() or 0
            )
            restored.close()
            assert count == used
            assert least <= count <= most
    finally:
        done.set()
        writing.join()


def test_what_is_there_is_not_replaced_unless_forced(
    source: Premises, state: DatabaseOptions, target: DatabaseOptions, file: Path, tmp_path: Path
) -> None:
    kept = make_key(source, "kept")
    save(source, state, file)
    place = tmp_path / "target"
    live = open_premises(place, target)
    make_key(live, "live")
    live.close()
    with pytest.raises(NotEmpty):
        bring_back(file, place, target)
    live = open_premises(place, target)
    assert [key.name for key in live.ledger.run_now(keys.every)] == ["live"]
    old = live.pepper.sign("x")
    live.close()

    bring_back(file, place, target, force=True)
    again = open_premises(place, target)
    assert [key.hash for key in again.ledger.run_now(keys.every)] == [key_hash(kept)]
    assert again.pepper.sign("x") == source.pepper.sign("x") != old
    again.close()
    assert (place / f"{PEPPER}.old").exists(), "a pepper is never thrown away"


def test_journals_of_another_installation_are_not_left_to_be_booked(
    source: Premises, state: DatabaseOptions, target: DatabaseOptions, file: Path, tmp_path: Path
) -> None:
    make_key(source)
    save(source, state, file)
    place = tmp_path / "target"
    open_premises(place, target).close()
    journals = place / "journal"
    journals.mkdir()
    bring_back(file, place, target, force=True)
    assert not journals.exists()
    assert (place / "journal.old-1").exists()
    journals.mkdir()
    (place / PEPPER).write_text("ab" * 32, encoding="ascii")
    bring_back(file, place, target, force=True)
    assert journals.exists(), "an earlier state of this installation catches up by its journals"


async def test_a_server_that_runs_on_sees_what_was_restored(
    source: Premises, state: DatabaseOptions, file: Path
) -> None:
    make_key(source, "kept")
    save(source, state, file)
    lost = make_key(source, "made later")
    assert (await LocalKeeper(source.ledger).changes(0)).epoch == 2
    bring_back(file, source.path, state, force=True)
    assert (await LocalKeeper(source.ledger).changes(0)).epoch == 1
    keeper = LocalKeeper(source.ledger)
    assert await keeper.key(key_hash(lost), source.pepper.sign(lost)) is None


def homes_of(data: Path, options: DatabaseOptions, *mint: Migration) -> tuple[Home, ...]:
    """Return the databases, in one of which there is one more room."""
    data.mkdir(exist_ok=True)
    first, *rest = open_homes(data, options)
    return (replace(first, rooms=(*first.rooms, ("mint", mint))), *rest)


def test_a_backup_of_an_earlier_release_is_brought_to_todays_shape(
    state: DatabaseOptions, target: DatabaseOptions, file: Path, tmp_path: Path
) -> None:
    open_premises(tmp_path / "source", state).close()
    old = homes_of(tmp_path / "source", state, MINT)
    for home in old:
        upgrade(home, 0.0)
    old[0].database.run_now(lambda c: c.execute(text("INSERT INTO coin VALUES (7)")))
    back_up(old, tmp_path / "source" / PEPPER, file, NOON)
    close(old)
    new = homes_of(tmp_path / "target", target, MINT, MARK)
    with reading(file) as bundle:
        restore(bundle, new, tmp_path / "target" / PEPPER, NOON, force=False)
    found = new[0].database.run_now(lambda c: c.execute(text("SELECT * FROM coin")).all())
    assert [tuple(row) for row in found] == [(7, "old")]
    assert new[0].database.run_now(steps)["mint"] == 2
    close(new)


def test_a_backup_of_a_later_release_is_refused_and_nothing_changes(
    state: DatabaseOptions, file: Path, tmp_path: Path
) -> None:
    open_premises(tmp_path / "source", state).close()
    new = homes_of(tmp_path / "source", state, MINT)
    for home in new:
        upgrade(home, 0.0)
    back_up(new, tmp_path / "source" / PEPPER, file, NOON)
    close(new)
    with pytest.raises(NewerDatabase, match="later"):
        bring_back(file, tmp_path / "target", DatabaseOptions(), force=True)
    assert not [each for each in (tmp_path / "target").iterdir() if each.stat().st_size]


@pytest.mark.parametrize("what", ["columns", "values", "table", "form"])
def test_a_backup_that_does_not_fit_leaves_everything_as_it_was(
    source: Premises,
    state: DatabaseOptions,
    file: Path,
    what: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    make_key(source, "kept")
    match what:
        case "columns":
            monkeypatch.setattr(
                backup, "contents", lambda t: replace(contents(t), columns=("other",))
            )
        case "values":
            monkeypatch.setattr(backup, "lines", lambda *_: [b"[1]\n"])
        case "table":
            monkeypatch.setattr(backup, "contents", lambda t: replace(contents(t), table="other"))
            monkeypatch.setattr(backup, "_member", lambda _: "tables/other.jsonl")
        case "form":
            monkeypatch.setattr(backup, "lines", lambda *_: [b"not JSON\n"])
    try:
        save(source, state, file)
    finally:
        monkeypatch.undo()
    with pytest.raises((Damaged, Misfit)):
        bring_back(file, source.path, state, force=True)
    assert [key.name for key in source.ledger.run_now(keys.every)] == ["kept"]


def test_a_pepper_that_others_can_read_is_not_backed_up(
    source: Premises, state: DatabaseOptions, file: Path
) -> None:
    (source.path / PEPPER).chmod(0o644)
    with pytest.raises(CustodyError):
        save(source, state, file)
    assert not list(file.parent.glob("*.tar*"))


def test_secrets_that_are_not_those_of_the_databases_are_not_backed_up(
    source: Premises, state: DatabaseOptions, file: Path
) -> None:
    row = OwnCredential(
        id="one", account="default", provider="acme", origin="o", label="l", created_at=0.0
    )
    source.ledger.run_now(lambda c: source.vault.sealed(c, row, Secret("the-secret-of-acme")))
    kek = source.path / "kek"
    kek.rename(file.with_name("kek"))
    with pytest.raises(CustodyError, match="kek does not hold the key"):
        save(source, state, file)
    file.with_name("kek").rename(kek)
    pepper = source.path / PEPPER
    pepper.write_text("ab" * 32, encoding="ascii")
    with pytest.raises(CustodyError, match="is not the pepper that the keys"):
        save(source, state, file)
    assert not list(file.parent.glob("*.tar*"))


async def test_own_credentials_open_after_a_restore(
    source: Premises, state: DatabaseOptions, target: DatabaseOptions, file: Path, tmp_path: Path
) -> None:
    row = OwnCredential(
        id="one", account="default", provider="acme", origin="o", label="l", created_at=0.0
    )

    def keep(connection: Connection) -> None:
        sealed = source.vault.sealed(connection, row, Secret("the-secret-of-acme"))
        own_credentials.add(connection, sealed)

    source.ledger.run_now(keep)
    text = make_key(source)
    save(source, state, file)
    bring_back(file, tmp_path / "target", target)
    restored = open_premises(tmp_path / "target", target)
    keeper = LocalKeeper(restored.ledger)
    known = await keeper.key(key_hash(text), restored.pepper.sign(text))
    assert known is not None
    (byok,) = restored.vault.opened(known.key)
    assert byok.credential.secret.reveal() == "the-secret-of-acme"
    restored.close()
    (tmp_path / "target" / "kek").unlink()
    with pytest.raises(CustodyError, match="kek does not hold the key"):
        open_premises(tmp_path / "target", target)
