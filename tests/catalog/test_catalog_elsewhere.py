"""Providers that are known for their names only."""

from typing import Any, get_args

import pytest
from openrouter.components import ProviderName

from dragoman.catalog import shipped
from dragoman.catalog.elsewhere import ELSEWHERE, elsewhere_slug
from dragoman.catalog.hosts import names

HERE = {name for row in shipped.load().providers.values() for name in names(row)}


def words(union: Any) -> list[str]:
    """Return the words that a union of literals allows."""
    return [
        one
        for part in get_args(union)
        for one in ([part] if isinstance(part, str) else words(part))
    ]


def test_every_provider_of_the_official_sdk_is_known() -> None:
    told = words(ProviderName)
    assert len(told) > 100
    assert [name for name in told if name.lower() not in HERE | ELSEWHERE.keys()] == []


def test_who_is_elsewhere_is_not_here() -> None:
    assert HERE.isdisjoint(ELSEWHERE)
    assert HERE.isdisjoint(ELSEWHERE.values())


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("Fish Audio", "fish-audio"),
        ("fish-audio", "fish-audio"),
        ("Krea/eu", "krea/eu"),
        ("krea/", "krea"),
        ("openai", None),
        ("", None),
    ],
)
def test_slugs_are_names_in_lower_case_with_dashes(name: str, slug: str | None) -> None:
    assert elsewhere_slug(name) == slug
