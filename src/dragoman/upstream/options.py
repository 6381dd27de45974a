"""How patient the gateway is with upstreams. The section `upstream` of dragoman.yaml."""

from functools import lru_cache
from typing import Annotated

from msgspec import Meta, Struct

from dragoman.net.types import Limits

Seconds = Annotated[float, Meta(gt=0, le=3600)]


class UpstreamOptions(
    Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, cache_hash=True
):
    """Timeouts in seconds, and how often to try. Defaults from measured outages.

    A streamed answer must begin within `first_content_s`; one that arrives whole
    within `answer_s`, since its first byte comes after its last token. Endpoints
    that think before they speak get the two `reasoning` values instead.
    """

    dns_s: Seconds = 2.0
    connect_s: Seconds = 3.0
    tls_s: Seconds = 3.0
    pool_s: Seconds = 0.5
    first_content_s: Seconds = 30.0
    first_content_reasoning_s: Seconds = 120.0
    answer_s: Seconds = 120.0
    answer_reasoning_s: Seconds = 600.0
    idle_s: Seconds = 60.0
    content_gap_s: Seconds = 300.0
    request_s: Seconds = 600.0
    attempts_per_model: Annotated[int, Meta(ge=1, le=10)] = 3
    attempts: Annotated[int, Meta(ge=1, le=30)] = 6
    connections_per_host: Annotated[int, Meta(ge=1, le=10_000)] = 1000
    linger_s: Annotated[float, Meta(ge=0, le=3600)] = 60.0
    """How long an answer is read on whose client hung up, where hanging up would not stop it."""
    linger_bytes: Annotated[int, Meta(ge=0)] = 16 * 1024 * 1024
    """How much of such a stream is read on."""
    linger_requests: Annotated[int, Meta(ge=0, le=100_000)] = 128
    """How many such answers are read on at once, by one process."""
    ca_file: str | None = None
    """A PEM file of additional certificate authorities."""

    def limits(self, head_s: float) -> Limits:
        """Return the transport's limits for an attempt that may take `head_s` to its head."""
        return _limits(self, head_s)


@lru_cache(maxsize=64)
def _limits(options: UpstreamOptions, head_s: float) -> Limits:
    """Return limits that mostly were made before."""
    return Limits(
        dns_s=options.dns_s,
        connect_s=options.connect_s,
        tls_s=options.tls_s,
        head_s=head_s,
        idle_s=options.idle_s,
        pool_s=options.pool_s,
    )
