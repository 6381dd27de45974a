"""A node whose journals cannot be booked serves, one that can write none does not. Both say so."""

import json
import resource
import shutil
import signal
import time
import urllib.request
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from dragoman.web.health import UNWRITABLE
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


def chat(running: Running) -> None:
    """Ask a model, whatever comes of it."""
    body = b'{"model": "demo/parrot", "messages": [{"role": "user", "content": "Hello!"}]}'
    headers = {"Authorization": f"Bearer {running.key}"}
    request = urllib.request.Request(f"{running.base}/chat/completions", body, headers)
    with suppress(HTTPError), urllib.request.urlopen(request, timeout=PATIENCE_S):
        pass


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
    assert said == {"status": "unavailable", "problems": [UNWRITABLE]}


def settled(url: str) -> None:
    """Wait until the node is ready at all its workers: the kernel chooses who answers a call."""
    end = time.monotonic() + PATIENCE_S
    in_a_row = 0
    while in_a_row < ENOUGH_FOR_ALL:
        assert time.monotonic() < end, "A worker still cannot write its journal."
        try:
            urllib.request.urlopen(f"{url}/readyz", timeout=PATIENCE_S).close()
            in_a_row += 1
        except HTTPError as error:
            error.close()
            in_a_row = 0
            time.sleep(0.1)
