"""Who holds how many connections, and who gives one up when there are too many.

A newcomer is never made to wait for those who hold connections without using them.
When there is no room, the address that holds most gives up the connection that has
waited longest for a request; only when every connection is at work is one refused.
"""

from collections.abc import Iterable
from typing import Generic, TypeVar

Line = TypeVar("Line")


class Origin(Generic[Line]):
    """One address: how many connections it holds, and which wait for a request, oldest first."""

    __slots__ = ("address", "held", "quiet")

    def __init__(self, address: str) -> None:
        self.address = address
        self.held = 0
        self.quiet: dict[Line, None] = {}


class Origins(Generic[Line]):
    """All addresses. `most` connections in all, `most_each` of one address."""

    __slots__ = ("_all", "_greediest", "held", "most", "most_each")

    def __init__(self, most: int, most_each: int) -> None:
        self.most = most
        self.most_each = most_each
        self.held = 0
        self._all: dict[str, Origin[Line]] = {}
        self._greediest: Origin[Line] | None = None

    def of(self, address: str) -> Origin[Line]:
        """Return what is known of an address."""
        return self._all.get(address) or Origin(address)

    def crowded(self, origin: Origin[Line], *, exempt: bool = False) -> Origin[Line] | None:
        """Return the address that has to give up a connection for one more of `origin`, if any.

        One that is `exempt`, such as a proxy, has no limit of its own.
        """
        if origin.held >= self.most_each and not exempt:
            return origin
        if self.held < self.most:
            return None
        greediest = self._greediest
        if greediest is None or not greediest.quiet:
            greediest = self._greediest = self._greediest_of(self._all.values())
        return greediest if greediest is not None else origin

    def add(self, origin: Origin[Line], line: Line) -> None:
        """Count a connection, which waits for its first request."""
        self.held += 1
        origin.held += 1
        self._all[origin.address] = origin
        origin.quiet[line] = None

    def remove(self, origin: Origin[Line], line: Line) -> None:
        """Count a connection no longer."""
        self.held -= 1
        origin.held -= 1
        origin.quiet.pop(line, None)
        if not origin.held:
            self._all.pop(origin.address, None)

    def look_again(self) -> None:
        """Forget who is greediest, which may have changed."""
        self._greediest = None

    @staticmethod
    def _greediest_of(origins: Iterable[Origin[Line]]) -> Origin[Line] | None:
        return max((each for each in origins if each.quiet), key=lambda o: o.held, default=None)
