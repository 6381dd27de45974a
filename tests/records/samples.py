"""Generations to record: a plain one, and one that uses every field."""

from typing import Any

from msgspec.structs import replace

from dragoman.core.money import NanoUsd
from dragoman.core.notes import Change, Note
from dragoman.records.types import Attempt, Generation
from dragoman.wire.usage import Usage

NOON = 1_718_884_800.0  # Thursday 2024-06-20 12:00 UTC
DAY_S = 86_400.0

PLAIN = Generation(
    id="gen-1718884800-aaaaaaaaaaaaaaaaaaaa",
    created_at=NOON,
    key_hash="k" * 64,
    requested="acme/turbo",
    model="acme/turbo",
    provider="acme",
    provider_name="Acme",
    endpoint="acme/turbo@acme",
    usage=Usage(prompt=10, completion=5),
    cost_nanos=NanoUsd(1_500),
)

FULL = replace(
    PLAIN,
    id="gen-1718884800-ffffffffffffffffffff",
    upstream_id="chatcmpl-1",
    strategy="fallback",
    streamed=True,
    cancelled=True,
    status=502,
    error_type="provider_unavailable",
    finish_reason="stop",
    native_finish_reason="STOP",
    usage=Usage(
        prompt=10,
        completion=5,
        reasoning=2,
        cached=3,
        completion_image=1,
        cost_usd=0.25,
        source="estimated",
    ),
    price_known=False,
    latency_ms=120,
    generation_ms=900,
    attempts=(
        Attempt(
            endpoint="acme/turbo@slow",
            provider="slow",
            provider_name="Slow",
            model="acme/turbo",
            status=None,
            code="timeout",
            latency_ms=30_000,
            error="no answer",
        ),
        Attempt(
            endpoint="acme/turbo@acme",
            provider="acme",
            provider_name="Acme",
            model="acme/turbo",
            status=200,
            code=None,
            latency_ms=120,
        ),
    ),
    notes=(Note(Change.DROPPED, "top_k", "not known to Acme", provider="acme"),),
    session_id="session",
    user="user-1",
    referer="https://example.org/",
    title="Example",
    user_agent="test/1",
    tags={"team": "ümlaut"},
    service_tier="flex",
    price_id="0123456789abcdef",
    fee_ppm=50_000,
    draws=(("key:k|daily|1718841600", 1_500),),
)


def sample(number: int, **changes: Any) -> Generation:
    """Return the plain generation with an id of its own and some fields changed."""
    return replace(PLAIN, id=f"gen-1718884800-{number:020d}", **changes)
