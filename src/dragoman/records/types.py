"""A generation: the one row that tells everything about one answered request."""

from msgspec import Struct

from dragoman.core.money import NanoUsd
from dragoman.core.notes import Note
from dragoman.wire.usage import Usage

NOT_SENT = "untranslatable"
"""The code of an attempt at an endpoint that cannot be told the request: nothing was sent."""


class Attempt(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One call to one endpoint. `status` is its HTTP status, None if it never answered."""

    endpoint: str
    provider: str
    provider_name: str
    model: str
    status: int | None
    code: str | None
    latency_ms: int
    error: str | None = None
    is_byok: bool = False


class Generation(Struct, frozen=True):
    """One request and what became of it. Times are Unix seconds, durations milliseconds."""

    id: str
    created_at: float
    key_hash: str
    requested: str
    model: str | None
    provider: str | None
    provider_name: str | None
    endpoint: str | None
    upstream_id: str | None = None
    api_type: str = "completions"
    strategy: str = "direct"
    streamed: bool = False
    cancelled: bool = False
    status: int = 200
    error_type: str | None = None
    finish_reason: str | None = None
    native_finish_reason: str | None = None
    usage: Usage = Usage()
    cost_nanos: NanoUsd = NanoUsd(0)
    price_known: bool = True
    latency_ms: int | None = None
    """From the request's arrival to its first content."""
    generation_ms: int | None = None
    """From the first content to the last."""
    attempts: tuple[Attempt, ...] = ()
    notes: tuple[Note, ...] = ()
    session_id: str | None = None
    user: str | None = None
    referer: str | None = None
    title: str | None = None
    user_agent: str | None = None
    tags: dict[str, str] = {}
    service_tier: str | None = None
    price_id: str | None = None
    """The version of the price that it was charged at (`dragoman.catalog.tariff.version`)."""
    fee_ppm: int = 0
    """What the account paid on top, in millionths; `cost_nanos` holds it."""
    draws: tuple[tuple[str, int], ...] = ()
    """What was charged to which purses, by id, in nano-USD; empty where nothing was limited."""
    account: str = "default"
    """Whose it is: the account of its key."""
    is_byok: bool = False
    """Whether the account's own credential was used; `cost_nanos` is then a fee."""
    byok_nanos: NanoUsd = NanoUsd(0)
    """What the provider bills the account for it, by the price list."""
