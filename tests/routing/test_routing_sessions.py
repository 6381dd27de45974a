"""Requests of one session come to one provider, and sessions spread as requests do."""

from collections import Counter
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.ask import Ask
from dragoman.routing.ranking import SESSION
from dragoman.routing.sessions import session_key
from dragoman.routing.types import Seen
from dragoman.wire.preferences import Preferences
from tests.routing.endpoints import MINI, MODEL, ask, endpoint, price, route, tags

CHEAP = endpoint("acme", price=price(1_000_000))
MIDDLE = endpoint("bolt", price=price(2_000_000))
DEAR = endpoint("core", price=price(3_000_000))
UNKNOWN = endpoint("dune", price=None)
UNKNOWN_TOO = endpoint("echo", price=None)
ALL = (CHEAP, MIDDLE, DEAR, UNKNOWN, UNKNOWN_TOO)


def of(session: str, *models: str, **wishes: object) -> Ask:
    return ask(*models, session=session_key(session), preferences=Preferences(**wishes))  # type: ignore[arg-type]


@given(st.text(min_size=1), st.integers())
def test_the_order_of_a_session_does_not_depend_on_chance(session: str, seed: int) -> None:
    expected = tags(route(of(session), *ALL))
    assert tags(route(of(session), *ALL, rng=Random(seed))) == expected
    assert expected[3:] in (["dune", "echo"], ["echo", "dune"])


def test_sessions_are_spread_by_price_as_requests_are() -> None:
    first = Counter(tags(route(of(f"s{i}"), CHEAP, DEAR))[0] for i in range(10_000))
    assert first["acme"] / first["core"] == pytest.approx(9, rel=0.1)


def test_fallbacks_of_sessions_are_spread_too() -> None:
    orders = Counter(tuple(tags(route(of(f"s{i}"), CHEAP, MIDDLE, DEAR))) for i in range(10_000))
    after_cheap = orders["acme", "bolt", "core"] / orders["acme", "core", "bolt"]
    assert after_cheap == pytest.approx(9 / 4, rel=0.15)


@given(st.text(min_size=1), st.sampled_from(ALL))
def test_an_endpoint_that_leaves_moves_no_session_between_the_others(
    session: str, gone: object
) -> None:
    before = tags(route(of(session), *ALL))
    left = [each for each in ALL if each is not gone]
    after = tags(route(of(session), *left))
    assert after == [tag for tag in before if tag in after]


def test_a_session_leaves_a_provider_in_trouble_and_comes_back() -> None:
    at_home = tags(route(of("a"), *ALL))
    in_trouble = {f"{at_home[0]}|{MODEL}": Seen(outage=True)}
    assert tags(route(of("a"), *ALL, health=in_trouble)) == [*at_home[1:], at_home[0]]


def test_a_session_changes_no_order_that_the_caller_asked_for() -> None:
    sorted_ = [tags(route(of(f"s{i}", sort="price"), *ALL)) for i in range(50)]
    assert {each[0] for each in sorted_} == {"acme"}
    listed = [tags(route(of(f"s{i}", order=("core",)), *ALL)) for i in range(50)]
    assert {each[0] for each in listed} == {"core"}
    assert {each[1] for each in listed} >= {"acme", "bolt"}


def test_each_model_of_a_session_draws_by_itself() -> None:
    mini = [endpoint(each.tag, model=MINI, price=each.price) for each in (CHEAP, MIDDLE)]
    pairs = {
        (tags(route(of(f"s{i}"), CHEAP, MIDDLE))[0], tags(route(of(f"s{i}", MINI), *mini))[0])
        for i in range(200)
    }
    assert len(pairs) == 4


def test_the_plan_says_that_the_session_drew() -> None:
    whys = {step.endpoint.tag: step.why for step in route(of("a"), *ALL).steps}
    assert whys["acme"] == whys["core"] == SESSION
    assert "unknown" in whys["dune"]


@pytest.mark.parametrize("name", [None, ""])
def test_no_name_is_no_session(name: str | None) -> None:
    assert session_key(name) is None


def test_a_session_may_have_any_name_that_json_can_say() -> None:
    names = ["a", "\ud800", "\udfff", "\U0001f600"]
    keys = {session_key(name) for name in names}
    assert None not in keys
    assert len(keys) == len(names)
