"""How the edge listens and what it lets in. The section `server` of dragoman.yaml."""

from typing import Annotated

from msgspec import Meta, Struct

MIB = 1024 * 1024


class ServerOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Address, limits of bodies in bytes, and the pace of streams in seconds."""

    host: str = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535)] = 4000
    body_bytes: Annotated[int, Meta(ge=1024)] = 64 * MIB
    body_s: Annotated[float, Meta(gt=0)] = 120.0
    header_hold_s: Annotated[float, Meta(gt=0)] = 10.0
    """How long a stream's 200 is held back, so that an early failure keeps its status."""
    keepalive_s: Annotated[float, Meta(gt=0)] = 15.0
    """How long a stream may be silent before a comment shows that it lives."""
    stall_s: Annotated[float, Meta(gt=0)] = 30.0
    """How long a client may leave a stream unread, once nothing more fits on its way."""
    drain_s: Annotated[float, Meta(ge=0)] = 120.0
    """How long open requests may go on after the signal to stop."""
