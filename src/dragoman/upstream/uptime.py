"""How many requests of a day an endpoint answered, counted in slots of time.

A minute a slot for the last half hour, half an hour a slot for the last day: 78 pairs
of numbers, however busy the endpoint is. So a figure covers its span to within a slot.
"""

MINUTE_S = 60.0

REQUESTS_NEEDED = 3
"""Of fewer, a percentage says nothing."""


class Uptime:
    """Answers and faults of one endpoint. Rate limits are neither, and are not counted.

    Those of the present minute are added to their slots when they are asked for, or
    when the next minute has begun.
    """

    __slots__ = ("_answers", "_day", "_faults", "_half_hour", "_minute", "_minute_ends")

    def __init__(self) -> None:
        self._half_hour = _Slots(MINUTE_S, 30)
        self._day = _Slots(1800.0, 48)
        self._minute = self._minute_ends = 0.0
        self._answers = self._faults = 0

    def count(self, now: float, *, ok: bool, times: int = 1) -> None:
        """Take in the end of a request, or of several."""
        if not self._minute <= now < self._minute_ends:
            self._settle()
            self._minute = now // MINUTE_S * MINUTE_S
            self._minute_ends = self._minute + MINUTE_S
        if ok:
            self._answers += times
        else:
            self._faults += times

    def percent(self, now: float, span_s: float) -> float | None:
        """Return the share of requests that were answered, None if there were too few."""
        self._settle()
        slots = self._half_hour if span_s <= self._half_hour.span_s else self._day
        answers, faults = slots.totals(now, span_s)
        if answers + faults < REQUESTS_NEEDED:
            return None
        return round(100.0 * answers / (answers + faults), 3)

    def _settle(self) -> None:
        if self._answers or self._faults:
            self._half_hour.add(self._minute, self._answers, self._faults)
            self._day.add(self._minute, self._answers, self._faults)
            self._answers = self._faults = 0


class _Slots:
    """A ring of counters, one pair for each slot of time."""

    __slots__ = ("_answers", "_faults", "_numbers", "_slot_s", "span_s")

    def __init__(self, slot_s: float, slots: int) -> None:
        self.span_s = slot_s * slots
        self._slot_s = slot_s
        self._numbers = [-1] * slots
        self._answers = [0] * slots
        self._faults = [0] * slots

    def add(self, at: float, answers: int, faults: int) -> None:
        number = int(at // self._slot_s)
        place = number % len(self._numbers)
        if self._numbers[place] != number:
            self._numbers[place] = number
            self._answers[place] = self._faults[place] = 0
        self._answers[place] += answers
        self._faults[place] += faults

    def totals(self, now: float, span_s: float) -> tuple[int, int]:
        """Return the answers and faults of the slots that reach into the last `span_s`."""
        last = int(now // self._slot_s)
        wanted = range(last - int(span_s // self._slot_s) + 1, last + 1)
        places = [place for place, number in enumerate(self._numbers) if number in wanted]
        return sum(self._answers[p] for p in places), sum(self._faults[p] for p in places)
