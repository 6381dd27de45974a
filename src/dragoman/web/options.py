"""How the edge listens and what it lets in. The section `server` of dragoman.yaml."""

import re
from ipaddress import ip_address, ip_network
from typing import Annotated

from msgspec import Meta, Struct, structs

MIB = 1024 * 1024

_NAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?\.?")

Seconds = Annotated[float, Meta(gt=0)]
Count = Annotated[int, Meta(ge=0)]


class ServerOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Address, limits of bodies in bytes, counts, and the pace of clients in seconds."""

    host: str = "127.0.0.1"
    """A name or an address; the brackets that an IPv6 address has in a URL are dropped."""
    workers: Annotated[int, Meta(ge=1, le=256)] = 1
    """How many processes serve inference; with more than one, another has the databases."""
    port: Annotated[int, Meta(ge=0, le=65535)] = 4000
    hosts: tuple[str, ...] = ()
    """By which names the gateway is called: `api.example.com`, `*.example.com`, or `*` for any."""
    trusted_proxies: tuple[str, ...] = ()
    """Addresses or networks whose `X-Forwarded-For` and `-Proto` are believed."""
    certfile: str | None = None
    """PEM file of the certificate chain; with it the gateway speaks TLS."""
    keyfile: str | None = None
    """PEM file of the certificate's key, where it is not in `certfile`."""
    connections: Count = 0
    """How many connections at once; 0 is half of the files that the process may open."""
    connections_per_address: Count = 0
    """How many of them from one address; 0 is half of them."""
    requests: Count = 0
    """How many requests at once; 0 is as many as connections."""
    body_bytes: Annotated[int, Meta(ge=1024)] = 64 * MIB
    management_body_bytes: Annotated[int, Meta(ge=1024)] = MIB
    """The same for everything that is not inference."""
    header_s: Seconds = 10.0
    """How long the head of a request may take."""
    body_s: Seconds = 120.0
    body_stall_s: Seconds = 15.0
    """How long a body may pause."""
    idle_s: Seconds = 75.0
    """How long a connection may wait for its next request."""
    header_hold_s: Seconds = 10.0
    """How long a stream's 200 is held back, so that an early failure keeps its status."""
    keepalive_s: Seconds = 15.0
    """How long a stream may be silent before a comment shows that it lives."""
    stall_s: Seconds = 30.0
    """How long a client may leave an answer unread, once nothing more fits on its way."""
    drain_s: Annotated[float, Meta(ge=0)] = 120.0
    """How long open requests may go on after the signal to stop."""

    def __post_init__(self) -> None:
        """Raise ValueError for what is no address or name, and for a key without certificate."""
        if self.host.startswith("[") and self.host.endswith("]"):
            structs.force_setattr(self, "host", self.host[1:-1])
        if not _is_host(self.host):
            raise ValueError(f"`host` {self.host!r} is no address or name; `port` is apart from it")
        for each in self.hosts:
            if each != "*" and (not _is_host(each.removeprefix("*.")) or "_" in each):
                # A `Host` with an underscore is refused, listed or not.
                form = "a name such as api.example.com, *.example.com or *, without scheme and port"
                raise ValueError(f"`hosts`: {each!r} is not {form}")
        for each in self.trusted_proxies:
            ip_network(each)
        if self.keyfile and not self.certfile:
            raise ValueError("`keyfile` needs a `certfile`")


def _is_host(text: str) -> bool:
    """Say whether text is a name or an address, without brackets, scheme and port."""
    try:
        ip_address(text)
    except ValueError:
        return _NAME.fullmatch(text) is not None
    return True
