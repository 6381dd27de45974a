"""How many requests of a day an endpoint answered, counted in slots of time.

A minute a slot for the last half hour, half an hour a slot for the last day: 78 pairs
of numbers, however busy the endpoint is. So a figure covers its span to within a slot.
"""

REQUESTS_NEEDED = 3
"""Of fewer, a percentage says nothing."""


class Uptime:
    """Answers and faults of one endpoint. Rate limits are neither, and are not counted."""

    __slots__ = ("_day", "_half_hour")

    def __init__(self) -> None:
        self._half_hour = _Slots(60.0, 30)
        self._day = _Slots(1800.0, 48)

    def count(self, now: float, *, ok: bool) -> None:
        """Take in the end of one request."""
        self._half_hour.count(now, ok=ok)
        self._day.count(now, ok=ok)

    def percent(self, now: float, span_s: float) -> float | None:
        """Return the share of requests that were answered, None if there were too few."""
        slots = self._half_hour if span_s <= self._half_hour.span_s else self._day
        answers, faults = slots.totals(now, span_s)
        if answers + faults < REQUESTS_NEEDED:
            return None
        return round(100.0 * answers / (answers + faults), 3)


class _Slots:
    """A ring of counters, one pair for each slot of time."""

    __slots__ = ("_answers", "_faults", "_numbers", "_slot_s", "span_s")

    def __init__(self, slot_s: float, slots: int) -> None:
        self.span_s = slot_s * slots
        self._slot_s = slot_s
        self._numbers = [-1] * slots
        self._answers = [0] * slots
        self._faults = [0] * slots

    def count(self, now: float, *, ok: bool) -> None:
        number = int(now // self._slot_s)
        place = number % len(self._numbers)
        if self._numbers[place] != number:
            self._numbers[place] = number
            self._answers[place] = self._faults[place] = 0
        if ok:
            self._answers[place] += 1
        else:
            self._faults[place] += 1

    def totals(self, now: float, span_s: float) -> tuple[int, int]:
        """Return the answers and faults of the slots that reach into the last `span_s`."""
        last = int(now // self._slot_s)
        wanted = range(last - int(span_s // self._slot_s) + 1, last + 1)
        places = [place for place, number in enumerate(self._numbers) if number in wanted]
        return sum(self._answers[p] for p in places), sum(self._faults[p] for p in places)
