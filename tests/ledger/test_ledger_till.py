"""The till: all or none, once, and never more than was granted."""

import pytest

from dragoman.ledger.till import Hold, Settlement, Short, Till


def held(till: Till, purses: list[str], amount: int) -> Hold:
    hold = till.hold(purses, amount, 0.0)
    assert isinstance(hold, Hold)
    return hold


@pytest.fixture
def till() -> Till:
    till = Till()
    till.grant("a", 100, 0.0)
    till.grant("b", 50, 0.0)
    return till


def test_a_hold_draws_on_all_its_purses(till: Till) -> None:
    hold = held(till, ["a", "b", "a"], 30)
    assert (till.available("a"), till.available("b")) == (70, 20)
    assert hold.purses == ("a", "b")


@pytest.mark.parametrize(
    ("amount", "missing"),
    [(51, {"b": 1, "c": 51}), (101, {"a": 1, "b": 51, "c": 101}), (10, {"c": 10})],
)
def test_a_hold_that_one_purse_cannot_give_draws_on_none(
    till: Till, amount: int, missing: dict[str, int]
) -> None:
    assert till.hold(["a", "b", "c"], amount, 0.0) == Short(missing)
    assert (till.available("a"), till.available("b"), till.available("c")) == (100, 50, 0)


@pytest.mark.parametrize(
    ("cost", "settlement", "left"),
    [
        (0, Settlement(0, 0), 100),  # type: ignore[arg-type]
        (20, Settlement(20, 0), 80),  # type: ignore[arg-type]
        (40, Settlement(40, 0), 60),  # type: ignore[arg-type]
        (45, Settlement(40, 5), 60),  # type: ignore[arg-type]
    ],
)
def test_a_cost_is_charged_as_far_as_it_was_held(
    till: Till, cost: int, settlement: Settlement, left: int
) -> None:
    hold = held(till, ["a"], 40)
    assert till.settle(hold, cost, 0.0) == settlement
    assert till.available("a") == left


def test_a_hold_grows_in_all_its_purses_or_in_none(till: Till) -> None:
    hold = held(till, ["a", "b"], 30)
    assert till.extend(hold, 20, 0.0) is None
    assert till.extend(hold, 1, 0.0) == Short({"b": 1})
    assert (hold.amount, till.available("a"), till.available("b")) == (50, 50, 0)


def test_a_hold_of_nothing_and_without_purses_needs_no_lease(till: Till) -> None:
    assert till.settle(held(till, ["c"], 0), 3, 0.0) == Settlement(0, 3)  # type: ignore[arg-type]
    assert till.settle(held(till, [], 9), 3, 0.0) == Settlement(3, 0)  # type: ignore[arg-type]


def test_a_hold_is_settled_once(till: Till) -> None:
    hold = held(till, ["a"], 5)
    till.settle(hold, 5, 0.0)
    with pytest.raises(ValueError, match="once"):
        till.settle(hold, 5, 0.0)
    with pytest.raises(ValueError, match="settled"):
        till.extend(hold, 5, 0.0)
    assert till.available("a") == 95


def test_nothing_negative_comes_in(till: Till) -> None:
    with pytest.raises(ValueError, match="negative"):
        till.hold(["a"], -1, 0.0)
    with pytest.raises(ValueError, match="negative"):
        till.settle(held(till, ["a"], 5), -1, 0.0)
    with pytest.raises(ValueError, match="negative"):
        till.extend(Hold(("a", "b"), 0, ("b",)), 0, 0.0, -1)
    with pytest.raises(ValueError, match="negative"):
        till.settle(inclusive(till, 5, 5), 0, 0.0, -1)


def test_what_is_idle_for_a_second_is_taken_out(till: Till) -> None:
    held(till, ["a"], 40)
    till.grant("b", 1, 0.9)
    assert till.idle(0.99) == {}
    assert till.idle(1.0) == {"a": 60}
    assert till.idle(5.0) == {"b": 51}
    assert till.idle(9.0) == {}


def test_who_draws_on_a_purse_keeps_what_is_left_of_it_here_for_another_second(till: Till) -> None:
    hold = till.hold(["a"], 40, 0.75)
    assert isinstance(hold, Hold)
    assert till.idle(1.0) == {"b": 50}
    assert till.idle(1.5) == {}
    till.settle(hold, 10, 1.5)
    assert till.idle(2.25) == {}
    assert till.knows("a")
    assert till.idle(2.5) == {"a": 90}
    assert not till.knows("a")


def test_of_much_that_is_idle_the_rest_is_left_for_another_time(till: Till) -> None:
    assert till.idle(1.0, 1) == {"a": 100}
    assert till.idle(1.0, 1) == {"b": 50}
    assert till.idle(1.0, 1) == {}


def test_what_was_taken_out_cannot_be_held_any_more(till: Till) -> None:
    hold = held(till, ["a"], 40)
    till.idle(1.0)
    assert till.hold(["a"], 1, 1.0) == Short({"a": 1})
    till.settle(hold, 10, 2.0)
    assert till.available("a") == 30
    assert till.idle(3.0) == {"a": 30}


def test_what_the_ledger_would_not_take_back_is_put_in_again(till: Till) -> None:
    till.grant("a", till.idle(1.0)["a"], 1.0)
    assert till.available("a") == 100


def test_what_is_tired_goes_back_at_once_but_for_what_is_held(till: Till) -> None:
    held(till, ["a"], 30)
    till.tire("a")
    till.tire("nobody's")
    assert till.idle(0.0) == {"a": 70}
    assert set(till.purses) == {"a", "b"}
    till.tire("b")
    assert held(till, ["b"], 10).amount == 10
    assert till.idle(0.5) == {"b": 40}, "whoever drew on it since"
    till.grant("b", 5, 0.5)
    assert till.idle(0.5) == {}, "it was tired once"


def inclusive(till: Till, amount: int, included: int) -> Hold:
    hold = Hold(("a", "b"), 0, ("b",))
    assert till.extend(hold, amount, 0.0, included) is None
    return hold


def test_an_inclusive_purse_is_asked_for_what_it_counts(till: Till) -> None:
    hold = inclusive(till, 10, 40)
    assert (hold.of("a"), hold.of("b")) == (10, 40)
    assert (till.available("a"), till.available("b")) == (90, 10)
    assert till.extend(hold, 0, 0.0, 11) == Short({"b": 1})
    assert (hold.amount, hold.included) == (10, 40)


@pytest.mark.parametrize(
    ("cost", "billed", "settlement"),
    [
        (2, 30, Settlement(2, 0, 32)),  # type: ignore[arg-type]
        (10, 0, Settlement(10, 0, 10)),  # type: ignore[arg-type]
        (12, 0, Settlement(10, 2, 10)),  # type: ignore[arg-type]
        (0, 99, Settlement(0, 0, 40)),  # type: ignore[arg-type]
        (0, 0, Settlement(0, 0, 0)),  # type: ignore[arg-type]
    ],
)
def test_what_a_provider_bills_is_used_up_of_inclusive_purses_alone(
    till: Till, cost: int, billed: int, settlement: Settlement
) -> None:
    assert till.settle(inclusive(till, 10, 40), cost, 0.0, billed) == settlement
    assert till.available("a") == 100 - settlement.charged
    assert till.available("b") == 50 - settlement.included
