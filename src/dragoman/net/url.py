"""Absolute URLs, read once into where to connect and what to ask for.

Stricter than RFC 3986 on purpose: no userinfo, no fragment, no backslash, no
control characters, ASCII only, so that no two readers of a URL can disagree about
which host it names. Says nothing about which hosts are allowed.
"""

import re
from ipaddress import AddressValueError, IPv6Address
from typing import Literal

from msgspec import Struct

Scheme = Literal["http", "https"]

_PORTS: dict[Scheme, int] = {"http": 80, "https": 443}
_URL = re.compile(
    r"(?P<scheme>https?)://"
    r"(?:\[(?P<ipv6>[0-9a-f:.]+)\]|(?P<name>[a-z0-9._-]+))"
    r"(?::(?P<port>[0-9]{1,5}))?"
    r"(?P<target>(?:[/?][!-~]*)?)",
    re.ASCII | re.IGNORECASE,
)


class Origin(Struct, frozen=True, cache_hash=True):
    """What a connection can be shared by: scheme, host (no brackets, lower case), port."""

    scheme: Scheme
    host: str
    port: int


class Location(Struct, frozen=True):
    """A URL in the parts a request needs; `authority` is the value of `Host`."""

    origin: Origin
    authority: str
    target: str


def locate(url: str) -> Location:
    """Return the parts of an absolute http or https URL.

    Raises ValueError for anything else, without repeating the URL, which may
    hold a credential.
    """
    match = _URL.fullmatch(url)
    if match is None:
        raise ValueError("not an absolute http or https URL of plain ASCII")
    target = match["target"]
    if "#" in target or "\\" in target:
        raise ValueError("a URL to fetch has no fragment and no backslash")
    scheme: Scheme = "https" if match["scheme"].lower() == "https" else "http"
    port = int(match["port"] or _PORTS[scheme])
    if not 1 <= port <= 65535:
        raise ValueError(f"{port} is not a port")
    host = _ipv6(match["ipv6"]) if match["ipv6"] else match["name"].lower()
    name = f"[{host}]" if match["ipv6"] else host
    return Location(
        origin=Origin(scheme, host, port),
        authority=name if port == _PORTS[scheme] else f"{name}:{port}",
        target=target if target.startswith("/") else f"/{target}",
    )


def _ipv6(text: str) -> str:
    try:
        return str(IPv6Address(text))
    except AddressValueError:
        raise ValueError("not an IPv6 address between the brackets of the URL") from None
