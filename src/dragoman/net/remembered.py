"""Where hosts were when their names could last be looked up, for when they cannot (RFC 8767).

A name server that is down says nothing about the hosts that it names: they are most likely
where they were a minute ago. That a name does not exist is an answer, and is believed.
"""

import socket
from collections import OrderedDict
from collections.abc import Sequence

AGE_S = 300.0
"""For how long addresses are good that cannot be looked up again."""
PAUSE_S = 5.0
"""So long after a lookup failed nobody else waits for one, where addresses are remembered."""
MOST = 1024

_DENIALS = frozenset({socket.EAI_NONAME, getattr(socket, "EAI_NODATA", socket.EAI_NONAME)})


class _Place:
    __slots__ = ("addresses", "failed_at", "found_at")

    def __init__(self, addresses: Sequence[str], now: float) -> None:
        self.addresses = addresses
        self.found_at = now
        self.failed_at: float | None = None


class Remembered:
    """The addresses of the hosts that were looked up last. Times are monotonic."""

    __slots__ = ("_places",)

    def __init__(self) -> None:
        self._places: OrderedDict[str, _Place] = OrderedDict()

    def found(self, host: str, addresses: Sequence[str], now: float) -> None:
        """Remember what a lookup found."""
        self._places[host] = _Place(addresses, now)
        self._places.move_to_end(host)
        if len(self._places) > MOST:
            self._places.popitem(last=False)

    def failed(self, host: str, error: Exception | None, now: float) -> Sequence[str]:
        """Return what is remembered of a host, nothing if the error says that there is none.

        None for the error is a lookup that did not end in time.
        """
        place = self._places.get(host)
        if place is None or now - place.found_at > AGE_S or _denies(error):
            self._places.pop(host, None)
            return ()
        place.failed_at = now
        return place.addresses

    def instead(self, host: str, now: float) -> Sequence[str]:
        """Return what is remembered of a host whose lookup has just failed, else nothing."""
        place = self._places.get(host)
        if place is None or place.failed_at is None or now - place.found_at > AGE_S:
            return ()
        return place.addresses if now - place.failed_at < PAUSE_S else ()


def _denies(error: Exception | None) -> bool:
    if isinstance(error, socket.gaierror):
        return error.errno in _DENIALS
    return error is not None and not isinstance(error, OSError)
