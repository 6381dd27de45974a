"""Which endpoints lie in the `eu` or the `us`, as far as that is known.

A region that stands in an endpoint's tag decides. Otherwise an endpoint lies where all
data centres of its provider are; one elsewhere, or none known, and it lies nowhere.
"""

from collections.abc import Mapping

from dragoman.catalog.types import Endpoint, Provider

EU = frozenset(
    {
        "EU", "AT", "BE", "BG", "HR", "CY", "CZ", "DK", "EE", "FI", "FR", "DE", "GR", "HU",
        "IE", "IT", "LV", "LT", "LU", "MT", "NL", "PL", "PT", "RO", "SK", "SI", "ES", "SE",
    }
)  # fmt: skip
"""The member states by ISO 3166-1, and the union as a whole."""

REGIONS: Mapping[str, frozenset[str]] = {"eu": EU, "us": frozenset({"US"})}
"""Region -> the countries in which a data centre is in it."""

PREFIXES: Mapping[str, tuple[str, ...]] = {"eu": ("eu-", "europe"), "us": ("us-",)}
"""How the clouds name places within a region: `eu-west-1`, `europe-west4`, `us-east5`."""


def lies_in(region: str, endpoint: Endpoint, provider: Provider | None) -> bool:
    """Say whether prompts to `endpoint` are known to stay in `region`."""
    countries = REGIONS[region]
    if endpoint.region is not None:
        named = endpoint.region.lower()
        return named.upper() in countries or named.startswith(PREFIXES[region])
    places = provider.datacenters if provider else ()
    return bool(places) and all(place.upper() in countries for place in places)
