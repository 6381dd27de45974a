"""An account's own credential at a provider, in the form in which requests bring it along.

`dragoman.access` opens it with the caller's key, `dragoman.routing` gives it a place in the
plan, `dragoman.upstream` sends it. It is bound to the address that it was given for: where
the provider's row says another one, it is not used.
"""

from functools import lru_cache
from urllib.parse import urlsplit

from msgspec import Struct

from dragoman.catalog.hosts import Credential


class Byok(Struct, frozen=True, kw_only=True, eq=False):
    """One own credential. `origin` is where it may be sent; empty: it could not be opened.

    `fallback`: it comes after the installation's credentials instead of before them.
    `required`: the installation's are not used for this provider and the models it is for,
    `only`: nor for any other model. `models` are the ids it is for; none: all. `zdr` is
    whether the account at the provider keeps nothing; None: as the endpoint is known to.
    """

    credential: Credential
    origin: str
    fallback: bool = False
    required: bool = False
    only: bool = False
    zdr: bool | None = None
    models: frozenset[str] = frozenset()

    def serves(self, model: str) -> bool:
        """Say whether it is meant for a model."""
        return not self.models or model in self.models

    def rest_id(self, endpoint: str) -> str:
        """Return the name under which health knows that it rests at an endpoint."""
        return f"{endpoint}#{self.credential.id}"


@lru_cache(maxsize=1024)
def origin_of(base_url: str) -> str:
    """Return scheme, host and port of a provider's address, empty while it is not complete."""
    if "{" in base_url:
        return ""
    parts = urlsplit(base_url)
    return f"{parts.scheme}://{parts.netloc.lower()}" if parts.netloc else ""
