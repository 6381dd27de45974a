"""The data directory: made when missing, the same when opened again, never half of itself."""

import stat
from pathlib import Path

import pytest

from dragoman.office import keys
from dragoman.office.premises import PEPPER, open_premises
from dragoman.store.custody import CustodyError


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
