"""What a gateway lives on is gone for some seconds: who is known is served, and nothing is lost."""

from collections.abc import Sequence
from pathlib import Path

from tests.chaos.databases import Database, Files, Server
from tests.chaos.ordeal import Ordeal
from tests.chaos.outage import Outage, of_files, of_server, weather

AWAY_S = 3.0


async def weathered(
    home: Path, database: Database, workers: int, outages: Sequence[Outage]
) -> None:
    ordeal = Ordeal(home, database, workers)
    said: list[str] = []
    try:
        verdict = await weather(ordeal, outages, AWAY_S, say=said.append)
    finally:
        ordeal.stop()
    assert verdict.faults == (), "\n".join(said)
    assert verdict.told > 0
    assert "Traceback" not in ordeal.log()


async def test_files_that_are_locked_and_a_disk_that_is_full(tmp_path: Path) -> None:
    files = Files(tmp_path / "data", AWAY_S)
    await weathered(tmp_path, files, 1, of_files(files))


async def test_a_server_that_is_gone_and_one_that_stands_still(
    tmp_path: Path, server: Server
) -> None:
    await weathered(tmp_path, server, 2, of_server(server))
