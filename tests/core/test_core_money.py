"""Money is exact."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.money import (
    NanoUsd,
    PicoUsd,
    amount,
    cost,
    per_million,
    price,
    price_text,
    usd,
)


@pytest.mark.parametrize(
    ("text", "pico"),
    [
        (0.0000025, 2_500_000),
        ("0.00001", 10_000_000),
        (1, 10**12),
        ("1e-12", 1),
        (0, 0),
        (Decimal("0.15") / 10**6, 150_000),
    ],
)
def test_a_price_is_read_exactly(text: float | str | Decimal, pico: int) -> None:
    assert price(text) == pico


@pytest.mark.parametrize(
    "text", [-1, "-0.1", "nan", "inf", float("inf"), "", "free", "1e-13", 1001, "1e400"]
)
def test_what_is_not_a_price_is_refused(text: float | str) -> None:
    with pytest.raises(ValueError, match="USD"):
        price(text)


@given(st.integers(0, 10**15))
def test_a_price_survives_being_written_and_read(pico: int) -> None:
    assert price(price_text(PicoUsd(pico))) == pico
    assert "e" not in price_text(PicoUsd(pico)).lower()


def test_a_cost_is_rounded_up_once() -> None:
    assert cost([(1, PicoUsd(1)), (1, PicoUsd(1))]) == 1
    assert cost([(1, PicoUsd(999)), (1, PicoUsd(2))]) == 2
    assert cost([]) == 0


def test_amounts_are_shown_in_dollars() -> None:
    assert usd(NanoUsd(13_317_600)) == 0.0133176
    assert per_million(price("0.0000025")) == Decimal("2.5")


@pytest.mark.parametrize(
    ("value", "nanos"),
    [("25", 25 * 10**9), (0.1, 10**8), ("0.000000001", 1), ("1e7", 10**16), ("1.50", 15 * 10**8)],
)
def test_an_amount_is_read_exactly(value: str | float, nanos: int) -> None:
    assert amount(value) == nanos


@pytest.mark.parametrize(
    "value",
    ["0", "-0.01", "10000000.01", "NaN", "inf", "0.0000000001", "ten", "", "1_0", "\u0661", " 1"],
)
def test_what_is_no_amount_is_refused(value: str) -> None:
    with pytest.raises(ValueError, match="USD"):
        amount(value)


@pytest.mark.parametrize(
    ("value", "said"), [(Decimal("-1.0"), "-1.0 is"), ("-1.0", "'-1.0' is"), ("x", "'x' is")]
)
def test_a_sum_that_is_none_is_named_as_it_was_written(value: Decimal | str, said: str) -> None:
    with pytest.raises(ValueError, match=f"^{said}"):
        amount(value)
