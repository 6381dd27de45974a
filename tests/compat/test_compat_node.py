"""Official clients for Node, unmodified: each at every provider dialect, feature by feature."""

from typing import Any

import pytest

from tests.compat.lab import HOME, Lab
from tests.compat.upstreams import HOSTS
from tests.compat.uses import FRAMEWORKS, FRAMEWORKS_HOME, NODE, Script, run, wrong
from tests.conftest import Needs


@pytest.fixture(scope="module", params=NODE, ids=[script.file.stem for script in NODE])
def ran(lab: Lab, needs: Needs, request: pytest.FixtureRequest) -> tuple[Script, dict[str, Any]]:
    """A client, and what it found."""
    return request.param, run(request.param, needs("node"), lab)


@pytest.mark.parametrize("dialect", [host.dialect for host in HOSTS])
def test_what_a_client_finds(ran: tuple[Script, dict[str, Any]], dialect: str) -> None:
    script, found = ran
    assert not wrong(script, found[dialect])


def test_what_is_wrong_is_seen() -> None:
    """The judge sees a client that got nothing of what it asked for."""
    nothing = {"pieces": 0, "late": {"message": ""}, "refused": {"status": 200}}
    problems = wrong(NODE[0], nothing)
    for name in ("text", "usage", "calls", "loop", "person", "thought", "image", "refusal"):
        assert name in problems


def test_scripts_are_all_run() -> None:
    scripts = {script.file for script in (*NODE, *FRAMEWORKS)}
    there = {*HOME.glob("*.mjs"), *FRAMEWORKS_HOME.glob("*.py")}
    assert {path for path in there if path.stem != "shared"} == scripts
