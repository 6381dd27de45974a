"""A plan as rows for people: what would be tried, in what order, at what price, and why.

Shown by `dragoman route explain`. The wire's own form is in `dragoman.routing.metadata`.
"""

from msgspec import Struct

from dragoman.catalog.types import Catalog
from dragoman.core.money import PicoUsd, per_million
from dragoman.routing.excluded import Excluded, excluded
from dragoman.routing.types import Ask, Health, Plan, Seen, Step


class ExplainedStep(Struct, frozen=True, kw_only=True):
    """An endpoint to try. Prices are USD per million tokens, None when unknown.

    `asked` is the name by which the caller reached `model`; `seen` is None when this
    process has not used the endpoint yet.
    """

    position: int
    asked: str
    model: str
    provider: str
    tag: str
    prompt_usd_per_million: float | None
    completion_usd_per_million: float | None
    why: str
    seen: Seen | None


class Explanation(Struct, frozen=True, kw_only=True):
    """A plan in full: the models asked for, the steps in order, what was left out."""

    requested: tuple[str, ...]
    strategy: str
    steps: tuple[ExplainedStep, ...]
    refused: tuple[Excluded, ...]


def explain(plan: Plan, ask: Ask, catalog: Catalog, health: Health) -> Explanation:
    """Return the plan that was made for `ask` from these very values, ready for JSON."""
    return Explanation(
        requested=tuple(dict.fromkeys(target.asked for target in ask.targets)),
        strategy=plan.strategy,
        steps=tuple(_row(i, step, health) for i, step in enumerate(plan.steps, 1)),
        refused=excluded(plan.refusals, catalog.providers),
    )


def _row(position: int, step: Step, health: Health) -> ExplainedStep:
    endpoint = step.endpoint
    price = endpoint.price
    return ExplainedStep(
        position=position,
        asked=step.target.asked,
        model=endpoint.model,
        provider=endpoint.provider_name,
        tag=endpoint.tag,
        prompt_usd_per_million=_usd(price.prompt) if price else None,
        completion_usd_per_million=_usd(price.completion) if price else None,
        why=step.why,
        seen=health.get(endpoint.id),
    )


def _usd(price: PicoUsd) -> float:
    return float(per_million(price))
