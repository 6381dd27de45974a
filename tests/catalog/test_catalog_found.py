"""Which model a name means to those who read the catalog, and the rows of names that lead on."""

import pytest

from dragoman.catalog import listing
from dragoman.catalog.types import Alias, Renamed
from tests.catalog.models import CHEAP, FREE, body, catalog, endpoint, model, model_rows


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("meta-llama/llama-4-x", 2),
        ("Meta-Llama/LLAMA-4-X", 2),
        ("meta-llama/llama-4-x:nitro", 2),
        ("meta-llama/llama-4-x:free:online", 1),
        ("meta-llama/llama-4-x:mystery", None),
        ("meta-llama/llama-4-y", None),
        ("", None),
    ],
)
def test_a_model_is_found_in_any_case_and_with_variants(name: str, found: int | None) -> None:
    told = listing.find(catalog(model(endpoint("a", CHEAP), endpoint("a", FREE, free=True))), name)
    assert (len(told.endpoints) if told else None) == found


def test_a_model_without_a_free_tier_has_no_free_variant() -> None:
    assert listing.find(catalog(model(endpoint("a", CHEAP))), "meta-llama/llama-4-x:free") is None


def test_a_name_with_a_colon_of_its_own_is_found() -> None:
    told = catalog(model(endpoint("a", CHEAP), id="house/qwen3:8b"))
    assert listing.find(told, "house/qwen3:8b") is not None
    assert listing.find(told, "house/qwen3:8b:floor") is not None


@pytest.mark.parametrize(
    "name", ["fast", "FAST", "fast:nitro", "old/name", "~meta-llama/llama-latest"]
)
def test_a_name_that_leads_elsewhere_is_followed(name: str) -> None:
    id_ = "meta-llama/llama-4-x"
    old = Renamed(name="old/name", target=id_, dated="2026-01", reason="retired")
    told = catalog(
        model(endpoint("a", CHEAP)),
        aliases={"fast": Alias(name="fast", targets=(("x/gone", 1.0), (id_, 2.0)))},
        renamed={"old/name": old},
        latest={"~meta-llama/llama-latest": id_},
        spellings={"fast": "fast"},
    )
    found = listing.find(told, name)
    assert found is not None
    assert found.id == id_


@pytest.mark.parametrize("target", ["x/gone", "openrouter/free"])
def test_a_name_that_leads_to_no_model_is_none(target: str) -> None:
    alias = Alias(name="fast", targets=((target, 1.0),))
    told = catalog(model(endpoint("a", CHEAP)), aliases={"fast": alias})
    assert listing.find(told, "fast") is None
    assert len(model_rows(told)) == 1


def test_an_alias_is_listed_with_the_facts_of_its_first_target() -> None:
    free = endpoint("a", FREE, free=True)
    told = catalog(
        model(endpoint("a", CHEAP), free),
        aliases={
            "gift": Alias(name="gift", targets=(("meta-llama/llama-4-x:free", 1.0),)),
            "none": Alias(name="none", targets=(("x/gone", 1.0),)),
        },
        latest={"~meta-llama/llama-latest": "meta-llama/llama-4-x"},
    )
    rows = {row.id: body(row) for row in model_rows(told)}
    assert sorted(rows) == [
        "gift",
        "meta-llama/llama-4-x",
        "meta-llama/llama-4-x:free",
        "~meta-llama/llama-latest",
    ]
    assert rows["gift"]["alias_target"] == {
        "name": "Llama 4 X (free)",
        "slug": "meta-llama/llama-4-x:free",
    }
    assert (rows["gift"]["name"], rows["gift"]["pricing"]["prompt"]) == ("gift", "0")
    newest = rows["~meta-llama/llama-latest"]
    assert (newest["name"], newest["canonical_slug"]) == (
        "Llama 4 X (latest)",
        "meta-llama/llama-4-x",
    )
    assert "alias_target" not in rows["meta-llama/llama-4-x"]
