"""Names looked up by the operating system, each in a thread of its own.

The event loop would look up two names at a time, for everybody in the process. A lookup cannot be
stopped, and a name server that is silent holds one for up to half a minute: so two names
that hang would keep everybody from all others.
"""

import asyncio
import errno
import socket
import threading
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from ipaddress import ip_address

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""From (host, port) to IP addresses, best first. Raises OSError."""

MOST = 128
"""Lookups under way, those that nobody waits for any longer among them."""
MOST_OF_A_NAME = 2
"""Of these for one name: a second one, since what the first one sent may have been lost."""


class SystemResolver:
    """Fulfils `Resolver`, in the system's order of preference (RFC 6724).

    Whoever looks names up for somebody else has one of his own, so that those cannot hold it up.
    """

    __slots__ = ("_under_way",)

    def __init__(self) -> None:
        self._under_way: Counter[str] = Counter()

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        """Return the addresses of a host. Raises OSError and UnicodeError."""
        if _is_address(host):
            return [host]
        if self._under_way[host] >= MOST_OF_A_NAME:
            raise OSError(errno.ETIMEDOUT, "what it was asked before is not answered yet")
        if self._under_way.total() >= MOST:
            raise OSError(errno.ENOBUFS, f"{MOST} names are being looked up already")
        loop = asyncio.get_running_loop()
        found: asyncio.Future[Sequence[str]] = loop.create_future()

        def tell(outcome: Sequence[str] | Exception) -> None:
            self._ended(host)
            if found.done():  # nobody waits for it
                return
            if isinstance(outcome, Exception):
                found.set_exception(outcome)
            else:
                found.set_result(outcome)

        def look_up() -> None:
            outcome = _asked(host, port)
            with suppress(RuntimeError):  # the loop may have ended before
                loop.call_soon_threadsafe(tell, outcome)

        try:
            # A daemon: the process does not wait for it when it ends.
            threading.Thread(target=look_up, name="lookup", daemon=True).start()
        except RuntimeError as error:
            raise OSError(errno.ENOBUFS, str(error)) from error
        self._under_way[host] += 1
        return await found

    def _ended(self, host: str) -> None:
        self._under_way[host] -= 1
        if not self._under_way[host]:
            del self._under_way[host]


def _asked(host: str, port: int) -> Sequence[str] | Exception:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        return error
    return list(dict.fromkeys(str(address[0]) for *_, address in found))


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True
