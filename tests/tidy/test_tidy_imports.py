"""Who may import whom: the contracts hold, cover every room, and no module is in a cycle."""

import re
from graphlib import CycleError, TopologicalSorter
from typing import Final

import grimp
import pytest
from importlinter.cli import EXIT_STATUS_SUCCESS, lint_imports

from tests.tidy.project import PYPROJECT, ROOMS, ROOT

LAYERS: Final = " ".join(PYPROJECT["tool"]["importlinter"]["contracts"][0]["layers"])


def test_the_import_contracts_hold(capsys: pytest.CaptureFixture[str]) -> None:
    status = lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True)
    assert status == EXIT_STATUS_SUCCESS, capsys.readouterr().out


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
