"""Commands that messages and pages suggest are there."""

import re
from importlib import import_module
from itertools import chain
from pathlib import Path

import typer

from dragoman.cli.main import COMMANDS, MODULES

ROOT = Path(__file__).parents[2]
TOLD = (
    *(ROOT / "src").rglob("*.py"),
    *(ROOT / "docs").glob("*.md"),
    *(ROOT / "deploy").iterdir(),
    ROOT / "README.md",
)
COMMAND = re.compile(r"\bdragoman ([a-z]+) ([a-z][a-z-]*)")


def subcommands(name: str) -> set[str]:
    """Return the commands below a command, none where it has none."""
    module = import_module(f"dragoman.cli.{MODULES.get(name, name)}")
    return set(getattr(typer.main.get_command(module.app), "commands", ()))


def test_every_command_that_is_suggested_is_there() -> None:
    known = {name: subcommands(name) for name in COMMANDS if name != "models"}  # takes words, too
    named = chain.from_iterable(
        ((path.name, *found) for found in COMMAND.findall(path.read_text())) for path in TOLD
    )
    assert not {
        (file, group, command)
        for file, group, command in named
        if known.get(group) and command not in known[group]
    }
