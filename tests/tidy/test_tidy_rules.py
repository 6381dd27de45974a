"""Each rule of the house complains of what it forbids, and of nothing else."""

import ast
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.tidy import rules
from tests.tidy.rules import Complaint

Rule = Callable[[ast.Module], Iterator[Complaint]]

LONG: Final = "def f():\n" + "    pass\n" * rules.FUNCTION_LINES

BAD: Final[list[tuple[Rule, str]]] = [
    (rules.no_docstring, "x = 1"),
    (rules.long_functions, LONG),
    (rules.many_parameters, "def f(a, b, c, d, *, e, f, g): pass"),
    (rules.hidden_imports, "def f():\n import os"),
    (rules.hidden_imports, "class A:\n async def f(self):\n  from os import path"),
    (rules.broad_excepts, "try: f()\nexcept Exception: pass"),
    (rules.broad_excepts, "try: f()\nexcept (ValueError, BaseException): pass"),
    (rules.broad_excepts, "def f():\n try: g()\n except: pass"),
    (rules.broad_excepts, "try: f()\nexcept Exception as error:\n raise ValueError from error"),
    (rules.banned_calls, "eval('1')"),
    (rules.banned_calls, "os.system('ls')"),
    (rules.banned_calls, "import pickle"),
    (rules.banned_calls, "from subprocess import run"),
    (rules.banned_calls, "yaml.load(text)"),
    (rules.banned_calls, "yaml.load(text, Loader=yaml.Loader)"),
    (rules.banned_calls, "yaml.unsafe_load(text)"),
    (rules.environment, "import os\nx = os.environ['A']"),
    (rules.environment, "import os\nx = os.getenv('A')"),
    (rules.environment, "from os import environ"),
    (rules.shared_state, "seen = {}"),
    (rules.shared_state, "seen: dict[str, int] = dict()"),
    (rules.shared_state, "def f():\n global x\n x = 1"),
]

GOOD: Final[list[tuple[Rule, str]]] = [
    (rules.no_docstring, '"""What it is."""'),
    (rules.long_functions, LONG.removesuffix("    pass\n")),
    (rules.many_parameters, "class A:\n def f(self, a, b, c, d, *, e, f): pass"),
    (rules.hidden_imports, "import os"),
    (rules.broad_excepts, "try: f()\nexcept ValueError: pass"),
    (rules.broad_excepts, "try: f()\nexcept BaseException:\n g()\n raise"),
    (rules.banned_calls, "yaml.load(text, Loader=yaml.CSafeLoader)"),
    (rules.banned_calls, "yaml.load(text, SafeLoader)"),
    (rules.banned_calls, "yaml.load(text, Loader=_SafeLoader)"),
    (rules.banned_calls, "self.eval('1')"),
    (rules.environment, "import os\nx = os.path"),
    (rules.shared_state, "NAMES = {}\n_NAMES = []\n__all__ = []"),
    (rules.shared_state, "pair = (1, 2)"),
    (rules.shared_state, "def f():\n seen = {}"),
]


@pytest.mark.parametrize(("rule", "snippet"), BAD)
def test_a_rule_complains_once_of_what_it_forbids(rule: Rule, snippet: str) -> None:
    assert len(list(rule(ast.parse(snippet)))) == 1


@pytest.mark.parametrize(("rule", "snippet"), GOOD)
def test_a_rule_lets_pass_what_it_does_not_mean(rule: Rule, snippet: str) -> None:
    assert list(rule(ast.parse(snippet))) == []


def test_a_broad_handler_is_reported_with_the_function_it_is_in() -> None:
    tree = ast.parse("class A:\n def outer(self):\n  try: f()\n  except Exception: pass")
    assert [complaint.place for complaint in rules.broad_excepts(tree)] == ["outer"]


@pytest.mark.parametrize(
    ("lines", "complaints"), [(rules.FILE_LINES, 0), (rules.FILE_LINES + 1, 1)]
)
def test_a_file_may_have_so_many_lines_and_no_more(
    tmp_path: Path, lines: int, complaints: int
) -> None:
    (file := tmp_path / "long.py").write_text("\n" * lines)
    assert len(list(rules.long_file(file))) == complaints


@pytest.mark.parametrize(
    "line", ["# TODO: more", "raise NotImplementedError", "works For now", "# a placeholder"]
)
def test_a_mark_of_unfinished_work_is_found(line: str) -> None:
    assert rules.UNFINISHED.search(line)


@pytest.mark.parametrize("line", ["for nowhere", "implemented", "xxx", "todo_list"])
def test_an_innocent_word_is_no_mark_of_unfinished_work(line: str) -> None:
    assert not rules.UNFINISHED.search(line)


@pytest.mark.parametrize("line", ["see /work/x", "cd /root", '"/tmp/x"', "(/home/me)"])
def test_a_path_of_one_machine_is_found(line: str) -> None:
    assert rules.MACHINE_PATHS.search(line)


@pytest.mark.parametrize(
    "line", ["/workers", "example.org/home", "~/tmp", "docs/work", "/api/v1/workspaces"]
)
def test_a_path_of_no_machine_in_particular_may_stay(line: str) -> None:
    assert not rules.MACHINE_PATHS.search(line)
