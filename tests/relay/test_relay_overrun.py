"""Usage beyond its bound: who bears it, and what is set aside at that endpoint from then on."""

import re
from typing import Any

import pytest
from msgspec import structs

from dragoman.access.types import Caller, Funds, Terms
from dragoman.catalog.types import Price
from dragoman.core.errors import PaymentRequired
from dragoman.core.money import NanoUsd, PicoUsd
from dragoman.ledger import margin
from dragoman.ledger.belief import AT_LEAST
from dragoman.ledger.margin import MILLION
from dragoman.ledger.options import LedgerOptions
from dragoman.ledger.types import Draw
from dragoman.relay.books import Charge
from dragoman.relay.chat import stream_chat
from tests.relay.scene import CALLER, Ear, Scene, endpoint
from tests.upstream.hosts import DONE, ROLE, Script, counts, ends, plays, says

PURSES = ("key:k|total|0", "account:default|total|0")
RICH = 10**12
PROMPT, COMPLETION = 1_000, 2_000
"""What a token costs at the hosts of the scene, in nano-USD."""
BILLED = 10 * PROMPT + 3000 * COMPLETION


def overrunning() -> Script:
    """Answer with far more than `max_tokens` allowed, and bill it."""
    return plays(ROLE, says("x" * 12_000), ends(), counts(10, 3000), DONE)


def modest() -> Script:
    return plays(ROLE, says("x"), ends(), counts(10, 1), DONE)


async def asked(scene: Scene, purses: tuple[str, ...] = PURSES, **body: Any) -> Charge:
    """Serve a limited request; return what was charged."""
    for purse in purses:
        scene.bank.balances.setdefault(purse, [RICH, 0, 0])
    caller = Caller(key_hash=CALLER.key_hash, terms=Terms(funds=Funds(purses=purses)))
    visit = scene.visit(stream=True, max_tokens=10, **body)
    await stream_chat(scene.desk, structs.replace(visit, caller=caller), Ear())
    return scene.books.charges[-1]


def held(scene: Scene) -> int:
    """Return what was set aside for the latest request."""
    return scene.books.started[-1].hold


async def test_the_house_bears_what_goes_beyond() -> None:
    scene = Scene(a=overrunning())
    charge = await asked(scene)
    assert charge.cost == held(scene) < BILLED
    assert charge.overrun == BILLED - charge.cost
    assert charge.draws == tuple(Draw(purse, NanoUsd(charge.cost)) for purse in PURSES)


async def test_the_account_bears_it_where_that_is_set() -> None:
    scene = Scene(a=overrunning())
    scene.desk = structs.replace(scene.desk, ledger=LedgerOptions(charge_overrun=True))
    charge = await asked(scene)
    beyond = NanoUsd(BILLED - held(scene))
    assert (charge.cost, charge.overrun) == (BILLED, 0)
    assert charge.draws == tuple(Draw(purse, NanoUsd(BILLED), beyond=beyond) for purse in PURSES)
    assert scene.record.cost_nanos == BILLED
    assert [amount for _, amount in scene.record.draws] == [BILLED] * 2


@pytest.mark.parametrize("charges", [False, True])
async def test_what_keeps_to_its_bound_is_charged_alike_in_either_case(*, charges: bool) -> None:
    scene = Scene(a=modest())
    scene.desk = structs.replace(scene.desk, ledger=LedgerOptions(charge_overrun=charges))
    charge = await asked(scene)
    assert (charge.cost, charge.overrun) == (10 * PROMPT + COMPLETION, 0)
    assert all(draw.beyond == 0 for draw in charge.draws)
    assert scene.desk.margins.present(scene.clock.now) == {}


async def test_an_endpoint_that_went_beyond_its_bound_has_a_wider_one_for_a_while(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(margin, "HALF_LIFE_S", 10.0)
    scene = Scene(a=[overrunning(), modest(), modest()], b=[modest()])
    await asked(scene)
    before = held(scene)
    (raised, ppm), *others = scene.desk.margins.present(scene.clock.now).items()
    assert (raised, others) == (scene.record.endpoint, [])
    assert ppm == 4 * MILLION, "it went far beyond"
    await asked(scene)
    assert held(scene) == 4 * before
    scene.clock.now += 10 * margin.HALF_LIFE_S
    await asked(scene)
    assert before <= held(scene) < before * 1.02


async def test_who_may_spend_without_a_limit_raises_no_margin() -> None:
    scene = Scene(a=overrunning())
    charge = await asked(scene, purses=())
    assert (charge.cost, charge.overrun) == (BILLED, 0)
    assert scene.desk.margins.present(scene.clock.now) == {}


async def test_a_wider_bound_counts_in_what_is_told_of_too_little_money() -> None:
    scene = Scene(a=[overrunning(), modest()])
    await asked(scene)
    usual = held(scene)
    scene.bank.balances["key:poor|total|0"] = [3 * usual, 0, 0]
    with pytest.raises(PaymentRequired) as refused:
        await asked(scene, purses=("key:poor|total|0",))
    needed, left = map(int, re.findall(r"(\d+) > (\d+)", refused.value.message)[0])
    assert needed > left > 0


async def test_beside_a_dearer_endpoint_the_next_hold_is_enough() -> None:
    dear = Price(prompt=PicoUsd(2 * PROMPT * 1000), completion=PicoUsd(2 * COMPLETION * 1000))
    some = plays(ROLE, says("x" * 1_500), ends(), counts(10, 1300), DONE)
    billed = 10 * PROMPT + 1300 * COMPLETION
    places = (endpoint("a"), endpoint("b", price=dear))
    scene = Scene(*places, a=[some, modest()], b=[modest()])
    charge = await asked(scene)
    assert (scene.record.provider, charge.cost + charge.overrun) == ("a", billed)
    assert charge.overrun > 0
    await asked(scene)
    assert billed <= held(scene) <= billed * 1.06, "and a little more than that, not the most"


@pytest.mark.parametrize(("body", "believed"), [({"max_tokens": 10}, 10), ({}, AT_LEAST)])
async def test_no_more_is_charged_than_what_was_asked_for_or_came_in_the_time_allows(
    body: dict[str, Any], believed: int
) -> None:
    scene = Scene(a=plays(ROLE, says("x"), ends(), counts(10, 10**6), DONE))
    await stream_chat(scene.desk, scene.visit(stream=True, **body), Ear())
    assert scene.record.usage.completion == believed
    assert scene.record.usage.source == "clamped"
