"""The house rules, held against every module of the source, the tests and the bench."""

import ast
from collections.abc import Callable, Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Final

import pytest

from tests.tidy import rules
from tests.tidy.project import MODULES, PROGRAMS, SOURCE, name_of
from tests.tidy.rules import Complaint

TABLES: Final[frozenset[str]] = frozenset()
"""Modules that are data in the shape of Python, and may be long."""

BROAD_EXCEPTS: Final = {
    "serving.py:kept_up": "a defect in one loop of the background must not end all of them",
    "store/batch.py:_attempt": "one batch that is refused must not end the writing of all others",
    "web/edge.py:_http": "a defect of ours must still become an answer, and a line in the log",
}
"""`module.py:function` that may catch everything, and why. Three at most; each must log."""

COMMANDS: Final = [path for path in MODULES if name_of(path).startswith("cli/")]
"""A command has as many options as it has, and may look at the environment."""
CONFIG: Final = [path for path in MODULES if name_of(path).startswith("config")]
CLIENTS: Final = [SOURCE / "client" / name for name in ("sync.py", "concurrent.py")]
"""A program's client finds its gateway where the program runs."""


@pytest.fixture(scope="module", autouse=True)
def trees() -> Iterator[None]:
    """Forget the trees afterwards: in all later tests the garbage collector looked at them."""
    yield
    tree_of.cache_clear()


@cache
def tree_of(path: Path) -> ast.Module:
    """Return a module's syntax tree, read once a run."""
    return ast.parse(path.read_text())


def told(paths: Iterable[Path], rule: Callable[[ast.Module], Iterator[Complaint]]) -> str:
    """Return what a rule has to say of the modules, a line each; empty if they obey."""
    return "\n".join(f"{name_of(path)} {it}" for path in paths for it in rule(tree_of(path)))


def test_a_file_is_read_in_one_sitting() -> None:
    files = [path for path in PROGRAMS if name_of(path) not in TABLES]
    complaints = [f"{name_of(path)} {it}" for path in files for it in rules.long_file(path)]
    assert not complaints, "\n".join(complaints)


@pytest.mark.parametrize(
    "rule",
    [rules.no_docstring, rules.long_functions, rules.hidden_imports],
    ids=lambda r: r.__name__,
)
def test_all_code_obeys(rule: Callable[[ast.Module], Iterator[Complaint]]) -> None:
    assert not (why := told(PROGRAMS, rule)), why


@pytest.mark.parametrize("rule", [rules.banned_calls, rules.shared_state], ids=lambda r: r.__name__)
def test_the_source_obeys(rule: Callable[[ast.Module], Iterator[Complaint]]) -> None:
    assert not (why := told(MODULES, rule)), why


def test_a_function_wants_no_more_than_a_reader_can_hold() -> None:
    modules = [path for path in MODULES if path not in COMMANDS]
    assert not (why := told(modules, rules.many_parameters)), why


def test_the_environment_is_read_where_settings_are_decoded() -> None:
    modules = [path for path in MODULES if path not in {*COMMANDS, *CONFIG, *CLIENTS}]
    assert not (why := told(modules, rules.environment)), why


def test_everything_is_caught_only_where_it_was_decided() -> None:
    found = {
        f"{name_of(path)}:{complaint.place}": complaint.line
        for path in MODULES
        for complaint in rules.broad_excepts(tree_of(path))
    }
    assert not (new := found.keys() - BROAD_EXCEPTS), (
        f"{new} would hide bugs: catch what you expect"
    )
    assert not (old := BROAD_EXCEPTS.keys() - found), f"{old} no longer catches everything"
    assert len(BROAD_EXCEPTS) <= 3, "a fourth place that catches everything hides a missing error"


def test_nothing_is_left_for_later() -> None:
    why = "leave it out, or open an issue; the code makes no promises"
    complaints = [
        f"{name_of(path)} {it}"
        for path in MODULES
        for it in rules.text_matches(path.read_text(), rules.UNFINISHED, why)
    ]
    assert not complaints, "\n".join(complaints)
