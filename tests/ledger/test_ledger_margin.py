"""Margins: raised by what went beyond a bound, no more than four times, and fading."""

from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.types import Price
from dragoman.core.money import PicoUsd
from dragoman.ledger.bound import Size, most
from dragoman.ledger.margin import HALF_LIFE_S, MILLION, MOST_PPM, NONE, SPARE_PPM, Margins
from tests.relay.scene import endpoint

AMOUNT = st.integers(0, 10**12)


def test_nobody_who_kept_to_the_bound_has_a_margin() -> None:
    assert Margins().present(0.0) is NONE


def test_what_would_have_been_enough_is_held_the_next_time_and_a_little_more() -> None:
    margins = Margins()
    margins.overran("a", bound=100, cost=150, now=0.0)
    assert margins.present(0.0) == {"a": 1_500_000 + SPARE_PPM}
    margins.overran("a", bound=155, cost=186, now=0.0)
    (ppm,) = margins.present(0.0).values()
    assert ppm == 1_860_000 + SPARE_PPM


def test_a_margin_fades_by_half_an_hour_and_ends() -> None:
    margins = Margins()
    margins.overran("a", bound=1, cost=100, now=0.0)
    assert margins.present(0.0) == {"a": MOST_PPM}
    assert margins.present(HALF_LIFE_S) == {"a": MILLION + (MOST_PPM - MILLION) // 2}
    assert margins.present(20 * HALF_LIFE_S) == {}
    assert margins.present(20 * HALF_LIFE_S) is NONE


@given(st.lists(st.tuples(AMOUNT, AMOUNT, st.floats(0, 1e5)), max_size=20))
def test_a_margin_is_never_below_one_nor_above_four(
    told: list[tuple[int, int, float]],
) -> None:
    margins, now = Margins(), 0.0
    for bound, cost, pause in told:
        now += pause
        margins.overran("a", bound, cost, now)
        ppm = margins.present(now).get("a", MILLION)
        assert MILLION <= ppm <= MOST_PPM
        if bound and cost <= bound * 3:
            assert bound * ppm >= cost * MILLION


def test_a_bound_grows_by_the_margin_of_its_endpoint_alone() -> None:
    price = Price(prompt=PicoUsd(1_000_000), completion=PicoUsd(2_000_000))
    places = [(endpoint(slug, price=price), "openai") for slug in ("a", "b")]
    size = Size(body_bytes=100)
    usual = most(size, places)
    assert usual is not None
    wide = most(size, places, 0, {places[0][0].id: 1_500_000})
    assert wide == -(-usual * 3 // 2)
    assert most(size, places[1:], 0, {places[0][0].id: 1_500_000}) == usual
