"""The section `catalog:` of `dragoman.yaml`: where a newer catalog comes from, and how often.

Nothing is fetched unless an address is set. What a catalog holds is defined in
`dragoman.catalog`; hosts and names of one's own are sections of their own.
"""

from typing import Annotated

from msgspec import Meta, Struct


class CatalogOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the catalog of a running gateway is kept up to date."""

    refresh_url: str | None = None
    """An https address, or a file, of a catalog in the form of the shipped one."""
    refresh_hours: Annotated[float, Meta(ge=0.1, le=8760)] = 24.0
    discover_minutes: Annotated[float, Meta(ge=0.1, le=10080)] = 5.0
    """How often configured hosts are asked which models they serve."""
