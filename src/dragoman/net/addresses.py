"""Which IP addresses belong to everybody: the question an SSRF-safe fetch asks of each.

`is_global` alone is no answer: it lets pass addresses that carry another one inside
(NAT64, 6to4, Teredo), and differs between versions of Python. So what may pass is what
both it and the list below let pass. Sources: the IANA special-purpose address
registries (RFC 6890), and the documentation of clouds for their metadata services.
"""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

Address = IPv4Address | IPv6Address

_DENIED = tuple(
    ip_network(network)
    for network in (
        "0.0.0.0/8",  # this network (RFC 791)
        "10.0.0.0/8",  # private (RFC 1918)
        "100.64.0.0/10",  # shared by carriers (RFC 6598); Alibaba's metadata at 100.100.100.200
        "127.0.0.0/8",  # loopback
        "168.63.129.16/32",  # Azure's platform, a public address that only machines there reach
        "169.254.0.0/16",  # link-local; metadata of most clouds at 169.254.169.254
        "172.16.0.0/12",  # private (RFC 1918)
        "192.0.0.0/24",  # protocol assignments (RFC 6890); Oracle's metadata at 192.0.0.192
        "192.0.2.0/24",  # documentation (RFC 5737)
        "192.31.196.0/24",  # AS112 (RFC 7535)
        "192.52.193.0/24",  # automatic multicast tunnelling (RFC 7450)
        "192.88.99.0/24",  # 6to4 relays (RFC 7526)
        "192.168.0.0/16",  # private (RFC 1918)
        "192.175.48.0/24",  # AS112 (RFC 7534)
        "198.18.0.0/15",  # benchmarks (RFC 2544)
        "198.51.100.0/24",  # documentation (RFC 5737)
        "203.0.113.0/24",  # documentation (RFC 5737)
        "224.0.0.0/4",  # multicast
        "240.0.0.0/4",  # reserved, and broadcast
        "::/96",  # unspecified, loopback, and IPv4-compatible (RFC 4291)
        "::ffff:0:0/96",  # IPv4-mapped: an address of version 4 in disguise
        "::ffff:0:0:0/96",  # IPv4-translated (RFC 2765)
        "64:ff9b::/96",  # NAT64 (RFC 6052): any address of version 4 inside
        "64:ff9b:1::/48",  # NAT64 of one's own (RFC 8215)
        "100::/64",  # discard (RFC 6666)
        "2001::/23",  # Teredo (2001::/32), benchmarks, ORCHID and other protocol assignments
        "2001:db8::/32",  # documentation (RFC 3849)
        "2002::/16",  # 6to4 (RFC 3056): any address of version 4 inside
        "3fff::/20",  # documentation (RFC 9637)
        "5f00::/16",  # segment routing (RFC 9602)
        "fc00::/7",  # unique local; Amazon's metadata at fd00:ec2::254
        "fe80::/10",  # link-local
        "fec0::/10",  # site-local, deprecated (RFC 3879)
        "ff00::/8",  # multicast
    )
)


def is_public(address: Address) -> bool:
    """Whether `address` is one of the public internet's, and of nothing else."""
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        return False
    if not address.is_global or address.is_multicast:
        return False
    return not any(address in network for network in _DENIED)


def literal(host: str) -> Address | None:
    """Return the address that a host of a URL is written as, None for a name.

    Raises ValueError for what some readers take for a number and others for a name:
    `0x7f.1`, `2130706433`, `127.1`, `0177.0.0.1` (WHATWG URL, "ends in a number").
    """
    try:
        return ip_address(host)
    except ValueError:
        last = host.rstrip(".").rpartition(".")[2].lower()
        if last.isdigit() or last.startswith("0x"):
            raise ValueError("an IP address is written in full, in decimal") from None
        return None


def address_of(text: str) -> Address | None:
    """Return the address that a resolver names, None for what is none."""
    try:
        return ip_address(text)
    except ValueError:
        return None
