"""Limits that not everything draws on alike: end users, own credentials, free requests."""

import asyncio
from typing import Any

import pytest
from msgspec import structs

from dragoman.access.types import Caller, Funds, Terms
from dragoman.catalog.byok import Byok, origin_of
from dragoman.catalog.types import Price
from dragoman.core.errors import GatewayError
from dragoman.core.money import PicoUsd
from dragoman.ledger.acts import Progress
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.purses import purse_of_user
from dragoman.relay.chat import stream_chat
from dragoman.relay.visit import Visit
from tests.relay.scene import CALLER, Ear, Heard, Scene, endpoint
from tests.upstream.hosts import CUT, DONE, ROLE, Act, Rest, Script, counts, ends, plays, says
from tests.upstream.scenery import credential, provider

KEY, CREDIT, ALLOWANCE = "key:k|total|0", "account:a|total|0", "byok:a|monthly|0"
USERS = "user:k|total|0"
TOKEN = 2_000
SLICE = 4096 * TOKEN
HALF = "x" * 6_200
RICH = 10**12
TAXED = ByokOptions(fee_ppm=500_000)
OWN = Byok(credential=credential("a"), origin=origin_of(provider("a").base_url))


def asked(scene: Scene, funds: Funds, byok: tuple[Byok, ...] = (OWN,), **body: Any) -> Visit:
    """Return a request of a caller with these funds, who brings a credential for host a."""
    purses = [*funds.purses, *([funds.allowance] if funds.allowance else [])]
    for purse in purses:
        scene.bank.balances.setdefault(purse, [RICH, 0, 0])
    caller = Caller(key_hash=CALLER.key_hash, terms=Terms(funds=funds), byok=byok)
    return structs.replace(scene.visit(stream=True, **body), caller=caller)


def taxed(scene: Scene) -> Scene:
    scene.desk = structs.replace(scene.desk, byok=TAXED)
    return scene


async def heard(scene: Scene, visit: Visit) -> Heard:
    ear = Ear()
    await stream_chat(scene.desk, visit, ear)
    return Heard(ear.writes)


def drawn(scene: Scene) -> dict[str, int]:
    """Return what the one request was charged to each purse."""
    (charge,) = scene.books.charges
    return {draw.purse: draw.amount for draw in charge.draws}


def answer(completion: int = 10) -> Script:
    acts: list[Act] = [ROLE, says("x" * 8), ends(), counts(10, completion)]
    return plays(*acts, DONE)


COST = 10 * 1_000 + 10 * TOKEN


async def test_an_inclusive_purse_counts_the_list_price_and_the_fee_others_the_fee() -> None:
    scene = taxed(Scene(a=answer()))
    funds = Funds(purses=(KEY, CREDIT), inclusive=(KEY,))
    await heard(scene, asked(scene, funds, max_tokens=20))
    assert drawn(scene) == {KEY: COST + COST // 2, CREDIT: COST // 2}
    assert scene.books.charges[0].cost == scene.record.cost_nanos == COST // 2
    assert scene.record.byok_nanos == COST
    (taken,) = scene.bank.taken
    assert 2 * taken[KEY] == 3 * taken[CREDIT], "the house may serve, or the fee may come on top"


async def test_what_the_house_serves_is_counted_once_by_every_purse() -> None:
    scene = taxed(Scene(endpoint("a"), endpoint("b"), a=plays(CUT), b=answer()))
    funds = Funds(purses=(KEY, CREDIT), inclusive=(KEY,))
    await heard(scene, asked(scene, funds, max_tokens=20))
    assert scene.record.provider == "b"
    assert drawn(scene) == {KEY: COST, CREDIT: COST}


async def test_where_only_the_house_may_serve_no_fee_for_own_credentials_is_set_aside() -> None:
    scene = taxed(Scene(a=answer()))
    funds = Funds(purses=(KEY, CREDIT), inclusive=(KEY,))
    await heard(scene, asked(scene, funds, (), max_tokens=20))
    (taken,) = scene.bank.taken
    assert taken[KEY] == taken[CREDIT] >= COST


async def test_an_own_endpoint_that_a_limit_cannot_pay_leaves_the_plan() -> None:
    dear = Price(prompt=PicoUsd(10**7), completion=PicoUsd(10**9))
    scene = Scene(endpoint("a", price=dear), endpoint("b"), a=answer(), b=answer())
    scene.bank.balances[KEY] = [40_000_000, 0, 0]
    funds = Funds(purses=(KEY,), inclusive=(KEY,))
    await heard(scene, asked(scene, funds, max_tokens=1000))
    assert scene.record.provider == "b"
    scene = Scene(endpoint("a", price=dear), endpoint("b"), a=answer(), b=answer())
    scene.bank.balances[KEY] = [40_000_000, 0, 0]
    await heard(scene, asked(scene, Funds(purses=(KEY,)), max_tokens=1000))
    assert scene.record.provider == "a", "a limit that does not count it does not refuse it"


@pytest.mark.parametrize("required", [False, True])
@pytest.mark.parametrize("inclusive", [(), (KEY,), (KEY, CREDIT)])
@pytest.mark.parametrize("left", [(7_500_000, 6_500_000), (6_500_000, 7_500_000)])
async def test_what_a_refusal_says_could_be_paid_can_be_and_no_more(
    left: tuple[int, int], inclusive: tuple[str, ...], *, required: bool
) -> None:
    async def ask(tokens: int) -> Heard:
        scene = taxed(Scene(a=answer()))
        scene.bank.balances |= {KEY: [left[0], 0, 0], CREDIT: [left[1], 0, 0]}
        funds = Funds(purses=(KEY, CREDIT), inclusive=inclusive)
        own = structs.replace(OWN, required=required)
        return await heard(scene, asked(scene, funds, (own,), max_tokens=tokens))

    with pytest.raises(GatewayError) as refused:
        await ask(7_900)
    told = (refused.value.metadata or {})["affordable_max_tokens"]
    assert told >= 1_000, "as many digits, and so as long a body"
    assert (await ask(told)).finished
    with pytest.raises(GatewayError, match=f"only afford {told}"):
        await ask(told + 1)


async def test_an_own_endpoint_whose_price_is_unknown_is_refused_where_it_would_count() -> None:
    for inclusive in ((KEY,), ()):
        scene = Scene(endpoint("a", price=None), a=answer())
        visit = asked(scene, Funds(purses=(KEY,), inclusive=inclusive), max_tokens=10)
        if inclusive:
            with pytest.raises(GatewayError, match="price unknown"):
                await heard(scene, visit)
        else:
            assert (await heard(scene, visit)).finished


async def test_an_own_stream_without_max_tokens_takes_slices_of_what_counts() -> None:
    acts: list[Act] = [ROLE, says(HALF), says("a"), Rest(), says("b"), ends(), counts(10, 3000)]
    scene = Scene(a=plays(*acts, DONE))
    funds = Funds(purses=(KEY, CREDIT), inclusive=(KEY,))
    assert (await heard(scene, asked(scene, funds))).finished
    assert [each.get(KEY) for each in scene.bank.taken[1:]] == [SLICE]
    assert drawn(scene) == {KEY: 10 * 1_000 + 3000 * TOKEN, CREDIT: 0}


async def test_an_own_stream_ends_where_the_limit_has_no_more_room() -> None:
    acts: list[Act] = [ROLE, says(HALF), says("a"), Rest(), says("b"), ends(), counts(10, 3000)]
    probe = Scene(a=answer())
    funds = Funds(purses=(KEY,), inclusive=(KEY,))
    await heard(probe, asked(probe, funds))
    first = probe.bank.taken[0][KEY]
    scene = Scene(a=plays(*acts, DONE))
    scene.bank.balances[KEY] = [first + SLICE - 1, 0, 0]
    told = await heard(scene, asked(scene, funds))
    error = told.last["error"]
    assert (error["code"], error["metadata"]["limit_source"]) == (402, "openrouter_key_limit")
    (charge,) = scene.books.charges
    assert charge.cost == 0
    assert 0 < drawn(scene)[KEY] <= first


async def noted(scene: Scene, visit: Visit, gate: asyncio.Event) -> Progress:
    """Serve a stream up to its gate; return what is written down of it there."""
    serving = asyncio.create_task(heard(scene, visit))
    async with asyncio.timeout(10):
        while not scene.books.noted:
            for turn in scene.desk.rounds.under_way:
                turn.note_progress()
            await asyncio.sleep(0.005)
    gate.set()
    await serving
    (progress,) = scene.books.noted
    return progress


async def test_a_stream_under_way_tells_what_inclusive_purses_would_be_charged() -> None:
    gate = asyncio.Event()
    acts: list[Act] = [ROLE, says("x" * 40), gate, ends(), counts(10, 10)]
    scene = taxed(Scene(a=plays(*acts, DONE)))
    funds = Funds(purses=(KEY, CREDIT), inclusive=(KEY,), fee_ppm=50_000)
    progress = await noted(scene, asked(scene, funds, max_tokens=50), gate)
    assert (progress.cost, progress.fee_ppm) == (0, 50_000)
    assert progress.included == 1_000 * progress.prompt + TOKEN * progress.completion > 0
    assert scene.books.started[0].inclusive == (KEY,)


async def test_of_what_the_house_serves_no_purse_counts_more_than_is_held_under_way() -> None:
    gate = asyncio.Event()
    acts: list[Act] = [ROLE, says("x" * 40_000), gate, ends(), counts(10, 10_000)]
    scene = taxed(Scene(endpoint("a"), endpoint("b"), a=plays(CUT), b=plays(*acts, DONE)))
    funds = Funds(purses=(KEY, CREDIT), inclusive=(KEY,))
    progress = await noted(scene, asked(scene, funds, max_tokens=20), gate)
    assert progress.cost > progress.hold == progress.included
    assert drawn(scene) == {KEY: progress.hold, CREDIT: progress.hold}


@pytest.mark.parametrize("user", ["ann", None])
async def test_a_user_draws_on_a_purse_of_its_own_beside_the_key(user: str | None) -> None:
    own = purse_of_user(USERS, user)
    scene = Scene(a=answer())
    scene.bank.balances[own] = [RICH, 0, 0]
    said = {} if user is None else {"user": user}
    visit = asked(scene, Funds(purses=(KEY,), users=USERS), (), max_tokens=10, **said)
    await heard(scene, visit)
    assert drawn(scene) == {KEY: COST, own: COST}


@pytest.mark.parametrize(
    ("balance", "status", "words"),
    [
        ([0, 0, 0], 403, "User limit exceeded (total limit). Raise user_limit"),
        ([5_000, 0, 0], 402, "raise the total user_limit of the key"),
        ([RICH, 0, RICH], 402, "The user's limit is reserved by requests that are under way."),
    ],
)
async def test_a_user_without_room_is_refused_in_the_words_of_other_limits(
    balance: list[int], status: int, words: str
) -> None:
    scene = Scene(a=answer())
    scene.bank.balances[purse_of_user(USERS, "ann")] = balance
    scene.clock.now = 0.0
    serving = heard(scene, asked(scene, Funds(users=USERS), (), max_tokens=10, user="ann"))
    with pytest.raises(GatewayError) as refused:
        await _hurried(scene, serving)
    assert refused.value.status == status
    assert words in refused.value.message
    in_flight = balance[2] > 0
    source = "openrouter_in_flight_budget" if in_flight else "user"
    assert (refused.value.metadata or {})["limit_source"] == source


async def _hurried(scene: Scene, serving: Any) -> None:
    """Let time fly while a request waits for money."""
    task = asyncio.create_task(serving)
    while not task.done():
        await asyncio.sleep(0.01)
        scene.clock.now += 1.0
    await task


async def test_a_free_request_takes_the_place_of_the_fee_as_long_as_there_is_one() -> None:
    scene = taxed(Scene(a=[answer(), answer()]))
    funds = Funds(purses=(CREDIT,), allowance=ALLOWANCE)
    scene.bank.balances[ALLOWANCE] = [1, 0, 0]
    await heard(scene, asked(scene, funds, max_tokens=20))
    assert drawn(scene) == {ALLOWANCE: 1, CREDIT: 0}
    assert scene.books.charges[0].cost == 0
    await heard(scene, asked(scene, funds, max_tokens=20))
    charge = scene.books.charges[1]
    assert [(draw.purse, draw.amount) for draw in charge.draws] == [(CREDIT, COST // 2)]


async def test_a_free_request_is_kept_for_own_credentials_and_given_back_unused() -> None:
    scene = taxed(Scene(endpoint("a"), endpoint("b"), a=plays(CUT), b=answer()))
    funds = Funds(allowance=ALLOWANCE)
    await heard(scene, asked(scene, funds, (), max_tokens=20))
    assert scene.bank.taken == [], "who brings no credential needs none"
    scene.books.charges.clear()
    await heard(scene, asked(scene, funds, max_tokens=20))
    assert scene.bank.taken == [{ALLOWANCE: 1}]
    (charge,) = scene.books.charges
    assert (charge.cost, charge.draws) == (COST, ())
    till = scene.desk.cashier._till
    assert till.available(ALLOWANCE) == 1


async def test_a_ledger_that_is_silent_waives_nothing_and_charges_nothing() -> None:
    scene = taxed(Scene(a=answer()))
    scene.bank.silent = True
    with pytest.raises(GatewayError) as refused:
        await heard(scene, asked(scene, Funds(allowance=ALLOWANCE), max_tokens=20))
    assert (refused.value.status, scene.hosts.calls) == (503, [])
