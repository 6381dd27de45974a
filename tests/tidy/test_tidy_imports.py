"""Who may import whom: the contracts hold, cover every room, and no module is in a cycle."""

import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Final

import grimp
import pytest

from tests.tidy.project import PYPROJECT, ROOMS, ROOT

LINT_IMPORTS: Final = Path(sys.executable).with_name("lint-imports")
LAYERS: Final = " ".join(PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"])


def test_the_import_contracts_hold() -> None:
    # In a process of its own: import-linter switches off every logger that exists.
    done = subprocess.run(
        [LINT_IMPORTS, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("room", [room.name for room in ROOMS])
def test_every_room_has_its_floor(room: str) -> None:
    assert re.search(rf"\bdragoman\.{room}\b", LAYERS), (
        f"no contract says who may import dragoman.{room}"
    )


def test_no_modules_import_each_other_in_a_circle() -> None:
    graph = grimp.build_graph("dragoman", cache_dir=None)
    needs = {module: graph.find_modules_directly_imported_by(module) for module in graph.modules}
    try:
        TopologicalSorter(needs).prepare()
    except CycleError as error:
        circle = " -> ".join(error.args[1])
        pytest.fail(f"{circle}: none of these can be understood, or tested, alone")
