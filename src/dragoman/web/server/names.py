"""By which names the gateway may be called (RFC 9110, section 7.2, `Host`).

A page in a browser can have its own name resolve to this machine (DNS rebinding).
It cannot choose the `Host` that the browser then sends: its own name. So a gateway
on loopback answers to addresses and to names of one label, which nobody can register,
and any other name has to be listed. Private addresses are always good: probes of an
orchestrator call by them.
"""

import re
from collections.abc import Iterable
from ipaddress import ip_address

ANY = "*"
LONGEST = 261
_HOST = re.compile(rb"(?:([A-Za-z0-9.-]+)|\[([0-9A-Fa-f:.]+)\])(?::\d{0,5})?")


def name_of(host: bytes) -> str | None:
    """Return the name or address of a `Host` field in lower case, None if it is neither."""
    match = _HOST.fullmatch(host) if len(host) <= LONGEST else None
    if match is None:
        return None
    if match[2] is None:
        name = str(match[1], "ascii").lower().rstrip(".")
        return name or None
    return _address(str(match[2], "ascii"))


def is_trusted(name: str, trusted: Iterable[str]) -> bool:
    """Say whether the gateway may be called by this name, given those that were listed."""
    if name == "localhost" or name.endswith(".localhost") or _is_private(name):
        return True
    names = [each.lower() for each in trusted]
    if not names:
        return "." not in name or _address(name) is not None
    return ANY in names or any(_matches(name, each) for each in names)


def _matches(name: str, pattern: str) -> bool:
    return name.endswith(pattern[1:]) if pattern.startswith("*.") else name == pattern


def _address(text: str) -> str | None:
    try:
        return str(ip_address(text))
    except ValueError:
        return None


def _is_private(name: str) -> bool:
    address = _address(name)
    return address is not None and ip_address(address).is_private
