"""The `provider` object of a request: how its caller wants endpoints chosen.

Source: OpenRouter, guides/routing/provider-selection, and the schema `ProviderPreferences`.
"""

from typing import Literal

from msgspec import Struct

from dragoman.core.money import PicoUsd

SortBy = Literal["price", "throughput", "latency", "exacto"]
PERCENTILES = ("p50", "p75", "p90", "p99")


class MaxPrice(Struct, frozen=True, kw_only=True):
    """The most that one unit may cost, in pico-dollars (the wire has USD per million tokens)."""

    prompt: PicoUsd | None = None
    completion: PicoUsd | None = None
    request: PicoUsd | None = None
    image: PicoUsd | None = None
    audio: PicoUsd | None = None


class Preferences(Struct, frozen=True, kw_only=True, cache_hash=True):
    """A validated `provider` object. Provider slugs are as written until shaping resolves them.

    Thresholds are (percentile, value) pairs, all of which must hold: tokens a
    second for throughput, seconds for latency.
    """

    order: tuple[str, ...] = ()
    only: tuple[str, ...] = ()
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True
    require_parameters: bool = False
    deny_data_collection: bool = False
    zdr: bool = False
    distillable: bool = False
    quantizations: frozenset[str] = frozenset()
    sort: SortBy | None = None
    partition: Literal["model", "none"] | None = None
    max_price: MaxPrice | None = None
    min_throughput: tuple[tuple[str, float], ...] = ()
    max_latency: tuple[tuple[str, float], ...] = ()
    allowed_models: frozenset[str] = frozenset()
    """Never read from a request: the catalog ids that the caller's key may use. Empty: all."""
    allowed_providers: frozenset[str] = frozenset()
    """The same for providers, by slug or tag."""
