"""Who a client is when proxies stand in between.

`X-Forwarded-For` is a list to which each hop adds whom it heard from, so it can be
believed from its right end, for as long as those who wrote it are trusted.
"""

import re
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

_WITH_PORT = re.compile(r"^(?:\[([^\]]*)\]|([0-9.]+))(?::[0-9]{1,5})?$")
"""An entry as some proxies write it: an address of version 6 in brackets, or a port behind it."""

Network = IPv4Network | IPv6Network


class Proxies:
    """The networks whose word is taken."""

    __slots__ = ("_networks",)

    def __init__(self, networks: Iterable[str]) -> None:
        self._networks: tuple[Network, ...] = tuple(ip_network(each) for each in networks)

    def trusts(self, address: str) -> bool:
        """Say whether an address is that of a trusted proxy."""
        return bool(self._networks) and self._trusts(_parsed(address))

    def client(self, forwarded: str, peer: str) -> str:
        """Return whom a trusted `peer` speaks for, by the `X-Forwarded-For` it sent.

        Entries are read from the right until one is no proxy of ours; what is no address
        ends the reading, since whoever wrote it cannot be trusted further.
        """
        found = peer
        for entry in reversed(forwarded.split(",")):
            address = _parsed(_WITH_PORT.sub(r"\1\2", entry.strip()))
            if address is None:
                return found
            found = str(address)
            if not self._trusts(address):
                return found
        return found

    def _trusts(self, address: IPv4Address | IPv6Address | None) -> bool:
        return address is not None and any(address in network for network in self._networks)


class Colleagues(Proxies):
    """Whoever reaches us by a Unix socket, which has no address: processes of the same node.

    They have told apart their client's words from their own before, so theirs is the last.
    """

    __slots__ = ()

    def __init__(self) -> None:
        super().__init__(())

    def trusts(self, address: str) -> bool:
        """Say whether somebody is a colleague: nobody of the network has an empty address."""
        return not address


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address
