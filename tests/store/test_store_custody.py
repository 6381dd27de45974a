"""Files for their owner only, and one pepper however many processes start."""

import hashlib
import hmac
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from dragoman.store.custody import (
    CustodyError,
    Pepper,
    keep_directory,
    keep_node,
    keep_pepper,
    read_pepper,
)

PROCESS = """
import sys
from pathlib import Path
from dragoman.store.custody import keep_pepper

sys.stdin.read(1)
print(keep_pepper(Path(sys.argv[1])).sign("x"))
"""


def test_a_pepper_is_made_once_and_then_read(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    first, second = keep_pepper(path), keep_pepper(path)
    assert first.sign("key") == second.sign("key")
    assert keep_pepper(tmp_path / "other").sign("key") != first.sign("key")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.iterdir()) == ["other", "pepper"]


def test_a_signature_is_hmac_sha256_in_hex() -> None:
    secret = bytes(range(32))
    expected = hmac.new(secret, b"key", hashlib.sha256).hexdigest()
    assert Pepper(secret).sign("key") == expected


def test_a_pepper_does_not_show_itself() -> None:
    assert repr(Pepper(b"secret" * 6)) == str(Pepper(b"other" * 6)) == "Pepper(…)"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_pepper_that_others_can_read_is_refused_with_the_remedy(
    tmp_path: Path, mode: int
) -> None:
    path = tmp_path / "pepper"
    keep_pepper(path)
    path.chmod(mode)
    with pytest.raises(CustodyError, match=f"chmod 600 {path}"):
        keep_pepper(path)


@pytest.mark.parametrize("content", [b"", b"abcd\n", b"zz" * 32, b"\xff" * 32, b"00" * 33])
def test_a_file_that_holds_no_pepper_is_refused_and_never_replaced(
    tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "pepper"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(CustodyError, match="backup"):
        keep_pepper(path)
    assert path.read_bytes() == content


def test_processes_that_start_together_agree_on_one_pepper(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PROCESS, str(tmp_path / "pepper")]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    assert len({process.communicate(timeout=60)[0] for process in processes}) == 1
    assert [file.name for file in tmp_path.iterdir()] == ["pepper"]


def test_losing_the_race_for_the_name_keeps_the_winners_pepper(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "pepper"
    winner = keep_pepper(path).sign("x")
    monkeypatch.setattr(Path, "exists", lambda _: False)
    assert keep_pepper(path).sign("x") == winner
    assert [file.name for file in tmp_path.iterdir()] == ["pepper"]


def test_the_data_directory_is_for_its_owner(tmp_path: Path) -> None:
    path = keep_directory(tmp_path / "a" / "data")
    assert stat.S_IMODE(path.stat().st_mode) == 0o700
    path.chmod(0o755)
    assert stat.S_IMODE(keep_directory(path).stat().st_mode) == 0o755, "an existing one is its own"


@pytest.mark.parametrize("held", [b"", b"\n", b"\0\0\0", b"\xff\xfe"])
def test_a_file_without_a_name_is_not_taken_for_the_name_of_a_node(
    tmp_path: Path, held: bytes
) -> None:
    path = tmp_path / "node"
    made = keep_node(path)
    assert (made, len(made)) == (keep_node(path), 16)
    path.write_bytes(held)
    with pytest.raises(CustodyError, match="does not hold the name of this node"):
        keep_node(path)


def test_who_joins_others_makes_no_pepper(tmp_path: Path) -> None:
    path = tmp_path / "pepper"
    with pytest.raises(CustodyError, match="is gone"):
        read_pepper(path)
    assert not path.exists()
    made = keep_pepper(path)
    assert read_pepper(path).sign("x") == made.sign("x")
