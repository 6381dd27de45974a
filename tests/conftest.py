"""What every test may use: programs that may be missing, and a Hypothesis that never times.

`needs("node")` gives the path of a program. Where it is missing the test skips
and says so at the end of the run; with `DRAGOMAN_REQUIRE_ALL=1`, as in CI, it
fails instead, so that nothing is skipped unnoticed.
"""

import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest
from hypothesis import settings

Needs = Callable[[str], str]

SYSTEM_PATH: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
NODE_CLIENTS: Final = Path(__file__).parent / "e2e" / "node"

settings.register_profile("house", deadline=None, print_blob=True)
settings.load_profile("house")


def _absent(what: str) -> None:
    """Skip the test that is running, or fail it where everything is required."""
    reason = f"{what}; set DRAGOMAN_REQUIRE_ALL=1 to make this a failure"
    if os.environ.get("DRAGOMAN_REQUIRE_ALL") == "1":
        pytest.fail(what, pytrace=False)
    pytest.skip(reason)


@pytest.fixture(scope="session")
def needs() -> Needs:
    """Return a function from a program's name to its path; the test skips if there is none."""

    def find(program: str) -> str:
        if (path := shutil.which(program, path=SYSTEM_PATH)) is None:
            _absent(f"{program} is not installed")
        assert path is not None
        return path

    return find


@pytest.fixture(scope="session")
def node_clients(needs: Needs) -> Path:
    """Return the directory in which Node finds the clients that `make setup-dev` installs."""
    needs("node")
    if not (NODE_CLIENTS / "node_modules").is_dir():
        _absent("the Node clients are not installed (make setup-dev installs them, with npm)")
    return NODE_CLIENTS
