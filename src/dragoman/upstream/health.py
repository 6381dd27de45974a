"""What this process has lately seen of each endpoint: latency, throughput, outages, rate limits.

Requests report what happened; plans read frozen `Seen` values. Percentiles are
made anew at most once a second (`refresh`), outages and cooling at once. Latency
and throughput are over the last five minutes, outages over the last 30 seconds
(OpenRouter, guides/routing/provider-selection). What people are shown (`measured`)
goes back 30 minutes, and a day for uptime (OpenRouter's schema `PublicEndpoint`).
Every state expires by the clock that the caller passes in.
"""

import logging
from collections import deque
from collections.abc import Iterable, Iterator, Mapping

from msgspec import Struct
from msgspec.structs import replace

from dragoman.catalog.rows import Measured, Spread
from dragoman.routing.types import Percentiles, Seen
from dragoman.upstream.hangs import Hangs
from dragoman.upstream.rests import Rests
from dragoman.upstream.uptime import Uptime

WINDOW_S = 300.0
SHOWN_WINDOW_S = 1800.0
OUTAGE_WINDOW_S = 30.0
SAMPLES = 500
SAMPLES_NEEDED = 3
SAMPLES_USUAL = 50
"""From so many answers on it is known what is usual."""
OUTAGE_FAULTS = 3
OUTAGE_SHARE = 0.5
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

    __slots__ = ("cool_until", "cooled", "hung_until", "outcomes", "samples", "uptime")

    def __init__(self) -> None:
        self.samples: deque[_Sample] = deque(maxlen=SAMPLES)
        self.outcomes: deque[tuple[float, bool]] = deque(maxlen=SAMPLES)
        self.uptime = Uptime()
        self.cool_until = 0.0
        self.cooled = 0
        self.hung_until = 0.0

    def in_outage(self, now: float) -> bool:
        """Whether it hung, or three attempts at least, and half of all, failed in the window."""
        if self.hung_until > now:
            return True
        while self.outcomes and self.outcomes[0][0] < now - OUTAGE_WINDOW_S:
            self.outcomes.popleft()
        faults = sum(1 for _, ok in self.outcomes if not ok)
        return faults >= OUTAGE_FAULTS and faults >= OUTAGE_SHARE * len(self.outcomes)

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
        return Seen(
            outage=self.in_outage(now),
            cooling=self.cool_until > now,
            latency_s=_latency_s(recent),
            throughput=_throughput(recent),
        )

    def measured(self, now: float) -> Measured:
        """Return the observations as people are shown them."""
        recent = [sample for sample in self.samples if sample.at >= now - SHOWN_WINDOW_S]
        return Measured(
            uptime_5m=self.uptime.percent(now, 300.0),
            uptime_30m=self.uptime.percent(now, 1800.0),
            uptime_1d=self.uptime.percent(now, 86400.0),
            latency_ms=_spread(_latency_s(recent), 1000.0),
            throughput=_spread(_throughput(recent), 1.0),
            in_outage=self.in_outage(now),
        )


class HealthBoard:
    """Observations of all endpoints. `seen` is the mapping that plans read.

    `rests` are accounts' own credentials, which have no part in all else. `hangs` are the
    streams that wait for their first content.
    """

    def __init__(self) -> None:
        self.seen: dict[str, Seen] = {}
        self.rests = Rests(self.seen)
        self.hangs = Hangs()
        self._endpoints: dict[str, _Endpoint] = {}
        self._stale: set[str] = set()

    def succeeded(
        self, endpoint: str, now: float, latency_s: float, throughput: float | None
    ) -> None:
        """Take in an answer: seconds to its first content, completion tokens a second."""
        state = self._endpoints.get(endpoint) or self._state(endpoint)
        state.samples.append(_Sample(now, latency_s, throughput))
        state.outcomes.append((now, True))
        state.uptime.count(now, ok=True)
        state.cooled = 0
        self._stale.add(endpoint)

    def failed(self, endpoint: str, now: float) -> None:
        """Take in a fault of the endpoint: it broke, hung or answered nonsense."""
        state = self._state(endpoint)
        state.outcomes.append((now, False))
        state.uptime.count(now, ok=False)
        self._warn(endpoint, state, now)

    def backoff_s(self, endpoint: str, retry_after_s: float | None) -> float:
        """Return how long a rate limit is to be respected.

        `Retry-After` is kept between 1 and 60 s; without one it is 1, 2, 4 … 30 s,
        starting anew after a success.
        """
        if retry_after_s is not None:
            return min(COOL_MOST_ASKED_S, max(COOL_FIRST_S, retry_after_s))
        state = self._state(endpoint)
        wait_s = min(COOL_MOST_S, COOL_FIRST_S * (1 << state.cooled))
        state.cooled = min(state.cooled + 1, 8)
        return wait_s

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
                state.outcomes.extend([(now, ok)] * min(times, SAMPLES))
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
        due = [endpoint for endpoint in {*self._stale, *troubled} if endpoint in self._endpoints]
        self._stale.clear()  # the others are own credentials that rest
        for endpoint in due:
            self._publish(endpoint, self._endpoints[endpoint], now)
            yield

    def _look_for_hangs(self, now: float) -> None:
        """Send endpoints that hang to the end of plans; whoever waits there goes on elsewhere."""
        for endpoint in self.hangs.look(now, lambda each: self._state(each).usual_s(now)):
            state = self._state(endpoint)
            if state.hung_until <= now:
                _log.warning("upstream.hangs", extra={"endpoint": endpoint})
            state.hung_until = now + OUTAGE_WINDOW_S
            self._warn(endpoint, state, now)

    def _state(self, endpoint: str) -> _Endpoint:
        state = self._endpoints.get(endpoint)
        if state is None:
            state = self._endpoints[endpoint] = _Endpoint()
        return state

    def _warn(self, endpoint: str, state: _Endpoint, now: float) -> None:
        """Publish at once that an endpoint is in trouble, and its percentiles when they are due.

        They would be made for each of a thousand streams that break together.
        """
        known = self.seen.get(endpoint, UNSEEN)
        self.seen[endpoint] = replace(
            known, outage=state.in_outage(now), cooling=state.cool_until > now
        )
        self._stale.add(endpoint)

    def _publish(self, endpoint: str, state: _Endpoint, now: float) -> None:
        self.seen[endpoint] = state.seen(now)


class TellingBoard(HealthBoard):
    """A board whose observations are told to another one as well, now and then."""

    MOST_SPEEDS = 50

    def __init__(self) -> None:
        super().__init__()
        self._untold: dict[str, Tally] = {}

    def succeeded(
        self, endpoint: str, now: float, latency_s: float, throughput: float | None
    ) -> None:
        """Take in an answer, and note it."""
        super().succeeded(endpoint, now, latency_s, throughput)
        tally = self._untold.get(endpoint) or self._untold.setdefault(endpoint, Tally())
        tally.answers += 1
        if len(tally.speeds) < self.MOST_SPEEDS:
            tally.speeds.append((latency_s, throughput))

    def failed(self, endpoint: str, now: float) -> None:
        """Take in a fault, and note it."""
        super().failed(endpoint, now)
        self._untold.setdefault(endpoint, Tally()).faults += 1

    def told(self) -> dict[str, Tally]:
        """Return what was noted since the last time."""
        untold, self._untold = self._untold, {}
        return untold


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
