"""`openrouter_metadata`: what the router did, for callers who ask for it.

The members and their meaning are OpenRouter's (router-metadata, schema
`OpenRouterMetadata`). `notes` and `excluded` are ours, added to it: what was
changed in the request, and which endpoints were left out and why.
"""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from dragoman.catalog.types import Endpoint
from dragoman.core.notes import Note
from dragoman.routing.excluded import Excluded, excluded
from dragoman.routing.types import Ask, Plan, Step


class Attempted(Protocol):
    """One call to one endpoint. `status` is its HTTP status, None if it never answered."""

    @property
    def provider_name(self) -> str:
        """Display name of the provider."""

    @property
    def model(self) -> str:
        """Id of the model in the catalog."""

    @property
    def status(self) -> int | None:
        """HTTP status of the answer."""


class AvailableRow(Struct, frozen=True, kw_only=True):
    """An endpoint that was considered. `selected`: it gave the answer."""

    provider: str
    model: str
    selected: bool


class Endpoints(Struct, frozen=True, kw_only=True):
    """How many endpoints the models have, and which of them could serve the request."""

    total: int
    available: tuple[AvailableRow, ...]


class AttemptRow(Struct, frozen=True, kw_only=True):
    """One attempt. `status` 0: there was no answer, and so no status."""

    provider: str
    model: str
    status: int


class RouterMetadata(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The object itself. Members with a default are left out when empty."""

    requested: str
    strategy: str
    region: str | None
    summary: str
    attempt: int
    is_byok: bool
    endpoints: Endpoints
    attempts: tuple[AttemptRow, ...] = ()
    notes: tuple[Note, ...] = ()
    excluded: tuple[Excluded, ...] = ()


def router_metadata(
    plan: Plan,
    ask: Ask,
    attempts: Sequence[Attempted] = (),
    selected: Step | None = None,
    notes: tuple[Note, ...] = (),
) -> RouterMetadata:
    """Describe what became of a plan.

    `selected` is the step that gave the answer, None when none did. `attempt` is
    the number of the last attempt, 0 when no provider was reached.
    """
    available = _available(plan, selected)
    return RouterMetadata(
        requested=ask.targets[0].asked,
        strategy=plan.strategy,
        region=None,
        summary=_summary(len(plan.steps), selected),
        attempt=len(attempts),
        is_byok=selected is not None and selected.byok is not None,
        endpoints=Endpoints(total=len(plan.steps) + len(plan.refusals), available=available),
        attempts=tuple(
            AttemptRow(provider=each.provider_name, model=each.model, status=each.status or 0)
            for each in attempts
        ),
        notes=notes,
        excluded=excluded(plan.refusals),
    )


def _summary(available: int, selected: Step | None) -> str:
    summary = f"available={available}"
    return f"{summary}, selected={selected.endpoint.provider_name}" if selected else summary


def _available(plan: Plan, selected: Step | None) -> tuple[AvailableRow, ...]:
    """Return the endpoints of the plan; those left out if it is empty, as OpenRouter's 404 does."""
    if not plan.steps:
        return tuple(_row(each.endpoint) for each in plan.refusals)
    return tuple(_row(step.endpoint, selected=_is(step, selected)) for step in plan.steps)


def _row(endpoint: Endpoint, *, selected: bool = False) -> AvailableRow:
    return AvailableRow(provider=endpoint.provider_name, model=endpoint.model, selected=selected)


def _is(step: Step, selected: Step | None) -> bool:
    return (
        selected is not None
        and step.endpoint.id == selected.endpoint.id
        and step.byok is selected.byok
    )
