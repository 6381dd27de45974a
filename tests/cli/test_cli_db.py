"""`dragoman db`: what state there is, a backup of it, and the way back."""

import os
from pathlib import Path

import pytest

from dragoman.office import premises
from dragoman.office.premises import JOURNALS
from dragoman.store.journal.folder import create
from dragoman.store.migrations import Migration
from dragoman.store.options import DatabaseOptions
from tests.cli.command import run


@pytest.fixture
def place(state: DatabaseOptions, monkeypatch: pytest.MonkeyPatch) -> DatabaseOptions:
    """Where this machine keeps its state."""
    if state.server:
        monkeypatch.setenv("DATABASE_URL", state.server)
        monkeypatch.setenv("DRAGOMAN__DATABASE__SCHEMA", state.schema)
    return state


@pytest.mark.usefixtures("place")
def test_an_upgrade_says_which_steps_it_took() -> None:
    taken = run("db", "upgrade", "--json").json
    assert {step["room"] for step in taken} >= {"access", "records"}
    assert all(set(step) == {"room", "number", "name"} for step in taken)
    again = run("db", "upgrade")
    assert (again.code, again.out) == (0, "")
    assert "up to date" in again.err


def test_info_names_the_places_the_shape_and_the_rows(data: Path, place: DatabaseOptions) -> None:
    run("keys", "create", "laptop")
    found = run("db", "info", "--json").json
    names = ["postgresql"] if place.server else ["ledger", "records"]
    assert [each["name"] for each in found] == names
    rows = {table: count for each in found for table, count in each["rows"].items()}
    assert (rows["api_key"], rows["generation"]) == (1, 0)
    assert all(step["applied"] == step["known"] > 0 for each in found for step in each["steps"])
    shown = run("db", "info")
    where = f"schema {place.schema}" if place.server else str(data / "ledger.db")
    assert where in shown.out
    assert "api_key" in shown.out
    assert shown.err == ""


@pytest.mark.usefixtures("place")
def test_an_upgrade_that_is_due_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    run("db", "upgrade")
    mint = ("mint", (Migration(1, "coins", ("CREATE TABLE coin (n INTEGER)",)),))
    monkeypatch.setattr(premises, "LEDGER_ROOMS", (*premises.LEDGER_ROOMS, mint))
    assert "An upgrade is due: mint" in run("db", "info").err
    assert run("db", "upgrade").out == "mint 1: coins\n"
    assert run("db", "info").err == ""
    monkeypatch.setattr(premises, "LEDGER_ROOMS", (*premises.LEDGER_ROOMS[:-1], ("mint", ())))
    assert "A later release has used it: mint" in run("db", "info").err


@pytest.mark.usefixtures("place")
def test_a_backup_can_be_restored_elsewhere_and_over_what_there_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run("keys", "create", "laptop")
    file = tmp_path / "backup.tar"
    made = run("db", "backup", str(file))
    assert (made.code, made.err.count("secret")) == (0, 1)
    refused = run("db", "restore", str(file))
    assert refused.code == 2
    assert "--force" in refused.err
    run("keys", "create", "later")
    assert run("db", "restore", str(file), "--force").code == 0
    assert [key["name"] for key in run("keys", "list", "--json").json] == ["laptop"]

    monkeypatch.delenv("DATABASE_URL", raising=False)
    elsewhere = str(tmp_path / "elsewhere")
    restored = run("db", "restore", str(file), "--data", elsewhere)
    assert restored.code == 0
    assert "Restored" in restored.out
    listed = run("keys", "list", "--json", "--data", elsewhere).json
    assert [key["name"] for key in listed] == ["laptop"]


def test_nothing_is_restored_beneath_a_running_server(data: Path, tmp_path: Path) -> None:
    run("keys", "create", "laptop")
    file = tmp_path / "backup.tar"
    run("db", "backup", str(file))
    run("keys", "create", "later")
    journal = create(data / JOURNALS, "node")
    refused = run("db", "restore", str(file), "--force")
    assert (refused.code, f"A server runs on {data}. Stop it first." in refused.err) == (1, True)
    assert len(run("keys", "list", "--json").json) == 2
    os.close(journal.descriptor)
    journal.lock.release()
    assert run("db", "restore", str(file), "--force").code == 0
    assert len(run("keys", "list", "--json").json) == 1


def test_what_cannot_be_done_is_said_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / "backup.tar"
    for command in (("db", "info"), ("db", "backup", str(file))):
        nothing = run(*command)
        assert (nothing.code, "holds no Dragoman yet" in nothing.err) == (2, True)
    absent = run("db", "restore", str(file))
    assert (absent.code, "No such file" in absent.err) == (2, True)
    file.write_bytes(b"nonsense")
    damaged = run("db", "restore", str(file))
    assert (damaged.code, "damaged" in damaged.err) == (1, True)
    run("db", "upgrade")
    run("keys", "list")
    there = run("keys", "create", "laptop")
    assert there.code == 0
    kept = run("db", "backup", str(file))
    assert (kept.code, "already" in kept.err or "exists" in kept.err) == (2, True)
    assert file.read_bytes() == b"nonsense"


@pytest.mark.parametrize(
    "words",
    [
        ("keys", "create", "second"), ("keys", "list"), ("db", "info"), ("db", "upgrade"),
        ("db", "backup", "x.tar"), ("ledger", "verify"), ("logs",),
    ],
)  # fmt: skip
def test_nothing_is_made_in_files_where_the_state_is_in_a_server(
    data: Path, words: tuple[str, ...]
) -> None:
    run("keys", "create", "first")
    for file in ("ledger.db", "records.db"):  # as where PostgreSQL has them
        (data / file).unlink()
    refused = run(*words)
    assert (refused.code, "in a database that these settings do not name" in refused.err) == (
        2,
        True,
    )
    assert not (data / "ledger.db").exists()
    (check,) = (c for c in run("doctor", "--offline", "--json").json if c["name"] == "databases")
    assert (check["state"], "DATABASE_URL" in check["fix"]) == ("broken", True)
    assert not (data / "ledger.db").exists()


def test_a_server_that_is_away_is_named_with_the_fix_and_without_the_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://me:secret@127.0.0.1:1/db")
    ran = run("keys", "create", "laptop")
    assert ran.code == 1
    assert "database.url" in ran.err
    assert "secret" not in ran.err


def test_doctor_says_that_state_is_in_postgresql(
    postgres_state: DatabaseOptions, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", str(postgres_state.server))
    monkeypatch.setenv("DRAGOMAN__DATABASE__SCHEMA", postgres_state.schema)
    run("keys", "create", "laptop")
    checks = {check["name"]: check for check in run("doctor", "--offline", "--json").json}
    assert checks["databases"]["detail"].startswith("PostgreSQL, up to date, 1 usable")
