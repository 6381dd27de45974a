"""A gateway is killed under load, again and again: its books agree with the provider's own list."""

from pathlib import Path

import pytest

from tests.chaos.databases import Database, Files, Server
from tests.chaos.ordeal import Ordeal, endure

CYCLES = 10
LOAD_S = 0.4
LOCKED_S = 0.5


async def survived(home: Path, database: Database, workers: int) -> None:
    ordeal = Ordeal(home, database, workers)
    said: list[str] = []
    try:
        verdict = await endure(ordeal, CYCLES, LOAD_S, say=said.append)
    finally:
        ordeal.stop()
    assert verdict.faults == (), "\n".join(said)
    assert verdict.began > verdict.told > 0
    assert verdict.concluded + verdict.lost > 0, "nothing was under way at any kill"
    assert "Traceback" not in ordeal.log()


@pytest.mark.parametrize("workers", [1, 2])
async def test_ten_kills_of_any_process_leave_the_books_right(tmp_path: Path, workers: int) -> None:
    await survived(tmp_path, Files(tmp_path / "data", LOCKED_S), workers)


async def test_ten_kills_of_any_process_or_of_the_server_leave_the_books_right(
    tmp_path: Path, server: Server
) -> None:
    await survived(tmp_path, server, 2)
