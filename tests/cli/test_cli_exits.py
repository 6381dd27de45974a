"""How commands end: one scheme of exit codes, whichever command it is."""

import errno
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Never

import pytest

from dragoman.cli.consent import agreed
from dragoman.cli.exits import FAILED, USAGE, Failure, code_of, unusable
from dragoman.store.bundle import BundleWriter
from tests.cli.command import DRAGOMAN, clean_environ, run

PATIENCE_S = 20


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.EEXIST, USAGE), (errno.ENOENT, USAGE), (errno.EACCES, USAGE),
        (errno.EISDIR, USAGE), (errno.EROFS, USAGE),
        (errno.ENOSPC, FAILED), (errno.EIO, FAILED), (errno.EMFILE, FAILED), (None, FAILED),
    ],
)  # fmt: skip
def test_only_what_must_be_named_otherwise_is_wrong_usage(number: int | None, code: int) -> None:
    error = OSError(number, "words")
    assert code_of(error) == code
    assert unusable(error, "a.csv").code == code


@pytest.mark.parametrize("command", [("export", "-o"), ("db", "backup")])
def test_every_command_refuses_a_file_that_is_there_or_cannot_be_alike(
    command: tuple[str, ...], tmp_path: Path
) -> None:
    run("keys", "create", "laptop")
    there = tmp_path / "there"
    there.write_text("mine")
    refused = run(*command, str(there))
    assert (refused.code, there.read_text()) == (USAGE, "mine")
    assert refused.err == f"dragoman: {there}: File exists. It is never replaced: name another.\n"
    nowhere = tmp_path / "no" / "file"
    assert run(*command, str(nowhere)).err == f"dragoman: {nowhere}: No such file or directory\n"


def test_a_backup_that_finds_no_room_says_so_of_its_file_and_is_no_wrong_usage(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> Never:
        raise OSError(errno.ENOSPC, "No space left on device")

    run("keys", "create", "laptop")
    monkeypatch.setattr(BundleWriter, "add_lines", full)
    file = tmp_path / "backup.tar"
    ran = run("db", "backup", str(file))
    assert (ran.code, list(tmp_path.glob("*backup*"))) == (FAILED, [])
    assert ran.err.startswith(f"dragoman: {file}: No space left on device. Make room")


@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize(
    "command", [("keys", "list"), ("keys", "list", "--json"), ("export",), ("keys", "--help")]
)
def test_output_that_finds_no_room_is_a_sentence(
    command: tuple[str, ...], unbuffered: str, data: Path
) -> None:
    run("keys", "create", "laptop")
    environ = {
        **clean_environ(), "PYTHONUNBUFFERED": unbuffered, "DRAGOMAN_DATA": str(data),
    }  # fmt: skip
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [DRAGOMAN, *command],
            env=environ, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == FAILED
    assert done.stderr == (
        "dragoman: What is printed cannot be written: No space left on device. "
        "Make room, or name another place.\n"
    )


def test_a_reader_that_went_away_is_nothing_to_speak_of(data: Path) -> None:
    run("keys", "create", "laptop")
    reads, writes = os.pipe()
    os.close(reads)
    done = subprocess.run(
        [DRAGOMAN, "export", "--data", str(data)],
        env=clean_environ(), stdout=writes, stderr=subprocess.PIPE, text=True, check=False,
    )  # fmt: skip
    os.close(writes)
    assert (done.returncode, done.stderr) == (FAILED, "")


@pytest.mark.parametrize(
    ("answer", "code", "words"),
    [
        ("y\n", 0, ""), ("YES\n", 0, ""),
        ("n\n", FAILED, "Nothing was changed."), ("\n", FAILED, "Nothing was changed."),
        ("", USAGE, "add --yes"),
    ],
)  # fmt: skip
def test_a_question_ends_by_its_answer(answer: str, code: int, words: str) -> None:
    run("keys", "create", "laptop")
    ran = run("generations", "forget", stdin=answer)
    assert ran.code == code
    assert "all generations of default? [y/N]: " in ran.err
    assert words in ran.err


def test_an_interrupt_at_a_question_interrupts(monkeypatch: pytest.MonkeyPatch) -> None:
    class Keyboard:
        def readline(self) -> Never:
            raise KeyboardInterrupt

    monkeypatch.setattr("sys.stdin", Keyboard())
    with pytest.raises(KeyboardInterrupt):
        agreed("Really?")


def test_nobody_to_be_asked_is_told_what_to_add(monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        with pytest.raises(Failure, match="--yes"):
            agreed("Really?")


@pytest.mark.parametrize("what", [signal.SIGINT, signal.SIGTERM])
def test_a_node_that_is_stopped_while_it_becomes_one_stops_in_good_order(
    what: signal.Signals, tmp_path: Path
) -> None:
    with subprocess.Popen(
        [DRAGOMAN, "serve", "--port", "0", "--workers", "2", "--data", str(tmp_path / "data")],
        env=clean_environ(), stderr=subprocess.PIPE, text=True,
    ) as starting:  # fmt: skip
        words, until = Path(f"/proc/{starting.pid}/cmdline"), time.monotonic() + PATIENCE_S
        while b"dragoman.cli.node" not in words.read_bytes():
            assert time.monotonic() < until
            time.sleep(0.002)
        starting.send_signal(what)
        _, said = starting.communicate(timeout=PATIENCE_S)
    assert "Traceback" not in said
    assert starting.returncode == 0
