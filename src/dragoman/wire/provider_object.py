"""The `provider` object of a request, read into `Preferences`.

Source: OpenRouter docs, provider-selection; schema `ProviderPreferences`. Unknown
members are ignored there, so they are no error here either, but they are named.
"""

from decimal import Decimal, InvalidOperation
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Raw, Struct, inspect

from dragoman.core.errors import InvalidRequest
from dragoman.core.money import PicoUsd
from dragoman.wire.explain import explain
from dragoman.wire.json import object_members
from dragoman.wire.preferences import PERCENTILES, MaxPrice, Preferences, SortBy

PICO_PER_USD = 10**12
TOKENS = 1_000_000
MOST_USD = 1_000_000_000

Slug = Annotated[str, Meta(min_length=1, max_length=128)]
Slugs = Annotated[list[Slug], Meta(max_length=200)]
Amount = Annotated[float, Meta(ge=0)] | Annotated[str, Meta(max_length=40)]
Threshold = Annotated[float, Meta(ge=0, le=1_000_000)]


class Sort(Struct, frozen=True, gc=False):
    """The object form of `sort`."""

    by: SortBy | None = None
    partition: Literal["model", "none"] | None = None


class Percentiles(Struct, frozen=True, gc=False):
    """The object form of a threshold."""

    p50: Threshold | None = None
    p75: Threshold | None = None
    p90: Threshold | None = None
    p99: Threshold | None = None


class Prices(Struct, frozen=True, gc=False):
    """The most that units may cost, in USD: a million tokens, or one of the others."""

    prompt: Amount | None = None
    completion: Amount | None = None
    request: Amount | None = None
    image: Amount | None = None
    audio: Amount | None = None


class ProviderFields(Struct, frozen=True, kw_only=True):
    """Every member of the object that we know."""

    order: Slugs | None = None
    only: Slugs | None = None
    ignore: Slugs | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    zdr: bool | None = None
    enforce_distillable_text: bool | None = None
    quantizations: (
        list[
            Literal[
                "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16",
                "fp32", "unknown",
            ]
        ]
        | None
    ) = None  # fmt: skip
    sort: SortBy | Sort | None = None
    max_price: Prices | None = None
    preferred_min_throughput: Threshold | Percentiles | None = None
    preferred_max_latency: Threshold | Percentiles | None = None


_SHAPE = inspect.type_info(ProviderFields)
_decode = msgspec.json.Decoder(ProviderFields).decode
_KNOWN = frozenset(ProviderFields.__struct_fields__)


def parse_provider(value: Raw) -> tuple[Preferences, tuple[str, ...]]:
    """Return the preferences, and the names of the members that have no effect.

    Raises InvalidRequest.
    """
    found = object_members(value, "provider")
    if found is None:
        return Preferences(), ()
    try:
        fields = _decode(value)
    except msgspec.ValidationError as error:
        path, reason = explain(error, _SHAPE)
        raise InvalidRequest(f"{'.'.join(filter(None, ('provider', path)))}: {reason}") from None
    ignored = tuple(f"provider.{name}" for name in found if name not in _KNOWN)
    return _preferences(fields), ignored


def _preferences(fields: ProviderFields) -> Preferences:
    sort = fields.sort if isinstance(fields.sort, Sort) else Sort(by=fields.sort)
    return Preferences(
        order=tuple(dict.fromkeys(fields.order or ())),
        only=tuple(dict.fromkeys(fields.only or ())),
        ignore=tuple(dict.fromkeys(fields.ignore or ())),
        allow_fallbacks=fields.allow_fallbacks is not False,
        require_parameters=fields.require_parameters is True,
        deny_data_collection=fields.data_collection == "deny",
        zdr=fields.zdr is True,
        distillable=fields.enforce_distillable_text is True,
        quantizations=frozenset(fields.quantizations or ()),
        sort=sort.by,
        partition=sort.partition,
        max_price=None if fields.max_price is None else _max_price(fields.max_price),
        min_throughput=_thresholds(fields.preferred_min_throughput),
        max_latency=_thresholds(fields.preferred_max_latency),
    )


def _thresholds(value: float | Percentiles | None) -> tuple[tuple[str, float], ...]:
    """Return (percentile, value) pairs; a number alone is meant for the median."""
    if value is None:
        return ()
    if not isinstance(value, Percentiles):
        return (("p50", value),)
    pairs = ((name, getattr(value, name)) for name in PERCENTILES)
    return tuple((name, limit) for name, limit in pairs if limit is not None)


def _max_price(prices: Prices) -> MaxPrice:
    return MaxPrice(
        prompt=_pico(prices.prompt, "prompt", TOKENS),
        completion=_pico(prices.completion, "completion", TOKENS),
        request=_pico(prices.request, "request", 1),
        image=_pico(prices.image, "image", 1),
        audio=_pico(prices.audio, "audio", 1),
    )


def _pico(amount: float | str | None, name: str, units: int) -> PicoUsd | None:
    """Return USD for so many units as pico-dollars for one, cut off: prices are whole ones."""
    if amount is None:
        return None
    try:
        usd = Decimal(str(amount))
    except InvalidOperation:
        usd = Decimal("NaN")
    if not usd.is_finite() or not 0 <= usd <= MOST_USD:
        raise InvalidRequest(f"provider.max_price.{name}: must be an amount of USD, 0 or more")
    return PicoUsd(int(usd * PICO_PER_USD / units))
