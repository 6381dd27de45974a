"""How a provider is reached, and what it lets requests in by. What is sent there is `attempt`'s."""

from typing import Protocol

from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Provider
from dragoman.net.types import Request, Transport
from dragoman.providers.dialect import Dialect

Headers = tuple[tuple[str, str], ...]

SECRET_HEADERS = frozenset({"api-key", "x-api-key", "x-goog-api-key"})
"""Ways to let in that are the name of the header with the secret."""


class Signer(Protocol):
    """Has requests let in by a signature, or by a token that is fetched for a credential."""

    async def signed(self, request: Request, credential: Credential) -> Request:
        """Return the request with what lets it in. Raises AttemptFailed."""

    def refused(self, request: Request, credential: Credential) -> bool:
        """Take note that a host did not let this signed request in, for want of who sent it.

        What was kept for the credential is forgotten, but for what is new: another of it would
        be no better. Say whether it is of use to have the request signed again.
        """


class Line(Struct, frozen=True, kw_only=True):
    """How a provider is reached: its row, its dialect, what carries the bytes.

    Headers of the installation's credentials are made once; those of accounts are not kept.
    """

    provider: Provider
    dialect: Dialect
    transport: Transport
    signer: Signer | None = None
    """Who has a request let in, where no header that stays the same does."""
    authorized: dict[str, Headers] = {}
    """The headers that let in, by the id of the credential; one id has one secret."""

    def __repr__(self) -> str:
        return f"Line({self.provider.slug})"  # what lets in is not for logs

    def authorization(self, credential: Credential | None) -> Headers:
        """Return the headers that the provider lets in with."""
        if credential is None:
            return ()
        headers = self.authorized.get(credential.id)
        if headers is None:
            headers = authorization(self.provider, credential)
            self.authorized[credential.id] = headers
        return headers


def authorization(provider: Provider, credential: Credential) -> Headers:
    """Return the headers that a provider lets in with, made of a credential."""
    if provider.auth == "none":
        return ()
    secret = credential.secret.reveal()
    if provider.auth in SECRET_HEADERS:
        return ((provider.auth, secret),)
    return (("Authorization", f"Bearer {secret}"),)
