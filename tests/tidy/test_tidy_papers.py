"""What is written about the code agrees with the code: locks, change log, docs, Makefile."""

import re
import tomllib
from importlib.metadata import entry_points
from pathlib import Path
from typing import Final

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from dragoman import __version__
from tests.tidy import rules
from tests.tidy.project import MODULES, PAPERS, PYPROJECT, ROOMS, ROOT, name_of

README_LINES: Final = 10
DIRECT_DEPENDENCIES: Final = 25
TARGETS: Final = 18

PIN: Final = re.compile(r"^([A-Za-z0-9_.-]+)==([^\s;]+)", re.MULTILINE)
TARGET: Final = re.compile(r"^([a-z][a-z-]*):(?!=)(.*)$", re.MULTILINE)
LINK: Final = re.compile(r"\]\((?!https?:|#|mailto:)([^)#]+)")
GROUPS: Final = {"run": ["build"], "dev": ["build", "dev"]}


def pins(requirements: str) -> dict[str, str]:
    """Return what `requirements/<name>.txt` installs: name -> version."""
    found = PIN.findall((ROOT / "requirements" / f"{requirements}.txt").read_text())
    return {canonicalize_name(name): version for name, version in found}


def locked() -> dict[str, str]:
    """Return what `uv.lock` chose: name -> version."""
    packages = tomllib.loads((ROOT / "uv.lock").read_text())["package"]
    return {package["name"]: package.get("version", "") for package in packages}


def declared(requirements: str) -> dict[str, Requirement]:
    """Return what `pyproject.toml` asks for in a list of requirements, by name."""
    lines = list(PYPROJECT["project"]["dependencies"])
    for group in GROUPS[requirements]:
        lines += PYPROJECT["dependency-groups"][group]
    return {canonicalize_name(Requirement(line).name): Requirement(line) for line in lines}


@pytest.mark.parametrize("requirements", GROUPS)
def test_what_is_installed_is_what_was_locked(requirements: str) -> None:
    chosen = locked()
    apart = {
        name: version for name, version in pins(requirements).items() if chosen.get(name) != version
    }
    assert not apart, f"requirements/{requirements}.txt is older than uv.lock: run `make lock`"


@pytest.mark.parametrize("requirements", GROUPS)
def test_what_was_locked_is_what_was_asked_for(requirements: str) -> None:
    chosen = pins(requirements)
    for name, requirement in declared(requirements).items():
        assert name in chosen, f"{name} is not locked: run `make lock`"
        assert requirement.specifier.contains(chosen[name]), f"{name}: run `make lock`"


@pytest.mark.parametrize("requirements", GROUPS)
def test_every_pin_is_proved_by_a_hash(requirements: str) -> None:
    text = (ROOT / "requirements" / f"{requirements}.txt").read_text()
    blocks = re.split(r"^(?=\S+==)", text, flags=re.MULTILINE)[1:]
    bare = [block.split()[0] for block in blocks if "--hash=sha256:" not in block]
    assert not bare, f"{bare}: pip would take whatever the registry hands out"


def test_running_needs_few_packages() -> None:
    count = len(PYPROJECT["project"]["dependencies"])
    assert count <= DIRECT_DEPENDENCIES, f"{count} direct dependencies: one must go first"


def test_the_change_log_tells_of_this_version() -> None:
    headings = re.findall(r"^## \[?([\d.]+)\]?", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert __version__ in headings, f"CHANGELOG.md says nothing of {__version__}"


@pytest.mark.parametrize("room", ROOMS, ids=name_of)
def test_a_room_says_in_few_lines_what_belongs_there(room: Path) -> None:
    readme = room / "README.md"
    assert readme.is_file(), f"{room.name}/README.md is missing: what belongs there?"
    lines = readme.read_text().splitlines()
    assert 2 < len(lines) <= README_LINES, f"{len(lines)} lines: a sign on the door, not a manual"


@pytest.mark.parametrize("path", PAPERS, ids=name_of)
def test_a_link_between_papers_leads_somewhere(path: Path) -> None:
    for target in LINK.findall(path.read_text()):
        assert (path.parent / target).exists(), (
            f"{path.name} points to {target}, which is not there"
        )


def test_no_paper_and_no_module_knows_the_machine_it_was_written_on() -> None:
    why = "a path of one machine means nothing on another"
    complaints = [
        f"{name_of(path)} {it}"
        for path in [*PAPERS, *MODULES]
        for it in rules.text_matches(path.read_text(), rules.MACHINE_PATHS, why)
    ]
    assert not complaints, "\n".join(complaints)


def test_decisions_are_numbered_without_gaps() -> None:
    numbers = [int(path.name[:4]) for path in sorted((ROOT / "docs" / "decisions").glob("*-*.md"))]
    assert numbers == list(range(len(numbers))), "a decision is never removed, only superseded"


def test_make_has_few_targets_and_each_says_what_it_does() -> None:
    targets = dict(TARGET.findall((ROOT / "Makefile").read_text()))
    silent = [name for name, rest in targets.items() if "##" not in rest]
    assert not silent, f"{silent}: `make help` does not know them"
    assert len(targets) <= TARGETS, f"{len(targets)} targets: nobody remembers so many"


def test_ci_installs_every_program_that_a_test_needs() -> None:
    tests = "\n".join(path.read_text() for path in (ROOT / "tests").rglob("*.py"))
    wanted = set(re.findall(r'\bneeds\("([a-z-]+)"\)', tests))
    installed = set(re.findall(r"\b([a-z-]+):[a-z-]+", (ROOT / ".ci" / "run").read_text()))
    assert wanted <= installed, f"add {sorted(wanted - installed)} to .ci/run"


def test_the_command_is_installed_under_its_name() -> None:
    commands = {entry.name: entry.value for entry in entry_points(group="console_scripts")}
    assert commands.get("dragoman") == PYPROJECT["project"]["scripts"]["dragoman"]
