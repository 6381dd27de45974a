"""The section `stripe:` of `dragoman.yaml`: credit that is bought. Without it nothing can be."""

from decimal import Decimal
from typing import Annotated
from urllib.parse import urlsplit

from msgspec import Meta, Struct

from dragoman.net.addresses import literal

Text = Annotated[str, Meta(min_length=1, max_length=1000)]
Usd = Annotated[float, Meta(ge=0.5, le=100_000)]
"""Stripe's least charge in USD is half a dollar (its docs, "Minimum charge amount")."""
CENTS = 100


class StripeOptions(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An account at Stripe, what can be bought, and where buyers go afterwards."""

    secret_key: Text
    webhook_secret: Text
    """What Stripe signs its webhooks with: `whsec_...`, of the endpoint `/webhooks/stripe`."""
    success_url: Text
    cancel_url: Text | None = None
    """Where a buyer goes who did not pay; as `success_url` if left out."""
    amounts: Annotated[tuple[Usd, ...], Meta(min_length=1, max_length=50)] = (10.0, 25.0, 100.0)
    """In USD."""
    product: Annotated[str, Meta(min_length=1, max_length=100)] = "Credit"
    """What the buyer reads that it is."""
    api_base: Text = "https://api.stripe.com"

    def __post_init__(self) -> None:
        """Raise ValueError for parts of a cent, and for an address that gives secrets away."""
        for amount in self.amounts:
            if Decimal(str(amount)) * CENTS % 1:
                raise ValueError(f"`amounts`: {amount} is finer than a cent")
        if not self.api_base.startswith("https://") and not _is_here(self.api_base):
            raise ValueError("`api_base` is https, or on this machine")

    def __repr__(self) -> str:
        return f"StripeOptions(success_url={self.success_url!r}, …)"


def cents_of(amount: float) -> int:
    """Return an amount in USD in cents, of which it has no parts."""
    return int(Decimal(str(amount)) * CENTS)


def _is_here(url: str) -> bool:
    parts = urlsplit(url)
    address = literal(parts.hostname or "")
    return parts.scheme == "http" and address is not None and address.is_loopback
