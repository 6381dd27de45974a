"""Workloads as people write them, and what they cost in integers."""

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.types import Endpoint, Price, PriceTier
from dragoman.cli.workload import Workload, amount, cost, fits, read_workload
from dragoman.core.money import PicoUsd

PRICE = Price(
    prompt=PicoUsd(1_000_000),
    completion=PicoUsd(5_000_000),
    request=PicoUsd(10**9),
    tiers=(PriceTier(min_prompt_tokens=100_000, prompt=PicoUsd(2_000_000)),),
)


def workload(prompt: int, completion: int, requests: int | None = None, per: str = "") -> Workload:
    return Workload(
        prompt_tokens=prompt, completion_tokens=completion, requests=requests, period=per
    )


@pytest.mark.parametrize(
    ("text", "number"),
    [("0", 0), ("128000", 128_000), ("200k", 200_000), ("1.5M", 1_500_000), ("1_000", 1000),
     (" 2B ", 2 * 10**9)],
)  # fmt: skip
def test_an_amount_is_read(text: str, number: int) -> None:
    assert amount(text) == number


@pytest.mark.parametrize(
    "text", ["", "k", "-1", "1.5", "nan", "1e99", "inf", "much", "1kk", "9" * 99]
)
def test_what_is_no_amount_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="200k"):
        amount(text)


@pytest.mark.parametrize(
    ("text", "read"),
    [
        ("10k in, 2k out, 500 a day", workload(10_000, 2000, 500, "day")),
        ("2k OUT,10k IN", workload(10_000, 2000)),
        ("1M input, 3 requests per Hour", workload(1_000_000, 0, 3, "hour")),
        ("5 completion, 7 times", workload(0, 5, 7)),
        ("100 tokens in, 1k requests", workload(100, 0, 1000)),
        ("1 prompt, 2 an hour", workload(1, 0, 2, "hour")),
    ],
)
def test_a_workload_is_read(text: str, read: Workload) -> None:
    assert read_workload(text) == read


@pytest.mark.parametrize(
    "text",
    ["", "500 a day", "10k", "10k in, 5k in", "10k in, 5 a day, 6 requests", "in 10k", "1.5 in",
     "10k in, 5 a fortnight", "10k in,"],
)  # fmt: skip
def test_what_is_no_workload_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        read_workload(text)


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.none() | st.integers(0, 10**6))
def test_a_workload_is_read_as_it_is_said(
    prompt: int, completion: int, requests: int | None
) -> None:
    wanted = workload(prompt, completion, requests)
    times = "" if requests is None else f", {requests} requests"
    assert read_workload(f"{prompt} in, {completion} tokens out{times}") == wanted


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        assert read_workload(text).prompt_tokens >= 0


@pytest.mark.parametrize(
    ("wanted", "text"),
    [
        (workload(1000, 20), "1,000 tokens in, 20 out"),
        (workload(10, 20, 3), "3 requests of 10 tokens in, 20 out each"),
        (workload(10, 20, 3, "day"), "3 requests per day of 10 tokens in, 20 out each"),
    ],
)
def test_a_workload_is_said_in_words(wanted: Workload, text: str) -> None:
    assert str(wanted) == text


@pytest.mark.parametrize(
    ("wanted", "nano"),
    [
        (workload(1_000_000, 200_000), 2_000_000_000),
        (workload(10_000, 2000, 500, "day"), 500 * (10_000_000 + 10_000_000 + 1_000_000)),
        (workload(200_000, 0, 1), 2 * 200_000_000 + 1_000_000),
        (workload(1, 0, 0), 0),
    ],
)
def test_a_cost_is_exact_with_tiers_and_fees_for_requests_only(wanted: Workload, nano: int) -> None:
    assert cost(wanted, PRICE) == nano


def test_an_unknown_price_makes_an_unknown_cost() -> None:
    assert cost(workload(1, 1), None) is None


@pytest.mark.parametrize(
    ("wanted", "limits", "room"),
    [
        (workload(90, 10, 1), (100, None), True),
        (workload(91, 10, 1), (100, None), False),
        (workload(91, 10), (100, None), True),
        (workload(91, 10, 1), (None, None), True),
        (workload(1, 10, 1), (None, 9), False),
        (workload(1, 10, 1), (None, 10), True),
    ],
)
def test_a_request_fits_unless_it_is_known_to_be_too_long(
    *, wanted: Workload, limits: tuple[int | None, int | None], room: bool
) -> None:
    context, most = limits
    endpoint = Endpoint(
        id="x|a/m", model="a/m", provider="x", provider_name="X", tag="x", upstream="m",
        price=None, context=context, max_output=most,
    )  # fmt: skip
    assert fits(wanted, endpoint) is room
