"""The fee for requests that accounts' own credentials served."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.core.money import NanoUsd
from dragoman.ledger.byok import fee_of
from dragoman.ledger.cost import FREE, Cost


def cost(total: int) -> Cost:
    return Cost(total=NanoUsd(total), prompt=NanoUsd(0), completion=NanoUsd(total))


@pytest.mark.parametrize(
    ("total", "fee_ppm", "fee"),
    [(0, 50_000, 0), (1, 1, 1), (20, 50_000, 1), (21, 50_000, 2), (10**15, 10**6, 10**15)],
)
def test_a_fee_is_a_share_rounded_up(total: int, fee_ppm: int, fee: int) -> None:
    found = fee_of(cost(total), fee_ppm)
    assert found is not None
    assert (found.total, found.prompt, found.completion) == (fee, 0, 0)


def test_of_an_unknown_price_there_is_no_share_but_none_at_all_is_free() -> None:
    assert fee_of(None, 1) is None
    assert fee_of(None, 0) == FREE


@given(st.integers(0, 10**15), st.integers(0, 10**6))
def test_a_fee_never_exceeds_the_cost_nor_falls_short_of_its_share(total: int, ppm: int) -> None:
    found = fee_of(cost(total), ppm)
    assert found is not None
    assert total * ppm <= found.total * 10**6 <= total * ppm + 10**6 - 1
    assert found.total <= total
