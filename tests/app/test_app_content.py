"""What was said: stored only where the account opted in, read by whom it concerns, forgotten."""

import json
import time
from typing import Any

import pytest
from msgspec.structs import replace
from openrouter.components import GenerationContentResponse
from sqlalchemy import func, select

from dragoman.access import audit, keyring, pulse
from dragoman.access.audit import Act
from dragoman.core.ids import key_hash
from dragoman.ledger import entries
from dragoman.ledger.types import Account
from dragoman.office.contents import set_store_content
from dragoman.office.premises import Premises
from dragoman.records.tables import content
from tests.app.node import Node

WORDS = "xylophone quartz marmalade"
SAID = [{"role": "user", "content": WORDS}]
PATH = "/api/v1/generation/content"
ACT = Act(actor="test", at=1.0)


@pytest.fixture(autouse=True)
def _patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pulse, "HASTY_S", 30.0)  # none of this is about how busy the machine is


def opt(premises: Premises, *, stores: bool = True, account: str = "default") -> None:
    premises.ledger.run_now(set_store_content(account, stores=stores, act=ACT))


def stored(premises: Premises) -> int:
    count = select(func.count()).select_from(content)
    return int(premises.records.read_now(lambda c: c.execute(count).scalar_one()))


async def said(node: Node, **body: Any) -> str:
    client = await node.chat(**{"messages": SAID} | body)
    assert client.status == 200, client.body
    return str(client.headers["x-generation-id"])


async def read(node: Node, id_: str, key: str = "") -> Any:
    return await node.call("GET", f"{PATH}?id={id_}", key=key or node.key)


@pytest.mark.parametrize("stream", [False, True])
async def test_what_was_said_is_read_where_the_account_opted_in(
    premises: Premises, *, stream: bool
) -> None:
    opt(premises)
    node = Node(premises)
    async with node.running():
        id_ = await said(node, stream=stream)
        client = await read(node, id_)
    assert (client.status, client.headers["cache-control"]) == (200, "private, no-store")
    data = client.json()["data"]
    assert data["input"] == {"messages": SAID}
    assert data["output"]["completion"].split() == WORDS.split()
    assert (data["output"]["reasoning"], data["error"], data["truncated"]) == (None, None, False)
    shown = GenerationContentResponse.model_validate_json(client.body)
    assert shown.data.output.completion == data["output"]["completion"]


async def test_nothing_of_a_prompt_is_in_any_file_otherwise(premises: Premises) -> None:
    node = Node(premises)
    async with node.running():
        for stream in (False, True):
            id_ = await said(node, stream=stream)
            assert (await read(node, id_)).status == 404
            assert (await node.get(f"/api/v1/generation?id={id_}")).status != 500
    files = [path for path in premises.path.rglob("*") if path.is_file()]
    assert files
    for word in WORDS.split():
        assert not [path for path in files if word.encode() in path.read_bytes()]
    assert stored(premises) == 0


@pytest.mark.parametrize("wish", [{"data_collection": "deny"}, {"zdr": True}])
async def test_a_request_that_wants_nothing_kept_wins(
    premises: Premises, wish: dict[str, Any]
) -> None:
    opt(premises)
    node = Node(premises)
    async with node.running():
        client = await node.chat(messages=SAID, provider={"only": ["demo-swift"], **wish})
        assert (await read(node, client.headers["x-generation-id"])).status == 404
    assert stored(premises) == 0


async def test_an_error_is_kept_with_what_was_asked(premises: Premises) -> None:
    opt(premises)
    node = Node(premises)
    async with node.running():
        client = await node.chat(messages=SAID, provider={"only": ["demo-swift"]}, max_tokens=1)
        failed = await node.chat(messages=SAID, model="openai/gpt-4o-mini")
        data = (await read(node, failed.headers["x-generation-id"])).json()["data"]
    assert client.status == 200
    assert data["input"] == {"messages": SAID}
    assert data["output"] == {"completion": None, "reasoning": None}
    assert data["error"]["status"] == failed.status >= 400
    assert data["error"]["message"] == json.loads(failed.body)["error"]["message"]


async def test_another_key_of_the_account_may_not_read_it_but_one_that_manages(
    premises: Premises,
) -> None:
    opt(premises)
    node = Node(premises)
    guest, boss = node.mint("guest"), node.mint("boss", kind="management")
    async with node.running():
        id_ = await said(node)
        refused = await read(node, id_, guest)
        assert (await read(node, id_, boss)).status == 200
    assert refused.status == 403
    message = refused.json()["error"]["message"]
    assert message == "Only management keys can perform this operation"


async def test_another_account_does_not_find_it(premises: Premises) -> None:
    opt(premises)
    node = Node(premises)
    stranger = node.mint("stranger", kind="management")
    made = Account(id="acct_other", kind="postpaid", name="other", created_at=0.0)
    premises.ledger.run_now(lambda connection: entries.add_account(connection, made))
    row = premises.ledger.run_now(keyring.by_hash(key_hash(stranger)))
    assert row is not None
    moved = replace(row, account="acct_other")
    premises.ledger.run_now(lambda connection: keyring.replace(connection, moved))
    async with node.running():
        id_ = await said(node)
        assert (await read(node, id_, stranger)).status == 404
        patch = {"store_content": True}
        client = await node.call("PATCH", "/api/v1/accounts/default", patch, key=stranger)
        assert client.status == 404
        assert (await read(node, "gen-none")).status == 404
        assert (await read(node, "%00")).status == 404
        assert (await read(node, "")).status == 400


async def test_an_account_opts_in_and_out_by_the_api(premises: Premises) -> None:
    node = Node(premises)
    boss = node.mint("boss", kind="management")
    path = "/api/v1/accounts/default"
    async with node.running():
        client = await node.call("PATCH", path, {"store_content": True}, key=boss)
        assert client.json()["data"] == {
            "id": "default",
            "store_content": True,
            "user_limit": None,
            "user_limit_reset": None,
        }
        refused = await node.call("PATCH", path, {"store_content": True}, key=node.key)
        assert refused.status == 403
        assert (await node.call("PATCH", path, {"store": True}, key=boss)).status == 400
        await node.call("PATCH", path, {"store_content": True}, key=boss)
    (entry, *_) = premises.ledger.read_now(audit.latest(5))
    assert (entry.action, entry.subject) == ("account.update", "account:default")
    assert entry.detail == {"store_content": [False, True]}
    assert entry.actor == f"key:{key_hash(boss)}"
    assert [e.action for e in premises.ledger.read_now(audit.latest(5))].count(entry.action) == 1


async def test_what_is_too_old_is_forgotten(premises: Premises) -> None:
    opt(premises)
    node = Node(premises)
    async with node.running():
        await said(node)
        await node.background.contents.flush()
        assert stored(premises) == 1
        tidy = node.background.housekeeping
        await tidy.tidy()
        assert stored(premises) == 1
        later = replace(tidy, clock=replace(tidy.clock, wall=lambda: time.time() + 32 * 86_400))
        await later.tidy()
    assert stored(premises) == 0
