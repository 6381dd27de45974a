"""What a model's name stands for, in all the ways it can be written."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.lookup import FREE_ROUTER, Named, look_up
from dragoman.catalog.spellings import spellings, upstream_names
from dragoman.catalog.types import Alias, Catalog, Endpoint, Model, Provider, Renamed

MODELS = (
    "acme/turbo-4.5", "acme/turbo-4.5:thinking", "Bolt/Max", "acme/twin", "bolt/twin", "acme/dead",
    "house/llama3:8b",
)  # fmt: skip
ALIASES = {"Fast": Alias(name="Fast", targets=(("bolt/max", 1.0),))}
RENAMED = {
    name.lower(): Renamed(name=name, target="Bolt/Max", dated="2026-07", reason="retired")
    for name in ("acme/Old-1.5", "acme/dead", "gone/twin")
}


def endpoint(model: str, upstream: str, provider: str = "north", **changes: Any) -> Endpoint:
    return Endpoint(
        id=f"{provider}|{model}",
        model=model,
        provider=provider,
        provider_name=provider,
        tag=provider,
        upstream=upstream,
        price=None,
        **changes,
    )


def served(id_: str, *endpoints: Endpoint) -> Model:
    return Model(id=id_, name=id_, created=0, endpoints=endpoints)


def provider(slug: str, **fields: Any) -> Provider:
    return Provider(slug=slug, name=slug, dialect="openai", base_url="http://x", **fields)


PROVIDERS = {
    "north": provider("north", source="north-ai"),
    "south": provider("south"),
    "broker": provider("broker", kind="aggregator"),
}
HOSTED = (
    served("acme/turbo-4.5", endpoint("acme/turbo-4.5", "Turbo-4-5-2026.01")),
    served("Bolt/Max", endpoint("Bolt/Max", "org/MAX"), endpoint("Bolt/Max", "big", "broker")),
    served("acme/twin", endpoint("acme/twin", "twin-instruct")),
    served("bolt/twin", endpoint("bolt/twin", "twin-instruct", "south")),
    served("acme/dead", endpoint("acme/dead", "dead-free", free=True)),
    served("gone/host", endpoint("gone/host", "lost", "elsewhere")),
)
CATALOG = Catalog(
    models={id_: served(id_) for id_ in MODELS},
    providers=PROVIDERS,
    aliases=ALIASES,
    renamed=RENAMED,
    spellings=spellings(
        MODELS, ALIASES, (r.name for r in RENAMED.values()), upstream_names(HOSTED, PROVIDERS)
    ),
    latest={"~bolt/max-latest": "Bolt/Max"},
)


@pytest.mark.parametrize(
    ("name", "known", "how"),
    [
        ("acme/turbo-4.5", "acme/turbo-4.5", "exact"),
        ("acme/turbo-4.5:thinking", "acme/turbo-4.5:thinking", "exact"),
        ("Fast", "Fast", "exact"),
        ("ACME/Turbo-4.5", "acme/turbo-4.5", "case"),
        ("fast", "Fast", "case"),
        ("acme/turbo-4-5", "acme/turbo-4.5", "spelling"),
        ("Acme/TURBO-4-5:thinking", "acme/turbo-4.5:thinking", "spelling"),
        ("turbo-4.5", "acme/turbo-4.5", "spelling"),
        ("turbo-4-5", "acme/turbo-4.5", "spelling"),
        ("max", "Bolt/Max", "spelling"),
        ("llama3:8b", "house/llama3:8b", "spelling"),
        ("turbo-4-5-2026.01", "acme/turbo-4.5", "spelling"),
        ("acme/turbo-4-5-2026-01", "acme/turbo-4.5", "spelling"),
        ("north-ai/turbo-4-5-2026.01", "acme/turbo-4.5", "spelling"),
        ("org/max", "Bolt/Max", "spelling"),
        ("north-ai/org/max", "Bolt/Max", "spelling"),
        ("south/twin-instruct", "bolt/twin", "spelling"),
        ("acme/twin-instruct", "acme/twin", "spelling"),
        ("acme/old-1.5", "Bolt/Max", "renamed"),
        ("acme/old-1-5", "Bolt/Max", "renamed"),
        ("old-1.5", "Bolt/Max", "renamed"),
        ("acme/dead", "Bolt/Max", "renamed"),
        ("dead", "Bolt/Max", "renamed"),
        ("~bolt/max-latest", "Bolt/Max", "latest"),
        ("~Bolt/MAX-Latest", "Bolt/Max", "latest"),
        ("openrouter/free", FREE_ROUTER, "router"),
    ],
)
def test_a_name_stands_for_a_model_an_alias_or_a_router(name: str, known: str, how: str) -> None:
    named = look_up(name, CATALOG)
    assert named is not None
    assert (named.known, named.how, named.variants) == (known, how, ())


def test_a_renamed_id_says_since_when_and_why() -> None:
    assert look_up("acme/old-1.5:beta", CATALOG) == Named(
        "Bolt/Max", ("beta",), "renamed", "2026-07: retired"
    )


@pytest.mark.parametrize(
    ("name", "variants"),
    [
        ("acme/turbo-4.5:nitro", ("nitro",)),
        ("acme/turbo-4.5:thinking:FREE:floor", ("floor", "free")),
        ("openrouter/free:nitro", ("nitro",)),
        ("~bolt/max-latest:online", ("online",)),
    ],
)
def test_variants_are_taken_off_from_behind(name: str, variants: tuple[str, ...]) -> None:
    named = look_up(name, CATALOG)
    assert named is not None
    assert named.variants == variants


@pytest.mark.parametrize(
    "name",
    [
        "twin", "twin-instruct", "north-ai/big", "big", "dead-free", "lost", "acme/turbo-4.5:weird",
        "~acme/turbo-latest", "bolt/max-latest", "", ":free", "acme/",
    ],
)  # fmt: skip
def test_what_is_ambiguous_or_unknown_stands_for_nothing(name: str) -> None:
    assert look_up(name, CATALOG) is None


@given(st.permutations(MODELS))
def test_the_order_of_the_models_does_not_matter(order: list[str]) -> None:
    assert spellings(order, (), ()) == spellings(MODELS, (), ())


def test_a_stronger_way_of_writing_wins() -> None:
    index = spellings(
        ("a/x.y", "a/x-y", "b/z"), ("Z",), ("c/z", "d/v"), [("a/x-y", "b/z"), ("v", "b/z")]
    )
    assert index["a/x.y"] == "a/x.y"
    assert index["a/x-y"] == "a/x-y"
    assert "x-y" not in index
    assert index["z"] == "Z"
    assert index["v"] == "d/v"
