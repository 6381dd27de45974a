"""The sections `catalog:` and `accounts:` of `dragoman.yaml`.

No catalog is fetched unless an address is set. What a catalog holds is defined in
`dragoman.catalog`; hosts and names of one's own are sections of their own.
"""

from typing import Annotated

from msgspec import Meta, Struct

from dragoman.core.money import amount


class CatalogOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the catalog of a running gateway is kept up to date."""

    refresh_url: str | None = None
    """An https address, or a file, of a catalog in the form of the shipped one."""
    refresh_hours: Annotated[float, Meta(ge=0.1, le=8760)] = 24.0
    discover_minutes: Annotated[float, Meta(ge=0.1, le=10080)] = 5.0
    """How often configured hosts are asked which models they serve."""


class AccountsOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a new prepaid account begins with."""

    free_credit: Annotated[float, Meta(ge=0, le=10_000)] = 1.0
    """In USD."""

    def __post_init__(self) -> None:
        if self.free_credit:
            amount(self.free_credit)
