"""One gateway for the matrix and for the clients.

Assertions of the cells say what they compared: that is asked for before they are imported.
"""

from collections.abc import Iterator

import pytest

for name in (
    "bedrock",
    "cells",
    "chat",
    "completions",
    "kinds",
    "kind_hosts",
    "messages",
    "responses",
    "upstreams",
):
    pytest.register_assert_rewrite(f"tests.compat.{name}")

from tests.compat.asks import fixtures  # noqa: E402
from tests.compat.cells import all_cells  # noqa: E402
from tests.compat.kinds import kind_cells  # noqa: E402
from tests.compat.lab import AIMOCK, Lab, running  # noqa: E402
from tests.compat.uses import NODE, uses  # noqa: E402
from tests.conftest import Needs, absent  # noqa: E402


@pytest.fixture(scope="session")
def lab(needs: Needs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    node = needs("node")
    if not AIMOCK.is_dir():
        absent("the mock server is not installed (make setup-dev installs it, with npm)")
    home = tmp_path_factory.mktemp("compat")
    with running(node, [*all_cells(), *uses(NODE)], home, fixtures(), kind_cells()) as lab:
        yield lab
