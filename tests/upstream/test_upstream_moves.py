"""Who is tried next."""

from random import Random

import pytest
from msgspec.structs import replace

from dragoman.catalog.byok import Byok
from dragoman.providers.dialect import Fault, Kind
from dragoman.routing.types import Step
from dragoman.upstream.faults import Try, untranslatable
from dragoman.upstream.moves import PIECE_MOST_S, PIECE_PAUSE_S, Move, next_move, piece_pause_s
from dragoman.upstream.options import UpstreamOptions
from tests.upstream.scenery import credential, fault, step, tried

A, B, C, D = step("a"), step("b"), step("c"), step("d")
OTHER = step("a", "acme/other")
LONG = step("b", context=100_000)


def move(
    steps: list[Step],
    tries: list[Try],
    *,
    spare: float | None = None,
    options: UpstreamOptions | None = None,
) -> Move | None:
    chosen = options or UpstreamOptions()
    return next_move(steps, tries, chosen, lambda _: spare, Random(1))


def after(*failures: Try, steps: list[Step]) -> Step | None:
    chosen = move(steps, list(failures))
    return chosen.step if chosen else None


@pytest.mark.parametrize("kind", [Kind.TRANSIENT, Kind.TIMEOUT, Kind.RATE, Kind.CREDENTIAL])
def test_whatever_the_provider_did_the_next_one_is_tried_at_once(kind: Kind) -> None:
    assert move([A, B], [tried(A, fault(kind))]) == Move(B)


def test_a_request_that_is_at_fault_goes_on_to_other_models_only() -> None:
    bad = fault(Kind.CALLER, 400, "invalid_request")
    assert after(tried(A, bad), steps=[A, B, LONG]) is None
    assert after(tried(A, bad), steps=[A, B, OTHER]) is OTHER


@pytest.mark.parametrize(
    ("refused", "following", "is_tried"),
    [
        (8192, [step("b", context=8192)], False),
        (8192, [step("b", context=8193)], True),
        (8192, [step("b", context=None)], False),
        (None, [step("b", context=1)], True),
        (None, [step("b", context=None)], False),
        (8192, [step("b", "acme/other", context=None)], True),
    ],
)
def test_a_conversation_called_too_long_goes_to_who_is_known_to_read_more_or_to_another_model(
    refused: int | None, following: list[Step], *, is_tried: bool
) -> None:
    first, long = step("a", context=refused), fault(Kind.CALLER, 400, "context_length_exceeded")
    found = after(tried(first, long), steps=[first, *following])
    assert found is (following[0] if is_tried else None)


def test_what_was_sent_to_nobody_uses_up_no_attempt() -> None:
    mute = [tried(step(name), untranslatable("x")) for name in "efghijkl"]
    three = [tried(one, fault()) for one in (A, B, C)]
    assert after(*mute, *three[:2], steps=[A, B, C]) is C
    assert after(*mute, *three, steps=[A, B, C, D]) is None
    assert after(tried(A, untranslatable("x")), steps=[A]) is None


def test_an_endpoint_that_cannot_be_told_is_not_asked_with_another_credential() -> None:
    own = replace(A, byok=Byok(credential=credential("a"), origin="http://a"))
    assert after(tried(own, untranslatable("x")), steps=[own, A, B]) is B


def test_an_endpoint_is_not_tried_twice_while_others_are_left() -> None:
    assert after(tried(A, fault()), tried(B, fault()), steps=[A, B, C]) is C


def test_a_model_gets_three_attempts_and_the_next_model_its_own() -> None:
    three = [tried(one, fault()) for one in (A, B, C)]
    assert after(*three, steps=[A, B, C, D]) is None
    assert after(*three, steps=[A, B, C, D, OTHER]) is OTHER


def test_a_request_gets_six_attempts_in_all() -> None:
    models = [step("a", f"acme/m{n}") for n in range(8)]
    six = [tried(one, fault()) for one in models[:6]]
    assert after(*six[:5], steps=models) is models[5]
    assert after(*six, steps=models) is None


@pytest.mark.parametrize("kind", [Kind.RATE, Kind.CREDENTIAL, Kind.FORBIDDEN])
def test_a_refused_credential_gives_way_to_the_next_of_the_same_provider(kind: Kind) -> None:
    assert move([A, B], [tried(A, fault(kind))], spare=0.0) == Move(A)


def test_a_credential_that_rests_is_tried_when_nobody_else_is_left() -> None:
    limited = tried(A, fault(Kind.RATE, 429))
    assert move([A, B], [limited], spare=300.0) == Move(B)
    assert move([A], [limited], spare=300.0) == Move(A)


def test_many_credentials_of_one_provider_leave_attempts_to_the_next() -> None:
    limited = tried(A, fault(Kind.RATE, 429))
    assert move([A, B], [limited] * 2, spare=0.0) == Move(A)
    assert move([A, B], [limited] * 3, spare=0.0) == Move(B)
    assert move([A], [limited] * 5, spare=0.0) == Move(A)
    assert move([A], [limited] * 6, spare=0.0) is None


def test_one_endpoint_with_several_credentials_counts_once_for_its_model() -> None:
    limited = [tried(A, fault(Kind.RATE, 429))] * 3
    assert after(*limited, tried(B, fault()), steps=[A, B, C, D]) is C
    assert after(*limited, tried(B, fault()), tried(C, fault()), steps=[A, B, C, D]) is None


def test_a_spare_credential_does_not_help_a_provider_that_is_down() -> None:
    assert move([A, B], [tried(A, fault())], spare=0.0) == Move(B)


class Luckless(Random):
    """Draws what it can at most."""

    def uniform(self, a: float, b: float) -> float:
        assert a == 0
        return b


def test_an_only_endpoint_is_tried_three_times_with_pauses_that_grow() -> None:
    def again(times: int) -> Move | None:
        tries = [tried(A, fault())] * times
        return next_move([A], tries, UpstreamOptions(), lambda _: None, Luckless())

    assert [again(times) for times in (1, 2, 3)] == [Move(A, 0.5), Move(A, 1.0), None]


@pytest.mark.parametrize("kind", [Kind.RATE, Kind.TIMEOUT, Kind.CREDENTIAL, Kind.CALLER])
def test_an_only_endpoint_is_not_tried_again_when_that_would_not_help(kind: Kind) -> None:
    assert move([A], [tried(A, fault(kind))]) is None


def test_of_two_endpoints_neither_is_tried_twice() -> None:
    assert after(tried(A, fault()), tried(B, fault()), steps=[A, B]) is None


def test_attempts_are_a_setting() -> None:
    options = UpstreamOptions(attempts=1)
    assert move([A, B], [tried(A, fault())], options=options) is None


def own(number: int = 1) -> Step:
    """Return the first step with an own credential."""
    byok = Byok(credential=credential("a", number), origin="http://a")
    return replace(A, byok=byok)


def test_the_same_endpoint_is_tried_with_every_credential_that_the_plan_has_for_it() -> None:
    first, second = own(1), own(2)
    refused = fault(Kind.CREDENTIAL, 401)
    assert after(tried(first, refused), steps=[first, second, A]) is second
    assert after(tried(first, refused), tried(second, refused), steps=[first, second, A]) is A
    assert after(tried(first, fault()), steps=[first, A]) is A
    assert after(tried(first, refused), tried(A, refused), steps=[first, A]) is None


def test_refused_own_credentials_take_nothing_from_what_a_model_may_be_tried() -> None:
    mine = [own(number) for number in (1, 2, 3)]
    refused = [tried(each, fault(Kind.CREDENTIAL, 401)) for each in mine]
    assert after(*refused, steps=[*mine, A]) is A
    broken = [tried(each, fault()) for each in mine]
    assert after(*broken, steps=[*mine, A]) is None


LOST = replace(fault(status=None), code="eof")


@pytest.mark.parametrize(
    ("why", "pause_s"),
    [
        (fault(), PIECE_PAUSE_S),
        (fault(status=503), PIECE_PAUSE_S),
        (fault(status=503, retry_after_s=2.0), 2.0),
        (LOST, PIECE_PAUSE_S),
        (replace(LOST, code="reset"), PIECE_PAUSE_S),
        (replace(LOST, code="send"), PIECE_PAUSE_S),
        (fault(Kind.RATE, 429, retry_after_s=0.0), 0.0),
        (fault(Kind.RATE, 429, retry_after_s=PIECE_MOST_S), PIECE_MOST_S),
        (fault(Kind.RATE, 429, retry_after_s=PIECE_MOST_S + 1), None),
        (fault(Kind.RATE, 429), None),
        (fault(status=503, retry_after_s=60.0), None),
        (fault(status=404), None),
        (fault(status=200), None),
        (replace(LOST, code="too_large"), None),
        (replace(LOST, code="refused"), None),
        (fault(Kind.TIMEOUT, None), None),
        (fault(Kind.CREDENTIAL, 401), None),
        (fault(Kind.CALLER, 400), None),
        (fault(Kind.LOCAL, None), None),
        (fault(Kind.TIMEOUT, 504), None),
        (fault(Kind.CREDENTIAL, 403, retry_after_s=1.0), None),
        (fault(Kind.CALLER, 400, retry_after_s=1.0), None),
    ],
)
def test_when_one_of_several_requests_is_made_once_more(why: Fault, pause_s: float | None) -> None:
    assert piece_pause_s(why, 10.0) == pause_s


def test_it_is_not_made_once_more_where_no_time_is_left() -> None:
    assert piece_pause_s(fault(), PIECE_PAUSE_S) is None
    assert piece_pause_s(fault(Kind.RATE, 429, retry_after_s=3.0), 2.0) is None
