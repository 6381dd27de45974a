"""How much a catalog holds: models, providers, endpoints, and models that leave a choice. Pure."""

from collections.abc import Collection, Iterable, Mapping

from msgspec import Struct

from dragoman.catalog.shipped import EndpointRow, ModelRow
from dragoman.catalog.types import Kind, Provider

CHOICE = 3
"""From so many providers on, a model leaves a choice."""


class Tally(Struct, frozen=True):
    """How many there are; `choices` are models at three providers or more."""

    models: int
    providers: int
    endpoints: int
    choices: int


def tally(
    rows: Iterable[ModelRow],
    providers: Mapping[str, Provider],
    kinds: Collection[Kind],
    dialects: Collection[str] | None = None,
) -> Tally:
    """Count what is at providers of these kinds.

    With `dialects`, which are those that the gateway speaks, only what can be called is counted.
    """
    served = [
        [each.provider for each in row.endpoints if _counts(each, providers, kinds, dialects)]
        for row in rows
    ]
    return Tally(
        models=sum(bool(each) for each in served),
        providers=len({provider for each in served for provider in each}),
        endpoints=sum(map(len, served)),
        choices=sum(len(set(each)) >= CHOICE for each in served),
    )


def _counts(
    row: EndpointRow,
    providers: Mapping[str, Provider],
    kinds: Collection[Kind],
    dialects: Collection[str] | None,
) -> bool:
    provider = providers[row.provider]
    dialect = row.dialect or provider.dialect
    callable_ = dialects is None or (dialect in dialects and row.status == "active")
    return provider.kind in kinds and callable_
