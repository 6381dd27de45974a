"""The endpoints that a plan leaves out, as rows for people: one shape wherever they are shown.

The 404 body, the router metadata and `dragoman route explain` all list them like this.
"""

from collections.abc import Mapping

from msgspec import Struct

from dragoman.catalog.types import Provider
from dragoman.routing.types import Drop, Refusal


class Excluded(Struct, frozen=True, kw_only=True):
    """An endpoint left out: `provider` is its display name, `tag` its slug, `reason` a `Drop`."""

    provider: str
    model: str
    tag: str
    reason: str
    detail: str


def excluded(
    refusals: tuple[Refusal, ...], providers: Mapping[str, Provider] | None = None
) -> tuple[Excluded, ...]:
    """Return a row per refusal. Given the providers, it says how to set up those that are not."""
    return tuple(
        Excluded(
            provider=refusal.endpoint.provider_name,
            model=refusal.endpoint.model,
            tag=refusal.endpoint.tag,
            reason=refusal.drop.value,
            detail=_detail(refusal, providers or {}),
        )
        for refusal in refusals
    )


def set_up(slug: str, providers: Mapping[str, Provider]) -> str:
    """Return what its operator must do before the provider can be called.

    An address that wants variables of its own is as much of it as the key.
    """
    provider = providers.get(slug)
    places = [] if provider is None else provider.waits_for()
    if provider is None or not provider.keys:
        also = f", and set {_listed(places)}" if places else ""
        return f"configure providers.{slug} in dragoman.yaml{also}"
    return f"set {_listed([provider.keys[0], *places])}"


def _listed(names: list[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _detail(refusal: Refusal, providers: Mapping[str, Provider]) -> str:
    if refusal.drop is Drop.NOT_CONFIGURED and providers:
        return f"{refusal.detail}: {set_up(refusal.endpoint.provider, providers)}"
    return refusal.detail
