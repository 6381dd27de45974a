"""A node from its start to its stop, and the catalog it holds meanwhile."""

import asyncio
from pathlib import Path

import pytest

from dragoman.access.types import Changes
from dragoman.catalog.types import Catalog
from dragoman.core.clock import Clock
from dragoman.core.ids import key_hash
from dragoman.office import keys
from dragoman.office.archive import Archive
from dragoman.office.premises import Premises
from dragoman.office.refresh import refresh
from dragoman.serving import problems
from tests.app.node import Node
from tests.office.editions import text, write
from tests.relay.scene import catalog, endpoint


async def test_a_node_serves_records_and_stops(premises: Premises) -> None:
    node = Node(premises)
    async with node.running():
        assert (await node.get("/readyz")).json() == {"status": "ok"}
        client = await node.chat(session_id="s-1")
        body = client.json()
        assert body["choices"][0]["message"]["content"]
        made = (await node.get("/api/v1/generation", id=body["id"])).json()["data"]
        assert (made["session_id"], made["provider_name"]) == ("s-1", body["provider"])
        key = (await node.get("/api/v1/key")).json()["data"]
        assert key["usage"] == pytest.approx(body["usage"]["cost"])
        assert (await node.get("/api/v1/auth/key")).json()["data"] == key
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_what_was_served_last_is_on_record_after_the_stop(premises: Premises) -> None:
    node = Node(premises)
    async with node.running():
        id_ = (await node.chat()).json()["id"]
    again = Node(premises)
    async with again.running():
        assert (await again.get("/api/v1/generation", id=id_)).status == 200


async def answered(node: Node, status: int) -> None:
    """Return as soon as a chat is answered with this status."""
    while (await node.chat()).status != status:  # noqa: ASYNC110 - nobody tells
        await asyncio.sleep(0.05)


async def test_a_loop_of_the_background_that_breaks_is_begun_anew_and_the_others_go_on(
    premises: Premises, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("dragoman.serving.RESTART_S", 0.01)
    node = Node(premises)
    asked, answer = [0], node.background.serving.gate._keeper.changes

    async def changes(since: int, after: str = "") -> Changes:
        asked[0] += 1
        if asked[0] < 3:
            raise ZeroDivisionError("what nobody expected")
        return await answer(since, after)

    monkeypatch.setattr(node.background.serving.gate._keeper, "changes", changes)
    async with node.running(), asyncio.timeout(20):
        await answered(node, 200)
        while asked[0] < 4:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
        await premises.ledger.run(keys.revoke(key_hash(node.key), 1.0))
        await answered(node, 401)
        assert (await node.get("/healthz")).status == 200
    assert "what nobody expected" in caplog.text


async def test_a_control_plane_that_does_not_come_is_not_waited_for(
    premises: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.web.plane.PATIENCE_S", 0.01)
    client = await Node(premises).get("/api/v1/models")
    assert (client.status, client.headers["retry-after"]) == (503, "1")


async def test_a_key_that_is_not_there_is_no_key(premises: Premises) -> None:
    node = Node(premises)
    node.key = node.key[:-1] + ("0" if node.key[-1] != "0" else "1")
    assert (await node.chat()).status == 401
    assert key_hash(node.key)


def test_a_catalog_that_nobody_can_call_is_a_problem() -> None:
    assert problems(catalog(endpoint("a"))) == []
    assert problems(Catalog(models={}, providers={})) == problems(
        catalog(endpoint("a", configured=False), endpoint("b", status="inactive"))
    )
    (why,) = problems(Catalog(models={}, providers={}))
    assert "OPENAI_API_KEY" in why


async def test_a_node_takes_up_a_catalog_that_another_process_put_into_force(
    premises: Premises, tmp_path: Path
) -> None:
    node = Node(premises)
    source = write(tmp_path / "new.json", text())
    async with node.running():
        assert (await node.get("/api/v1/models/acme/one/endpoints")).status == 404
        archive = Archive(premises.path)
        await refresh(source, archive, node.background.serving.client, Clock())
        async with asyncio.timeout(30):
            while "acme/one" not in node.background.upkeep.shelf.catalog().models:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        assert (await node.get("/api/v1/models/acme/one/endpoints")).status == 200
