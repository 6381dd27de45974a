"""How the gateway reaches the network. The section `net` of dragoman.yaml."""

from typing import Annotated

from msgspec import Meta, Struct

Port = Annotated[int, Meta(ge=1, le=65535)]


class NetOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Proxies, and how many connections are open at a time.

    Without `proxy` the variables `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY`
    decide; `proxy: direct` leaves them aside. This machine itself is never reached by proxy.
    """

    proxy: str | None = None
    """The URL of an HTTP proxy, with `user:password@` if it asks for that; or `direct`."""
    no_proxy: tuple[str, ...] | None = None
    """Instead of `NO_PROXY`: names with all below them, addresses, networks, `name:port`, `*`."""
    connections: Annotated[int, Meta(ge=1, le=1_000_000)] = 10_000
    """To all hosts together."""
    keepalive_s: Annotated[float, Meta(gt=0, le=3600)] = 55.0
    """How long a connection is kept unused."""


class FetchOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What may be fetched from addresses that users give, such as those of images.

    By default nothing but https on the usual ports, from public addresses, is.
    """

    allow: tuple[str, ...] = ()
    """Host names, addresses or networks (`10.1.0.0/16`) of one's own that may be fetched from."""
    allow_http: bool = False
    ports: tuple[Port, ...] = (443, 8443)
    max_bytes: Annotated[int, Meta(ge=1)] = 20 * 1024 * 1024
    timeout_s: Annotated[float, Meta(gt=0, le=600)] = 10.0
    redirects: Annotated[int, Meta(ge=0, le=10)] = 3
