"""What the caller is told after every attempt failed."""

import pytest
from msgspec.structs import replace

from dragoman.catalog.byok import Byok
from dragoman.core.errors import (
    CapacityExhausted,
    InvalidRequest,
    NoEndpoint,
    Overloaded,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnavailable,
    RefusedUpstream,
)
from dragoman.net.types import NetError, Phase
from dragoman.providers.dialect import Fault, Kind
from dragoman.routing.types import Step
from dragoman.upstream.failure import in_band, sum_up
from dragoman.upstream.faults import Try, late, of_net, untranslatable
from tests.upstream.scenery import credential, fault, step, tried

A, B = step("a"), step("b")
ASKED = ("acme/turbo",)


@pytest.mark.parametrize(
    ("why", "error", "code", "error_type"),
    [
        (fault(Kind.TRANSIENT, 500), ProviderUnavailable, 502, "provider_unavailable"),
        (fault(Kind.TRANSIENT, None), ProviderUnavailable, 502, "provider_unavailable"),
        (fault(Kind.TRANSIENT, 503), ProviderOverloaded, 503, "provider_overloaded"),
        (fault(Kind.TRANSIENT, 529), ProviderOverloaded, 503, "provider_overloaded"),
        (
            fault(Kind.TRANSIENT, None, "provider_overloaded"),
            ProviderOverloaded,
            503,
            "provider_overloaded",
        ),
        (fault(Kind.TIMEOUT, None), ProviderTimeout, 504, "timeout"),
        (fault(Kind.TRANSIENT, 408, "timeout"), ProviderTimeout, 504, "timeout"),
        (fault(Kind.TRANSIENT, 524, "timeout"), ProviderTimeout, 504, "timeout"),
        (fault(Kind.CREDENTIAL, 401), ProviderUnavailable, 502, "provider_unavailable"),
        (fault(Kind.FORBIDDEN, 403), ProviderUnavailable, 502, "provider_unavailable"),
        (fault(Kind.RATE, 429), CapacityExhausted, 429, "rate_limit_exceeded"),
        (fault(Kind.LOCAL, None), Overloaded, 503, "gateway_overloaded"),
        (
            fault(Kind.CALLER, 400, "content_policy_violation"),
            RefusedUpstream,
            400,
            "content_policy_violation",
        ),
        (fault(Kind.CALLER, 422, "unprocessable"), RefusedUpstream, 422, "unprocessable"),
    ],
)
def test_one_endpoint_failed(why: Fault, error: type, code: int, error_type: str) -> None:
    told = sum_up([tried(A, why)], ASKED)
    assert type(told) is error
    assert (told.code, told.type) == (code, error_type)


def test_a_provider_that_refuses_our_credential_never_looks_like_a_bad_key() -> None:
    told = sum_up([tried(A, fault(Kind.CREDENTIAL, 401))], ASKED)
    assert told.code == 502
    assert "raw" not in told.metadata
    assert "doctor" in told.message


def test_all_rate_limited_is_429_with_the_shortest_hint() -> None:
    tries = [
        tried(A, fault(Kind.RATE, 429, retry_after_s=40)),
        tried(B, fault(Kind.RATE, 429, retry_after_s=7.2)),
    ]
    told = sum_up(tries, ASKED)
    assert told.code == 429
    assert told.retry_after_s == 8
    assert told.availability is not None
    assert told.availability.code == "capacity_exhausted"
    assert told.availability.retry_after == 8
    assert told.availability.affected_providers == ("a", "b")
    assert told.should_retry is None


def test_a_rate_limit_without_a_hint_still_says_when_to_come_back() -> None:
    assert sum_up([tried(A, fault(Kind.RATE, 429))], ASKED).retry_after_s == 1


def test_several_in_trouble_are_503_and_sdks_are_told_not_to_retry_what_we_retried() -> None:
    told = sum_up([tried(A, fault()), tried(B, fault(Kind.TIMEOUT, None))], ASKED)
    assert told.code == 503
    assert told.should_retry is False
    assert told.retry_after_s == 2
    assert told.availability is not None
    assert told.availability.code == "temporarily_unavailable"


@pytest.mark.parametrize(
    "tries", [[tried(A, fault()), tried(B, fault())], [tried(A, fault(status=503))]]
)
def test_a_503_says_when_to_come_back_though_no_provider_did(tries: list[Try]) -> None:
    told = sum_up(tries, ASKED, 30)
    assert (told.code, told.should_retry, told.retry_after_s) == (503, False, 30)
    assert told.availability is not None
    assert told.availability.retry_after is None


@pytest.mark.parametrize(
    "tries",
    [[tried(A, fault(status=404))] * 3, [tried(A, fault(status=404)), tried(B, fault(status=404))]],
)
def test_a_model_that_every_provider_has_removed_is_404(tries: list[Try]) -> None:
    told = sum_up(tries, ASKED)
    assert type(told) is NoEndpoint
    assert (told.code, told.type, told.retry_after_s) == (404, "not_found", None)
    assert told.availability is not None
    assert told.availability.code == "model_unavailable_upstream"
    assert told.availability.retryable is False
    assert told.metadata["provider_name"] == tries[-1].step.endpoint.provider_name


def test_a_model_that_only_one_provider_has_removed_may_come_back() -> None:
    told = sum_up([tried(A, fault(status=404)), tried(B, fault(status=500))], ASKED)
    assert told.code == 503


def test_a_hint_from_a_provider_in_trouble_is_passed_on() -> None:
    tries = [tried(A, fault(status=503, retry_after_s=5)), tried(B, fault())]
    told = sum_up(tries, ASKED)
    assert told.retry_after_s == 5
    assert told.should_retry is None


BAD = tried(A, fault(Kind.CALLER, 400, "invalid_request"))


@pytest.mark.parametrize(
    ("tries", "code", "error_type"),
    [
        ([tried(A, fault(Kind.LOCAL, None)), tried(B, fault())], 503, "provider_overloaded"),
        ([tried(A, fault(Kind.RATE, 429)), tried(B, fault())], 503, "provider_overloaded"),
        ([BAD, tried(B, fault(Kind.RATE, 429))], 429, "rate_limit_exceeded"),
        ([BAD, tried(B, fault(Kind.LOCAL, None))], 503, "gateway_overloaded"),
        ([BAD, tried(B, fault(status=404))], 404, "not_found"),
    ],
)
def test_several_failed_each_in_its_way(tries: list[Try], code: int, error_type: str) -> None:
    told = sum_up(tries, ASKED)
    assert (told.code, told.type) == (code, error_type)


@pytest.mark.parametrize(
    ("why", "should_retry", "retry_after_s"),
    [
        (untranslatable("cannot be sent"), False, None),
        (fault(Kind.CALLER, 400), False, None),
        (fault(Kind.TIMEOUT, None), False, None),
        (fault(Kind.CREDENTIAL, 401), False, None),
        (fault(Kind.FORBIDDEN, 403), False, None),
        (fault(Kind.LOCAL, None), None, 1),
        (fault(Kind.RATE, 429), None, 1),
        (fault(status=500), False, None),
        (fault(status=500, retry_after_s=5), None, 5),
    ],
)
def test_clients_are_told_whether_to_ask_again(
    why: Fault, *, should_retry: bool | None, retry_after_s: int | None
) -> None:
    for step_ in (A, OWN):
        told = sum_up([tried(step_, why)], ASKED)
        assert (told.should_retry, told.retry_after_s) == (should_retry, retry_after_s)


OWN = replace(A, byok=Byok(credential=credential("a"), origin="http://a"))


@pytest.mark.parametrize(
    ("who", "why", "says"),
    [
        (A, fault(Kind.CREDENTIAL, 401), "A refused this gateway's credential"),
        (OWN, fault(Kind.CREDENTIAL, 401), "A refused your own credential (a:1)"),
        (A, fault(Kind.FORBIDDEN, 403), "A does not let this gateway's credential do this"),
        (OWN, fault(Kind.FORBIDDEN, 403), "A does not let your own credential (a:1) do this"),
        (A, fault(), "Provider returned error"),
        (OWN, fault(), "Provider returned error"),
        (OWN, fault(Kind.TIMEOUT, None), "A did not answer in time"),
    ],
)
def test_whose_credential_it_was_is_said_where_it_was_the_credential(
    who: Step, why: Fault, says: str
) -> None:
    told = sum_up([tried(who, why)], ASKED)
    assert told.message.startswith(says)
    assert told.metadata["provider_name"] == "A"


@pytest.mark.parametrize("status", [500, 503])
def test_what_an_only_provider_says_of_when_to_come_back_is_passed_on(status: int) -> None:
    told = sum_up([tried(A, fault(status=status, retry_after_s=5))], ASKED, 30)
    assert told.retry_after_s == 5


def test_the_same_endpoint_tried_three_times_counts_as_one() -> None:
    assert sum_up([tried(A, fault())] * 3, ASKED).code == 502


def test_the_last_model_to_refuse_the_request_has_the_last_word() -> None:
    tries = [tried(A, fault()), tried(B, fault(Kind.CALLER, 400, "invalid_request"))]
    told = sum_up(tries, ASKED)
    assert told.code == 400
    assert told.metadata["previous_errors"] == [
        {"provider": "a", "code": "provider_unavailable", "status": 500},
        {"provider": "b", "code": "invalid_request", "status": 400},
    ]


def test_what_was_sent_has_the_word_before_what_was_not() -> None:
    mute = tried(A, untranslatable("input.1: cannot be sent to A"))
    told = sum_up([mute, tried(B, fault(Kind.TRANSIENT, 503)), mute], ASKED)
    assert (told.code, told.metadata["provider_name"]) == (503, "B")
    assert [one["provider"] for one in told.metadata["previous_errors"]] == ["a", "b", "a"]
    assert sum_up([mute, tried(B, fault(Kind.LOCAL, None))], ASKED).code == 503


def test_where_nothing_was_sent_the_first_choice_is_named() -> None:
    first, second = (untranslatable(f"input.1: cannot be sent to {who}") for who in "AB")
    told = sum_up([tried(A, first), tried(B, second)], ASKED)
    assert type(told) is InvalidRequest
    assert (told.message, told.metadata["provider_name"]) == ("input.1: cannot be sent to A", "A")
    assert told.metadata["previous_errors"] == [
        {"provider": "a", "code": "untranslatable", "status": None},
        {"provider": "b", "code": "untranslatable", "status": None},
    ]


@pytest.mark.parametrize(
    ("phase", "kind"),
    [
        ("dns", Kind.TRANSIENT),
        ("refused", Kind.TRANSIENT),
        ("tls", Kind.TRANSIENT),
        ("reset", Kind.TRANSIENT),
        ("eof", Kind.TRANSIENT),
        ("protocol", Kind.TRANSIENT),
        ("too_large", Kind.TRANSIENT),
        ("connect", Kind.TIMEOUT),
        ("head", Kind.TIMEOUT),
        ("idle", Kind.TIMEOUT),
        ("pool", Kind.LOCAL),
    ],
)
def test_what_breaks_below_http_is_the_endpoints_fault_or_ours(phase: Phase, kind: Kind) -> None:
    assert of_net(NetError(phase, "x")).kind is kind


@pytest.mark.parametrize(
    ("why", "code"),
    [
        (fault(Kind.RATE, 429), 429),
        (fault(Kind.TIMEOUT, None), 504),
        (fault(Kind.TRANSIENT, None, "timeout"), 504),
        (fault(Kind.TRANSIENT, 200), 502),
        (fault(Kind.TRANSIENT, 529), 503),
        (fault(Kind.CREDENTIAL, 401), 502),
        (fault(Kind.LOCAL, None), 503),
        (fault(Kind.CALLER, 400, "context_length_exceeded"), 400),
    ],
)
def test_inside_a_stream_a_fault_keeps_its_meaning(why: Fault, code: int) -> None:
    assert in_band(why, A, None).code == code


@pytest.mark.parametrize("status", [400, 404, 413, 415, 422])
def test_a_mistake_of_the_caller_has_the_status_that_the_provider_gave_it(status: int) -> None:
    why = fault(Kind.CALLER, status, "invalid_request")
    assert in_band(why, A, None).code == sum_up([tried(A, why)], ASKED).code == status
    assert in_band(why, A, None).metadata["provider_name"] == "A"


@pytest.mark.parametrize("status", [None, 200, 399, 401, 402, 403, 407, 423, 429, 500])
def test_a_mistake_of_the_caller_never_looks_like_anything_else(status: int | None) -> None:
    why = fault(Kind.CALLER, status, "context_length_exceeded")
    assert in_band(why, A, None).code == 400
    assert sum_up([tried(A, why)], ASKED).code == 400


def test_the_providers_own_code_is_told() -> None:
    why = Fault(kind=Kind.TRANSIENT, error_type="server", message="x", code="engine_on_fire")
    assert in_band(why, A, None).metadata["provider_code"] == "engine_on_fire"
    assert sum_up([tried(A, why)], ASKED).metadata["provider_code"] == "engine_on_fire"


def test_a_success_is_not_summed_up() -> None:
    with pytest.raises(ValueError, match="did not fail"):
        sum_up([tried(A)], ASKED)


@pytest.mark.parametrize(
    ("after_s", "told"),
    [(30.0, "30 s"), (4.99939, "4.999 s"), (-0.000932505, "0 s"), (3600.0, "3600 s")],
)
def test_how_long_was_waited_is_told_in_milliseconds_at_most(after_s: float, told: str) -> None:
    assert late("no content came", after_s).message == f"no content came within {told}"
