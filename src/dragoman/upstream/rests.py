"""Which of accounts' own credentials rest, and where: apart from the health of endpoints.

What happens to one account's credential says nothing to others: it never touches what they
share, and plans of other accounts do not see it (reliability 2.2). A refused credential
rests everywhere, one that may not do what was asked and a rate limited one at the endpoint, and
so does one whose calls failed three times in a row. It then goes to the end of its account's
plans. Bounded: beyond `MOST` failures are forgotten, the oldest first.
"""

from dragoman.catalog.byok import Byok
from dragoman.core.room import make_room
from dragoman.providers.dialect import Fault, Kind
from dragoman.routing.types import Seen
from dragoman.upstream.faults import NOBODYS

REFUSED_S, FORBIDDEN_S = 300.0, 60.0
LIMITED_S, LIMITED_LEAST_S, LIMITED_MOST_S = 5.0, 1.0, 60.0
FAULTS, FAULTY_S = 3, 10.0
MOST = 10_000
RESTING = Seen(cooling=True)


class Rests:
    """Learns of attempts with own credentials; publishes those at rest where plans look."""

    def __init__(self, seen: dict[str, Seen]) -> None:
        self._seen = seen
        self._until: dict[str, float] = {}
        self._faults: dict[str, int] = {}

    def failed(self, byok: Byok, endpoint: str, fault: Fault, now: float) -> None:
        """Take in a failed attempt. A caller's own mistake and our own trouble are no failures."""
        if fault.kind in NOBODYS:
            return
        if fault.kind is Kind.CREDENTIAL:
            self._rest(byok.rest_id(""), now + REFUSED_S)
        elif fault.kind is Kind.FORBIDDEN:
            self._rest(byok.rest_id(endpoint), now + FORBIDDEN_S)
        elif fault.kind is Kind.RATE:
            asked_s = LIMITED_S if fault.retry_after_s is None else fault.retry_after_s
            wait_s = min(LIMITED_MOST_S, max(LIMITED_LEAST_S, asked_s))
            self._rest(byok.rest_id(endpoint), now + wait_s)
        else:
            self._count(byok.rest_id(endpoint), now)

    def worked(self, byok: Byok, endpoint: str) -> None:
        """Forget what was held against a credential that works."""
        if not (self._until or self._faults):
            return
        self._faults.pop(byok.rest_id(endpoint), None)
        for id_ in (byok.rest_id(""), byok.rest_id(endpoint)):
            self._wake(id_)

    def refresh(self, now: float) -> None:
        """Let those go on that have rested long enough; called once a second."""
        for id_ in [id_ for id_, until in self._until.items() if until <= now]:
            self._wake(id_)

    def _count(self, id_: str, now: float) -> None:
        count = self._faults.pop(id_, 0) + 1
        if count >= FAULTS:
            self._rest(id_, now + FAULTY_S)
            return
        make_room(self._faults, MOST)
        self._faults[id_] = count

    def _rest(self, id_: str, until: float) -> None:
        if len(self._until) >= MOST:
            self._wake(next(iter(self._until)))
        self._until[id_] = until
        self._seen[id_] = RESTING

    def _wake(self, id_: str) -> None:
        if self._until.pop(id_, None) is not None:
            self._seen.pop(id_, None)
