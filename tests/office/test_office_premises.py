"""The data directory: made when missing, the same when opened again, never half of itself."""

import re
import stat
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import inspect, select

from dragoman.core.errors import Unavailable
from dragoman.office import keys
from dragoman.office.premises import PEPPER, open_premises
from dragoman.records import partitions
from dragoman.records.recorder import store
from dragoman.records.tables import generation
from dragoman.store.custody import CustodyError, keep_pepper
from dragoman.store.options import DatabaseOptions
from tests.records.samples import NOON, PLAIN


def test_a_new_directory_is_for_its_owner_only(tmp_path: Path) -> None:
    premises = open_premises(tmp_path / "data")
    assert not premises.has_any_key()
    premises.close()
    assert stat.S_IMODE((tmp_path / "data").stat().st_mode) == 0o700
    assert all(stat.S_IMODE(f.stat().st_mode) == 0o600 for f in (tmp_path / "data").iterdir())


def test_keys_without_their_pepper_are_not_lost_in_silence(tmp_path: Path) -> None:
    premises = open_premises(tmp_path)
    premises.ledger.run_now(keys.create("a", prefix="sk-", pepper=premises.pepper, now=0))
    premises.close()
    (tmp_path / PEPPER).rename(tmp_path / "backup")
    with pytest.raises(CustodyError, match="backup"):
        open_premises(tmp_path)
    assert not (tmp_path / PEPPER).exists()
    (tmp_path / "backup").rename(tmp_path / PEPPER)
    again = open_premises(tmp_path)
    assert again.has_usable_key()
    again.close()


def test_nodes_that_share_a_database_share_the_pepper(
    postgres_state: DatabaseOptions, tmp_path: Path
) -> None:
    first = open_premises(tmp_path / "a", postgres_state)
    with pytest.raises(CustodyError, match="from another node"):
        open_premises(tmp_path / "b", postgres_state)
    assert not (tmp_path / "b" / PEPPER).exists(), "nothing is made up"
    (tmp_path / "b" / PEPPER).write_bytes((tmp_path / "a" / PEPPER).read_bytes())
    (tmp_path / "b" / PEPPER).chmod(0o600)
    second = open_premises(tmp_path / "b", postgres_state)
    first.ledger.run_now(keys.create("a", prefix="sk-", pepper=first.pepper, now=0))
    assert second.has_usable_key()
    first.close()
    second.close()


def test_a_pepper_that_is_not_that_of_the_keys_is_noticed_at_the_start(
    state: DatabaseOptions, tmp_path: Path
) -> None:
    open_premises(tmp_path, state).close()
    (tmp_path / PEPPER).write_text("ab" * 32)
    with pytest.raises(CustodyError, match="is not the pepper"):
        open_premises(tmp_path, state)


@pytest.mark.parametrize("is_lost", [False, True])
def test_who_moves_away_what_is_named_can_begin_with_new_keys(
    tmp_path: Path, *, is_lost: bool
) -> None:
    premises = open_premises(tmp_path)
    premises.ledger.run_now(keys.create("a", prefix="sk-", pepper=premises.pepper, now=0))
    premises.close()
    (tmp_path / PEPPER).unlink()
    if not is_lost:
        keep_pepper(tmp_path / PEPPER)
    with pytest.raises(CustodyError) as refused:
        open_premises(tmp_path)
    named = re.search(r"move (.*) away", str(refused.value))
    assert named is not None
    for name in named[1].split(" and "):
        (tmp_path / name).unlink()
    again = open_premises(tmp_path)
    assert not again.has_any_key()
    again.close()


def test_a_server_that_is_not_there_is_said_at_the_start(tmp_path: Path) -> None:
    nowhere = DatabaseOptions(url="postgresql://127.0.0.1:1/x")
    with pytest.raises(Unavailable):
        open_premises(tmp_path, nowhere)


def test_what_lies_among_the_rest_is_set_aside_at_the_next_start(
    tmp_path: Path, state: DatabaseOptions
) -> None:
    with closing(open_premises(tmp_path / "data", state, lambda: NOON)) as opened:
        opened.records.run_now(lambda connection: store(connection, [PLAIN]))
    with closing(open_premises(tmp_path / "data", state, lambda: NOON)) as again:
        tables = again.records.run_now(lambda connection: inspect(connection).get_table_names())
        rows = again.records.run_now(lambda c: c.execute(select(generation.c.id)).scalars().all())
    assert rows == [PLAIN.id]
    assert (partitions.BEFORE in tables) is (state.server is not None)
