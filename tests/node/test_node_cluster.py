"""Two nodes of two workers over one PostgreSQL, of which things change and go away."""

import asyncio
from collections.abc import Iterator

import pytest

from bench.cluster import checks
from bench.cluster.caller import Caller
from bench.cluster.node import Plan, Town, town
from bench.cluster.race import PATIENCE_S, proof_of
from tests import postgres


@pytest.fixture(scope="module")
def server() -> Iterator[postgres.OwnServer]:
    try:
        with postgres.own_server() as own:
            yield own
    except postgres.NoServer as why:
        pytest.skip(str(why))


@pytest.fixture(scope="module")
def cluster(server: postgres.OwnServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    where = tmp_path_factory.mktemp("cluster")
    with town(where, Plan(nodes=2, workers=2, database={"url": server.url})) as found:
        yield found
        proof = asyncio.run(proof_of(Caller(found.ports[0], found.manager)))
    assert proof["holds"]
    for log in where.glob("node-*.log"):
        assert "Traceback" not in log.read_text(), log.read_text()


def test_a_revoked_key_is_refused_by_all_workers_and_nodes(cluster: Town) -> None:
    assert asyncio.run(checks.revoked(cluster)) < PATIENCE_S


def test_a_lowered_limit_holds_for_what_busy_workers_have_leased(cluster: Town) -> None:
    assert asyncio.run(checks.lowered(cluster)) < PATIENCE_S


def test_books_agree_with_the_provider_when_a_keeper_is_killed(cluster: Town) -> None:
    assert "add up" in asyncio.run(checks.keeper_killed(cluster))


def test_without_its_database_a_cluster_serves_the_keys_it_knows(
    cluster: Town, server: postgres.OwnServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "AWAY_S", 0.5)
    asyncio.run(checks.database_away(cluster, server.stop, server.start))
