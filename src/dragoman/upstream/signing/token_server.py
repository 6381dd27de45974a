"""Asks a server of OAuth 2.0 for an access token (RFC 6749, 5)."""

from typing import Final

import msgspec
from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.net.types import Limits, NetError, Request, Transport
from dragoman.providers.dialect import Fault, Kind
from dragoman.upstream.faults import AttemptFailed, nonsense, of_net

FORM: Final = (
    ("Content-Type", "application/x-www-form-urlencoded"),
    ("Accept", "application/json"),
)
LIFE_S: Final = 3600.0
"""How long a token is good if nothing is said."""
MARGIN_S: Final = 300.0
"""A token is used no longer than until so many seconds before its end."""
LIMITS: Final = Limits(head_s=10.0, idle_s=10.0, body_bytes=64 * 1024)

_REFUSED = frozenset({400, 401, 403})


class _Granted(Struct):
    access_token: str
    expires_in: float = LIFE_S


class _Denied(Struct):
    error: str = ""
    error_description: str = ""


_granted = msgspec.json.Decoder(_Granted).decode
_denied = msgspec.json.Decoder(_Denied).decode


async def ask(transport: Transport, request: Request, credential: Credential) -> tuple[str, float]:
    """Return a token, and for how many seconds it is to be used. Raises AttemptFailed.

    Asks again if a kept connection died unused.
    """
    try:
        status, body = await _send(transport, request)
    except NetError as error:
        if not error.reused:
            raise AttemptFailed(of_net(error)) from error
        try:
            status, body = await _send(transport, request)
        except NetError as again:
            raise AttemptFailed(of_net(again)) from again
    if status == 200:
        return _token_in(body)
    # A machine's metadata server, which is not sent anything, refuses by any status.
    if status not in _REFUSED and request.method == "POST":
        raise AttemptFailed(nonsense(f"the token server answered {status}", status))
    said = _reason(body)
    detail = said.error_description or said.error or f"HTTP {status}"
    raise AttemptFailed(no_token(credential, detail, said.error or "credential", status))


def checked(token: str) -> str:
    """Return a token that can stand in a header. Raises AttemptFailed for any other."""
    if not token or not token.isascii() or not token.isprintable():
        raise AttemptFailed(nonsense("the token server's token is no text"))
    return token


def no_token(
    credential: Credential, detail: str, code: str = "credential", status: int | None = None
) -> Fault:
    """Return the fault of a credential for which there is no token."""
    return Fault(
        kind=Kind.CREDENTIAL,
        error_type="provider_unavailable",
        message=f"no access token for the credential from {credential.source}: {detail[:500]}",
        status=status,
        code=code[:64],
    )


async def _send(transport: Transport, request: Request) -> tuple[int, bytes]:
    response = await transport.send(request, LIMITS)
    try:
        return response.status, await response.read()
    finally:
        response.close()


def _token_in(body: bytes) -> tuple[str, float]:
    try:
        granted = _granted(body)
    except (ValueError, RecursionError):
        raise AttemptFailed(nonsense("the token server's answer is no token")) from None
    return checked(granted.access_token), granted.expires_in - MARGIN_S


def _reason(body: bytes) -> _Denied:
    try:
        return _denied(body)
    except (ValueError, RecursionError):
        return _Denied()
