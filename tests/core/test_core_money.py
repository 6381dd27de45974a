"""Money is exact."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.money import NanoUsd, PicoUsd, cost, per_million, price, price_text, usd


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
