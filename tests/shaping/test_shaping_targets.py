"""The models that a request names: spelling, variants, aliases, and what nobody knows."""

import re
from collections import Counter
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.catalog.ask import Target
from dragoman.catalog.types import Catalog
from dragoman.core.errors import AVAILABILITY_DOCS_URL, GatewayError, InvalidRequest
from dragoman.core.notes import Change
from dragoman.shaping import targets
from dragoman.shaping.targets import Meanings, Targets, Wants, find_targets
from dragoman.wire.preferences import Preferences, SortBy
from tests.shaping.calls import CATALOG, endpoint

NONE_HERE = " None of these can be called here; GET /api/v1/models lists what can."


def found(*names: str, rng: Random | None = None) -> Targets:
    return find_targets(names, Wants(catalog=CATALOG), rng or Random(7))


@pytest.mark.parametrize(
    ("name", "model", "free", "sort"),
    [
        ("acme/turbo", "acme/turbo", False, None),
        ("acme/turbo:free", "acme/turbo", True, None),
        ("acme/turbo:nitro", "acme/turbo", False, "throughput"),
        ("acme/turbo:floor", "acme/turbo", False, "price"),
        ("acme/turbo:exacto", "acme/turbo", False, "exacto"),
        ("acme/turbo:free:nitro", "acme/turbo", True, "throughput"),
        ("acme/turbo:NITRO", "acme/turbo", False, "throughput"),
        ("acme/turbo:free:free", "acme/turbo", True, None),
        ("ACME/Turbo", "acme/turbo", False, None),
        ("bolt/max:floor", "Bolt/Max", False, "price"),
        ("acme/turbo:thinking", "acme/turbo:thinking", False, None),
        ("acme/turbo:thinking:free", "acme/turbo:thinking", True, None),
        ("local/llama3:8b", "local/llama3:8b", False, None),
        ("local/llama3:8B:nitro", "local/llama3:8b", False, "throughput"),
        ("acme/turbo:beta", "acme/turbo", False, None),
        ("mini:floor", "acme/mini", False, "price"),
        ("acme/old:free", "acme/mini", True, None),
        ("former", "acme/mini", False, "price"),
        ("~acme/turbo-latest:nitro", "acme/turbo", False, "throughput"),
    ],
)
def test_a_name_means_a_model_and_variants(
    name: str, model: str, *, free: bool, sort: SortBy | None
) -> None:
    assert found(name).targets == (Target(asked=name, model=model, free=free, sort=sort),)


@pytest.mark.parametrize(
    ("names", "strategy"),
    [
        (("acme/turbo",), "direct"),
        (("acme/turbo:nitro",), "direct"),
        (("acme/turbo:free",), "free"),
        (("fast",), "alias"),
        (("fast:free",), "alias"),
        (("acme/old",), "alias"),
        (("acme/old:free",), "alias"),
        (("gpt-4o",), "alias"),
        (("ACME/turbo",), "direct"),
        (("~acme/turbo-latest",), "latest"),
        (("acme/mini", "acme/old"), "direct"),
        (("acme/turbo", "acme/mini"), "fallback"),
        (("fast", "openai/gpt-4o"), "fallback"),
        (("acme/turbo", "acme/turbo:nitro"), "direct"),
        (("acme/turbo", "acme/turbo:free"), "fallback"),
    ],
)
def test_the_strategy_is_openrouters_word(names: tuple[str, ...], strategy: str) -> None:
    assert found(*names).strategy == strategy


def test_what_was_made_beforehand_serves_to_say_what_was_meant(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    unlike = dict.fromkeys((*CATALOG.models, *CATALOG.aliases), 0b1000)
    catalog = structs.replace(CATALOG, letters={**unlike, "acme/mini": 0b111})
    monkeypatch.setattr("dragoman.catalog.names.letters", lambda _: 0b111)
    monkeypatch.setattr("dragoman.catalog.names.SHORTLIST", 1)
    with pytest.raises(InvalidRequest) as caught:
        find_targets(("nobody/knows",), Wants(catalog=catalog), Random(7))
    assert "acme/mini" in caught.value.message


def test_models_stay_in_their_order() -> None:
    targets = found("acme/mini", "openai/gpt-4o", "acme/turbo").targets
    assert [each.model for each in targets] == ["acme/mini", "openai/gpt-4o", "acme/turbo"]


def test_of_two_names_for_the_same_endpoints_the_first_stays_and_the_other_is_noted() -> None:
    both = found("acme/turbo:floor", "acme/turbo:nitro")
    assert [each.asked for each in both.targets] == ["acme/turbo:floor"]
    assert [(note.change, note.field) for note in both.notes] == [(Change.DROPPED, "models")]
    assert both.notes[0].detail == (
        "acme/turbo:nitro means the same endpoints as acme/turbo:floor, which comes first"
    )


def test_an_alias_is_drawn_by_weight() -> None:
    rng = Random(7)
    drawn = Counter(found("fast", rng=rng).targets[0].model for _ in range(4_000))
    assert drawn["acme/turbo"] / drawn["acme/mini"] == pytest.approx(3, rel=0.1)


def test_an_alias_takes_variants_from_both_sides_and_is_noted() -> None:
    aliased = found("Cheap:free")
    assert aliased.targets == (
        Target(asked="Cheap:free", model="acme/mini", free=True, sort="price"),
    )
    assert [(note.change, note.field, note.detail) for note in aliased.notes] == [
        (Change.RESOLVED, "model", "Cheap:free stands for acme/mini")
    ]


def test_an_alias_of_models_that_are_gone_says_which() -> None:
    with pytest.raises(InvalidRequest) as caught:
        found("gone")
    assert caught.value.message == (
        "gone is not a valid model ID: no such model as gone/model, gone/other"
    )


@pytest.mark.parametrize(
    ("name", "details"),
    [
        ("acme/turbo", []),
        ("acme/turbo:nitro", []),
        ("ACME/turbo:nitro", ["ACME/turbo:nitro is spelled acme/turbo"]),
        ("gpt-4o", ["gpt-4o is spelled openai/gpt-4o"]),
        ("acme/old:beta", ["acme/old:beta leads to acme/mini (2026-07: retired)"]),
        ("former", ["former stands for acme/mini"]),
        ("~acme/turbo-latest", ["~acme/turbo-latest is acme/turbo at present"]),
        (
            "gpt-4o:online",
            [
                "gpt-4o:online is spelled openai/gpt-4o",
                "gpt-4o:online asks for web search, which has no effect in this version",
            ],
        ),
        (
            "acme/turbo:online",
            ["acme/turbo:online asks for web search, which has no effect in this version"],
        ),
    ],
)
def test_a_note_is_made_only_of_what_was_changed(name: str, details: list[str]) -> None:
    assert [note.detail for note in found(name).notes] == details


@pytest.mark.parametrize(
    "name",
    [
        "acme/fake-1.0", "a", "../../x", "acme/turbo:weird", "acme/mini:thinking", "acme/turbo:",
        ":free", "acme/turbo:extended", "acme/turbo:batch", "acme/turbo:free:weird", "x" * 256,
    ],
)  # fmt: skip
def test_a_name_that_is_no_models_is_refused_in_openrouters_words(name: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        found(name)
    error = caught.value
    assert error.message.startswith(f"{name} is not a valid model ID. Did you mean ")
    assert error.message.endswith("?")
    assert error.availability is not None
    assert error.availability.code == "model_not_found"
    assert error.availability.requested_models == (name,)
    assert error.availability.docs_url == AVAILABILITY_DOCS_URL
    assert len(error.availability.fallback_models) == 3


def test_a_family_without_a_newest_model_is_a_bad_request() -> None:
    with pytest.raises(InvalidRequest) as caught:
        found("~acme/trubo-latest")
    assert caught.value.message == (
        "~acme/trubo-latest is not a valid model ID. Did you mean ~acme/turbo-latest?"
    )


def test_an_unknown_variant_is_answered_with_the_model_it_was_put_on() -> None:
    with pytest.raises(InvalidRequest) as caught:
        found("openai/gpt-4o:weird")
    assert caught.value.availability is not None
    assert caught.value.availability.fallback_models[0] == "openai/gpt-4o"


def test_an_unknown_fallback_is_named_among_all_that_were_asked_for() -> None:
    with pytest.raises(InvalidRequest, match=r"^acme/trubo is not a valid model ID") as caught:
        found("acme/turbo", "acme/trubo")
    assert caught.value.availability is not None
    assert caught.value.availability.requested_models == ("acme/turbo", "acme/trubo")
    assert caught.value.availability.fallback_models[0] == "acme/turbo"


def test_what_cannot_be_called_here_is_named_but_is_nothing_to_fall_back_on() -> None:
    dear, near = "acme/turbo", "acme/turbo-2"
    endpoints = {dear: endpoint(dear, configured=False), near: endpoint(near)}
    models = {id_: structs.replace(CATALOG.models[dear], id=id_, endpoints=(each,))
              for id_, each in endpoints.items()}  # fmt: skip
    for known, last in ((models, ""), ({dear: models[dear]}, NONE_HERE)):
        wants = Wants(catalog=structs.replace(CATALOG, models=known, aliases={}))
        with pytest.raises(InvalidRequest) as caught:
            find_targets(("acme/trubo",), wants, Random(7))
        assert caught.value.message.endswith(f"Did you mean {', '.join(known)}?{last}")
        assert caught.value.availability is not None
        assert caught.value.availability.fallback_models == (() if last else (near,))


def test_what_answers_otherwise_than_asked_is_nothing_to_fall_back_on() -> None:
    chats, embeds = "acme/turbo", "acme/turbo-embed"
    rows = {id_: structs.replace(endpoint(id_), outputs=frozenset({puts_out}))
            for id_, puts_out in ((chats, "text"), (embeds, "embeddings"))}  # fmt: skip
    models = {id_: structs.replace(CATALOG.models[chats], id=id_, endpoints=(each,))
              for id_, each in rows.items()}  # fmt: skip
    for outputs, left in (({"text"}, chats), ({"embeddings"}, embeds)):
        wants = Wants(
            catalog=structs.replace(CATALOG, models=models, aliases={}), outputs=frozenset(outputs)
        )
        with pytest.raises(InvalidRequest, match=f"Did you mean {chats}, {embeds}\\?$") as caught:
            find_targets(("acme/trubo",), wants, Random(7))
        assert caught.value.availability is not None
        assert caught.value.availability.fallback_models == (left,)


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("@preset/mine", "there are no presets in this version"),
        ("acme/turbo@preset/mine", "there are no presets in this version"),
        ("openrouter/auto", "of OpenRouter's routers this version has openrouter/free alone"),
        (
            "openrouter/auto:online",
            "of OpenRouter's routers this version has openrouter/free alone",
        ),
    ],
)
def test_what_only_openrouter_has_is_told_instead_of_guessed_at(name: str, why: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        found(name)
    assert caught.value.message == f"{name} is not a valid model ID: {why}"
    assert caught.value.availability is not None
    assert caught.value.availability.fallback_models == ()


def test_an_alias_is_something_to_fall_back_on() -> None:
    with pytest.raises(InvalidRequest) as caught:
        found("fats")
    assert caught.value.availability is not None
    assert caught.value.availability.fallback_models[0] == "fast"


def test_an_empty_catalog_has_nothing_to_suggest() -> None:
    with pytest.raises(InvalidRequest) as caught:
        find_targets(("acme/turbo",), Wants(catalog=Catalog(models={}, providers={})), Random(7))
    assert caught.value.message == "acme/turbo is not a valid model ID"


def test_contradictory_variants_are_refused() -> None:
    with pytest.raises(InvalidRequest) as caught:
        found("acme/turbo:nitro:floor")
    assert caught.value.message == (
        "acme/turbo:nitro:floor is not a valid model ID: :floor and :nitro contradict each other"
    )


@given(st.text(max_size=40) | st.text(alphabet="acme/turbo:free", max_size=20))
def test_any_text_is_a_model_or_a_bad_request(name: str) -> None:
    with suppress(InvalidRequest):
        assert found(name).targets[0].model in CATALOG.models


MEANINGS_NAMES = st.lists(
    st.sampled_from(
        ["acme/turbo", "acme/turbo:nitro", "ACME/turbo", "acme/old", "fast", "cheap:free", "gone",
         "~acme/turbo-latest", "openrouter/free", "acme/mini:free", "nobody/knows"]
    ),
    min_size=1,
    max_size=3,
    unique=True,
)  # fmt: skip


@given(st.lists(MEANINGS_NAMES, min_size=1, max_size=5), st.sampled_from([(), ("acme",)]))
def test_remembered_names_mean_what_they_meant(
    requests: list[list[str]], only: tuple[str, ...]
) -> None:
    meanings, wants = Meanings(), Wants(catalog=CATALOG, preferences=Preferences(only=only))
    for number, names in enumerate(requests * 2):
        asked = tuple(names)
        try:
            expected = find_targets(asked, wants, Random(number))
        except GatewayError as error:
            with pytest.raises(type(error), match=re.escape(str(error))):
                meanings.of(asked, wants, Random(number))
            continue
        assert meanings.of(asked, wants, Random(number)) == expected


def test_a_fixed_meaning_is_looked_up_once_in_a_catalog() -> None:
    meanings = Meanings()
    first = meanings.of(("acme/turbo",), Wants(catalog=CATALOG), Random(7))
    assert meanings.of(("acme/turbo",), Wants(catalog=CATALOG), Random(7)) is first
    plain, only = Preferences(), Preferences(only=("acme",))
    assert meanings.known(("acme/turbo",), CATALOG, plain) is first
    assert meanings.known(("acme/turbo",), CATALOG, only) is None
    assert meanings.known(("acme/mini",), CATALOG, plain) is None
    anew = structs.replace(CATALOG)
    assert meanings.known(("acme/turbo",), anew, plain) is None
    assert meanings.of(("acme/turbo",), Wants(catalog=anew), Random(7)) is not first


def test_meanings_are_remembered_within_bounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "MOST_REMEMBERED", 3)
    meanings, wants = Meanings(), Wants(catalog=CATALOG)
    for number in range(1, 10):
        meanings.of(("acme/turbo",) * number, wants, Random(7))
    known = [
        number
        for number in range(1, 10)
        if meanings.known(("acme/turbo",) * number, CATALOG, wants.preferences)
    ]
    assert known == [7, 8, 9]
