"""A node whose journals cannot be booked serves, one that can write none does not. Both say so."""

import errno
import json
import os
import resource
import shutil
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from dragoman.node import worker
from dragoman.web.health import QUIET, UNWRITABLE
from tests.cli.command import Running, execute, start

PATIENCE_S = 30
ENOUGH_FOR_ALL = 40


def readiness(url: str) -> Any:
    """Ask until the node says that something is wrong; return what it says."""
    end = time.monotonic() + PATIENCE_S
    while True:
        with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE_S) as answer:
            said = json.load(answer)
        if said["status"] != "ok" or time.monotonic() > end:
            return said
        time.sleep(0.1)


@pytest.mark.parametrize("workers", [1, 2])
def test_a_journal_of_another_node_is_named_by_readyz_and_doctor(
    tmp_path: Path, workers: int
) -> None:
    other = start(tmp_path / "other")
    other.stop(by=signal.SIGKILL)
    (tmp_path / "data").mkdir(mode=0o700)
    shutil.copytree(other.data / "journal", tmp_path / "data" / "journal")
    (journal,) = (path.name for path in (other.data / "journal").iterdir() if path.is_dir())
    config = tmp_path / "dragoman.yaml"
    config.write_text(f"server: {{workers: {workers}}}\ndemo: on\n")
    running = start(tmp_path / "data", "--config", str(config))
    try:
        said = readiness(running.url)
        environ = {"DRAGOMAN__SERVER__PORT": running.url.rpartition(":")[2]}
        told = execute("doctor", "--offline", "--data", str(running.data), "--json", **environ)
    finally:
        running.stop()
    assert said["status"] == "degraded"
    (problem,) = said["problems"]
    assert problem.startswith(f"The journal {journal} cannot be booked: It is of node")
    checked = {check["name"]: check for check in told.json}
    assert checked[f"journal {journal[:12]}"]["state"] == "broken"
    assert "is ready, with problems" in checked["gateway"]["detail"]


def processes(pid: int) -> list[int]:
    """Return a process and its children."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii")
    return [pid, *map(int, children.split())]


def chat(running: Running) -> int:
    """Ask a model, whatever comes of it; return the status."""
    body = b'{"model": "demo/parrot", "messages": [{"role": "user", "content": "Hello!"}]}'
    return status_of(f"{running.base}/chat/completions", running.key, body)


def unready(running: Running) -> Any:
    """Ask for answers until the node says that it gives none; return why."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        chat(running)
        try:
            urllib.request.urlopen(f"{running.url}/readyz", timeout=PATIENCE_S).close()
        except HTTPError as error:
            with error:
                return json.load(error)
        time.sleep(0.1)
    return None


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_node_whose_disk_is_full_is_not_ready_until_there_is_room(
    tmp_path: Path, workers: str
) -> None:
    running = start(tmp_path / "data", "--workers", workers)
    every = processes(running.pid)
    before = {pid: resource.prlimit(pid, resource.RLIMIT_FSIZE) for pid in every}
    try:
        for pid in every:
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, before[pid][1]))
        said = unready(running)
        for pid, limits in before.items():
            resource.prlimit(pid, resource.RLIMIT_FSIZE, limits)
        settled(running.url)
    finally:
        running.stop()
    assert said == {"status": "unavailable", "problems": [f"{UNWRITABLE} File too large."]}


def keeper_of(running: Running) -> int:
    """Return the keeper of a node: it has the databases open."""
    for pid in processes(running.pid)[1:]:
        open_files = [path.readlink().name for path in Path(f"/proc/{pid}/fd").iterdir()]
        if "ledger.db" in open_files:
            return pid
    raise AssertionError("There is no keeper.")


def status_of(url: str, key: str, body: bytes | None = None) -> int:
    """Call with a key; return the status."""
    request = urllib.request.Request(url, body, {"Authorization": f"Bearer {key}"})
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
            status: int = answer.status
    except HTTPError as error:
        error.close()
        return error.code
    return status


def test_a_keeper_that_is_there_and_silent_is_told_of_and_not_waited_for(tmp_path: Path) -> None:
    running = start(tmp_path / "data", "--workers", "2")
    keeper = keeper_of(running)
    os.kill(keeper, signal.SIGSTOP)
    try:
        said = readiness(running.url)
        refused = status_of(f"{running.base}/key", "sk-dm-v1-any")
    finally:
        os.kill(keeper, signal.SIGCONT)
        settled(running.url, sound=True)
        running.stop()
    assert said == {"status": "degraded", "problems": [QUIET]}
    assert refused == 503
    assert "node.keeper_silent" in running.complaints
    assert "node.keeper_back" in running.complaints


@pytest.mark.parametrize("workers", ["1", "2"])
def test_a_database_that_is_replaced_beneath_a_node_is_told_of_and_books_are_whole_afterwards(
    tmp_path: Path, workers: str
) -> None:
    running = start(tmp_path / "data", "--workers", workers)
    ledger = running.data / "ledger.db"
    served = sum(chat(running) == 200 for _ in range(ENOUGH_FOR_ALL))
    shutil.copy(ledger, tmp_path / "copy.db")
    (tmp_path / "copy.db").replace(ledger)
    try:
        said = readiness(running.url)
        served += sum(chat(running) == 200 for _ in range(3))
    finally:
        running.stop()
    assert said["status"] == "degraded"
    assert "ledger.db was deleted or replaced beneath this process" in said["problems"][0]
    assert "store.sqlite.replaced" in running.complaints
    again = start(running.data, "--workers", workers)
    try:
        assert booked(running.data, served)
    finally:
        again.stop()


def booked(data: Path, served: int) -> bool:
    """Wait until the books hold so many generations; say whether they add up."""
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        proof = execute("ledger", "verify", "--json", "--data", str(data)).json
        if proof["generations"] == served:
            return bool(proof["holds"])
        time.sleep(0.2)
    return False


def test_journals_that_are_deleted_beneath_a_node_stop_it_from_serving(tmp_path: Path) -> None:
    running = start(tmp_path / "data")
    try:
        shutil.rmtree(running.data / "journal")
        said = unready(running)
    finally:
        running.stop()
    assert said["status"] == "unavailable"
    assert said["problems"][0].startswith(UNWRITABLE)
    assert "restart the node" in said["problems"][0]
    again = start(running.data)
    settled(again.url)
    again.stop()


def settled(url: str, *, sound: bool = False) -> None:
    """Wait until the node is ready at all its workers: the kernel chooses who answers a call.

    Where it has to be `sound`, being degraded is not enough.
    """
    end = time.monotonic() + PATIENCE_S
    in_a_row = 0
    while in_a_row < ENOUGH_FOR_ALL:
        assert time.monotonic() < end, "A worker is still not ready."
        try:
            with urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE_S) as answer:
                good = not sound or json.load(answer)["status"] == "ok"
        except HTTPError as error:
            error.close()
            good = False
        in_a_row = in_a_row + 1 if good else 0
        if not good:
            time.sleep(0.1)


def test_processes_that_start_without_the_pepper_make_none_and_refuse_no_good_key(
    tmp_path: Path,
) -> None:
    running = start(tmp_path / "data", "--workers", "2")
    pepper, away = running.data / "pepper", tmp_path / "pepper"
    pepper.rename(away)
    try:
        for pid in processes(running.pid)[1:]:
            os.kill(pid, signal.SIGKILL)
        time.sleep(2)
        assert not pepper.exists(), "a worker made itself another pepper"
        away.rename(pepper)
        settled(running.url)
        assert {chat(running) for _ in range(ENOUGH_FOR_ALL)} == {200}
    finally:
        running.stop()
    assert "pepper is gone" in running.complaints


def test_a_worker_reports_also_while_it_can_open_no_file(monkeypatch: pytest.MonkeyPatch) -> None:
    def read_text(*_: Any, **__: Any) -> str:
        raise OSError(errno.EMFILE, "Too many open files")

    assert worker._resident_bytes() > 0
    monkeypatch.setattr(Path, "read_text", read_text)
    assert worker._resident_bytes() == 0
