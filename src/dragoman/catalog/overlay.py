"""Lay a refreshed catalog over the one that came with the package.

What the refreshed one tells of an endpoint counts; what it does not mention stays
as it was shipped, so that a file may be about one model only. An endpoint is what
it is by its provider and upstream name: it may move to another model. Pure.
"""

from collections.abc import Iterable, Mapping

from msgspec import Struct, structs

from dragoman.catalog.assemble import Shipped
from dragoman.catalog.changes import Hold, Key, endpoints
from dragoman.catalog.own import endpoint_id
from dragoman.catalog.renamed import settled
from dragoman.catalog.types import Endpoint, Model, Renamed


class Refreshed(Struct, frozen=True, kw_only=True):
    """What a file told, when it was fetched (Unix seconds), and which prices still wait."""

    models: tuple[Model, ...]
    dated: int
    renamed: Mapping[str, Renamed] = {}
    holds: tuple[Hold, ...] = ()


def overlay(shipped: Shipped, refreshed: Refreshed) -> Shipped:
    """Return the shipped rows under the refreshed ones. Raises CatalogError for circular names."""
    before = by_key(shipped.models)
    newer = by_key(refreshed.models)
    holds = {hold.key: hold for hold in refreshed.holds}
    taken = {endpoint.id for endpoint in newer.values()}
    about = {model.id.lower(): model for model in (*shipped.models, *refreshed.models)}
    served: dict[str, list[Endpoint]] = {id_: [] for id_ in about}
    for key, endpoint in before.items():
        if key not in newer and endpoint.id not in taken:
            served[endpoint.model.lower()].append(endpoint)
    for key, endpoint in newer.items():
        laid = _laid(endpoint, before.get(key), holds.get(key), refreshed.dated)
        served[endpoint.model.lower()].append(laid)
    return structs.replace(
        shipped,
        models=tuple(
            structs.replace(model, endpoints=tuple(_under(model.id, served[id_])))
            for id_, model in about.items()
            if served[id_]
        ),
        renamed=settled({**shipped.renamed, **refreshed.renamed}),
    )


def by_key(models: Iterable[Model]) -> dict[Key, Endpoint]:
    """Return the endpoints of `models` by provider and upstream name."""
    return {(each.provider, each.upstream): each for each in endpoints(models)}


def _laid(new: Endpoint, old: Endpoint | None, hold: Hold | None, dated: int) -> Endpoint:
    """Return the new endpoint, with its old price if the new one waits, and what was announced.

    A price that was announced for a day after the file was fetched still comes, unless
    the file announces prices itself.
    """
    announced = tuple(each for each in old.upcoming if each.since > dated) if old else ()
    if hold is not None:
        id_ = endpoint_id(new.tag, new.model, free=hold.free)
        return structs.replace(new, id=id_, free=hold.free, price=hold.was, upcoming=announced)
    return structs.replace(new, upcoming=new.upcoming or announced)


def _under(model: str, served: Iterable[Endpoint]) -> Iterable[Endpoint]:
    """Return the endpoints under the one spelling of their model's id."""
    for endpoint in served:
        if endpoint.model == model:
            yield endpoint
        else:
            id_ = endpoint_id(endpoint.tag, model, free=endpoint.free)
            yield structs.replace(endpoint, id=id_, model=model)
