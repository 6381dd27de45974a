"""Every client dialect at every provider's dialect, feature by feature."""

import pytest

from dragoman.providers.registry import DIALECTS
from tests.compat import kinds
from tests.compat.cells import Cell, all_cells, check
from tests.compat.kinds import KINDS, KindCell, kind_cells
from tests.compat.lab import Lab
from tests.compat.page import matrix
from tests.compat.run import DOC
from tests.compat.upstreams import HOSTS


@pytest.mark.parametrize("cell", all_cells(), ids=str)
def test_cell(cell: Cell, lab: Lab) -> None:
    check(cell, lab)


@pytest.mark.parametrize("cell", kind_cells(), ids=str)
def test_what_is_no_chat(cell: KindCell, lab: Lab) -> None:
    kinds.check(cell, lab)


def test_the_page_tells_of_every_cell() -> None:
    """`make compat COMPAT=--write` writes it anew."""
    assert matrix(dict.fromkeys([*all_cells(), *kind_cells()], "")) in DOC.read_text()


def test_no_kind_is_forgotten() -> None:
    """What a dialect is registered for is asked of it, and nothing else."""
    for kind in KINDS:
        spoken = {name.removesuffix(f"-{kind.name}") for name in DIALECTS if kind.name in name}
        assert kind.servers.keys() == spoken - {"demo"}


def test_no_dialect_is_forgotten() -> None:
    """Of a family (`vertex-anthropic`, `responses-xai`) the first stands for all."""
    families = {name.partition("-")[0] for name in DIALECTS} - {"demo"}
    assert {host.dialect for host in HOSTS} == families
