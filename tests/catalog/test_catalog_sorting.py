"""The orders of `GET /models`."""

from typing import get_args

import pytest

from dragoman.catalog.filters import Sort
from dragoman.catalog.listing import listed
from dragoman.catalog.rows import Measured, Spread
from dragoman.catalog.sorting import in_order
from dragoman.catalog.types import Catalog
from tests.catalog.models import CHEAP, DEAR, endpoint, model


def shown() -> Catalog:
    models = (
        model(endpoint("a", CHEAP, context=10), id="x/cheap", created=1),
        model(endpoint("b", DEAR, context=20), endpoint("c", DEAR), id="x/dear", created=3),
        model(endpoint("d", None), id="x/unknown", created=2),
    )
    return Catalog(models={each.id: each for each in models}, providers={})


def measured(id_: str) -> Measured:
    figures = {"a": 5.0, "b": 4.0, "c": 6.0}
    if (value := figures.get(id_.partition("|")[0])) is None:
        return Measured()
    spread = Spread(p50=value, p75=0, p90=0, p99=0)
    return Measured(latency_ms=spread, throughput=spread)


NEWEST = "dear unknown cheap"
ORDERS = {
    None: NEWEST,
    "newest": NEWEST,
    "pricing-low-to-high": "cheap dear unknown",
    "pricing-high-to-low": "dear cheap unknown",
    "context-high-to-low": "dear cheap unknown",
    "throughput-high-to-low": "dear cheap unknown",
    "latency-low-to-high": "dear cheap unknown",
    "most-popular": NEWEST,
    "top-weekly": NEWEST,
    "intelligence-high-to-low": NEWEST,
    "coding-high-to-low": NEWEST,
    "agentic-high-to-low": NEWEST,
    "design-arena-elo-high-to-low": NEWEST,
}


@pytest.mark.parametrize(("sort", "order"), ORDERS.items())
def test_the_order_asked_for(sort: Sort | None, order: str) -> None:
    found = in_order(listed(shown()), sort, measured)
    assert [each.row.id for each in found] == [f"x/{name}" for name in order.split()]


def test_every_order_there_is_was_tried() -> None:
    assert {*get_args(Sort), None} == ORDERS.keys()


def test_without_figures_speed_leaves_the_order_as_it_is() -> None:
    rows = listed(shown())
    assert in_order(rows, "throughput-high-to-low", lambda _: Measured()) == rows
