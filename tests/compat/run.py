"""`make compat`: checks every cell, lets agents work, prints it all, and writes the page.

    python -m tests.compat.run [--write] [--matrix]

Ends with 1 when a cell does not hold or an agent did not finish.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import anthropic
import openai
from rich.console import Console

import dragoman
from tests.compat import agents, asks, kinds, page, uses
from tests.compat.cells import Cell, all_cells, check
from tests.compat.kinds import KindCell, kind_cells
from tests.compat.lab import AIMOCK, HOME, Lab, Place, running
from tests.compat.page import DONE
from tests.compat.upstreams import HOSTS

DOC: Final = Path(__file__).parents[2] / "docs" / "compatibility.md"


def main(arguments: Sequence[str]) -> int:
    """Run, and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.compat.run")
    parser.add_argument("--write", action="store_true", help="write docs/compatibility.md")
    parser.add_argument("--matrix", action="store_true", help="no agents, no clients")
    options = parser.parse_args(arguments)
    node = shutil.which("node")
    if node is None or not AIMOCK.is_dir():
        raise SystemExit("The matrix needs node and what `make setup-dev` installs with npm")
    installed = agents.PROGRAMS.is_dir() and uses.FRAMEWORKS_PYTHON.is_file()
    matrix_only = options.matrix or not installed
    if options.write and matrix_only:
        raise SystemExit(
            "The page tells of agents and frameworks: it is written when they have run"
        )
    with tempfile.TemporaryDirectory(prefix="dragoman-compat-") as home:
        outcomes, clients = _cells(node, Path(home) / "cells", clients=not matrix_only)
        tried = [] if matrix_only else _agents(node, Path(home) / "agents")
    _show(outcomes, clients, tried)
    if options.write:
        DOC.write_text(page.page(outcomes, clients, tried, _when(node)))
    is_well = not any(outcomes.values()) and all(t.outcome == DONE for t in (*clients, *tried))
    return 0 if is_well else 1


def _show(
    outcomes: page.Outcomes, clients: Sequence[page.Tried], tried: Sequence[page.Tried]
) -> None:
    console = Console()
    for table in page.tables(outcomes):
        console.print(table)
    for cell, problem in outcomes.items():
        if problem:
            console.print(f"{cell}: {problem}", markup=False)
    for title, some in (("Clients", clients), ("Agents", tried)):
        if some:
            console.print(page.programs(title, some))
    for one in (*clients, *tried):
        if one.said:
            console.print(f"{one.name} at {one.host}:\n{one.said}", markup=False)


def _cells(node: str, home: Path, *, clients: bool) -> tuple[page.Outcomes, list[page.Tried]]:
    """Check the cells, and let clients find out the same for themselves."""
    home.mkdir()
    outcomes: dict[Cell | KindCell, str] = {}
    scripts = (*uses.NODE, *uses.FRAMEWORKS) if clients else ()
    places: list[Place] = [*all_cells(), *uses.uses(scripts)]
    with running(node, places, home, asks.fixtures(), kind_cells()) as lab:
        for cell in all_cells():
            outcomes[cell] = _wrong(check, cell, lab)
        for kind_cell in kind_cells():
            outcomes[kind_cell] = _wrong(kinds.check, kind_cell, lab)
        tried = [one for script in scripts for one in _client(script, node, lab)]
    return outcomes, tried


def _wrong(check_: Callable[[Any, Lab], None], cell: Cell | KindCell, lab: Lab) -> str:
    """Return what is wrong with a cell, nothing where it holds."""
    try:
        check_(cell, lab)
    except (AssertionError, LookupError, TypeError, ValueError) as error:
        return f"{type(error).__name__}: {error}"
    return ""


def _client(script: uses.Script, node: str, lab: Lab) -> list[page.Tried]:
    is_node = script in uses.NODE
    found = uses.run(script, node if is_node else str(uses.FRAMEWORKS_PYTHON), lab)
    version = _node_version(script.package) if is_node else _python_version(script.package)
    name = f"{script.name}, {script.package}"
    return [
        page.Tried(name, version, script.client, host.name, "no" if problem else DONE, problem)
        for host in HOSTS
        for problem in (uses.wrong(script, found[host.dialect]),)
    ]


def _node_version(package: str) -> str:
    about = json.loads((HOME / "node_modules" / package / "package.json").read_text())
    return str(about["version"])


def _python_version(package: str) -> str:
    ask = f"from importlib.metadata import version; print(version({package!r}))"
    command = [str(uses.FRAMEWORKS_PYTHON), "-c", ask]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def _agents(node: str, home: Path) -> list[page.Tried]:
    home.mkdir()
    works = {agent.program: home / f"{agent.program}-work" for agent in agents.AGENTS}
    with running(node, agents.TRIALS, home, agents.script(works)) as lab:
        return [
            agents.attempt(trial, lab, works[trial.agent.program], home / f"{trial}-home")
            for trial in agents.TRIALS
        ]


def _when(node: str) -> str:
    mock = json.loads((AIMOCK / "package.json").read_text())["version"]
    version = subprocess.run([node, "--version"], capture_output=True, text=True, check=True)
    return (
        f"Last run on {datetime.now(UTC).date()} with Dragoman {dragoman.__version__}, "
        f"aimock {mock}, Node {version.stdout.strip()}, "
        f"and the types of `openai` {openai.__version__} and `anthropic` {anthropic.__version__}."
    )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
