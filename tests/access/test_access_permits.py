"""Permits: whom which rate binds, and what who is over it is told."""

from dataclasses import dataclass
from typing import Any

import pytest

from dragoman.access.callers import caller_of, check_inference, check_management
from dragoman.access.limiter import LocalLimiter
from dragoman.access.options import AccessOptions, FreeModels
from dragoman.access.permits import FreeRequests, Permits
from dragoman.access.rates import Rates
from dragoman.access.types import Admission, Caller, Known
from dragoman.core.clock import Clock
from dragoman.core.errors import InvalidRequest, PermissionDenied, RateLimited

MIDNIGHT = 1_800_000_000 // 86_400 * 86_400
HOUR_S = 3600


@dataclass
class Time:
    """Wall and monotonic time, moved together by hand."""

    now: float = MIDNIGHT - HOUR_S

    @property
    def clock(self) -> Clock:
        return Clock(wall=lambda: self.now, monotonic=lambda: self.now)

    @property
    def limiter(self) -> LocalLimiter:
        return LocalLimiter(lambda: int(self.now * 1e9))


def key(name: str = "a", **grant: Any) -> Known:
    made: dict[str, Any] = {
        "hash": name * 64,
        "verifier": "",
        "name": name,
        "label": name,
        "created_at": 0.0,
    }
    return Known(**made, **grant)


def caller(name: str = "a", options: AccessOptions | None = None, **grant: Any) -> Caller:
    row = key(name, **grant)
    return caller_of(Admission(key=row), row.hash, options or AccessOptions())


def test_a_plain_key_has_no_terms_and_costs_nothing() -> None:
    assert caller().terms is None


@pytest.mark.parametrize(
    "grant",
    [{"kind": "management"}, {"expires_at": 1.0}, {"allowed_models": ("a/b",)}, {"rpm": 1}],
)
def test_whatever_binds_a_key_makes_terms(grant: dict[str, Any]) -> None:
    assert caller(**grant).terms is not None


def test_a_key_is_for_inference_or_for_management() -> None:
    manages = caller(kind="management")
    check_management(manages)
    assert manages.terms is not None
    with pytest.raises(PermissionDenied, match="cannot be used for inference"):
        check_inference(manages.terms)
    for other in (caller(), caller(rpm=1)):
        with pytest.raises(PermissionDenied, match=r"^Only management keys can perform"):
            check_management(other)


async def test_requests_of_a_key_are_counted_apart_from_those_of_others() -> None:
    time = Time()
    permits = Permits(time.limiter, time.clock)
    await permits.permit(caller("a", rpm=1), "", 0)
    await permits.permit(caller("b", rpm=1), "", 0)
    with pytest.raises(RateLimited) as caught:
        await permits.permit(caller("a", rpm=1), "", 0)
    error = caught.value
    assert error.message.startswith("Rate limit exceeded: key-requests-per-min.")
    assert error.retry_after_s == 60
    assert error.metadata["limit_source"] == "key_rpm"
    assert error.metadata["headers"] == {
        "X-RateLimit-Limit": "1",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(int((time.now + 60) * 1000)),
    }
    time.now += 60
    await permits.permit(caller("a", rpm=1), "", 0)


async def test_an_account_is_limited_over_all_of_its_keys() -> None:
    time, options = Time(), AccessOptions(account_limits=Rates(rpm=2))
    permits = Permits(time.limiter, time.clock)
    await permits.permit(caller("a", options), "", 0)
    await permits.permit(caller("b", options), "", 0)
    with pytest.raises(RateLimited, match="account-requests-per-min"):
        await permits.permit(caller("c", options), "", 0)
    row = key("d", account="other")
    other = caller_of(Admission(key=row), row.hash, options)
    await permits.permit(other, "", 0)


async def test_an_address_is_limited_whatever_key_it_uses() -> None:
    time, rates = Time(), Rates(rpm=1)
    options = AccessOptions(address_limits=rates)
    permits = Permits(time.limiter, time.clock, rates)
    await permits.permit(caller("a", options), "10.0.0.1", 0)
    await permits.permit(caller("a", options), "10.0.0.2", 0)
    with pytest.raises(RateLimited, match="address-requests-per-min"):
        await permits.permit(caller("b", options), "10.0.0.1", 0)


async def test_a_place_is_given_back_once_however_often_it_is_closed() -> None:
    time = Time()
    permits = Permits(time.limiter, time.clock)
    one = caller(concurrency=2)
    first, _ = await permits.permit(one, "", 0), await permits.permit(one, "", 0)
    with pytest.raises(RateLimited, match="key-concurrency") as caught:
        await permits.permit(one, "", 0)
    assert caught.value.retry_after_s == 1
    first.close()
    first.close()
    await permits.permit(one, "", 0)
    with pytest.raises(RateLimited):
        await permits.permit(one, "", 0)


@pytest.mark.parametrize(("used", "fits"), [(20, 80), (100, 0), (None, 100)])
async def test_tokens_are_put_right_when_they_are_known(used: int | None, fits: int) -> None:
    time = Time()
    permits = Permits(time.limiter, time.clock)
    one = caller(tpm=100)
    permit = await permits.permit(one, "", 60)
    if used is not None:
        permit.used(used)
    permit.close()
    with pytest.raises(RateLimited if fits < 100 else InvalidRequest):
        await permits.permit(one, "", fits + 1)
    await permits.permit(one, "", fits)


async def test_what_no_waiting_would_help_is_400() -> None:
    time = Time()
    with pytest.raises(InvalidRequest, match="101 tokens, and key limits allow 100 a minute"):
        await Permits(time.limiter, time.clock).permit(caller(tpm=100), "", 101)


async def test_who_is_refused_for_one_thing_pays_for_nothing() -> None:
    time = Time()
    permits = Permits(time.limiter, time.clock)
    one = caller(rpm=2, concurrency=1)
    running = await permits.permit(one, "", 0)
    for _ in range(5):
        with pytest.raises(RateLimited, match="concurrency"):
            await permits.permit(one, "", 0)
    running.close()
    await permits.permit(one, "", 0)


async def test_the_51st_free_request_of_a_day_is_refused_in_openrouters_form() -> None:
    time = Time()
    free = FreeRequests(time.limiter, time.clock, FreeModels())
    for _ in range(50):
        assert await free.refused("default") is None
        time.now += 10
    error = await free.refused("default")
    assert error is not None
    assert error.code == 429
    assert error.message.startswith("Rate limit exceeded: free-models-per-day. ")
    assert error.metadata["limit_source"] == "openrouter_free_tier_daily"
    assert error.metadata["headers"] == {
        "X-RateLimit-Limit": "50",
        "X-RateLimit-Remaining": "0",
        "X-RateLimit-Reset": str(MIDNIGHT * 1000),
    }
    assert error.retry_after_s == HOUR_S - 500
    assert error.should_retry is False, "nobody sits and waits for an hour"
    assert await free.refused("other") is None
    assert await free.today("default") == (50, 50)
    time.now = MIDNIGHT
    assert await free.refused("default") is None
    assert await free.today("default") == (1, 50)


async def test_free_requests_have_a_pace_too() -> None:
    time = Time()
    free = FreeRequests(time.limiter, time.clock, FreeModels(rpm=2, rpd=10))
    assert [await free.refused("default") for _ in range(2)] == [None, None]
    error = await free.refused("default")
    assert error is not None
    assert error.message.startswith("Rate limit exceeded: free-models-per-min. ")
    assert error.retry_after_s == 30
    assert await free.today("default") == (2, 10), "what was refused does not count"


async def test_an_account_that_bought_credit_has_more_free_requests_a_day() -> None:
    time, options = Time(), FreeModels(rpm=100, rpd=1, high_balance_rpd=2)
    free = FreeRequests(time.limiter, time.clock, options)
    assert await free.refused("acct") is None
    refused = await free.refused("acct")
    assert refused is not None
    assert refused.message == (
        "Rate limit exceeded: free-models-per-day. Add 10 credits to unlock 2 free model"
        " requests per day"
    )
    assert await free.today("acct", high=True) == (1, 2)
    assert await free.refused("acct", high=True) is None
    refused = await free.refused("acct", high=True)
    assert refused is not None
    assert refused.message.startswith("Rate limit exceeded: free-models-per-day-high-balance. Wait")


@pytest.mark.parametrize(("bought", "high"), [(0, False), (10**10 - 1, False), (10**10, True)])
def test_the_larger_quota_is_for_who_bought_enough(bought: int, *, high: bool) -> None:
    row, options = key(), AccessOptions(free_models=FreeModels())
    terms = caller_of(Admission(key=row, bought=bought), row.hash, options).terms
    assert (terms is not None and terms.high_balance) == high
    assert caller_of(Admission(key=row, bought=bought), row.hash, AccessOptions()).terms is None
