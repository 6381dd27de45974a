"""Finding what a caller meant."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog import names
from dragoman.catalog.names import letters, nearest, provider_slug
from dragoman.catalog.types import Catalog

IDS = (
    "openai/gpt-4o", "openai/gpt-4o-mini", "openai/gpt-4.1", "anthropic/claude-sonnet-4.5",
    "anthropic/claude-haiku-4.5", "meta-llama/llama-3.3-70b-instruct", "mistralai/mistral-large",
    "deepseek/deepseek-v3", "x-ai/grok-4",
)  # fmt: skip
CATALOG = Catalog(
    models={},
    providers={},
    provider_names={
        "together": "together", "together ai": "together", "a/b cloud": "ab", "ab": "ab",
    },
)  # fmt: skip


@pytest.mark.parametrize(
    ("name", "best"),
    [
        ("openai/gpt4o", "openai/gpt-4o"),
        ("gpt-4o", "openai/gpt-4o"),
        ("GPT-4O-MINI", "openai/gpt-4o-mini"),
        ("opnai/gpt-4.1", "openai/gpt-4.1"),
        ("claude sonnet 4.5", "anthropic/claude-sonnet-4.5"),
        ("antropic/claude-haiku", "anthropic/claude-haiku-4.5"),
        ("llama-3.3-70b", "meta-llama/llama-3.3-70b-instruct"),
        ("mistral/mistral-large", "mistralai/mistral-large"),
        ("xai/grok4", "x-ai/grok-4"),
    ],
)
def test_a_slip_of_the_pen_is_understood(name: str, best: str) -> None:
    assert nearest(name, IDS)[0] == best


def test_a_name_without_an_author_is_not_drawn_to_short_authors() -> None:
    assert nearest("gpt-4o", ("xy/gpt-4", "openai/gpt-4o"), 1) == ("openai/gpt-4o",)


def test_the_right_one_is_found_among_thousands() -> None:
    crowd = [f"author-{i % 97}/model-{i}" for i in range(5_000)]
    assert nearest("openai/gpt4o", [*crowd, *IDS])[0] == "openai/gpt-4o"


@given(st.text(max_size=80), st.lists(st.text(max_size=30), unique=True, max_size=40))
def test_there_are_always_as_many_as_wanted_or_all(name: str, ids: list[str]) -> None:
    found = nearest(name, ids)
    assert len(found) == min(3, len(ids))
    assert len(set(found)) == len(found)
    assert set(found) <= set(ids)
    assert nearest(name, reversed(ids)) == found


def test_what_is_known_of_names_is_not_found_out_again(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {id_: names.letters(id_) for id_ in IDS}
    read: list[str] = []

    def reading(text: str) -> int:
        read.append(text)
        return letters(text)

    monkeypatch.setattr(names, "letters", reading)
    assert nearest("openai/gpt4o", IDS, known=known) == nearest("openai/gpt4o", IDS)
    assert read == ["openai/gpt4o", "openai/gpt4o", *IDS]


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("together", "together"),
        (" Together AI ", "together"),
        ("TOGETHER/Turbo", "together/turbo"),
        ("A/B Cloud", "ab"),
        ("ab/eu/west", "ab/eu/west"),
        ("together/", None),
        ("gather", None),
        ("", None),
        ("/turbo", None),
    ],
)
def test_a_provider_is_known_by_slug_name_and_alias_in_any_case(
    name: str, slug: str | None
) -> None:
    assert provider_slug(CATALOG, name) == slug
