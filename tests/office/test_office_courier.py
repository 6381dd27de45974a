"""The courier: signed, again and again, by one node, never within, and given up in the end."""

import asyncio
import base64
import hashlib
import hmac
import json
from contextlib import AsyncExitStack
from functools import partial

import pytest
from msgspec import structs
from sqlalchemy import update

from dragoman.ledger import outbox
from dragoman.ledger.alert_tables import alert_delivery
from dragoman.ledger.outbox import MOST_ATTEMPTS, PAUSES_S, SPREAD, Delivery
from dragoman.office import alerts
from dragoman.office.alert_secrets import OVERLAP_S
from dragoman.store.sql import Database
from tests.net.upstream import Peer, Upstream, answer
from tests.office.alert_scene import ALERTING, SECRETS, manager
from tests.office.conftest import Couriers
from tests.office.outgoing import hasten, rule, states, try_out


class Receiver(Upstream):
    """A receiver of webhooks that answers with these statuses in turn, the last for ever."""

    def __init__(self, *statuses: int) -> None:
        super().__init__(self._serve_one)
        self.requests: list[tuple[dict[str, str], bytes]] = []
        self._statuses = list(statuses) or [200]

    async def _serve_one(self, peer: Peer) -> None:
        while True:
            head, _, body = (await peer.request()).partition(b"\r\n\r\n")
            lines = head.decode().split("\r\n")[1:]
            named = (line.partition(": ") for line in lines)
            self.requests.append(({name.lower(): value for name, _, value in named}, body))
            status = self._statuses.pop(0) if len(self._statuses) > 1 else self._statuses[0]
            await peer.send(answer(b"", "Location: http://127.0.0.1:1/", status=f"{status} It is"))


async def receiver(stack: AsyncExitStack, *statuses: int) -> Receiver:
    made = Receiver(*statuses)
    await made.listen()
    stack.push_async_callback(made.close)
    return made


def is_signed(secret: str, headers: dict[str, str], body: bytes) -> bool:
    """Verify as Standard Webhooks tell receivers to."""
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    good = "v1," + base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode()
    return good in headers["webhook-signature"].split(" ")


async def test_a_webhook_arrives_signed(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack, 204)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    courier = couriers(host.port)
    assert await courier.deliver() == 1
    assert await courier.deliver() == 0
    ((headers, body),) = host.requests
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert (told["type"], told["data"]["alert_id"]) == ("alert.test", made.id)
    assert is_signed(SECRETS.text(made), headers, body)
    assert not is_signed(SECRETS.text(structs.replace(made, version=2)), headers, body)
    assert states(ledger, made) == [("sent", 1, None)]


async def test_a_replaced_secret_signs_along_for_a_day(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack)
    made = rule(ledger, host.url)
    first = SECRETS.text(made)
    now = 1.8e9
    ledger.run_now(alerts.rotate(made.id, ALERTING, manager(at=now)))
    second = SECRETS.text(structs.replace(made, version=2))
    courier = couriers(host.port)
    for later, old_is_good in ((0.0, True), (OVERLAP_S, False)):
        courier._wall = partial(float, now + later)
        try_out(ledger, made)
        await courier.deliver()
        headers, body = host.requests[-1]
        assert is_signed(second, headers, body)
        assert is_signed(first, headers, body) is old_is_good


async def test_what_failed_is_tried_again_with_the_same_id(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack, 500, 302, 200)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    courier = couriers(host.port)
    for expected in (("waiting", 1, "answered 500"), ("waiting", 2, "answered 302")):
        assert await courier.deliver() == 1
        assert states(ledger, made) == [expected]
        assert await courier.deliver() == 0, "not before its time"
        hasten(ledger)
    await courier.deliver()
    assert states(ledger, made) == [("sent", 3, None)]
    assert len({headers["webhook-id"] for headers, _ in host.requests}) == 1
    assert len({body for _, body in host.requests}) == 1


async def test_what_always_fails_is_given_up_and_stays_to_be_seen(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack, 500)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    courier = couriers(host.port)
    for _ in range(MOST_ATTEMPTS + 3):
        await courier.deliver()
        hasten(ledger)
    assert states(ledger, made) == [("dead", MOST_ATTEMPTS, "answered 500")]
    assert len(host.requests) == MOST_ATTEMPTS
    assert ledger.run_now(outbox.dead) == {made.id: 1}
    ledger.run_now(outbox.sweep(4e9))
    assert ledger.run_now(outbox.dead) == {}


async def test_who_is_gone_or_was_removed_is_told_nothing_more(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack, 410)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    courier = couriers(host.port)
    await courier.deliver()
    assert states(ledger, made) == [("dead", 1, "answered 410")]
    try_out(ledger, made)
    ledger.run_now(alerts.remove(made.id, manager()))
    assert await courier.deliver() == 0
    assert len(host.requests) == 1


async def test_an_old_message_is_given_up(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack, 500)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    ledger.run_now(lambda c: c.execute(update(alert_delivery).values(created_at=0.0)))
    await couriers(host.port).deliver()
    assert states(ledger, made) == [("dead", 1, "answered 500")]


@pytest.mark.parametrize(
    ("url", "options"),
    [
        ("http://127.0.0.1:{}/", {"allow": ()}),
        ("http://localhost:{}/", {"allow": ()}),
        ("http://127.0.0.1:{}/", {"allow_http": False}),
        ("http://127.0.0.1:{}/", {"ports": (443,)}),
    ],
)
async def test_nothing_within_is_reached_and_nobody_learns_why(
    ledger: Database,
    couriers: Couriers,
    stack: AsyncExitStack,
    url: str,
    options: dict[str, object],
) -> None:
    host = await receiver(stack)
    made = rule(ledger, url.format(host.port))
    try_out(ledger, made)
    await couriers(host.port, **options).deliver()
    assert states(ledger, made) == [("waiting", 1, "could not be reached")]
    assert host.accepted == 0


async def test_of_several_nodes_one_delivers(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack)
    made = rule(ledger, host.url)
    for _ in range(10):
        try_out(ledger, made)
    nodes = [couriers(host.port) for _ in range(3)]
    await asyncio.gather(*(node.deliver() for node in nodes))
    assert len(host.requests) == 10
    assert states(ledger, made) == [("sent", 1, None)] * 10


async def test_a_node_that_dies_while_it_delivers_leaves_it_to_another(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    (message,) = ledger.run_now(outbox.due(2e9 * 2, 10))
    assert ledger.run_now(outbox.claim(message, until=4e9))
    assert not ledger.run_now(outbox.claim(message, until=4e9)), "it is somebody's"
    courier = couriers(host.port)
    assert await courier.deliver() == 0
    hasten(ledger)  # as if the claim had run out
    assert await courier.deliver() == 1
    late = structs.replace(message, attempts=1)
    ledger.run_now(outbox.again(late, 5.0, "the first was slow"))
    assert states(ledger, made) == [("sent", 2, None)], "whoever claimed last has the word"


async def test_a_message_that_ends_every_node_is_given_up(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack
) -> None:
    host = await receiver(stack)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    for _ in range(MOST_ATTEMPTS):
        (message,) = ledger.run_now(outbox.due(4e9, 10))
        assert ledger.run_now(outbox.claim(message, until=0.0))
    await couriers(host.port).deliver()
    assert states(ledger, made) == [("dead", MOST_ATTEMPTS + 1, "no attempt ever ended")]
    assert host.requests == []


def test_pauses_grow_and_are_spread() -> None:
    for attempts, pause in enumerate(PAUSES_S, start=1):
        assert outbox.pause_s(attempts, 0.0) == pytest.approx(pause * (1 - SPREAD))
        assert outbox.pause_s(attempts, 1.0) == pytest.approx(pause * (1 + SPREAD))
    assert outbox.pause_s(99, 0.5) == pytest.approx(PAUSES_S[-1])


async def test_a_running_courier_is_woken(
    ledger: Database, couriers: Couriers, stack: AsyncExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.office.courier.LOOK_S", 3600.0)
    host = await receiver(stack)
    courier = couriers(host.port)
    running = asyncio.create_task(courier.run())
    await asyncio.sleep(0.05)
    made = rule(ledger, host.url)
    try_out(ledger, made)
    courier._told.set()
    async with asyncio.timeout(30):
        await host.asked.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)


def test_a_delivery_has_a_column_for_each_field() -> None:
    assert [column.name for column in alert_delivery.columns] != []
    assert {c.name for c in alert_delivery.columns} == set(Delivery.__struct_fields__)
