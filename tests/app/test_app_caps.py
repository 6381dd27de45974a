"""Limits that several share: an end user's part of a key, own credentials in limits, free requests.

Through a whole node, over a scripted upstream; what is booked is proved each time.
"""

import asyncio
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.core.ids import key_hash
from dragoman.core.money import NanoUsd
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.purses import Balance
from dragoman.ledger.tables import journal
from dragoman.office import credits as office
from tests.app.conftest import Opens
from tests.app.node import statements
from tests.app.own import HOUSE, OWN, Desk, recorded

CENT = 10_000_000
SPENT = 20_000
"""What a request costs by the price list, in nano-USD: `LIST_PRICE`."""
FEE = SPENT // 20
TAXED = ByokOptions(fee_ppm=50_000, free_requests_per_month=2)


async def held(desk: Desk, **body: Any) -> int:
    """Return what is set aside for a request, in nano-USD."""
    probe = desk.mint("probe", limit_nanos=1, include_byok_in_limit=True)
    client = await desk.ask(probe, max_tokens=1, **body)
    required: float = client.json()["error"]["metadata"]["required_usd"]
    return round(required * 1e9)


def source(client: Any) -> tuple[int, str]:
    return client.status, client.json()["error"]["metadata"]["limit_source"]


async def test_each_user_of_a_key_may_spend_its_own_part(desk: Desk) -> None:
    key = desk.mint("app", user_limit_nanos=CENT, user_limit_reset="monthly")
    for user in ("ann", "ann", "bob", None):
        asked = {} if user is None else {"user": user}
        assert (await desk.ask(key, max_tokens=10, **asked)).status == 200
    await desk.booked()
    spent = desk.purses(f"user:{key_hash(key)}:")
    assert sorted(each.spent for each in spent.values()) == [SPENT, SPENT, 2 * SPENT]
    assert {(each.limit, each.leased) for each in spent.values()} == {(CENT, 0)}
    assert all("|monthly|" in id_ for id_ in spent)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_user_who_has_used_the_part_up_is_refused_and_nobody_else(
    desk: Desk, *, stream: bool
) -> None:
    hold = await held(desk, user="ann", stream=stream)
    key = desk.mint("app", user_limit_nanos=hold + 2 * SPENT, user_limit_reset="daily")
    served = 0
    while (client := await desk.ask(key, user="ann", max_tokens=1, stream=stream)).status == 200:
        served += 1
        await desk.booked()
    assert source(client) == (402, "user")
    assert "raise the daily user_limit of the key" in client.json()["error"]["message"]
    assert served == 3
    assert (await desk.ask(key, user="bob", max_tokens=1)).status == 200
    await desk.booked()
    assert max(each.spent for each in desk.purses("user:").values()) == served * SPENT


async def test_a_user_who_may_spend_nothing_is_told_so_in_the_words_of_other_limits(
    desk: Desk,
) -> None:
    key = desk.mint("app", user_limit_nanos=0, user_limit_reset="weekly")
    client = await desk.ask(key, user="ann")
    assert source(client) == (403, "user")
    error = client.json()["error"]
    assert error["message"].startswith("User limit exceeded (weekly limit). ")
    assert ", or wait until 2" in error["metadata"]["remedy_hint"]
    assert desk.sent == []


async def test_many_at_once_never_spend_more_than_a_users_part(desk: Desk) -> None:
    hold = await held(desk, user="user 0")
    of_user, of_key = 3 * hold, 5 * hold
    key = desk.mint("app", user_limit_nanos=of_user, limit_nanos=of_key)
    asked = [desk.ask(key, user=f"user {n % 3}", max_tokens=1) for n in range(60)]
    async with desk.running():
        statuses = {client.status for client in await asyncio.gather(*asked)}
    assert 200 in statuses
    assert statuses <= {200, 402, 403}
    await desk.booked()
    users = desk.purses("user:").values()
    assert all(each.spent <= of_user for each in users)
    (whole,) = desk.purses(f"key:{key_hash(key)}").values()
    assert whole.spent == sum(each.spent for each in users) <= of_key


async def test_a_warm_user_asks_no_database(desk: Desk) -> None:
    key = desk.mint("app", user_limit_nanos=10**12)
    with statements() as cold:
        await desk.ask(key, user="ann", max_tokens=1)
    assert any("purse" in each for each in cold)
    with statements() as warm:
        for _ in range(5):
            assert (await desk.ask(key, user="ann", max_tokens=1)).status == 200
    assert warm == []


async def test_what_users_may_spend_is_set_over_the_api(desk: Desk) -> None:
    body = {"name": "app", "user_limit": 0.5, "user_limit_reset": "monthly"}
    made = (await desk.manage("POST", "/api/v1/keys", body)).json()
    assert (made["data"]["user_limit"], made["data"]["user_limit_reset"]) == (0.5, "monthly")
    path = f"/api/v1/keys/{made['data']['hash']}"
    assert (await desk.ask(made["key"], user="ann", max_tokens=1)).status == 200
    changed = await desk.manage("PATCH", path, {"user_limit": 0})
    assert (changed.json()["data"]["user_limit"], changed.status) == (0, 200)
    desk.forget()
    await desk.booked()
    assert source(await desk.ask(made["key"], user="new", max_tokens=1)) == (403, "user")
    cleared = await desk.manage("PATCH", path, {"user_limit": None, "user_limit_reset": None})
    assert cleared.json()["data"]["user_limit"] is None
    desk.forget()
    assert (await desk.ask(made["key"], user="new", max_tokens=1)).status == 200
    for wrong in ({"user_limit": -1}, {"user_limit": 1e-10}, {"user_limit_reset": "hourly"}):
        assert (await desk.manage("PATCH", path, wrong)).status == 400


async def test_an_account_says_it_for_its_keys_and_for_no_others(desk: Desk) -> None:
    path = "/api/v1/accounts/default"
    client = await desk.manage("PATCH", path, {"user_limit": 0, "user_limit_reset": "daily"})
    data = client.json()["data"]
    assert (client.status, data["user_limit"], data["user_limit_reset"]) == (200, 0, "daily")
    desk.forget()
    assert source(await desk.ask(user="ann")) == (403, "user")
    own = desk.mint("own", user_limit_nanos=CENT)
    assert (await desk.ask(own, user="ann", max_tokens=1)).status == 200
    opened = office.open_prepaid("Acme", free_credit=NanoUsd(CENT), now=0.0)
    theirs = desk.premises.ledger.run_now(opened).account.id
    stranger = desk.mint("stranger", kind="management")
    desk.move(stranger, theirs)
    desk.forget()
    for account, status in (("default", 404), (theirs, 200)):
        path = f"/api/v1/accounts/{account}"
        client = await desk.manage("PATCH", path, {"user_limit": 1}, key=stranger)
        assert client.status == status


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_limit_that_includes_own_credentials_counts_their_list_price(
    desk: Desk, *, stream: bool
) -> None:
    await desk.bring()
    grant = {"limit_nanos": CENT, "user_limit_nanos": CENT, "include_byok_in_limit": True}
    key, other = (
        desk.mint("app", **grant),
        desk.mint("other", **grant | {"include_byok_in_limit": False}),
    )
    for each in (key, other):
        client = await desk.ask(each, max_tokens=10, stream=stream, user="ann")
        assert (client.status, desk.sent) == (200, [OWN])
    await desk.booked()
    (counted,) = desk.purses(f"key:{key_hash(key)}").values()
    (ours,) = desk.purses(f"user:{key_hash(key)}:").values()
    assert counted == ours == Balance(CENT, SPENT, 0)
    (plain,) = desk.purses(f"key:{key_hash(other)}").values()
    assert plain == Balance(CENT, 0, 0)
    data = (await desk.call("GET", "/api/v1/key", key=key)).json()["data"]
    assert (data["usage"], data["byok_usage"]) == (0, pytest.approx(SPENT / 1e9))
    assert data["limit_remaining"] == pytest.approx((CENT - SPENT) / 1e9)


async def test_a_limit_that_own_credentials_used_up_refuses_them(desk: Desk) -> None:
    await desk.bring()
    limit = await held(desk) + 2 * SPENT
    key = desk.mint("app", limit_nanos=limit, include_byok_in_limit=True)
    served = 0
    while (client := await desk.ask(key, max_tokens=1)).status == 200:
        assert (client.json()["usage"]["cost"], desk.sent) == (0, [OWN])
        served += 1
        await desk.booked()
    assert source(client) == (402, "openrouter_key_limit")
    assert served == 3
    name = f"key:{key_hash(key)}|total|0"
    assert desk.purses("key:")[name] == Balance(limit, 3 * SPENT, 0)
    row = {"include_byok_in_limit": False}
    await desk.manage("PATCH", f"/api/v1/keys/{key_hash(key)}", row)
    desk.forget()
    assert (await desk.ask(key, max_tokens=1)).status == 200
    await desk.booked()
    assert desk.purses("key:")[name].spent == 0


async def test_a_prepaid_account_pays_the_fee_and_its_key_counts_the_whole(opens: Opens) -> None:
    desk = await opens(byok=replace(TAXED, free_requests_per_month=0))
    opened = office.open_prepaid("Acme", free_credit=NanoUsd(CENT), now=0.0)
    account = desk.premises.ledger.run_now(opened).account.id
    key = desk.mint("app", limit_nanos=CENT, include_byok_in_limit=True)
    for each in (key, desk.boss):
        desk.move(each, account)
    await desk.bring()
    client = await desk.ask(key, max_tokens=10)
    assert (client.status, desk.sent) == (200, [OWN])
    await desk.booked()
    (limit,) = desk.purses("key:").values()
    (credit,) = desk.purses(f"account:{account}").values()
    assert (limit.spent, credit.spent) == (SPENT + FEE, FEE)
    assert desk.premises.ledger.run_now(office.statement(account)).usage == FEE


@pytest.mark.parametrize("included", [True, False])
async def test_what_would_fit_is_told_with_the_fee_for_own_credentials(
    opens: Opens, *, included: bool
) -> None:
    desk = await opens(byok=ByokOptions(fee_ppm=900_000))
    await desk.bring(is_byok_only=True)
    key = desk.mint("app", limit_nanos=CENT, include_byok_in_limit=included)
    client = await desk.ask(key, max_tokens=16_000)
    fits = client.json()["error"]["metadata"]["affordable_max_tokens"]
    assert (client.status, fits > 0) == (402, True)
    assert (await desk.ask(key, max_tokens=fits + 2)).status == 402
    assert (await desk.ask(key, max_tokens=fits)).status == 200


async def test_the_first_requests_of_a_month_cost_no_fee(opens: Opens) -> None:
    desk = await opens(byok=TAXED)
    await desk.bring()
    costs = []
    for _ in range(4):
        client = await desk.ask()
        usage = client.json()["usage"]
        assert (usage["is_byok"], desk.sent) == (True, [OWN])
        assert usage["cost_details"]["upstream_inference_cost"] == pytest.approx(SPENT / 1e9)
        costs.append(round(usage["cost"] * 1e9))
    assert costs == [0, 0, FEE, FEE]
    record = await recorded(desk, client)
    assert record["usage"] == pytest.approx(FEE / 1e9)
    await desk.booked()
    assert list(desk.purses("byok:default").values()) == [Balance(2, 2, 0)]
    assert desk.premises.ledger.run_now(office.statement("default")).usage == 2 * FEE


async def test_a_journal_that_is_read_again_counts_no_request_twice(opens: Opens) -> None:
    desk = await opens(byok=replace(TAXED, free_requests_per_month=5))
    await desk.bring()
    for _ in range(3):
        await desk.ask()
    await desk.booked()
    for _ in range(2):
        counting = desk.background.counting
        incarnation = counting.journal.incarnation
        await counting.bookkeeper.applied(incarnation)
        await desk.booked()
    applied = desk.premises.ledger.run_now(
        lambda c: c.execute(journal.select()).mappings().one()["generations"]
    )
    assert applied == 3
    assert list(desk.purses("byok:default").values()) == [Balance(5, 3, 0)]


async def test_what_the_house_serves_or_fails_uses_no_free_request(opens: Opens) -> None:
    desk = await opens(byok=TAXED)
    await desk.bring("own-secret-that-says-500")
    client = await desk.ask()
    assert (client.status, desk.sent[-1]) == (200, HOUSE)
    await desk.bring("second-own-secret", is_required=True, provider="bolt")
    await desk.ask(model="acme/gratis", provider={"only": ["bolt"]})
    await desk.booked()
    assert list(desk.purses("byok:default").values()) == [Balance(2, 0, 0)]


@pytest.mark.parametrize("waived", [True, False])
async def test_a_warm_request_whose_fee_is_waived_asks_no_database(
    opens: Opens, *, waived: bool
) -> None:
    desk = await opens(byok=replace(TAXED, free_requests_per_month=10_000 if waived else 1))
    await desk.bring()
    for _ in range(2):
        await desk.ask()
    with statements() as warm:
        for _ in range(5):
            client = await desk.ask()
            assert (client.json()["usage"]["cost"] == 0) == waived
    assert warm == []


async def test_a_client_that_leaves_gives_its_free_request_back_or_uses_it(opens: Opens) -> None:
    desk = await opens(byok=replace(TAXED, free_requests_per_month=1))
    await desk.bring()
    asking = asyncio.create_task(desk.ask(stream=True))
    await asyncio.sleep(0.02)
    asking.cancel()
    await asyncio.gather(asking, return_exceptions=True)
    async with asyncio.timeout(20):
        while True:  # what was asked of the ledger may still be on its way
            await desk.booked()
            (left,) = desk.purses("byok:default").values()
            if left.leased == 0:
                break
            await asyncio.sleep(0.05)
    assert left.spent in {0, 1}
