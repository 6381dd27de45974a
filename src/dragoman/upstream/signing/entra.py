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
from typing import Final
from urllib.parse import urlencode

import msgspec
from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.net.types import Limits, NetError, Request, Transport
from dragoman.providers.dialect import Fault, Kind
from dragoman.upstream.faults import AttemptFailed, nonsense, of_net
from dragoman.upstream.signing import optional
from dragoman.upstream.signing.given import PRINTED, Unusable, check, members
from dragoman.upstream.signing.kept import Kept

OWN: Final = "byok:"
"""How ids of accounts' own credentials begin."""
AUTHORITY: Final = "https://login.microsoftonline.com"
SCOPE: Final = "https://cognitiveservices.azure.com/.default"
LIFE_S: Final = 3599.0
"""How long a token is good if nothing is said: about an hour."""
MARGIN_S: Final = 300.0
"""A token is used no longer than until so many seconds before its end."""
LIMITS: Final = Limits(head_s=10.0, idle_s=10.0, body_bytes=64 * 1024)

_FORM = (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"))
_REFUSED = frozenset({400, 401, 403})
_TENANT = re.compile(r"[A-Za-z0-9.-]{1,128}")
_RULES = {"tenant_id": _TENANT, "client_id": _TENANT, "client_secret": PRINTED}


class Application(Struct, frozen=True):
    """What an application says of itself to get a token."""

    tenant_id: str
    client_id: str
    client_secret: str

    def __repr__(self) -> str:
        return f"Application({self.client_id})"


class _Granted(Struct):
    access_token: str
    expires_in: float = LIFE_S


class _Denied(Struct):
    error: str = ""
    error_description: str = ""


_granted = msgspec.json.Decoder(_Granted).decode
_denied = msgspec.json.Decoder(_Denied).decode


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

        async def fetch() -> tuple[str, float]:
            return await self._fetch(credential)

        token = await self._tokens.get(credential.secret, fetch)
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
        body = await self._asked(application, credential)
        try:
            granted = _granted(body)
        except (ValueError, RecursionError):
            raise AttemptFailed(nonsense("the token server's answer is no token")) from None
        return _text(granted.access_token), granted.expires_in - MARGIN_S

    def _known(self, credential: Credential) -> Application | None:
        """Return the application that the credential or the environment names, None for none."""
        text = credential.secret.reveal()
        environ = self._environ
        if text:
            try:
                return application(text)
            except Unusable as unusable:
                raise AttemptFailed(_refused(credential, str(unusable))) from None
        if credential.id.startswith(OWN):
            raise AttemptFailed(_refused(credential, "it is empty"))
        found = Application(
            environ.get("AZURE_TENANT_ID", ""),
            environ.get("AZURE_CLIENT_ID", ""),
            environ.get("AZURE_CLIENT_SECRET", ""),
        )
        if not (found.tenant_id and found.client_id and found.client_secret):
            return None
        if not _TENANT.fullmatch(found.tenant_id):
            raise AttemptFailed(_refused(credential, "its tenant_id is none"))
        return found

    async def _looked_up(self, credential: Credential) -> tuple[str, float]:
        try:
            found = await asyncio.to_thread(optional.of_azure, SCOPE)
        except OSError as error:
            raise AttemptFailed(_refused(credential, str(error))) from error
        if found is None:
            names = "AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET"
            raise AttemptFailed(_refused(credential, f"set {names}, or install dragoman[azure]"))
        return _text(found.text), found.ends - self._clock.wall() - MARGIN_S

    async def _asked(self, application: Application, credential: Credential) -> bytes:
        """Return the body of a success; asks again if a kept connection died unused."""
        form = {
            "grant_type": "client_credentials",
            "client_id": application.client_id,
            "client_secret": application.client_secret,
            "scope": SCOPE,
        }
        url = f"{self._authority}/{application.tenant_id}/oauth2/v2.0/token"
        request = Request(method="POST", url=url, headers=_FORM, body=urlencode(form).encode())
        try:
            status, body = await self._send(request)
        except NetError as error:
            if not error.reused:
                raise AttemptFailed(of_net(error)) from error
            try:
                status, body = await self._send(request)
            except NetError as again:
                raise AttemptFailed(of_net(again)) from again
        if status == 200:
            return body
        if status not in _REFUSED:
            raise AttemptFailed(nonsense(f"the token server answered {status}", status))
        said = _reason(body)
        detail = said.error_description or said.error or f"HTTP {status}"
        raise AttemptFailed(_refused(credential, detail, said.error or "credential", status))

    async def _send(self, request: Request) -> tuple[int, bytes]:
        response = await self._transport.send(request, LIMITS)
        try:
            return response.status, await response.read()
        finally:
            response.close()


def application(text: str) -> Application:
    """Return what the JSON of an application says. Raises Unusable."""
    found = members(text, Application.__struct_fields__, ())
    check(found, _RULES)
    return Application(**found)


def _text(token: str) -> str:
    if not token or not token.isascii() or not token.isprintable():
        raise AttemptFailed(nonsense("the token server's token is no text"))
    return token


def _reason(body: bytes) -> _Denied:
    try:
        return _denied(body)
    except (ValueError, RecursionError):
        return _Denied()


def _refused(
    credential: Credential, detail: str, code: str = "credential", status: int | None = None
) -> Fault:
    return Fault(
        kind=Kind.CREDENTIAL,
        error_type="provider_unavailable",
        message=f"no access token for the credential from {credential.source}: {detail[:500]}",
        status=status,
        code=code[:64],
    )
