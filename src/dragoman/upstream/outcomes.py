"""How the latest attempts at one endpoint ended, and whether that makes an outage, for whom.

Some requests break an endpoint that serves all others well. So what one key alone meets is an
outage for its own requests, and for those of others only once one of them meets it, too
(reliability 2.2: no tenant ejects an endpoint for all).
"""

from collections import Counter, deque

WINDOW_S = 30.0
MOST = 500
FAULTS = 3
SHARE = 0.5


class Outcomes:
    """What came of the attempts within the window, and whose requests they were."""

    __slots__ = ("latest",)

    def __init__(self) -> None:
        self.latest: deque[tuple[float, bool, str]] = deque(maxlen=MOST)

    def add(self, now: float, who: str, *, ok: bool, times: int = 1) -> None:
        """Take in that attempts for a key ended; `who` is empty where nobody knows for whom."""
        if times == 1:
            self.latest.append((now, ok, who))
        else:
            self.latest.extend([(now, ok, who)] * min(times, MOST))

    def are_outage(self, now: float) -> bool:
        """Whether at least three attempts, and half of all, failed within the window."""
        latest = self.latest
        while latest and latest[0][0] < now - WINDOW_S:
            latest.popleft()
        return _are_many(sum(not ok for _, ok, _ in latest), len(latest))

    def are_outage_for_all(self, now: float) -> bool:
        """Whether they are one, and half of what remains failed without the key that met most."""
        if not self.are_outage(now):
            return False
        faults = Counter(who for _, ok, who in self.latest if not ok)
        known = [(count, who) for who, count in faults.items() if who]
        if not known:
            return True
        most, whose = max(known)
        rest = sum(who != whose for _, _, who in self.latest)
        return 0 < faults.total() - most >= SHARE * rest

    def are_outage_for(self, key: str, now: float) -> bool:
        """Whether the attempts for one key are an outage by themselves."""
        mine = [ok for at, ok, who in self.latest if who == key and at >= now - WINDOW_S]
        return _are_many(mine.count(False), len(mine))


def _are_many(faults: int, of: int) -> bool:
    return faults >= FAULTS and faults >= SHARE * of
