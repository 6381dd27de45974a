"""A node from its start to its stop, and the catalog it holds meanwhile."""

import asyncio
import json
from typing import Any

import msgspec
import pytest

from dragoman.access.types import Changes
from dragoman.app import Background, Shelf, problems
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.options import ProviderOptions
from dragoman.catalog.types import Catalog
from dragoman.config import Options
from dragoman.core.ids import key_hash
from dragoman.net.types import NetError
from dragoman.office import keys
from dragoman.office.discovery import Discovery
from dragoman.office.premises import Premises
from tests.access.fakes import HandClock
from tests.app.node import Node
from tests.relay.scene import catalog, endpoint
from tests.upstream.hosts import HANGS, Hosts, Script, breaks, plays

OWN = Options(providers={"acme": ProviderOptions(base_url="http://acme/v1", discover=True)})


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
    monkeypatch.setattr("dragoman.app.RESTART_S", 0.01)
    node = Node(premises)
    asked, answer = [0], node.background.gate._keeper.changes

    async def changes(since: int) -> Changes:
        asked[0] += 1
        if asked[0] < 3:
            raise ZeroDivisionError("what nobody expected")
        return await answer(since)

    monkeypatch.setattr(node.background.gate._keeper, "changes", changes)
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


def discovering(node: Node, *scripts: Script) -> Background:
    """Return the node's background with a discovery that asks a host in memory."""
    shelf = node.background.shelf
    hosts = Hosts(HandClock(), acme=scripts)
    found = Discovery(shelf.hosts, OWN.providers, hosts)
    return msgspec.structs.replace(node.background, discovery=found)


def lists(*names: str) -> Script:
    return plays(json.dumps({"data": [{"id": name} for name in names]}).encode())


def own_models(shelf: Shelf) -> set[str]:
    return {name for name in shelf.catalog().models if name.startswith("acme/")}


async def test_models_of_ones_own_host_join_the_catalog(premises: Premises) -> None:
    background = discovering(Node(premises, OWN), lists("one"), lists("one", "two"))
    before = background.shelf.catalog()
    await background._discover(1)
    assert own_models(background.shelf) == {"acme/one"}
    assert background.shelf.catalog() is not before
    await background._discover(1)
    assert own_models(background.shelf) == {"acme/one", "acme/two"}


async def test_a_catalog_is_replaced_only_when_something_changed(premises: Premises) -> None:
    background = discovering(Node(premises, OWN), lists("one"))
    await background._discover(1)
    before = background.shelf.catalog()
    await background._discover(1)
    assert background.shelf.catalog() is before


@pytest.mark.parametrize("trouble", [breaks(NetError("refused", "no")), HANGS])
async def test_a_host_that_does_not_answer_keeps_the_models_it_had(
    premises: Premises, trouble: Script
) -> None:
    background = discovering(Node(premises, OWN), lists("one"), trouble)
    await background._discover(1)
    await background._discover(0.01)
    assert own_models(background.shelf) == {"acme/one"}


async def test_a_catalog_that_cannot_be_made_leaves_the_one_there_is(
    premises: Premises, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    background = discovering(Node(premises, OWN), lists("one"))
    before = background.shelf.catalog()

    def refused(*_: Any, **__: Any) -> Catalog:
        raise CatalogError("providers.acme", "is at odds with itself")

    monkeypatch.setattr("dragoman.app.assemble", refused)
    await background._discover(1)
    assert background.shelf.catalog() is before
    assert "at odds with itself" in caplog.text


async def test_hosts_are_asked_again_from_time_to_time(
    premises: Premises, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.app.REDISCOVER_S", 0.01)
    background = discovering(Node(premises, OWN), lists("one"), lists("one", "two"))
    await background._discover(1)
    keeping = asyncio.create_task(background._keep_discovering())
    async with asyncio.timeout(10):
        while len(own_models(background.shelf)) < 2:  # noqa: ASYNC110 - nobody tells
            await asyncio.sleep(0.01)
    keeping.cancel()
    with pytest.raises(asyncio.CancelledError):
        await keeping
