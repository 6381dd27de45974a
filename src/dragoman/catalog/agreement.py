"""Whether the rows of a catalog file are sound, each by itself and all together. Pure.

No id, upstream name or tag may be there twice, every provider must be known, and
every name must lead to a model. What makes one row sound is told in `soundness`.
"""

from collections.abc import Iterator, Mapping, Sequence

from dragoman.catalog.assemble import Shipped
from dragoman.catalog.shipped import EndpointRow, ModelRow
from dragoman.catalog.soundness import (
    Fault,
    RenameRow,
    endpoint_faults,
    model_faults,
    rename_faults,
)
from dragoman.catalog.types import Provider


class Rows:
    """Meets the models of a file one after the other, and says what is wrong with each."""

    def __init__(self, providers: Mapping[str, Provider]) -> None:
        self._providers = providers
        self._ids: set[str] = set()
        self._upstreams: dict[tuple[str, str], str] = {}
        """Provider and its name for a model -> our id of it."""
        self._endpoints: set[tuple[str, str, str, bool]] = set()

    def model(self, row: ModelRow) -> Iterator[Fault]:
        """Yield what is wrong with a model and its endpoints."""
        yield from model_faults(row)
        if row.id.lower() in self._ids:
            yield ("id",), "is there twice"
        self._ids.add(row.id.lower())
        for index, endpoint in enumerate(row.endpoints):
            for path, reason in self._endpoint(row.id, endpoint):
                yield ("endpoints", index, *path), reason

    def _endpoint(self, model: str, row: EndpointRow) -> Iterator[Fault]:
        yield from endpoint_faults(row)
        if row.provider not in self._providers:
            yield ("provider",), f"{row.provider!r} is no provider that is known"
        key = (row.provider, row.upstream)
        if key in self._upstreams:
            yield ("upstream",), f"{row.upstream!r} is there twice, first as {self._upstreams[key]}"
        self._upstreams.setdefault(key, model)
        mark = (model.lower(), row.provider, row.variant, row.free)
        if mark in self._endpoints:
            yield ("variant",), "does not tell it from the provider's other endpoint"
        self._endpoints.add(mark)


def models_faults(rows: Sequence[ModelRow], providers: Mapping[str, Provider]) -> Iterator[Fault]:
    """Yield what is wrong with the models of a file; a path begins with a model's number."""
    met = Rows(providers)
    for number, row in enumerate(rows):
        for path, reason in met.model(row):
            yield (number, *path), reason


def names_faults(
    rows: Mapping[str, RenameRow], models: Sequence[ModelRow], previous: Shipped | None
) -> Iterator[Fault]:
    """Yield what is wrong with the names of a file, beside what counted up to now."""
    ids = {row.id.lower() for row in models}
    leads = {name.lower(): row.to.lower() for name, row in rows.items()}
    if previous is not None:
        ids.update(model.id.lower() for model in previous.models)
        leads = {name: row.target.lower() for name, row in previous.renamed.items()} | leads
    for name, row in rows.items():
        for path, reason in rename_faults(name, row):
            yield (name, *path), reason
        if name.lower() in ids:
            yield (name,), "is the id of a model"
        way = _way(name.lower(), leads)
        if way[-1] in way[:-1]:
            yield (name, "to"), f"goes round in circles: {' -> '.join(way)}"
        elif way[-1] not in ids:
            yield (name, "to"), f"leads to {way[-1]}, which is no model"


def _way(name: str, leads: Mapping[str, str]) -> list[str]:
    """Return the names that `name` leads to; the last is a model, unknown, or there before."""
    way = [name]
    while (following := leads.get(way[-1])) is not None:
        way.append(following)
        if following in way[:-1]:
            break
    return way
