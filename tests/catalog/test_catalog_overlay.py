"""A refreshed catalog lies over the shipped one."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.assemble import Shipped
from dragoman.catalog.changes import Hold
from dragoman.catalog.errors import CatalogError
from dragoman.catalog.overlay import Refreshed, by_key, overlay
from dragoman.catalog.types import DatedPrice, Endpoint, Model, Price, Renamed
from dragoman.core.money import PicoUsd

CHEAP = Price(prompt=PicoUsd(1), completion=PicoUsd(2))
DEAR = Price(prompt=PicoUsd(100), completion=PicoUsd(200))


def endpoint(provider: str, model: str, upstream: str = "", **more: Any) -> Endpoint:
    return Endpoint(
        id=f"{provider}|{model}{':free' if more.get('free') else ''}",
        model=model,
        provider=provider,
        provider_name=provider.title(),
        tag=provider,
        upstream=upstream or model,
        **{"price": CHEAP, **more},
    )


def model(id_: str, *endpoints: Endpoint, **more: Any) -> Model:
    return Model(id=id_, name=id_, created=0, endpoints=endpoints, **more)


def laid(shipped: tuple[Model, ...], newer: tuple[Model, ...], **more: Any) -> dict[str, Model]:
    refreshed = Refreshed(models=newer, dated=1000, **more)
    rows = overlay(Shipped(providers={}, models=shipped), refreshed)
    return {row.id: row for row in rows.models}


def hold(of: Endpoint, asks: Price = DEAR) -> Hold:
    assert of.price is not None
    return Hold(
        endpoint=of.id,
        provider=of.provider,
        upstream=of.upstream,
        was=of.price,
        asks=asks,
        times=100.0,
        unit="prompt",
        free=of.free,
    )


def test_what_is_newer_counts_and_what_is_not_mentioned_stays() -> None:
    found = laid(
        (
            model("a/x", endpoint("p", "a/x"), endpoint("q", "a/x")),
            model("a/y", endpoint("p", "a/y")),
        ),
        (model("a/x", endpoint("p", "a/x", price=DEAR), description="new"),),
    )
    assert found["a/x"].description == "new"
    prices = {each.provider: each.price for each in found["a/x"].endpoints}
    assert prices == {"p": DEAR, "q": CHEAP}
    assert set(found) == {"a/x", "a/y"}


def test_a_new_model_joins() -> None:
    assert set(laid((), (model("a/x", endpoint("p", "a/x")),))) == {"a/x"}


def test_an_endpoint_moves_to_another_model_and_leaves_no_empty_one() -> None:
    found = laid(
        (model("a/old", endpoint("p", "a/old", "m")),),
        (model("a/new", endpoint("p", "a/new", "m")),),
    )
    assert set(found) == {"a/new"}


def test_an_upstream_that_was_renamed_takes_the_place_of_the_old_one() -> None:
    (each,) = laid(
        (model("a/x", endpoint("p", "a/x", "m-1")),), (model("a/x", endpoint("p", "a/x", "m-2")),)
    )["a/x"].endpoints
    assert each.upstream == "m-2"


def test_a_model_has_one_spelling_the_newer_one() -> None:
    found = laid(
        (model("a/X", endpoint("p", "a/X"), endpoint("q", "a/X", free=True)),),
        (model("a/x", endpoint("p", "a/x", "a/X")),),
    )
    assert [(each.id, each.model) for each in found["a/x"].endpoints] == [
        ("q|a/x:free", "a/x"),
        ("p|a/x", "a/x"),
    ]


def test_a_price_that_waits_leaves_the_old_one() -> None:
    old = endpoint("p", "a/x")
    found = laid(
        (model("a/x", old),),
        (model("a/x", endpoint("p", "a/x", price=DEAR, context=9)),),
        holds=(hold(old),),
    )
    (each,) = found["a/x"].endpoints
    assert (each.price, each.context) == (CHEAP, 9)


@pytest.mark.parametrize("was_free", [True, False])
def test_what_was_free_stays_free_while_it_waits_and_what_was_not_does_not(
    *, was_free: bool
) -> None:
    old, new = endpoint("p", "a/x", free=was_free), endpoint("p", "a/x", free=not was_free)
    (each,) = laid((model("a/x", old),), (model("a/x", new),), holds=(hold(old),))["a/x"].endpoints
    assert (each.id, each.free) == (old.id, was_free)


def test_a_price_announced_for_later_still_comes() -> None:
    due = DatedPrice(since=999, price=None)
    later = DatedPrice(since=2000, price=DEAR)
    old = endpoint("p", "a/x", upcoming=(due, later))
    new = endpoint("p", "a/x")
    (each,) = laid((model("a/x", old),), (model("a/x", new),))["a/x"].endpoints
    assert each.upcoming == (later,)
    (each,) = laid((model("a/x", old),), (model("a/x", new),), holds=(hold(old),))["a/x"].endpoints
    assert each.upcoming == (later,)


def test_announcements_of_the_newer_catalog_take_their_place() -> None:
    old = endpoint("p", "a/x", upcoming=(DatedPrice(since=2000, price=DEAR),))
    told = (DatedPrice(since=3000, price=None),)
    new = endpoint("p", "a/x", upcoming=told)
    (each,) = laid((model("a/x", old),), (model("a/x", new),))["a/x"].endpoints
    assert each.upcoming == told
    (each,) = laid((), (model("a/x", new),))["a/x"].endpoints
    assert each.upcoming == told


def renamed(name: str, target: str) -> Renamed:
    return Renamed(name=name, target=target, dated="2026-01", reason="so")


def test_names_are_laid_over_names_and_followed_to_their_end() -> None:
    rows = Shipped(
        providers={},
        models=(),
        renamed={"a/1": renamed("a/1", "a/2"), "a/3": renamed("a/3", "a/4")},
    )
    newer = {"a/2": renamed("a/2", "a/3"), "a/3": renamed("a/3", "a/5")}
    found = overlay(rows, Refreshed(models=(), dated=0, renamed=newer)).renamed
    assert {name: row.target for name, row in found.items()} == dict.fromkeys(
        ("a/1", "a/2", "a/3"), "a/5"
    )


def test_names_that_become_a_circle_are_refused() -> None:
    rows = Shipped(providers={}, models=(), renamed={"a/1": renamed("a/1", "a/2")})
    newer = {"a/2": renamed("a/2", "a/1")}
    with pytest.raises(CatalogError, match="circles"):
        overlay(rows, Refreshed(models=(), dated=0, renamed=newer))


MODELS = st.lists(
    st.tuples(st.sampled_from("pqr"), st.sampled_from(["a/x", "a/y", "a/z"])), unique=True
).map(
    lambda pairs: tuple(
        model(id_, *(endpoint(p, id_) for p, of in pairs if of == id_))
        for id_ in sorted({id_ for _, id_ in pairs})
    )
)


@given(MODELS, MODELS)
def test_no_endpoint_is_lost_or_doubled(
    shipped: tuple[Model, ...], newer: tuple[Model, ...]
) -> None:
    found = laid(shipped, newer)
    every = [each for row in found.values() for each in row.endpoints]
    assert {(each.provider, each.upstream) for each in every} == {
        *by_key(shipped),
        *by_key(newer),
    }
    assert len({each.id for each in every}) == len(every)
    assert laid(tuple(found.values()), newer).keys() == found.keys()
