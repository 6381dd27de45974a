"""How a provider slug in `order`, `only` or `ignore` stands for endpoints.

A base slug (`deepinfra`) stands for every endpoint of the provider, a tag
(`deepinfra/turbo`) for that one (OpenRouter, provider-selection, "Targeting
Specific Provider Endpoints"). Case, display names and aliases are resolved before,
by `dragoman.shaping.preferences`; here slugs are spelled as in the catalog.
"""

from collections.abc import Container

from dragoman.catalog.types import Endpoint


def names(slug: str, endpoint: Endpoint) -> bool:
    """Say whether `slug` stands for `endpoint`."""
    return slug in (endpoint.provider, endpoint.tag)


def any_names(slugs: Container[str], endpoint: Endpoint) -> bool:
    """Say whether one of `slugs` stands for `endpoint`."""
    return endpoint.provider in slugs or endpoint.tag in slugs
