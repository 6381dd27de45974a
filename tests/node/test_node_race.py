"""Many at once for one purse, at one worker, at four, and at two nodes of two workers."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from bench.cluster.caller import Caller
from bench.cluster.node import Plan, Town, town
from bench.cluster.race import HOLDS, proof_of, race
from dragoman.store.options import DatabaseOptions

AT_ONCE: Final = 400
"""`make cluster` sends a thousand; these are as many times what there is room for."""


@contextmanager
def built(tmp_path: Path, plan: Plan) -> Iterator[Town]:
    with town(tmp_path, plan) as found:
        yield found
    for log in tmp_path.glob("node-*.log"):
        assert "Traceback" not in log.read_text()


def assert_fair(found: Town) -> None:
    outcome = asyncio.run(race(found, AT_ONCE))
    assert outcome.admitted == HOLDS
    proof = asyncio.run(proof_of(Caller(found.ports[0], found.manager)))
    assert proof["leases"] == 0
    assert found.began() == HOLDS + outcome.after


@pytest.mark.parametrize("workers", [1, 4])
def test_a_purse_worth_ten_holds_admits_ten_whichever_workers_are_asked(
    tmp_path: Path, workers: int
) -> None:
    with built(tmp_path, Plan(workers=workers)) as found:
        assert_fair(found)


def test_a_purse_worth_ten_holds_admits_ten_at_two_nodes_of_two_workers(
    tmp_path: Path, postgres_state: DatabaseOptions
) -> None:
    assert postgres_state.url is not None
    where = {"url": postgres_state.url, "schema": postgres_state.schema}
    with built(tmp_path, Plan(nodes=2, workers=2, database=where)) as found:
        assert_fair(found)
