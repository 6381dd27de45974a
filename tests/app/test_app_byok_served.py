"""Requests with accounts' own credentials: who is called with what, what it costs, what leaks."""

from typing import Any

import pytest
from sqlalchemy import text, update

from dragoman.access.byok_tables import data_key, own_credential
from dragoman.access.options import AccessOptions, FreeModels
from dragoman.catalog.options import ProviderOptions
from dragoman.config import Options
from dragoman.core.ids import key_hash
from dragoman.ledger.byok import ByokOptions
from dragoman.office import byok as office_byok
from dragoman.office.premises import Premises
from dragoman.routing.types import Seen
from tests.app.conftest import Opens
from tests.app.node import HI, Node, statements
from tests.app.own import (
    BYOK,
    HOUSE,
    LIST_PRICE,
    MODEL,
    OWN,
    Desk,
    found,
    recorded,
    until,
    usage_of,
)
from tests.e2e.scripted import ScriptedUpstream

NO_TROUBLE = Seen()


@pytest.mark.parametrize("stream", [False, True])
async def test_an_own_credential_comes_first_and_its_provider_is_paid_by_the_account(
    desk: Desk, *, stream: bool
) -> None:
    await desk.bring()
    client = await desk.ask(stream=stream)
    assert (client.status, desk.sent) == (200, [OWN])
    usage = usage_of(client, stream=stream)
    assert (usage["is_byok"], usage["cost"]) == (True, 0)
    assert usage["cost_details"]["upstream_inference_cost"] == pytest.approx(LIST_PRICE)
    record = await recorded(desk, client)
    assert (record["is_byok"], record["usage"], record["total_cost"]) == (True, 0, 0)
    assert record["upstream_inference_cost"] == pytest.approx(LIST_PRICE)
    assert [each["is_byok"] for each in record["provider_responses"]] == [True]
    key = (await desk.call("GET", "/api/v1/key", key=desk.key)).json()["data"]
    assert (key["usage"], key["byok_usage"]) == (0, pytest.approx(LIST_PRICE))
    assert key["byok_usage_daily"] == key["byok_usage_monthly"] == key["byok_usage"]


async def test_without_one_nothing_changes(desk: Desk) -> None:
    client = await desk.ask()
    usage = client.json()["usage"]
    assert (usage["is_byok"], usage["cost"], desk.sent) == (False, LIST_PRICE, [HOUSE])
    record = await recorded(desk, client)
    assert (record["is_byok"], record["usage"]) == (False, LIST_PRICE)


async def test_a_fee_is_a_share_of_the_list_price(opens: Opens) -> None:
    desk = await opens(byok=ByokOptions(fee_ppm=50_000))
    await desk.bring()
    client = await desk.ask()
    usage = client.json()["usage"]
    assert usage["cost"] == pytest.approx(LIST_PRICE * 0.05)
    assert client.headers["x-openrouter-cost"] == f"{LIST_PRICE * 0.05:.9f}"
    assert usage["cost_details"]["upstream_inference_cost"] == pytest.approx(LIST_PRICE)
    assert (await recorded(desk, client))["usage"] == usage["cost"]


@pytest.mark.parametrize("status", [401, 402, 403, 429, 500])
async def test_a_failed_credential_falls_back_to_the_house_and_harms_nobody(
    desk: Desk, status: int
) -> None:
    await desk.bring(f"own-secret-that-says-{status}")
    guest = desk.mint("guest")
    desk.move(guest, "other")
    before = dict(desk.background.serving.health._endpoints)
    client = await desk.ask()
    assert (client.status, desk.sent) == (200, [f"own-secret-that-says-{status}", HOUSE])
    assert client.json()["usage"]["is_byok"] is False
    endpoint = "acme|acme/turbo"
    assert endpoint in desk.background.serving.health._endpoints.keys() - before.keys()
    outcomes = desk.background.serving.health._endpoints[endpoint].outcomes
    assert [ok for _, ok, _ in outcomes.latest] == [True], "only the house's answer counts for all"
    assert not desk.background.serving.health.seen.get(endpoint, NO_TROUBLE).cooling
    await desk.ask(guest)
    assert desk.sent == [HOUSE]
    await desk.ask()
    rests = status in {401, 402, 403, 429}
    assert desk.sent[0] == (HOUSE if rests else f"own-secret-that-says-{status}")


async def test_a_required_credential_means_never_the_house(desk: Desk) -> None:
    await desk.bring("own-secret-that-says-401", is_required=True)
    for _ in range(2):
        client = await desk.ask()
        assert (client.status, desk.sent) == (502, ["own-secret-that-says-401"])
        error = client.json()["error"]
        assert "your own credential (byok own...-401)" in error["message"]
        assert error["metadata"]["is_byok"] is True
        assert b"own-secret-that-says" not in client.body
    other = await desk.bring("second-own-secret")
    assert other["sort_order"] == 1
    assert (await desk.ask()).status == 200
    assert desk.sent[-1] == "second-own-secret", "other own credentials are tried"


async def test_a_fallback_credential_is_used_only_when_the_house_fails(opens: Opens) -> None:
    desk = await opens()
    await desk.bring(is_fallback=True)
    assert (await desk.ask()).status == 200
    assert desk.sent == [HOUSE]
    failing = await opens(house="house-secret-500")
    client = await failing.ask()
    assert (client.status, failing.sent) == (200, ["house-secret-500", OWN])
    assert client.json()["usage"]["is_byok"] is True


async def test_a_provider_without_a_house_credential_is_callable_for_the_account_alone(
    desk: Desk,
) -> None:
    guest = desk.mint("guest")
    desk.move(guest, "other")
    only = {"only": ["bolt"]}
    refused = await desk.ask(provider=only)
    assert (refused.status, desk.sent) == (404, [])
    await desk.bring(provider="bolt")
    assert (await desk.ask(provider=only)).status == 200
    assert desk.sent == [OWN]
    assert (await desk.ask(guest, provider=only)).status == 404


async def test_what_only_an_account_can_call_is_listed_for_it_and_makes_a_node_ready(
    premises: Premises, upstream: ScriptedUpstream
) -> None:
    bolt = ProviderOptions(base_url=upstream.url, auth="bearer", models=MODEL)
    node = Node(premises, Options(providers={"bolt": bolt}, demo="off"))
    boss = node.mint("boss", kind="management")
    narrow = node.mint("narrow", allowed_providers=("acme",))

    async def listed(key: str) -> list[str]:
        node.background.serving.gate._admitted.clear()
        body = (await node.call("GET", "/api/v1/models/user", key=key)).json()
        return [row["id"] for row in body["data"]]

    async with node.running():
        before = await node.get("/readyz")
        assert (before.status, "No provider is configured" in before.body.decode()) == (503, True)
        assert await listed(node.key) == []
        asked = {"provider": "bolt", "key": OWN, "allowed_models": ["acme/turbo"]}
        made = await node.call("POST", BYOK, asked, key=boss)
        assert (await node.get("/readyz")).status == 200
        assert (await listed(node.key), await listed(narrow)) == (["acme/turbo"], [])
        path = f"{BYOK}/{made.json()['data']['id']}"
        await node.call("PATCH", path, {"disabled": True}, key=boss)
        assert (await node.get("/readyz")).status == 503
        assert await listed(node.key) == []


async def test_filters_by_model_and_key_decide_before_routing(desk: Desk) -> None:
    other = desk.mint("other")
    made = await desk.bring(allowed_api_key_hashes=[key_hash(other)])
    await desk.ask()
    assert desk.sent == [HOUSE]
    await desk.ask(other)
    assert desk.sent == [OWN]
    path = f"{BYOK}/{made['id']}"
    change = {"allowed_api_key_hashes": None, "allowed_models": ["openai/gpt-4o"]}
    assert (await desk.manage("PATCH", path, change)).status == 200
    desk.forget()
    await desk.ask()
    assert desk.sent == [HOUSE]
    await desk.manage("PATCH", path, {"allowed_models": ["Acme/Turbo"]})
    desk.forget()
    await desk.ask()
    assert desk.sent == [OWN]


async def test_a_change_acts_within_a_second_on_a_warm_key(desk: Desk) -> None:
    async with desk.running():
        await desk.ask()
        assert desk.sent == [HOUSE]
        made = (await desk.manage("POST", body={"provider": "acme", "key": OWN})).json()["data"]
        await until(desk, OWN)
        await desk.manage("PATCH", f"{BYOK}/{made['id']}", {"disabled": True})
        await until(desk, HOUSE)


async def test_a_warm_request_with_an_own_credential_asks_no_database(desk: Desk) -> None:
    await desk.bring()
    await desk.ask()
    with statements() as warm:
        for _ in range(5):
            assert (await desk.ask()).status == 200
    assert (warm, desk.sent) == ([], [OWN])


async def test_a_credential_is_not_sent_to_another_address(desk: Desk) -> None:
    made = await desk.bring(is_required=True)
    ledger = desk.premises.ledger
    row = own_credential.c.id == made["id"]
    ledger.run_now(
        lambda c: c.execute(update(own_credential).where(row).values(origin="http://evil.example"))
    )
    desk.forget()
    client = await desk.ask()
    assert (client.status, desk.sent) == (404, [])
    assert "byok_unusable" in client.body.decode()


async def test_credentials_cannot_change_places(desk: Desk) -> None:
    first = await desk.bring()
    second = await desk.bring("the-other-secret-of-it")
    sealed = desk.premises.ledger.run_now(
        lambda c: {row.id: row.sealed for row in c.execute(text("SELECT * FROM own_credential"))}
    )
    swap = {first["id"]: sealed[second["id"]], second["id"]: sealed[first["id"]]}

    def swapped(connection: Any) -> None:
        for id_, other in swap.items():
            row = own_credential.c.id == id_
            connection.execute(update(own_credential).where(row).values(sealed=other))

    desk.premises.ledger.run_now(swapped)
    desk.forget()
    assert (await desk.ask()).status == 200
    assert desk.sent == [HOUSE]


async def test_no_database_answer_or_log_holds_a_secret(
    desk: Desk, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    secrets = ["own-secret-that-says-400", "own-secret-that-says-401"]
    said = b""
    async with desk.running():
        for secret in secrets:
            made = await desk.bring(secret, is_required=True)
            client = await desk.ask(stream=secret.endswith("400"))
            said += client.body
            said += (await desk.manage("GET")).body
            said += (await found(desk, client)).body
            await desk.manage("DELETE", f"{BYOK}/{made['id']}")
        await desk.bring(secrets[0])
    rows = desk.premises.ledger.run_now(
        lambda c: [*c.execute(own_credential.select()).all(), *c.execute(data_key.select()).all()]
    )
    records = b"".join(file.read_bytes() for file in desk.premises.path.glob("*.db*"))
    for secret in secrets:
        assert secret.encode() not in said + records
        assert secret not in caplog.text + str(rows)


async def test_after_a_rotation_secrets_open_under_the_new_key_only(desk: Desk) -> None:
    await desk.bring()
    vault = desk.premises.vault
    before = vault.keks.newest()
    kek, count = desk.premises.ledger.run_now(office_byok.rotate(vault))
    assert kek is not None
    assert (count, kek.id != before.id) == (1, True)
    vault.keks.keep(kek)
    assert vault.keks.find(before.id) is None
    desk.forget()
    assert (await desk.ask()).status == 200
    assert desk.sent == [OWN]


async def test_without_its_key_a_credential_is_not_replaced_where_it_must_not_be(
    desk: Desk,
) -> None:
    await desk.bring(is_required=True)
    desk.premises.vault.keks.add()
    desk.premises.vault.keks.keep(desk.premises.vault.keks.newest())
    desk.forget()
    assert (await desk.ask()).status == 404
    refused = await desk.manage("POST", body={"provider": "acme", "key": OWN})
    assert (refused.status, refused.json()["error"]["metadata"]["error_type"]) == (
        503,
        "gateway_unavailable",
    )


async def test_metadata_tells_which_credential_served(desk: Desk) -> None:
    await desk.bring()
    asked = {"model": "acme/turbo", "messages": HI}
    client = await desk.call(
        "POST", "/v1/chat/completions", asked, key=desk.key, x_openrouter_metadata="enabled"
    )
    routing = client.json()["openrouter_metadata"]
    assert routing["is_byok"] is True
    assert [each["selected"] for each in routing["endpoints"]["available"]] == [True, False]


async def test_a_quota_of_free_requests_does_not_bind_what_is_paid_for(opens: Opens) -> None:
    limited = AccessOptions(free_models=FreeModels(rpm=1, rpd=1))
    desk = await opens(access=limited)
    gratis = {"model": "acme/gratis:free"}
    await desk.bring()
    for _ in range(3):
        assert (await desk.ask(**gratis)).status == 200
        assert desk.sent == [OWN]
    guest = desk.mint("guest")
    desk.move(guest, "other")
    assert [(await desk.ask(guest, **gratis)).status for _ in range(2)] == [200, 429]
