"""Which requests go by a proxy: read from settings and environment once, asked per host.

The conventions are curl's: names in lower case win over those in upper case, a name in
`NO_PROXY` covers all names below it, and what is not an address is never resolved to
find out. The machine itself is never reached by a proxy.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal
from urllib.parse import unquote, urlsplit

from msgspec import Struct

from dragoman.core.secret import Secret
from dragoman.net.addresses import Address
from dragoman.net.options import NetOptions
from dragoman.net.url import Origin, Scheme, locate

DIRECT = "direct"

_MAPPED_BITS = 96  # of an address of version 6 that stands for one of version 4

_PORT = re.compile(r"(?P<name>\[[^\]]*\]|[^:]*):(?P<port>[0-9]{1,5})")
_HAS_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")


class Proxy(Struct, frozen=True):
    """An HTTP proxy: where it is, how it is spoken to, and as whom."""

    scheme: Scheme
    host: str
    port: int
    authorization: Secret | None = None

    def __str__(self) -> str:
        return f"the proxy {self.host}:{self.port}"

    @property
    def origin(self) -> Origin:
        """Where to connect to."""
        return Origin(self.scheme, self.host, self.port)

    def credential_lines(self) -> list[str]:
        """Return the header that tells the proxy who we are, if it has to know."""
        if self.authorization is None:
            return []
        return [f"Proxy-Authorization: {self.authorization.reveal()}"]


class Exempt(Struct, frozen=True):
    """An entry of `NO_PROXY`: a name and all below it, or a network; of one port or all."""

    name: str = ""
    network: IPv4Network | IPv6Network | None = None
    port: int | None = None

    def covers(self, host: str, port: int) -> bool:
        """Whether a host, lower case and without brackets, is meant."""
        if self.port is not None and self.port != port:
            return False
        if self.name == "*":
            return True
        if self.network is None:
            return host == self.name or host.endswith(f".{self.name}")
        try:
            return _unmapped(ip_address(host)) in self.network
        except ValueError:
            return False


class Proxies(Struct, frozen=True):
    """Which proxy serves which scheme, and what goes without."""

    http: Proxy | None = None
    https: Proxy | None = None
    exempt: tuple[Exempt, ...] = ()

    def route(self, origin: Origin) -> Proxy | None:
        """Return the proxy to reach `origin` by, None for none."""
        proxy = self.https if origin.scheme == "https" else self.http
        host = origin.host.rstrip(".")
        if proxy is None or _is_here(host):
            return None
        if any(each.covers(host, origin.port) for each in self.exempt):
            return None
        return proxy


def proxies(options: NetOptions, environ: Mapping[str, str]) -> Proxies:
    """Return what the settings say, and the environment where they are silent.

    Raises ValueError, which names the setting or variable and never repeats its value.
    """
    exempt = options.no_proxy
    if exempt is None:
        _, listed = _variable(environ, "no_proxy")
        exempt = tuple(re.split(r"[,\s]+", listed))
    rules = tuple(_exempt(entry) for entry in exempt if entry)
    if options.proxy == DIRECT:
        return Proxies(exempt=rules)
    if options.proxy is not None:
        proxy = _read(options.proxy, "net.proxy")
        return Proxies(http=proxy, https=proxy, exempt=rules)
    return Proxies(
        http=_of_scheme(environ, "http"), https=_of_scheme(environ, "https"), exempt=rules
    )


def parse(url: str) -> Proxy:
    """Return the proxy of a URL, or of `host:port`. Raises ValueError, without the URL."""
    parts = urlsplit(url if _HAS_SCHEME.match(url) else f"http://{url}")
    if parts.scheme not in {"http", "https"}:
        raise ValueError(f"a proxy is http:// or https://, not {parts.scheme}://")
    credential, _, authority = parts.netloc.rpartition("@")
    if parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("the URL of a proxy ends after its host and port")
    origin = locate(f"{parts.scheme}://{authority}").origin
    return Proxy(origin.scheme, origin.host, origin.port, _basic(credential))


def _basic(credential: str) -> Secret | None:
    """Return the value of `Proxy-Authorization` for `user:password` of a URL (RFC 7617)."""
    if not credential:
        return None
    user, _, password = credential.partition(":")
    pair = f"{unquote(user)}:{unquote(password)}"
    return Secret(f"Basic {b64encode(pair.encode()).decode('ascii')}")


def _of_scheme(environ: Mapping[str, str], scheme: Literal["http", "https"]) -> Proxy | None:
    for variable in (f"{scheme}_proxy", "all_proxy"):
        name, url = _variable(environ, variable)
        if url:
            return _read(url, name)
    return None


def _variable(environ: Mapping[str, str], name: str) -> tuple[str, str]:
    """Return the name under which a variable is set, and its value; empty counts as unset."""
    for spelling in (name, name.upper()):
        if value := environ.get(spelling, "").strip():
            return spelling, value
    return name, ""


def _read(url: str, source: str) -> Proxy:
    try:
        return parse(url)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from None


def _exempt(entry: str) -> Exempt:
    """Return a rule. A name that nobody has is no error: it exempts nothing."""
    network = _network(entry)
    if network is not None:
        return Exempt(network=network)
    port = None
    if match := _PORT.fullmatch(entry):
        entry, port = match["name"], int(match["port"])
    name = entry.lower().strip("[]").rstrip(".")
    network = _network(name)
    if network is not None:
        return Exempt(network=network, port=port)
    return Exempt(name=name.removeprefix("*.").lstrip("."), port=port)


def _network(text: str) -> IPv4Network | IPv6Network | None:
    try:
        network = ip_network(text.strip("[]"), strict=False)
    except ValueError:
        return None
    mapped = _unmapped(network.network_address)
    if mapped.version == network.version:
        return network
    # Of a wider one the first address is none that is mapped.
    return ip_network(f"{mapped}/{network.prefixlen - _MAPPED_BITS}")


def _unmapped(address: Address) -> Address:
    """Return the address of version 4 that one of version 6 stands for (RFC 4291, 2.5.5.2)."""
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _is_here(host: str) -> bool:
    """Whether a host is this machine: by its name (RFC 6761, 6.3) or as a loopback address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ip_address(host)
    except ValueError:
        return False
    return _unmapped(address).is_loopback
