"""A node with a journal that it cannot book: it serves, and each worker says what is wrong."""

import json
import shutil
import signal
import time
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.cli.command import execute, start

PATIENCE_S = 30


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
