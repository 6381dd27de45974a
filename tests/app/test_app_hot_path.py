"""What a warm request costs besides its own work: no SQL, one task, whatever its length."""

import asyncio
import gc
from collections import Counter

import pytest
from sqlalchemy import Connection, func, select

from dragoman.office.premises import Premises
from dragoman.records.tables import generation
from tests.app.node import Node, statements, tasks

REQUESTS = 12
A_BATCH = 9
"""Statements that write one batch: the rows, the sum of a key's day, the sums of reports."""
WRITES = ("INSERT INTO generation", "INSERT INTO key_usage", "INSERT INTO rollup")


def recorded(connection: Connection) -> int:
    """Count the generations on record."""
    found: int = connection.execute(select(func.count()).select_from(generation)).scalar_one()
    return found


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_warm_request_asks_no_database(premises: Premises, *, stream: bool) -> None:
    node = Node(premises)
    with statements() as cold:
        assert (await node.chat(stream=stream)).status == 200
    assert any("api_key" in statement for statement in cold)
    with statements() as warm:
        for _ in range(REQUESTS):
            assert (await node.chat(stream=stream)).status == 200
    assert warm == []


async def test_records_are_written_in_batches_and_not_by_requests(premises: Premises) -> None:
    node = Node(premises)
    with statements() as seen:
        for _ in range(REQUESTS):
            await node.chat()
        assert not any("INTO generation" in statement for statement in seen)
        async with node.running():
            pass
    written = [s for s in seen if s.startswith(WRITES)]
    assert 0 < len(written) <= A_BATCH
    assert await premises.records.read(recorded) == REQUESTS


@pytest.mark.parametrize("words", [2, 30])
async def test_a_stream_is_one_task_beside_its_own_whatever_its_length(
    premises: Premises, words: int
) -> None:
    node = Node(premises)
    await node.chat()
    with tasks() as begun:
        talk = [{"role": "user", "content": "word " * words}]
        client = await node.chat(stream=True, messages=talk)
    assert client.body.count(b"data: ") > words
    assert begun == ["_Presence._watch"]


async def test_a_whole_answer_is_one_task_beside_its_own(premises: Premises) -> None:
    node = Node(premises)
    await node.chat()
    with tasks() as begun:
        await node.chat()
    assert begun == ["_Presence._watch"]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_a_request_that_has_ended_leaves_nothing_for_the_collector(
    premises: Premises, *, stream: bool
) -> None:
    node = Node(premises)
    await node.chat(stream=stream)
    gc.collect()
    before = counted()
    gc.disable()
    try:
        for _ in range(REQUESTS):
            assert (await node.chat(stream=stream)).status == 200
        await asyncio.sleep(0)
        left = counted() - before
    finally:
        gc.enable()
    assert not left


def counted() -> Counter[str]:
    """Count what a request consists of; other tests may have left some of it, too."""
    kinds = {"Turn", "Visit", "Journey", "Attempt"}
    return Counter(name for each in gc.get_objects() if (name := type(each).__name__) in kinds)
