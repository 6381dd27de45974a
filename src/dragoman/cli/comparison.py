"""Models side by side: their facts, their offers, and what a workload costs at each. Pure.

Facts and prices are those of a model's offers: the endpoints that can be called, or all
of them where none can. Of several that are cheapest, all are.
"""

from collections.abc import Iterable, Sequence

from msgspec import Struct

from dragoman.catalog.listing import is_callable, is_default_route
from dragoman.catalog.own import FREE
from dragoman.catalog.pricing import blended
from dragoman.catalog.types import Endpoint, Model
from dragoman.cli.workload import Workload, cost, fits
from dragoman.core.money import NanoUsd, PicoUsd, per_million, usd


class Span(Struct, frozen=True, kw_only=True):
    """A price in USD per million tokens: that of the cheapest offer, and between which it lies."""

    cheapest: float
    least: float
    most: float


class Offer(Struct, frozen=True, kw_only=True):
    """An endpoint, and what the workload costs there; None: no price is known.

    `fits` is false where a request of the workload is longer than the endpoint takes.
    """

    provider: str
    tag: str
    status: str
    context: int | None
    max_output: int | None
    quantization: str
    prompt_usd_per_million: float | None
    completion_usd_per_million: float | None
    cost_nano_usd: NanoUsd | None
    cost_usd: float | None
    fits: bool
    cheapest: bool = False


class Compared(Struct, frozen=True, kw_only=True):
    """A model: the most that its offers take and give, their prices, and each of them."""

    id: str
    name: str
    status: str
    context: int | None
    max_output: int | None
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    prompt_usd_per_million: Span | None
    completion_usd_per_million: Span | None
    providers: tuple[str, ...]
    parameters: tuple[str, ...]
    offers: tuple[Offer, ...]


class Comparison(Struct, frozen=True, kw_only=True):
    """Models, and the workload that is priced."""

    workload: Workload
    models: tuple[Compared, ...]


def standing(endpoints: Sequence[Endpoint]) -> str:
    """Return `ready`, or why a request that names just the model cannot be served by these.

    `if named`: its provider has to be named. Others: `not configured`, `deprecated`,
    `inactive`.
    """
    if any(map(is_default_route, endpoints)):
        return "ready"
    if any(map(is_callable, endpoints)):
        return "if named"
    if any(each.status == "active" for each in endpoints):
        return "not configured"
    return endpoints[0].status


def comparison(models: Iterable[Model], workload: Workload, all_: bool) -> Comparison:
    """Return the models side by side, with all their endpoints or with those that count.

    The cheapest offer is marked: among those that can be called if any can, else among
    those that a key would open.
    """
    chosen = [(model, _offered(model, all_)) for model in models]
    every = [each for _, endpoints in chosen for each in endpoints]
    costs = [found for each in every if (found := _standing_cost(each, workload))]
    least = min(costs, default=None)
    return Comparison(
        workload=workload,
        models=tuple(_compared(model, found, workload, least) for model, found in chosen),
    )


def _offered(model: Model, all_: bool) -> Sequence[Endpoint]:
    """Return the endpoints to show, the cheapest first. Free ones are a model of their own."""
    paid = [each for each in model.endpoints if not each.free] or model.endpoints
    ready = [each for each in paid if is_callable(each)]
    return sorted(paid if all_ else ready or paid, key=_rank)


def _distance(endpoint: Endpoint) -> int:
    """Return how far an endpoint is from answering: 0 now, 1 with a key, 2 not at all."""
    if is_callable(endpoint):
        return 0
    return 1 if endpoint.status == "active" else 2


def _rank(endpoint: Endpoint) -> tuple[int, bool, int, str]:
    price = endpoint.price
    return _distance(endpoint), price is None, blended(price) if price else 0, endpoint.id


def _standing_cost(endpoint: Endpoint, workload: Workload) -> tuple[int, NanoUsd] | None:
    """Return what the lowest is sought of; None where the workload has no price, or no room."""
    amount = cost(workload, endpoint.price)
    if amount is None or not fits(workload, endpoint):
        return None
    return _distance(endpoint), amount


def _compared(
    model: Model,
    endpoints: Sequence[Endpoint],
    workload: Workload,
    least: tuple[int, NanoUsd] | None,
) -> Compared:
    prices = [each.price for each in endpoints if each.price]
    return Compared(
        id=model.id + FREE if all(each.free for each in endpoints) else model.id,
        name=model.name,
        status=standing(endpoints),
        context=max((each.context for each in endpoints if each.context), default=None),
        max_output=max((each.max_output for each in endpoints if each.max_output), default=None),
        inputs=_union(each.inputs for each in endpoints),
        outputs=_union(each.outputs for each in endpoints),
        prompt_usd_per_million=_span([price.prompt for price in prices]),
        completion_usd_per_million=_span([price.completion for price in prices]),
        providers=tuple(sorted({each.provider for each in endpoints})),
        parameters=_union(each.supports for each in endpoints),
        offers=tuple(_offer(each, workload, least) for each in endpoints),
    )


def _offer(endpoint: Endpoint, workload: Workload, least: tuple[int, NanoUsd] | None) -> Offer:
    amount = cost(workload, endpoint.price)
    standing_cost = _standing_cost(endpoint, workload)
    price = endpoint.price
    return Offer(
        provider=endpoint.provider_name,
        tag=endpoint.tag,
        status=standing([endpoint]),
        context=endpoint.context,
        max_output=endpoint.max_output,
        quantization=endpoint.quantization,
        prompt_usd_per_million=float(per_million(price.prompt)) if price else None,
        completion_usd_per_million=float(per_million(price.completion)) if price else None,
        cost_nano_usd=amount,
        cost_usd=None if amount is None else usd(amount),
        fits=fits(workload, endpoint),
        cheapest=standing_cost is not None and standing_cost == least,
    )


def _span(prices: Sequence[PicoUsd]) -> Span | None:
    """Return the span of prices, of which the first is the cheapest offer's."""
    if not prices:
        return None
    usual, *_ = amounts = [float(per_million(each)) for each in prices]
    return Span(cheapest=usual, least=min(amounts), most=max(amounts))


def _union(sets: Iterable[frozenset[str]]) -> tuple[str, ...]:
    return tuple(sorted(frozenset().union(*sets)))
