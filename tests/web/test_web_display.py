"""The lists of a catalog: made once for all who ask at once, and apart from the event loop."""

import asyncio
import threading
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from msgspec import structs

from dragoman.catalog import listing
from dragoman.web import display
from dragoman.web.display import models_page
from dragoman.web.responses import json_page
from tests.catalog.models import model_rows
from tests.web.plane import Plane


def watched(seen: list[threading.Thread], work: Callable[..., Any]) -> Callable[..., Any]:
    """Return what does the same, and notes in which thread."""

    def watching(*given: Any, **named: Any) -> Any:
        seen.append(threading.current_thread())
        return work(*given, **named)

    return watching


async def test_a_crowd_that_comes_first_shares_one_list(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    lists: list[threading.Thread] = []
    pages: list[threading.Thread] = []
    monkeypatch.setattr(listing, "listed", watched(lists, listing.listed))
    monkeypatch.setattr(display, "models_page", watched(pages, models_page))
    paths = ["/v1/models", "/v1/models?q=turbo", "/v1/models/count"] * 10
    answers = await asyncio.gather(*(plane.get(path) for path in paths))
    assert {answer.status for answer in answers} == {200}
    assert (len(lists), len(pages)) == (1, 1)


async def test_a_list_that_could_not_be_made_is_made_again(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.delattr(listing, "listed")
        with pytest.raises(AttributeError):
            await plane.get("/v1/models")
    assert (await plane.get("/v1/models")).status == 200


@pytest.mark.parametrize(
    "path",
    [
        "/v1/models",
        "/v1/models?q=turbo",
        "/v1/models?sort=latency-low-to-high",
        "/v1/models?use_rss=true",
        "/v1/endpoints/zdr",
    ],
)
async def test_no_list_is_made_where_streams_are_served(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    seen: list[threading.Thread] = []
    for module, name in (
        ("dragoman.catalog.listing", "listed"),
        ("dragoman.catalog.listing", "page"),
        ("dragoman.catalog.listing", "zdr_rows"),
        ("dragoman.web.display", "passing"),
        ("dragoman.web.display", "in_order"),
        ("dragoman.web.display", "page"),
        ("dragoman.web.display", "json_page"),
        ("dragoman.web.catalog_routes", "feed"),
        ("dragoman.web.catalog_routes", "models_page"),
    ):
        work = getattr(__import__(module, fromlist=[name]), name)
        monkeypatch.setattr(f"{module}.{name}", watched(seen, work))
    assert (await plane.get(path)).status == 200
    assert seen
    assert threading.main_thread() not in seen


async def test_what_was_seen_of_many_endpoints_is_asked_a_few_at_a_time(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(display, "MOST_EFFORT", 1)
    turns: list[None] = []

    async def others() -> None:
        while True:
            turns.append(None)
            await asyncio.sleep(0)

    (turbo,) = plane.catalog.models.values()
    endpoints = [structs.replace(turbo.endpoints[0], id=str(number)) for number in range(10)]
    for _ in range(3):
        plane.health.succeeded("7", 0.0, 0.5, 50.0)
    made = display.Shelf(plane.control).display()
    busy = asyncio.create_task(others())
    measure = await made.measured(endpoints)
    busy.cancel()
    assert len(turns) >= 10
    assert [id_ for id_ in map(str, range(10)) if measure(id_).latency_ms] == ["7"]


def test_a_page_of_models_is_the_same_json_row_by_row(plane: Plane) -> None:
    for catalog in (plane.catalog, structs.replace(plane.catalog, models={})):
        body = listing.page(model_rows(catalog), path='/x?q="data":[]')
        assert models_page(body) == json_page(body)
        assert msgspec.json.decode(models_page(body).body)["total_count"] == len(body.data)
