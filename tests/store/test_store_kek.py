"""The file of key-encryption keys: for its owner, one key however many start, two to rotate."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dragoman.store.custody import CustodyError
from dragoman.store.kek import KekFile


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "kek"


def test_the_first_that_is_needed_makes_the_file_for_its_owner(path: Path) -> None:
    keks = KekFile(path)
    assert not path.exists()
    made = keks.newest()
    assert path.stat().st_mode & 0o777 == 0o600
    assert keks.newest().secret == made.secret
    assert len(made.secret) == 32
    assert made.secret.hex() not in repr(made)
    assert [each.name for each in path.parent.iterdir()] == ["kek"]


def test_processes_that_start_together_agree_on_one(path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = [*pool.map(lambda _: KekFile(path).newest().secret, range(8))]
    assert len(set(made)) == 1


def test_a_running_process_finds_a_key_that_another_adds(path: Path) -> None:
    running, command = KekFile(path), KekFile(path)
    first = running.newest()
    added = command.add()
    found = running.find(added.id)
    assert found is not None
    assert (found.secret, running.newest().id) == (added.secret, added.id)
    assert running.find(first.id) is not None
    command.keep(added)
    assert KekFile(path).find(first.id) is None


def test_a_key_that_nobody_has_is_none(path: Path) -> None:
    assert KekFile(path).find("0" * 16) is None
    keks = KekFile(path)
    keks.newest()
    assert keks.find("0" * 16) is None


@pytest.mark.parametrize("text", ["", "zz", "00", "é", "0" * 64 + "\n11"])
def test_a_file_that_holds_something_else_is_refused(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(CustodyError, match="does not hold keys"):
        KekFile(path).newest()


def test_other_keys_take_the_place_of_those_that_are_kept_beside(path: Path) -> None:
    here, elsewhere = KekFile(path), KekFile(path.with_name("other"))
    old, new = here.newest(), elsewhere.newest()
    here.replace(elsewhere.text())
    assert (here.newest().id, here.find(old.id)) == (new.id, None)
    assert KekFile(path.with_name("kek.old")).find(old.id) is not None
    with pytest.raises(CustodyError):
        here.replace("nonsense")
    assert here.newest().id == new.id


def test_a_file_that_others_can_read_is_refused(path: Path) -> None:
    KekFile(path).newest()
    path.chmod(0o640)
    with pytest.raises(CustodyError, match="chmod 600"):
        KekFile(path).newest()
