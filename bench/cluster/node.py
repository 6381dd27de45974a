"""Nodes as their operators run them: the shipped command, a data directory and a file of settings.

Nodes that share a database share the pepper; `town` makes the first of them, a key that manages
and a key to call with, and gives the others a copy.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any, Final

import msgspec

from bench.cluster.caller import MOST_TOKENS
from bench.process import free_port, running, wait_for

ROOT: Final = Path(__file__).parents[2]
COMMAND: Final = (sys.executable, "-c", "from dragoman.cli.main import main; main()")
PATIENCE_S: Final = 60.0
MODEL: Final = "acme/patient"
PRICE: Final = {"prompt": 0.000000001, "completion": 0.00001}
"""In USD per token: nearly all of a hold is for the answer, of which most is used."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What nodes are to be like. `database` is the section of the settings of that name."""

    nodes: int = 1
    workers: int = 1
    database: dict[str, str] = msgspec.field(default_factory=lambda: {"url": "files"})
    environ: dict[str, str] = msgspec.field(default_factory=dict)
    """Variables of the nodes' environment."""


class Node(msgspec.Struct, frozen=True):
    """One node: where its state is, on which port it listens, and its first process."""

    data: Path
    port: int
    pid: int

    def children(self) -> list[int]:
        """Return the processes that the node's supervisor started."""
        try:
            text = Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text()
        except OSError:
            return []
        return [int(each) for each in text.split()]


class Town(msgspec.Struct, frozen=True, kw_only=True):
    """Nodes over one state, the provider behind them, and keys that were made beforehand."""

    nodes: tuple[Node, ...]
    manager: str
    key: str
    upstream: int
    asked: Path
    """The log of the provider."""
    workers: int

    @property
    def ports(self) -> list[int]:
        """Where requests can go."""
        return [node.port for node in self.nodes]

    def asked_so_far(self) -> list[str]:
        """Return the provider's log, line by line."""
        return self.asked.read_text().splitlines()

    def began(self, since: int = 0) -> int:
        """Return how many requests came to the provider after a line of its log."""
        return sum(line.startswith("began") for line in self.asked_so_far()[since:])


def environ() -> dict[str, str]:
    """Return an environment in which nothing configures a gateway."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": str(ROOT / "src"), "COLUMNS": "200"}


def dragoman(data: Path, *arguments: str) -> Any:
    """Run a command with `--json` over a data directory; return what it prints."""
    command = [*COMMAND, *arguments, "--json", "--data", str(data)]
    done = subprocess.run(command, env=environ(), capture_output=True, check=False, timeout=60)
    if done.returncode != 0:
        raise SystemExit(f"dragoman {' '.join(arguments)}: {done.stderr.decode()}")
    return json.loads(done.stdout)


@contextmanager
def upstream(directory: Path) -> Iterator[tuple[int, Path]]:
    """Run the provider; yield its port and its log."""
    port, asked, log = free_port(), directory / "asked.txt", directory / "upstream.log"
    asked.touch()
    command = [sys.executable, "-m", "bench.cluster.upstream", str(port), str(asked)]
    env = {**environ(), "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    with running(command, env, log):
        wait_for(port, log)
        yield port, asked


@contextmanager
def town(directory: Path, plan: Plan) -> Iterator[Town]:
    """Run nodes after a plan, each with its log `node-N.log` in the directory."""
    with ExitStack() as stack:
        provider, asked = stack.enter_context(upstream(directory))
        houses = [directory / f"node-{number + 1}" for number in range(plan.nodes)]
        for house in houses:
            house.mkdir(mode=0o700)
            settings = _settings(plan, provider)
            (house / "dragoman.yaml").write_text(json.dumps(settings))
        manager = dragoman(houses[0], "keys", "create", "manager", "--management")["key"]
        key = dragoman(houses[0], "keys", "create", "caller")["key"]
        for house in houses[1:]:
            shutil.copy(houses[0] / "pepper", house / "pepper")
        nodes = tuple(stack.enter_context(node(house, plan.environ)) for house in houses)
        for each in nodes:
            _wait_until_ready(each)
        yield Town(
            nodes=nodes,
            manager=manager,
            key=key,
            upstream=provider,
            asked=asked,
            workers=plan.workers,
        )


@contextmanager
def node(data: Path, more: Mapping[str, str]) -> Iterator[Node]:
    """Run a node whose settings are in its data directory, while the block lasts."""
    port, log = free_port(), data.with_suffix(".log")
    command = [*COMMAND, "serve", "--port", str(port), "--data", str(data)]
    with log.open("ab") as output:
        process = subprocess.Popen(command, env={**environ(), **more}, stdout=output, stderr=output)
    try:
        wait_for(port, log)
        yield Node(data, port, process.pid)
    finally:
        with suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_ready(each: Node) -> None:
    end = time.monotonic() + PATIENCE_S
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{each.port}/readyz", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.05)
    log = each.data.with_suffix(".log").read_text()
    raise SystemExit(f"a node did not get ready:\n{log}")


def _settings(plan: Plan, provider: int) -> dict[str, Any]:
    row = {"upstream": "m", "context": 8192, "max_output": MOST_TOKENS, "price": PRICE}
    host = {"base_url": f"http://127.0.0.1:{provider}/v1", "models": {MODEL: row}}
    return {
        "providers": {"acme": host},
        "server": {"workers": plan.workers, "drain_s": 5},
        "database": plan.database,
    }
