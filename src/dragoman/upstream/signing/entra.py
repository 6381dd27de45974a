"""Azure: an application's secret is exchanged for an access token of Microsoft Entra ID.

A credential is JSON (`tenant_id`, `client_id`, `client_secret`), or empty: then the environment
holds these (`AZURE_TENANT_ID`, …), or azure-identity finds a managed identity. What an account
brings along is never looked up here. Where tokens come from is fixed, or the operator's to say
(`AZURE_AUTHORITY_HOST`, for national clouds).

Source: learn.microsoft.com, "OAuth 2.0 client credentials flow on the Microsoft identity platform".
"""

import asyncio
import re
from collections.abc import Mapping
from functools import partial
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.net.types import Request, Transport
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.signing import optional
from dragoman.upstream.signing.given import PRINTED, Unusable, check, members
from dragoman.upstream.signing.kept import Kept
from dragoman.upstream.signing.token_server import FORM, MARGIN_S, ask, checked, no_token

OWN: Final = "byok:"
"""How ids of accounts' own credentials begin."""
AUTHORITY: Final = "https://login.microsoftonline.com"
SCOPE: Final = "https://cognitiveservices.azure.com/.default"

_TENANT = re.compile(r"[A-Za-z0-9.-]{1,128}")
_RULES = {"tenant_id": _TENANT, "client_id": _TENANT, "client_secret": PRINTED}


class Application(Struct, frozen=True):
    """What an application says of itself to get a token."""

    tenant_id: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Application({self.client_id})"


class EntraSigner:
    """Fulfils `Signer`. Fetches one token per credential at a time, and keeps it."""

    def __init__(self, transport: Transport, clock: Clock, environ: Mapping[str, str]) -> None:
        self._transport = transport
        self._clock = clock
        self._environ = environ
        self._tokens: Kept[str] = Kept(clock)
        self._authority = environ.get("AZURE_AUTHORITY_HOST", "").rstrip("/") or AUTHORITY

    async def signed(self, request: Request, credential: Credential) -> Request:
        """Return the request with a token. Raises AttemptFailed."""
        token = await self._tokens.get(credential.secret, partial(self._fetch, credential))
        headers = (*request.headers, ("Authorization", f"Bearer {token}"))
        return msgspec.structs.replace(request, headers=headers)

    def refused(self, request: Request, credential: Credential) -> bool:
        """Forget the token of a request that was not let in. Say whether another may do better."""
        said = request.headers[-1][1]
        return self._tokens.forget(credential.secret, lambda token: said == f"Bearer {token}")

    async def _fetch(self, credential: Credential) -> tuple[str, float]:
        """Return a new token and for how many seconds it is to be used."""
        application = self._known(credential)
        if application is None:
            return await self._looked_up(credential)
        return await ask(self._transport, self._asking(application), credential)

    def _known(self, credential: Credential) -> Application | None:
        """Return the application that the credential or the environment names, None for none."""
        text = credential.secret.reveal()
        environ = self._environ
        if text:
            try:
                return application(text)
            except Unusable as unusable:
                raise AttemptFailed(no_token(credential, str(unusable))) from None
        if credential.id.startswith(OWN):
            raise AttemptFailed(no_token(credential, "it is empty"))
        found = Application(
            environ.get("AZURE_TENANT_ID", ""),
            environ.get("AZURE_CLIENT_ID", ""),
            environ.get("AZURE_CLIENT_SECRET", ""),
        )
        if not (found.tenant_id and found.client_id and found.client_secret):
            return None
        if not _TENANT.fullmatch(found.tenant_id):
            raise AttemptFailed(no_token(credential, "its tenant_id is none"))
        return found

    async def _looked_up(self, credential: Credential) -> tuple[str, float]:
        try:
            found = await asyncio.to_thread(optional.of_azure, SCOPE)
        except OSError as error:
            raise AttemptFailed(no_token(credential, str(error))) from error
        if found is None:
            names = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
            raise AttemptFailed(no_token(credential, f"set {names}, or install dragoman[azure]"))
        return checked(found.text), found.ends - self._clock.wall() - MARGIN_S

    def _asking(self, application: Application) -> Request:
        """Return the request for a token."""
        form = {
            "grant_type": "client_credentials",
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "scope": SCOPE,
        }
        url = f"{self._authority}/{application.tenant_id}/oauth2/v2.0/token"
        return Request(method="POST", url=url, headers=FORM, body=urlencode(form).encode())


def application(text: str) -> Application:
    """Return what the JSON of an application says. Raises Unusable."""
    found = members(text, Application.__struct_fields__, ())
    check(found, _RULES)
    return Application(**found)
