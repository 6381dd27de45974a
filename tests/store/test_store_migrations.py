"""Steps run once and in order, however many processes start."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Connection, inspect, text

from dragoman.core.errors import Unavailable
from dragoman.store.migrations import Migration, NewerDatabase, migrate
from dragoman.store.options import DatabaseOptions
from dragoman.store.sql import Database
from tests.postgres import open_database

FIRST = Migration(1, "coins", ("CREATE TABLE coin (n INTEGER)", "INSERT INTO coin VALUES (1)"))
SECOND = Migration(2, "more coins", ("INSERT INTO coin VALUES (2)",))
BROKEN = Migration(2, "broken", ("INSERT INTO coin VALUES (3)", "INSERT INTO nothing VALUES (1)"))

PROCESS = """
import sys
from pathlib import Path
from dragoman.office.premises import open_homes
from dragoman.store.migrations import Migration, migrate
from dragoman.store.options import DatabaseOptions

steps = [Migration(1, "coins", ("CREATE TABLE coin (n INTEGER)", "INSERT INTO coin VALUES (1)"))]
data, schema, *url = sys.argv[1:]
db = open_homes(Path(data), DatabaseOptions(url=url[0] if url else None, schema=schema))[0].database
sys.stdin.read(1)
print(len(db.run_now(lambda connection: migrate(connection, "mint", steps, 0.0))))
db.close()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "ledger.db"


@pytest.fixture
def db(path: Path, state: DatabaseOptions) -> Iterator[Database]:
    database = open_database(state, path)
    yield database
    database.close()


def coins(connection: Connection) -> list[int]:
    return list(connection.execute(text("SELECT n FROM coin ORDER BY n")).scalars())


def apply(db: Database, *steps: Migration, room: str = "mint") -> list[int]:
    done = db.run_now(lambda connection: migrate(connection, room, steps, 1_700_000_000.5))
    return [step.number for step in done]


def test_each_step_is_applied_once_and_in_order(db: Database) -> None:
    assert apply(db, FIRST) == [1]
    assert apply(db, FIRST, SECOND) == [2]
    assert apply(db, FIRST, SECOND) == []
    assert db.run_now(coins) == [1, 2]


def test_what_was_applied_is_written_down(db: Database) -> None:
    apply(db, FIRST)
    rows = db.run_now(lambda c: c.execute(text("SELECT * FROM migration")).all())
    assert [tuple(row) for row in rows] == [("mint", 1, "coins", 1_700_000_000.5)]


def test_rooms_count_for_themselves(db: Database) -> None:
    apply(db, FIRST)
    assert apply(db, Migration(1, "other", ("CREATE TABLE other (n INTEGER)",)), room="b") == [1]


def test_a_step_that_fails_undoes_all_that_came_with_it(db: Database) -> None:
    with pytest.raises(Unavailable, match="did not answer"):
        apply(db, FIRST, BROKEN)
    assert db.run_now(lambda c: inspect(c).get_table_names()) == []


def test_a_newer_database_is_refused_and_left_as_it_is(db: Database) -> None:
    apply(db, FIRST, SECOND)
    with pytest.raises(NewerDatabase, match=r"step 2 of 'mint'.*knows 1.*later release"):
        apply(db, FIRST)
    assert db.run_now(coins) == [1, 2]


def test_processes_that_start_together_apply_each_step_once(
    db: Database, state: DatabaseOptions, path: Path
) -> None:
    command = [sys.executable, "-c", PROCESS, str(path.parent), state.schema]
    command += [state.server] if state.server else []
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    said = sorted(process.communicate(timeout=60)[0].strip() for process in processes)
    assert said == ["0", "0", "0", "1"]
    assert db.run_now(coins) == [1]
