"""What this process has lately seen of each endpoint: latency, throughput, outages, rate limits.

Requests report what happened; plans read frozen `Seen` values. Percentiles are
made anew at most once a second (`refresh`), outages and cooling at once. Latency
and throughput are over the last five minutes, outages over the last 30 seconds
(OpenRouter, guides/routing/provider-selection). What people are shown (`measured`)
goes back 30 minutes, and a day for uptime (OpenRouter's schema `PublicEndpoint`).
Every state expires by the clock that the caller passes in.

What the requests of one key alone met is apart (`seen_by`): it says nothing to others.
"""

import logging
import math
from collections import ChainMap, deque
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from dragoman.catalog.rows import Measured, Spread
from dragoman.routing.types import Percentiles, Seen
from dragoman.upstream.hangs import Hang, Hangs
from dragoman.upstream.outcomes import Outcomes
from dragoman.upstream.rests import Rests
from dragoman.upstream.uptime import Uptime

WINDOW_S = 300.0
SHOWN_WINDOW_S = 1800.0
SAMPLES = 500
SAMPLES_NEEDED = 3
SAMPLES_USUAL = 50
"""From so many answers on it is known what is usual."""
OUTAGE_S = 30
"""For how long an endpoint that hung, or met too many faults, is at the end of plans."""
COOL_FIRST_S, COOL_MOST_S, COOL_MOST_ASKED_S = 1.0, 30.0, 60.0

NEVER_USED = Measured()
UNSEEN = Seen()

_log = logging.getLogger(__name__)


class _Sample(Struct, frozen=True, gc=False):
    at: float
    latency_s: float
    throughput: float | None


class Tally(Struct, array_like=True):
    """What another process saw of an endpoint lately: counts, and some of the answers' speeds.

    A speed is the latency in seconds and the throughput, as `HealthBoard.succeeded` is told them.
    """

    answers: int = 0
    faults: int = 0
    speeds: list[tuple[float, float | None]] = []


class _Endpoint:
    """The raw observations of one endpoint."""

    __slots__ = (
        "ages_at", "barred", "cool_until", "cooled", "cooled_until", "hung", "hung_until",
        "outcomes", "samples", "shut_until", "uptime",
    )  # fmt: skip

    def __init__(self) -> None:
        self.samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self.ages_at = math.inf
        """When the oldest sample that the published percentiles are made of is too old."""
        self.outcomes = Outcomes()
        self.uptime = Uptime()
        self.cool_until = 0.0
        self.cooled = 0
        self.cooled_until = 0.0
        """How often it was limited in a row without a hint, and until when it was last."""
        self.shut_until = 0.0
        """Until when no credential is good for it, unless one proves to be."""
        self.barred: dict[str, float] = {}
        """Keys whose request was forbidden -> until when that counts."""
        self.hung_until = 0.0
        self.hung: dict[str, float] = {}
        """Keys whose streams alone it let hang -> until when that counts."""

    def in_outage(self, now: float) -> bool:
        """Whether that is so for all."""
        return self.hung_until > now or self.outcomes.are_outage_for_all(now)

    def cooling(self, now: float) -> bool:
        """Whether nobody may call it just now."""
        return self.cool_until > now or self.shut_until > now

    def let_hang(self, hang: Hang, now: float) -> None:
        """Take in that it lets streams hang, of one key or of several."""
        known_until = self.hung.get(hang.who, 0.0) if hang.who else self.hung_until
        if known_until <= now:
            _log.warning("upstream.hangs", extra={"endpoint": hang.endpoint})
        if hang.who:
            self.hung[hang.who] = now + OUTAGE_S
        else:
            self.hung_until = now + OUTAGE_S

    def usual_s(self, now: float) -> float | None:
        """Return within how many seconds nearly all answers began lately, None if few did."""
        recent = [sample for sample in self.samples if sample.at >= now - WINDOW_S]
        latency_s = _latency_s(recent) if len(recent) >= SAMPLES_USUAL else None
        return None if latency_s is None else latency_s.p99

    def seen(self, now: float) -> Seen:
        """Return the observations as one frozen value."""
        while self.samples and self.samples[0].at < now - SHOWN_WINDOW_S:
            self.samples.popleft()
        recent = [sample for sample in self.samples if sample.at >= now - WINDOW_S]
        latency_s = _latency_s(recent)
        self.ages_at = math.inf if latency_s is None else recent[0].at + WINDOW_S
        return Seen(
            outage=self.in_outage(now),
            cooling=self.cooling(now),
            latency_s=latency_s,
            throughput=_throughput(recent),
        )

    def met_by(self, who: str, known: Seen, now: float) -> Seen:
        """Return what the requests of one key met, beside an outage that is `known` to all."""
        hung = self.hung.get(who, 0.0) > now
        outage = hung or (not known.outage and self.outcomes.are_outage_for(who, now))
        return Seen(outage=outage, cooling=self.barred.get(who, 0.0) > now)

    def measured(self, now: float) -> Measured:
        """Return the observations as people are shown them."""
        recent = [sample for sample in self.samples if sample.at >= now - SHOWN_WINDOW_S]
        return Measured(
            uptime_5m=self.uptime.percent(now, 300.0),
            uptime_30m=self.uptime.percent(now, 1800.0),
            uptime_1d=self.uptime.percent(now, 86400.0),
            latency_ms=_spread(_latency_s(recent), 1000.0),
            throughput=_spread(_throughput(recent), 1.0),
            in_outage=self.hung_until > now or self.outcomes.are_outage(now),
        )


class _Together(ChainMap[str, Seen]):
    """What the requests of one key met at endpoints, over what all see of them by now."""

    def __getitem__(self, endpoint: str) -> Seen:
        """Return what is seen of an endpoint; in trouble it is where it is by either."""
        apart, seen = self.maps
        known, met = seen[endpoint], apart.get(endpoint)
        if met is None:
            return known
        outage, cooling = known.outage or met.outage, known.cooling or met.cooling
        return replace(known, outage=outage, cooling=cooling)


class HealthBoard:
    """Observations of all endpoints. `seen` is what plans read, by `seen_by`.

    `who` is the hash of the key whose request it was, empty where that is not known. `rests`
    are accounts' own credentials, which have no part in all else. `hangs` are the streams that
    wait for their first content.
    """

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.rests = Rests(self.seen)
        self.hangs = Hangs()
        self._endpoints: dict[str, _Endpoint] = {}
        self._stale: set[str] = set()
        self._apart: dict[str, dict[str, Seen]] = {}
        """Key -> the endpoints in trouble for its requests -> what these alone met there."""
        self._shut: dict[str, set[str]] = {}
        """Provider -> the endpoints for which none of its credentials is good."""

    def seen_by(self, who: str) -> Mapping[str, Seen]:
        """Return what the plan of a request reads: what all see, and what its key alone does."""
        apart = self._apart.get(who)
        return self.seen if apart is None else _Together(apart, self.seen)

    def succeeded(
        self,
        endpoint: str,
        now: float,
        latency_s: float,
        throughput: float | None,
        who: str = "",
    ) -> None:
        """Take in an answer: seconds to its first content, completion tokens a second."""
        state = self._endpoints.get(endpoint) or self._state(endpoint)
        state.samples.append(_Sample(now, latency_s, throughput))
        state.outcomes.latest.append((now, True, who))
        state.uptime.count(now, ok=True)
        state.cooled = 0
        self._stale.add(endpoint)

    def failed(self, endpoint: str, now: float, who: str = "") -> None:
        """Take in a fault of the endpoint: it broke, hung or answered nonsense."""
        state = self._state(endpoint)
        state.outcomes.add(now, who, ok=False)
        state.uptime.count(now, ok=False)
        self._warn(endpoint, state, now, who)

    def forbade(self, endpoint: str, now: float, wait_s: float, who: str) -> None:
        """Take in a refusal that may be about one request: another key's makes it all's affair."""
        state = self._state(endpoint)
        state.barred[who] = now + wait_s
        if not who or sum(until > now for until in state.barred.values()) > 1:
            state.cool_until = max(state.cool_until, now + wait_s)
        self._warn(endpoint, state, now, who)

    def shut(self, endpoint: str, now: float, wait_s: float, provider: str) -> None:
        """Send an endpoint to the end of plans: its provider refuses every credential."""
        state = self._state(endpoint)
        state.shut_until = max(state.shut_until, now + wait_s)
        self._shut.setdefault(provider, set()).add(endpoint)
        self._warn(endpoint, state, now)

    def opened(self, provider: str, now: float) -> None:
        """Take in that a credential is good that was refused: what was shut for it is open."""
        for endpoint in self._shut.pop(provider, ()):
            state = self._state(endpoint)
            state.shut_until = 0.0
            self._warn(endpoint, state, now)

    def backoff_s(self, endpoint: str, now: float, retry_after_s: float | None) -> float:
        """Return how long a rate limit is to be respected.

        `Retry-After` is kept between 1 and 60 s; without one it is 1, 2, 4 … 30 s,
        starting anew after a success. Requests that are limited together are so once.
        """
        if retry_after_s is not None:
            return min(COOL_MOST_ASKED_S, max(COOL_FIRST_S, retry_after_s))
        state = self._state(endpoint)
        if now >= state.cooled_until or not state.cooled:
            state.cooled = min(state.cooled + 1, 8)
            state.cooled_until = now + _doubled_s(state.cooled)
        return _doubled_s(state.cooled)

    def cool(self, endpoint: str, now: float, wait_s: float) -> None:
        """Send an endpoint to the end of plans for a while: nobody may call it just now."""
        state = self._state(endpoint)
        state.cool_until = max(state.cool_until, now + wait_s)
        self._warn(endpoint, state, now)

    def measured(self, endpoint: str, now: float) -> Measured:
        """Return what people are shown of an endpoint, all None where it was never used."""
        state = self._endpoints.get(endpoint)
        return NEVER_USED if state is None else state.measured(now)

    def heard(self, tallies: Mapping[str, Tally], now: float) -> None:
        """Take in what another process saw since it last told. Published at the next `refresh`."""
        for endpoint, tally in tallies.items():
            state = self._state(endpoint)
            state.samples.extend(_Sample(now, *speed) for speed in tally.speeds)
            for ok, times in ((True, tally.answers), (False, tally.faults)):
                state.outcomes.add(now, "", ok=ok, times=times)
                state.uptime.count(now, ok=ok, times=times)
            self._stale.add(endpoint)

    def refresh(self, now: float) -> None:
        """Make the published values true again."""
        for _ in self.refreshing(now):
            pass

    def refreshing(self, now: float) -> Iterator[None]:
        """Do what `refresh` does, an endpoint a step; called once a second."""
        self.rests.refresh(now)
        self._look_for_hangs(now)
        troubled = (e for e, seen in self.seen.items() if seen.outage or seen.cooling)
        apart = (e for mine in self._apart.values() for e in mine)
        aged = (e for e, state in self._endpoints.items() if state.ages_at < now)
        due = {*self._stale, *troubled, *apart, *aged} & self._endpoints.keys()
        self._stale.clear()  # the others are own credentials that rest
        for endpoint in due:
            self._publish(endpoint, self._endpoints[endpoint], now)
            yield

    def _look_for_hangs(self, now: float) -> None:
        """Send endpoints that hang to the end of plans; whoever waits there goes on elsewhere."""
        for hang in self.hangs.look(now, lambda each: self._state(each).usual_s(now)):
            state = self._state(hang.endpoint)
            state.let_hang(hang, now)
            self._warn(hang.endpoint, state, now, hang.who)

    def _state(self, endpoint: str) -> _Endpoint:
        state = self._endpoints.get(endpoint)
        if state is None:
            state = self._endpoints[endpoint] = _Endpoint()
        return state

    def _warn(self, endpoint: str, state: _Endpoint, now: float, who: str = "") -> None:
        """Publish at once that an endpoint is in trouble, and its percentiles when they are due.

        They would be made for each of a thousand streams that break together; nor is an outage
        that is known looked for again.
        """
        known = self.seen.get(endpoint, UNSEEN)
        outage = known.outage or state.in_outage(now)
        known = self.seen[endpoint] = replace(known, outage=outage, cooling=state.cooling(now))
        if who:
            self._part(endpoint, state, known, who, now)
        self._stale.add(endpoint)

    def _part(self, endpoint: str, state: _Endpoint, known: Seen, who: str, now: float) -> None:
        """Publish what the requests of one key met at an endpoint, where that is trouble."""
        met = state.met_by(who, known, now)
        if met.outage or met.cooling:
            self._apart.setdefault(who, {})[endpoint] = met
        elif who in self._apart:
            self._apart[who].pop(endpoint, None)
            if not self._apart[who]:
                del self._apart[who]

    def _publish(self, endpoint: str, state: _Endpoint, now: float) -> None:
        known = self.seen[endpoint] = state.seen(now)
        for those in (state.barred, state.hung):
            for who in [who for who, until in those.items() if until <= now]:
                del those[who]
        told = {who for who, mine in self._apart.items() if endpoint in mine}
        for who in told | state.barred.keys() | state.hung.keys():
            self._part(endpoint, state, known, who, now)


class TellingBoard(HealthBoard):
    """A board whose observations are told to another one as well, now and then."""

    MOST_SPEEDS = 50

    def __init__(self) -> None:
        super().__init__()
        self._untold: dict[str, Tally] = {}

    def succeeded(
        self,
        endpoint: str,
        now: float,
        latency_s: float,
        throughput: float | None,
        who: str = "",
    ) -> None:
        """Take in an answer, and note it."""
        super().succeeded(endpoint, now, latency_s, throughput, who)
        tally = self._untold.get(endpoint) or self._untold.setdefault(endpoint, Tally())
        tally.answers += 1
        if len(tally.speeds) < self.MOST_SPEEDS:
            tally.speeds.append((latency_s, throughput))

    def failed(self, endpoint: str, now: float, who: str = "") -> None:
        """Take in a fault, and note it."""
        super().failed(endpoint, now, who)
        self._untold.setdefault(endpoint, Tally()).faults += 1

    def told(self) -> dict[str, Tally]:
        """Return what was noted since the last time."""
        untold, self._untold = self._untold, {}
        return untold


def _doubled_s(times: int) -> float:
    return min(COOL_MOST_S, COOL_FIRST_S * (1 << times - 1))


def _latency_s(samples: Iterable[_Sample]) -> Percentiles | None:
    return _rising(sorted(sample.latency_s for sample in samples))


def _throughput(samples: Iterable[_Sample]) -> Percentiles | None:
    return _reached([sample.throughput for sample in samples if sample.throughput])


def _spread(points: Percentiles | None, unit: float) -> Spread | None:
    if points is None:
        return None
    return Spread(
        p50=points.p50 * unit, p75=points.p75 * unit, p90=points.p90 * unit, p99=points.p99 * unit
    )


def _rising(values: list[float]) -> Percentiles | None:
    """Return plain percentiles of sorted values, None when there are too few."""
    if len(values) < SAMPLES_NEEDED:
        return None
    return Percentiles(
        p50=_at(values, 0.50), p75=_at(values, 0.75), p90=_at(values, 0.90), p99=_at(values, 0.99)
    )


def _reached(values: list[float]) -> Percentiles | None:
    """Return what 50, 75, 90 and 99 % of requests at least reached, None when there are too few."""
    return _rising(sorted(values, reverse=True))


def _at(values: list[float], share: float) -> float:
    return values[min(len(values) - 1, int(share * len(values)))]
