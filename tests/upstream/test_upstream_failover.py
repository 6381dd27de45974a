"""The attempt loop: who is called after whom, with which credential, and what is learnt."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.catalog.byok import Byok
from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.core.errors import CapacityExhausted, GatewayError, ProviderTimeout, RefusedUpstream
from dragoman.net.types import NetError
from dragoman.providers.registry import DIALECTS
from dragoman.routing.types import Plan, Seen, Step
from dragoman.upstream.credentials import Wallet
from dragoman.upstream.failover import Journey, Upstream
from dragoman.upstream.health import HealthBoard
from dragoman.upstream.options import UpstreamOptions
from tests.access.fakes import HandClock
from tests.upstream.hosts import (
    Hosts,
    Pass,
    Script,
    breaks,
    plays,
    refuses,
    says,
    streamed,
    whole,
)
from tests.upstream.scenery import Calm, chat, credential, provider, step

A, B, C = step("a"), step("b"), step("c")
SLOW = breaks(NetError("head", "silence"))


class Stage:
    """Hosts a, b, c, and one request on its way through them."""

    def __init__(
        self,
        credentials: Iterable[Credential] = (),
        options: UpstreamOptions | None = None,
        **scripts: Script | Sequence[Script],
    ) -> None:
        self.clock = HandClock()
        self.hosts = Hosts(self.clock, **scripts)
        self.health = HealthBoard()
        self.rng = Calm()
        self.upstream = Upstream(
            transports={"http": self.hosts},
            dialects=DIALECTS,
            wallet=Wallet(credentials),
            health=self.health,
            options=options or UpstreamOptions(),
            clock=Clock(monotonic=self.clock),
            rng=self.rng,
        )

    def journey(self, *steps: Step, **call: Any) -> Journey:
        return Journey(
            call=chat(stream=True, **call),
            plan=Plan(strategy="direct", steps=steps, refusals=()),
            requested=("acme/turbo",),
            deadline=self.clock.now + self.upstream.options.request_s,
        )

    async def open(self, journey: Journey) -> str:
        """Open a stream; return who answers."""
        rows = {slug: provider(slug) for slug in "abc"}
        opened = await self.upstream.open(journey, rows)
        opened.stream.close()
        return opened.step.endpoint.provider

    async def refusal(self, journey: Journey) -> GatewayError:
        with pytest.raises(GatewayError) as failed:
            await self.open(journey)
        return failed.value

    def seen(self, who: Step) -> Seen:
        self.health.refresh(self.clock.now)
        return self.health.seen.get(who.endpoint.id, Seen())


async def test_the_first_to_bring_content_answers_and_every_attempt_is_told_of() -> None:
    stage = Stage(
        a=Script(head=(Pass(2),), status=503), b=SLOW, c=Script(head=(Pass(1),), acts=(says("x"),))
    )
    journey = stage.journey(A, B, C)
    assert await stage.open(journey) == "c"
    assert [(t.step, t.latency_s, t.status) for t in journey.tries] == [
        (A, 2, 503),
        (B, 0, None),
        (C, 1, 200),
    ]
    assert [t.fault is None for t in journey.tries] == [False, False, True]
    assert len(journey.sent) == 3


async def test_a_provider_whose_row_has_changed_is_reached_as_the_new_one_says() -> None:
    stage = Stage(credentials=[credential("a")], a=[plays(says("x")), plays(says("x"))])
    for auth in ("bearer", "api-key"):
        opened = await stage.upstream.open(stage.journey(A), {"a": provider("a", auth=auth)})
        opened.stream.close()
    first, second = (dict(request.headers) for _, request in stage.hosts.calls)
    assert first["Authorization"] == "Bearer secret-of-a-1"
    assert second["api-key"] == "secret-of-a-1"
    assert "secret" not in repr(stage.upstream.lines)


async def test_a_whole_answer_fails_over_likewise() -> None:
    stage = Stage(a=plays(b"<html>"), b=whole())
    journey = stage.journey(A, B)
    rows = {slug: provider(slug) for slug in "ab"}
    assert (await stage.upstream.fetch(journey, rows)).step == B


async def test_when_nobody_answers_the_caller_is_told_of_all() -> None:
    stage = Stage(a=refuses(429, retry_after="9"), b=refuses(429, retry_after="4"))
    told = await stage.refusal(stage.journey(A, B))
    assert isinstance(told, CapacityExhausted)
    assert told.retry_after_s == 4


async def test_who_meets_an_outage_everywhere_is_told_to_come_back_when_that_is_over() -> None:
    stage = Stage(a=[Script(status=500)] * 4, b=[Script(status=500)] * 4)
    told = [(await stage.refusal(stage.journey(A, B))).retry_after_s for _ in range(4)]
    assert told == [2, 2, 30, 30]


async def test_an_outage_of_some_is_no_reason_to_stay_away_for_long() -> None:
    stage = Stage(a=[Script(status=500)] * 4, c=Script(status=500))
    for _ in range(3):
        stage.health.failed(A.endpoint.id, stage.clock.now)
    assert (await stage.refusal(stage.journey(A, C))).retry_after_s == 2


async def test_a_request_at_fault_is_shown_to_nobody_else() -> None:
    stage = Stage(a=refuses(400), b=streamed())
    assert isinstance(await stage.refusal(stage.journey(A, B)), RefusedUpstream)
    assert stage.hosts.called == ["a"]


async def test_an_only_endpoint_in_trouble_is_tried_three_times() -> None:
    stage = Stage(a=[refuses(500), refuses(500), streamed()])
    assert await stage.open(stage.journey(A)) == "a"
    assert stage.hosts.called == ["a"] * 3
    assert stage.rng.drawn == 2


@pytest.mark.parametrize("status", [401, 403, 429])
async def test_a_refused_credential_gives_way_to_the_next_of_the_same_host(status: int) -> None:
    mine = credential("a", 1), credential("a", 2)
    stage = Stage(mine, a=[refuses(status), streamed()], b=streamed())
    assert await stage.open(stage.journey(A, B)) == "a"
    sent = [dict(request.headers)["Authorization"] for _, request in stage.hosts.calls]
    assert sent == ["Bearer secret-of-a-1", "Bearer secret-of-a-2"]
    assert stage.seen(A) == Seen()
    journey = stage.journey(A)
    await stage.open(journey)
    assert dict(stage.hosts.calls[-1][1].headers)["Authorization"] == "Bearer secret-of-a-2"


async def test_credentials_are_tried_once_each_then_the_next_host() -> None:
    mine = credential("a", 1), credential("a", 2), credential("b", 1)
    stage = Stage(mine, a=refuses(401), b=streamed())
    assert await stage.open(stage.journey(A, B)) == "b"
    assert stage.hosts.called == ["a", "a", "b"]


async def test_a_provider_with_many_limited_credentials_does_not_use_up_the_attempts() -> None:
    mine = [credential("a", number) for number in range(1, 7)]
    stage = Stage(mine, a=refuses(429), b=streamed())
    assert await stage.open(stage.journey(A, B)) == "b"
    assert stage.hosts.called == ["a", "a", "a", "b"]


async def test_parked_credentials_are_not_tried_before_the_next_host() -> None:
    mine = [credential("a", number) for number in (1, 2, 3)]
    refused = [refuses(401), refuses(401), streamed()]
    stage = Stage(mine, a=[*refused, refuses(429)], b=streamed())
    assert await stage.open(stage.journey(A, B)) == "a"
    assert await stage.open(stage.journey(A, B)) == "b"
    assert stage.hosts.called == ["a", "a", "a", "a", "b"]


async def test_a_passing_fault_is_not_met_with_a_credential_that_is_parked() -> None:
    mine = credential("a", 1), credential("a", 2)
    stage = Stage(mine, a=[refuses(401), streamed(), refuses(500), streamed()])
    for _ in range(2):
        assert await stage.open(stage.journey(A)) == "a"
    sent = [dict(request.headers)["Authorization"][-1] for _, request in stage.hosts.calls]
    assert sent == ["1", "2", "2", "2"]


def numbers(stage: Stage) -> str:
    """Return the numbers of the credentials that were sent, one after the other."""
    sent = [dict(request.headers)["Authorization"] for _, request in stage.hosts.calls]
    return "".join(each[-1] for each in sent)


async def test_a_passing_fault_is_met_by_another_credential_if_that_is_as_good() -> None:
    mine = credential("a", 1), credential("a", 2)
    stage = Stage(mine, a=[refuses(500), streamed()])
    await stage.open(stage.journey(A))
    assert numbers(stage) == "12"
    parked = Stage(mine, a=[refuses(401), refuses(401), refuses(500), streamed()])
    await parked.refusal(parked.journey(A))
    await parked.open(parked.journey(A))
    assert numbers(parked) == "1212"


async def test_an_own_credential_is_sent_at_its_step_and_what_it_meets_is_its_own_affair() -> None:
    byok = Byok(credential=credential("a", 9), origin="http://a")
    stage = Stage([credential("a")], a=[refuses(401), streamed(), streamed()])
    assert await stage.open(stage.journey(replace(A, byok=byok), A)) == "a"
    assert numbers(stage) == "91"
    assert stage.seen(A) == Seen()
    assert not stage.upstream.wallet.parked(stage.clock.now)
    assert byok.rest_id("") in stage.health.seen
    await stage.open(stage.journey(replace(A, byok=byok)))
    assert byok.rest_id("") not in stage.health.seen


async def test_an_only_host_is_given_a_pause_and_the_next_host_is_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    slept: list[float] = []
    sleep = asyncio.sleep

    async def rest(seconds: float) -> None:
        slept.append(seconds)
        await sleep(0)

    monkeypatch.setattr(asyncio, "sleep", rest)
    stage = Stage(a=[refuses(500), streamed(), refuses(500)], b=streamed())
    await stage.open(stage.journey(A))
    assert [each for each in slept if each] == [0.001]
    await stage.open(stage.journey(A, B))
    assert [each for each in slept if each] == [0.001]


async def test_an_only_credential_is_used_again_when_the_host_was_in_trouble() -> None:
    stage = Stage([credential("a")], a=[refuses(500), streamed()])
    assert await stage.open(stage.journey(A)) == "a"
    sent = {dict(request.headers)["Authorization"] for _, request in stage.hosts.calls}
    assert sent == {"Bearer secret-of-a-1"}


async def test_a_credential_that_works_is_forgiven() -> None:
    stage = Stage([credential("a")], a=[refuses(401), streamed()], b=streamed())
    await stage.open(stage.journey(A, B))
    assert stage.upstream.wallet.parked(stage.clock.now)
    await stage.open(stage.journey(A, B))
    assert not stage.upstream.wallet.parked(stage.clock.now)


async def test_endpoints_of_a_provider_are_open_again_once_its_credential_proves_good() -> None:
    other = step("a", "acme/other")
    stage = Stage([credential("a")], a=[refuses(401), refuses(402), streamed()], b=streamed())
    for shut in (A, other):
        assert await stage.open(stage.journey(shut, B)) == "b"
        assert stage.seen(shut).cooling
    await stage.open(stage.journey(A))
    assert not stage.seen(A).cooling
    assert not stage.seen(other).cooling


async def test_an_endpoint_is_shut_until_the_first_of_its_credentials_is_good_again() -> None:
    mine = credential("a", 1), credential("a", 2)
    stage = Stage(mine, a=[refuses(429, retry_after="2"), refuses(401)], b=streamed())
    assert await stage.open(stage.journey(A, B)) == "b"
    assert stage.seen(A).cooling
    stage.clock.now += 2.1
    assert not stage.seen(A).cooling


async def test_what_one_key_meets_says_nothing_to_others() -> None:
    stage = Stage([credential("a")], a=[refuses(500)] * 3 + [refuses(403)], b=streamed())
    for _ in range(4):
        journey = stage.journey(A, B)
        journey.who = "ann"
        assert await stage.open(journey) == "b"
    assert stage.seen(A) == Seen()
    assert stage.health.seen_by("ann")[A.endpoint.id] == Seen(outage=True, cooling=True)


async def test_a_credential_that_lacks_one_model_is_not_parked_for_the_others() -> None:
    stage = Stage([credential("a")], a=[refuses(403), streamed()], b=streamed())
    assert await stage.open(stage.journey(A, B)) == "b"
    assert not stage.upstream.wallet.parked(stage.clock.now)
    stage.clock.now += 1.1
    assert not stage.seen(A).cooling


@pytest.mark.parametrize(
    ("script", "credentials", "outage", "cooling"),
    [
        (refuses(500), 1, True, False),
        (SLOW, 1, True, False),
        (refuses(400), 1, False, False),
        (refuses(429), 1, False, True),
        (refuses(429), 0, False, True),
        (refuses(401), 1, False, True),
        (refuses(401), 0, True, False),
        (refuses(403), 1, False, True),
        (refuses(429), 2, False, True),
    ],
)
async def test_a_fault_is_held_against_whom_it_concerns(
    script: Script, credentials: int, *, outage: bool, cooling: bool
) -> None:
    mine = [credential("a", number + 1) for number in range(credentials)]
    stage = Stage(mine, a=script, b=refuses(500))
    for _ in range(3):
        await stage.refusal(stage.journey(A, B))
    seen = stage.seen(A)
    assert (seen.outage, seen.cooling) == (outage, cooling)


@pytest.mark.parametrize(("status", "rests_s"), [(429, 1), (403, 1), (401, 300)])
async def test_a_dozen_requests_that_are_refused_together_are_held_against_a_host_once(
    status: int, rests_s: int
) -> None:
    stage = Stage([credential("a")], a=[refuses(status)] * 12, b=[streamed()] * 12)
    journeys = [stage.journey(A, B) for _ in range(12)]
    assert await asyncio.gather(*map(stage.open, journeys)) == ["b"] * 12
    assert stage.seen(A).cooling
    stage.clock.now += rests_s + 0.1
    assert not stage.seen(A).cooling


async def test_one_limited_credential_of_two_does_not_cool_the_endpoint() -> None:
    mine = credential("a", 1), credential("a", 2)
    stage = Stage(mine, a=[refuses(429), streamed()])
    await stage.open(stage.journey(A))
    assert not stage.seen(A).cooling


async def test_a_cooling_lasts_as_long_as_the_provider_asks() -> None:
    stage = Stage(a=refuses(429, retry_after="7"), b=streamed())
    await stage.open(stage.journey(A, B))
    stage.clock.now += 6.9
    assert stage.seen(A).cooling
    stage.clock.now += 0.2
    assert not stage.seen(A).cooling


async def test_no_attempt_begins_when_the_request_is_nearly_over() -> None:
    stage = Stage(a=Script(head=(Pass(598.5), NetError("head", "silence"))), b=streamed())
    told = await stage.refusal(stage.journey(A, B))
    assert isinstance(told, ProviderTimeout)
    assert stage.hosts.called == ["a"]
    assert stage.seen(B) == Seen()


async def test_a_short_request_is_tried_all_the_same() -> None:
    stage = Stage(a=streamed(), options=UpstreamOptions(request_s=1))
    assert await stage.open(stage.journey(A)) == "a"


async def test_our_own_want_of_connections_leads_on_and_is_held_against_nobody() -> None:
    full = breaks(NetError("pool", "200 calls wait already"))
    stage = Stage(a=full, b=full, c=streamed())
    assert await stage.open(stage.journey(A, B, C)) == "c"
    for _ in range(5):
        assert (await stage.refusal(stage.journey(A, B))).type == "gateway_overloaded"
    assert not stage.seen(A).outage


async def test_attempts_end_at_their_number() -> None:
    stage = Stage(
        a=refuses(500), b=refuses(500), c=streamed(), options=UpstreamOptions(attempts_per_model=2)
    )
    await stage.refusal(stage.journey(A, B, C))
    assert stage.hosts.called == ["a", "b"]
