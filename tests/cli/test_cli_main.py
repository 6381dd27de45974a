"""The table of commands: what `--help` lists, what is imported, how the command ends."""

import subprocess
import sys
from importlib import import_module
from typing import Any

import pytest
import typer

from dragoman import __version__
from dragoman.cli.main import COMMANDS, MODULES
from tests.cli.command import execute, run

HEAVY = ("fastapi", "uvloop", "sqlalchemy", "dragoman.app")


def imported_by(arguments: list[str]) -> set[str]:
    program = (
        "import sys\n"
        "from dragoman.cli.main import command_line\n"
        f"try: command_line()({arguments!r})\n"
        "except SystemExit: pass\n"
        "print('\\n', *sys.modules, sep='\\n')"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    return set(done.stdout.split())


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_lists_every_command_and_the_exit_codes(option: str) -> None:
    ran = run(option)
    assert ran.code == 0
    for name, purpose in COMMANDS.items():
        assert name in ran.out
        assert purpose in ran.out
    assert "130 interrupted" in ran.out


def test_no_arguments_show_the_help() -> None:
    ran = run()
    assert ran.code == 2
    assert "doctor" in ran.out + ran.err


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_explains_itself_and_its_exit_codes(name: str) -> None:
    assert import_module(f"dragoman.cli.{MODULES.get(name, name)}").app
    ran = run(name, "-h")
    assert ran.code == 0
    assert f"dragoman {name}" in ran.out.replace("root", "dragoman")
    assert "130 interrupted" in ran.out
    assert "--install-completion" not in ran.out
    assert "[[" not in ran.out


def unexplained(command: Any, name: str) -> list[str]:
    """Return the options of a command, and of those below it, of which nothing is said."""
    mute = [f"{name} {each.name}" for each in command.params if not getattr(each, "help", None)]
    below = getattr(command, "commands", {})
    return [*mute, *(one for sub in below for one in unexplained(below[sub], f"{name} {sub}"))]


@pytest.mark.parametrize("name", COMMANDS)
def test_every_option_and_argument_is_explained(name: str) -> None:
    app = import_module(f"dragoman.cli.{MODULES.get(name, name)}").app
    assert unexplained(typer.main.get_command(app), name) == []


def test_the_version_is_printed() -> None:
    assert run("--version").out == f"dragoman {__version__}\n"


def test_an_unknown_command_is_wrong_usage_and_the_nearest_is_named() -> None:
    ran = run("modles")
    assert ran.code == 2
    assert "models" in ran.err


def test_an_unknown_option_is_wrong_usage() -> None:
    assert run("models", "--nonsense").code == 2


def test_help_imports_neither_a_web_framework_nor_a_database() -> None:
    assert not imported_by(["--help"]) & set(HEAVY)


def test_listing_keys_imports_no_web_framework() -> None:
    modules = imported_by(["keys", "list"])
    assert "dragoman.cli.keys" in modules
    assert not modules & {"fastapi", "uvloop", "dragoman.app"}


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(shell: str) -> None:
    ran = run("completion", shell)
    assert ran.code == 0
    assert f"complete_{shell}" in ran.out


def test_an_unknown_shell_is_wrong_usage() -> None:
    assert run("completion", "tcsh").code == 2


@pytest.mark.parametrize(
    ("words", "offered"),
    [("dragoman mo", "models"), ("dragoman keys cre", "create"), ("dragoman logs --fai", "--fail")],
)
def test_the_shell_is_offered_commands_and_options(words: str, offered: str) -> None:
    position = str(len(words.split()) - 1)
    ran = execute(_DRAGOMAN_COMPLETE="complete_bash", COMP_WORDS=words, COMP_CWORD=position)
    assert ran.code == 0
    assert offered in ran.out
