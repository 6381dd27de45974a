"""Alerts over HTTP: kept by an account, told by a running node, and nobody else's business."""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from dragoman.access.audit import latest
from dragoman.config import Options
from dragoman.ledger import proof
from dragoman.net.signing import secret_bytes, signature
from dragoman.office import watch
from dragoman.office.alert_options import AlertsOptions, HouseOptions, SmtpOptions
from dragoman.office.premises import Premises
from tests.app.node import Node
from tests.app.test_app_accounts import mint_for, opened
from tests.net.upstream import Peer, Upstream, answer
from tests.web.asgi import Client

ALERTS = "/api/v1/alerts"
HOOK = "https://hooks.example.com/a?token=secret"
BODY = {"name": "much", "usd": [5, "7.5"], "window": "daily", "webhooks": [HOOK]}
SMTP = SmtpOptions(host="127.0.0.1", sender="a@example.com", starttls=False)
HOUSE_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


class Receiver(Upstream):
    """Takes webhooks."""

    def __init__(self) -> None:
        super().__init__(self._take)
        self.came: asyncio.Queue[tuple[dict[str, str], bytes]] = asyncio.Queue()

    async def _take(self, peer: Peer) -> None:
        while True:
            head, _, body = (await peer.request()).partition(b"\r\n\r\n")
            named = (line.partition(": ") for line in head.decode().split("\r\n")[1:])
            self.came.put_nowait(({name.lower(): value for name, _, value in named}, body))
            await peer.send(answer())

    async def next(self, secret: str) -> Any:
        """Return what comes next, if it is signed with this secret."""
        async with asyncio.timeout(20):
            headers, body = await self.came.get()
        at = int(headers["webhook-timestamp"])
        signed = signature(secret_bytes(secret), headers["webhook-id"], at, body)
        assert signed in headers["webhook-signature"].split(" ")
        return json.loads(body)


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    made = Receiver()
    await made.listen()
    yield made
    await made.close()


def options(receiver: Receiver | None = None, **house: Any) -> Options:
    port = 443 if receiver is None else receiver.port
    alerts = AlertsOptions(
        allow=("127.0.0.1",),
        allow_http=True,
        ports=(443, port),
        smtp=SMTP,
        house=HouseOptions(**house),
    )
    return Options(alerts=alerts)


@pytest.fixture
async def node(premises: Premises) -> Node:
    node = Node(premises, options())
    await node.background.plane.load()
    return node


@pytest.fixture
def boss(node: Node) -> str:
    return node.mint("boss", kind="management")


async def call(
    node: Node, method: str, key: str, path: str = "", body: Any = None, **query: str
) -> Client:
    asked = "&".join(f"{name}={value}" for name, value in query.items())
    data = b"" if body is None else json.dumps(body).encode()
    return await node.call(method, f"{ALERTS}{path}?{asked}", data, key=key)


async def test_an_alert_is_made_shown_changed_and_removed(node: Node, boss: str) -> None:
    made = await call(node, "POST", boss, body=BODY)
    assert made.status == 201, made.body
    row, secret = made.json()["data"], made.json()["secret"]
    assert len(secret_bytes(secret)) == 32
    assert (row["usd"], row["percent"], row["window"]) == ([5.0, 7.5], None, "daily")
    assert (row["account"], row["key_hash"], row["disabled"]) == ("default", None, False)
    listed = (await call(node, "GET", boss)).json()
    assert (listed["data"], listed["total_count"]) == ([row], 1)
    shown = await call(node, "GET", boss, f"/{row['id']}")
    assert shown.json() == {"data": row, "deliveries": []}
    changed = await call(
        node, "PATCH", boss, f"/{row['id']}", {"name": "more", "emails": ["bob@example.com"]}
    )
    after = changed.json()["data"]
    assert (after["name"], after["emails"], after["usd"]) == ("more", ["bob@example.com"], [5, 7.5])
    rotated = (await call(node, "POST", boss, f"/{row['id']}/rotate")).json()
    assert rotated["secret"] != secret
    assert secret.encode() not in (await call(node, "GET", boss, f"/{row['id']}")).body
    tested = await call(node, "POST", boss, f"/{row['id']}/test")
    assert (tested.status, tested.json()["data"]["destinations"]) == (202, 2)
    shown = (await call(node, "GET", boss, f"/{row['id']}")).json()
    assert {(each["kind"], each["to"], each["state"]) for each in shown["deliveries"]} == {
        ("webhook", HOOK, "waiting"),
        ("email", "bob@example.com", "waiting"),
    }
    assert {each["id"] for each in shown["deliveries"]} == {tested.json()["data"]["id"]}
    assert (await call(node, "DELETE", boss, f"/{row['id']}")).json() == {"deleted": True}
    assert (await call(node, "GET", boss, f"/{row['id']}")).status == 404
    assert (await call(node, "GET", boss)).json()["data"] == []
    entries = node.premises.ledger.run_now(latest(10))
    told = [entry.action for entry in entries]
    assert told[:4] == ["alert.delete", "alert.rotate", "alert.update", "alert.create"]
    assert "token=secret" not in str(entries), "an address may hold a credential"
    assert entries[2].detail == {"emails": "replaced", "name": ["much", "more"]}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"percent": [80]}, "give one of them"),
        ({"usd": None}, "give one of them"),
        ({"usd": []}, "usd"),
        ({"usd": [0]}, "usd"),
        ({"usd": [-1]}, "usd"),
        ({"usd": ["0.0000000001"]}, "finer"),
        ({"usd": [1] * 11}, "usd"),
        ({"usd": None, "window": None, "percent": [101]}, "percent"),
        ({"usd": None, "window": None, "percent": [0]}, "percent"),
        ({"usd": None, "percent": [80]}, "window: leave it out"),
        ({"usd": None, "window": None, "percent": [80]}, "use usd"),
        ({"window": "hourly"}, "window"),
        ({"webhooks": []}, "at least one"),
        ({"webhooks": ["ftp://example.com"]}, r"webhooks[0]"),
        ({"webhooks": [HOOK, "https://10.0.0.1/"]}, "webhooks[1]: 10.0.0.1 is not public"),
        ({"webhooks": ["https://[::1]/"]}, "not public"),
        ({"webhooks": ["https://169.254.169.254/"]}, "not public"),
        ({"webhooks": ["https://hooks.example.com:22/"]}, "port 22"),
        ({"webhooks": ["https://me:secret@example.com/"]}, r"webhooks[0]"),
        ({"webhooks": [f"{HOOK}{n}" for n in range(11)]}, "webhooks"),
        ({"emails": ["bob"]}, "emails"),
        ({"emails": ["bob@example.com\nBcc: eve@example.com"]}, "emails"),
        ({"emails": ["bób@example.com"]}, "emails"),
        ({"key_hash": "0" * 64}, "key_hash"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_what_cannot_be_is_400_and_says_what_to_change(
    node: Node, boss: str, change: dict[str, Any], word: str
) -> None:
    body = {name: value for name, value in (BODY | change).items() if value is not None}
    client = await call(node, "POST", boss, body=body)
    assert (client.status, word in client.json()["error"]["message"]) == (400, True), client.body
    assert (await call(node, "GET", boss)).json()["total_count"] == 0
    assert b"me:secret" not in client.body


async def test_percents_need_a_limit_and_mail_a_server(premises: Premises) -> None:
    node = Node(premises)
    await node.background.plane.load()
    boss = node.mint("boss", kind="management")
    hash_ = (await node.call("GET", "/api/v1/keys", key=boss)).json()["data"][0]["hash"]
    percent = {"name": "a", "key_hash": hash_, "percent": [80, 80, 50], "webhooks": [HOOK]}
    client = await call(node, "POST", boss, body=percent)
    assert (client.status, "give it one" in client.json()["error"]["message"]) == (400, True)
    await node.call("PATCH", f"/api/v1/keys/{hash_}", b'{"limit": 5}', key=boss)
    client = await call(node, "POST", boss, body=percent)
    row = client.json()["data"]
    assert (client.status, row["percent"], row["window"]) == (201, [50, 80], None)
    changed = await call(node, "PATCH", boss, f"/{row['id']}", {"usd": [3]})
    assert changed.json()["data"]["window"] == "monthly"
    refused = await call(node, "PATCH", boss, f"/{row['id']}", {"emails": ["bob@example.com"]})
    assert "alerts.smtp" in refused.json()["error"]["message"]


async def test_there_is_an_end_to_alerts_and_to_tests(
    node: Node, boss: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.office.alerts.MOST_PER_ACCOUNT", 1)
    monkeypatch.setattr("dragoman.office.alerts.MOST_WAITING", 2)
    id_ = (await call(node, "POST", boss, body=BODY)).json()["data"]["id"]
    assert (await call(node, "POST", boss, body=BODY)).status == 409
    statuses = [(await call(node, "POST", boss, f"/{id_}/test")).status for _ in range(3)]
    assert statuses == [202, 202, 409]


async def test_an_alert_of_another_account_does_not_exist(
    premises: Premises, node: Node, boss: str
) -> None:
    mine, theirs = opened(premises, "Mine"), opened(premises, "Theirs")
    stranger = mint_for(premises, theirs, kind="management")
    body = {"name": "credit", "percent": [80], "webhooks": [HOOK]}
    made = await call(node, "POST", boss, body=body, account=mine)
    assert made.status == 201, made.body
    id_ = made.json()["data"]["id"]
    for method, path, said in (
        ("GET", "", None),
        ("PATCH", "", {"name": "mine"}),
        ("DELETE", "", None),
        ("POST", "/test", None),
        ("POST", "/rotate", None),
    ):
        for key, query in ((stranger, {}), (stranger, {"account": mine}), (boss, {})):
            client = await call(node, method, key, f"/{id_}{path}", said, **query)
            assert client.status == 404, (method, path, query)
    assert (await call(node, "GET", stranger)).json()["total_count"] == 0
    assert (await call(node, "GET", stranger, account=mine)).status == 404
    assert (await call(node, "GET", boss, account=mine)).json()["total_count"] == 1
    assert (await call(node, "POST", boss, body=body, account="house:income")).status == 404
    assert (await call(node, "POST", boss, body=body, account="acct_none")).status == 404
    hash_ = (await node.call("GET", "/api/v1/keys", key=boss)).json()["data"][0]["hash"]
    foreign = await call(node, "POST", stranger, body=BODY | {"key_hash": hash_})
    assert foreign.status == 400


async def test_a_running_node_tells_what_was_spent(
    premises: Premises, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    node = Node(premises, options(receiver))
    boss = node.mint("boss", kind="management")
    async with node.running():
        hook = {"webhooks": [receiver.url]}
        made = await call(
            node, "POST", boss, body={"name": "first cent", "usd": ["0.000000001"]} | hook
        )
        assert made.status == 201, made.body
        secret, id_ = made.json()["secret"], made.json()["data"]["id"]
        assert (await node.chat()).status == 200
        told = await receiver.next(secret)
        assert (told["type"], told["data"]["alert_id"]) == ("alert.threshold_reached", id_)
        assert told["data"]["spent"] > 0
        assert (await node.chat()).status == 200
        await call(node, "POST", boss, f"/{id_}/test")
        assert (await receiver.next(secret))["type"] == "alert.test", "and no second alert"
        async with asyncio.timeout(20):
            while True:
                shown = (await call(node, "GET", boss, f"/{id_}")).json()
                if [each["state"] for each in shown["deliveries"]] == ["sent", "sent"]:
                    break
                await asyncio.sleep(0.02)
    assert receiver.came.empty()


async def test_the_house_hears_of_a_journal_that_is_refused_and_readyz_says_so(
    premises: Premises, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watch, "LOOK_S", 0.05)
    chosen = options(receiver, webhooks=(receiver.url,), secret=HOUSE_SECRET)
    node = Node(premises, chosen)
    async with node.running():
        assert (await node.call("GET", "/readyz")).json() == {"status": "ok"}
        applier = node.background.counting.applier
        applier._note_refusal("f" * 32, "a segment is missing")
        told = await receiver.next(HOUSE_SECRET)
        ready = await node.call("GET", "/readyz")
    assert (told["type"], told["data"]["journal"]) == ("house.journal_refused", "f" * 32)
    assert (ready.status, ready.json()["status"]) == (200, "degraded")
    assert ready.json()["problems"] == [
        f"The journal {'f' * 32} cannot be booked: a segment is missing"
    ]
    assert premises.ledger.run_now(proof.prove).violations == ()
