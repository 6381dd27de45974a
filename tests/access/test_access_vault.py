"""The vault before a database: who can open what, and what is left when the key is gone."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import asdict, replace

from dragoman.access import byok_tables, migrations, own_credentials
from dragoman.access.types import Known, OwnCredential
from dragoman.access.vault import Vault
from dragoman.core.secret import Secret
from dragoman.store.custody import CustodyError
from dragoman.store.kek import KekFile
from dragoman.store.migrations import migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.postgres import open_database

SECRET = Secret("the-secret-of-acme")
ROW = OwnCredential(
    id="one",
    account="default",
    provider="acme",
    origin="https://acme.test",
    label="the...acme",
    created_at=0.0,
)
PLAIN: Any = {"hash": "h", "verifier": "v", "name": "n", "label": "l", "created_at": 0.0}


@pytest.fixture
def vault(tmp_path: Path) -> Vault:
    return Vault(KekFile(tmp_path / "kek"))


@pytest.fixture
def ledger(tmp_path: Path, state: DatabaseOptions) -> Any:
    database = open_database(state, tmp_path / "ledger.db")
    database.run_now(lambda c: migrate(c, migrations.ROOM, migrations.MIGRATIONS, 0.0))
    database.run_now(lambda c: migrate(c, byok_tables.ROOM, byok_tables.MIGRATIONS, 0.0))
    yield database
    database.close()


@pytest.fixture
def sealed(ledger: Database, vault: Vault) -> OwnCredential:
    return ledger.run_now(lambda connection: vault.sealed(connection, ROW, SECRET))


def known(ledger: Database, *rows: OwnCredential, account: str = "default") -> Known:
    """Return a key as it is looked up, with these credentials."""
    wrapped = ledger.run_now(lambda c: own_credentials.wrapped_key(c, "default"))
    return Known(**PLAIN, account=account, own=rows, data_key=wrapped)


def test_what_was_sealed_opens_with_all_that_routing_needs(
    ledger: Database, vault: Vault, sealed: OwnCredential
) -> None:
    row = replace(sealed, is_fallback=True, allowed_models=("acme/turbo",))
    (byok,) = vault.opened(known(ledger, row))
    assert byok.credential.secret == SECRET
    assert (byok.origin, byok.fallback, byok.required) == ("https://acme.test", True, False)
    assert byok.serves("acme/turbo")
    assert not byok.serves("acme/mini")
    assert SECRET.reveal() not in f"{byok!r} {sealed!r} {byok.credential.id}"


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "https://evil.test"},
        {"provider": "bolt"},
        {"id": "two"},
        {"account": "other"},
        {"version": 2},
        {"sealed": ""},
    ],
)
def test_a_row_that_was_changed_opens_no_more_but_still_counts(
    ledger: Database, vault: Vault, sealed: OwnCredential, changes: dict[str, Any]
) -> None:
    row = replace(sealed, is_required=True, **changes)
    (byok,) = vault.opened(known(ledger, row))
    assert (byok.origin, byok.credential.secret.reveal(), byok.required) == ("", "", True)


def test_the_data_key_of_one_account_is_not_that_of_another(
    ledger: Database, vault: Vault, sealed: OwnCredential
) -> None:
    (byok,) = vault.opened(known(ledger, sealed, account="other"))
    assert byok.origin == ""


def test_filters_by_key_are_applied_when_it_is_opened(
    ledger: Database, vault: Vault, sealed: OwnCredential
) -> None:
    assert vault.opened(known(ledger, replace(sealed, allowed_keys=("h",))))
    assert not vault.opened(known(ledger, replace(sealed, allowed_keys=("other",))))
    assert not vault.opened(known(ledger))


def test_nothing_is_loaded_or_made_where_nobody_brings_anything(tmp_path: Path) -> None:
    vault = Vault(KekFile(tmp_path / "kek"))
    assert vault.opened(Known(**PLAIN)) == ()
    assert [*tmp_path.iterdir()] == []


def test_a_rotation_keeps_secrets_and_drops_the_old_key(
    ledger: Database, vault: Vault, sealed: OwnCredential
) -> None:
    old = known(ledger, sealed)
    before = vault.keks.newest()
    kek, count = ledger.run_now(vault.rotated)
    assert kek is not None
    assert (count, kek.id == before.id) == (1, False)
    (byok,) = vault.opened(known(ledger, sealed))
    assert byok.credential.secret == SECRET
    vault.keks.keep(kek)
    (byok,) = vault.opened(old)
    assert byok.origin == "", "what a thief of database and old key holds is another story"
    ledger.run_now(vault.check)


def test_a_prepared_key_is_the_one_that_a_rotation_puts_in_force(
    ledger: Database, vault: Vault, sealed: OwnCredential
) -> None:
    prepared = vault.keks.add()
    (byok,) = vault.opened(known(ledger, sealed))
    assert byok.credential.secret == SECRET, "the one before still opens"
    kek, _ = ledger.run_now(vault.rotated)
    assert kek is not None
    assert kek.id == prepared.id


def test_a_rotation_that_was_cut_short_can_be_repeated(
    ledger: Database, vault: Vault, sealed: OwnCredential
) -> None:
    ledger.run_now(vault.rotated)  # and the process ends before the old key is dropped
    again, _ = ledger.run_now(vault.rotated)
    assert again is not None
    vault.keks.keep(again)
    (byok,) = vault.opened(known(ledger, sealed))
    assert byok.credential.secret == SECRET


def test_where_nothing_was_sealed_nothing_is_rotated(ledger: Database, vault: Vault) -> None:
    assert ledger.run_now(vault.rotated) == (None, 0)
    assert not vault.keks.path.exists()


def test_a_key_that_is_gone_is_named_and_nothing_opens(
    ledger: Database, vault: Vault, sealed: OwnCredential, tmp_path: Path
) -> None:
    other = Vault(KekFile(tmp_path / "other"))
    (byok,) = other.opened(known(ledger, sealed))
    assert byok.origin == ""
    kek = vault.keks.newest().id
    with pytest.raises(CustodyError, match=kek):
        ledger.run_now(other.check)
    with pytest.raises(CustodyError, match=kek):
        ledger.run_now(other.rotated)
    with pytest.raises(CustodyError, match=kek):
        ledger.run_now(lambda connection: other.sealed(connection, ROW, SECRET))


def test_rows_come_back_as_they_went_in(ledger: Database, sealed: OwnCredential) -> None:
    row = replace(sealed, allowed_models=("a/b",), allowed_keys=("0" * 64,), name="mine")
    ledger.run_now(lambda connection: own_credentials.add(connection, row))
    found = ledger.run_now(lambda c: own_credentials.by_id(c, "default", "one"))
    assert found is not None
    assert asdict(found) == asdict(row)
    assert ledger.run_now(lambda c: own_credentials.by_id(c, "other", "one")) is None


def test_a_secret_that_was_forgotten_still_keeps_the_installations_out(
    ledger: Database, vault: Vault, sealed: OwnCredential
) -> None:
    row = replace(sealed, is_required=True, sealed="")
    assert ledger.run_now(vault.lost) == ()
    vault.keks.path.unlink()
    assert ledger.run_now(Vault(KekFile(vault.keks.path)).lost) == ("default",)
    ledger.run_now(lambda connection: own_credentials.drop_key(connection, "default"))
    (byok,) = vault.opened(known(ledger, row))
    assert (byok.origin, byok.required, byok.credential.secret.reveal()) == ("", True, "")
