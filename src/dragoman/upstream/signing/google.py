"""Google Cloud: a credential is exchanged for an access token, which is good for an hour.

A service account signs a JWT (RFC 7523; developers.google.com/identity/protocols/oauth2/
service-account), a user's refresh token is exchanged (RFC 6749, 6), a machine asks its metadata
server (cloud.google.com/compute/docs/access/authenticate-workloads). Where no credential is
given they are looked for in the order of Application Default Credentials. `google_files` reads
what they are.

Where tokens come from is fixed, and not taken from the credential: accounts bring their own.
"""

import asyncio
from base64 import urlsafe_b64encode
from collections import OrderedDict
from collections.abc import Mapping
from functools import lru_cache, partial
from urllib.parse import urlencode

import msgspec
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.core.secret import Secret
from dragoman.net.types import Limits, NetError, Request, Response, Transport
from dragoman.providers.dialect import Fault, Kind
from dragoman.upstream.faults import AttemptFailed, nonsense, of_net
from dragoman.upstream.signing.given import Unusable
from dragoman.upstream.signing.google_files import Key, load, of_project
from dragoman.upstream.signing.kept import FRESH_S

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
METADATA_HOST = "metadata.google.internal"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

LIFE_S = 3600
"""How long an assertion is good, and about how long a token is."""
MARGIN_S = 300.0
"""A token is used no longer than until so many seconds before its end."""
MOST_TOKENS = 1024
"""So many credentials' tokens are kept, those used last."""
MOST_BITS = 4096
"""Google's own keys have half as many; to sign with longer ones would hold up everybody."""
MOST_PEM = 4096
"""Characters of a private key: one of `MOST_BITS` has some 3300, and Google's own have half that.
To prove that its numbers are primes holds up everything, too: 36 ms for 2048 bits, 0.25 s for 4096
and 4 s for 8192."""
LIMITS = Limits(head_s=10.0, idle_s=10.0, body_bytes=64 * 1024)

_FORM = (("Content-Type", "application/x-www-form-urlencoded"), ("Accept", "application/json"))
_REFUSED = frozenset({400, 401, 403})


Headers = tuple[tuple[str, str], ...]


class _Token(Struct, frozen=True):
    """What lets in, since when and until when by the monotonic clock.

    `project`: whose models are called.
    """

    headers: Headers
    since: float
    until: float
    project: str | None


class _Granted(Struct):
    access_token: str
    expires_in: float = LIFE_S


class _Denied(Struct):
    error: str = ""
    error_description: str = ""


_granted = msgspec.json.Decoder(_Granted).decode
_denied = msgspec.json.Decoder(_Denied).decode
_encode = msgspec.json.Encoder().encode


class GoogleSigner:
    """Fulfils `Signer`. Fetches one token per credential at a time, and keeps it."""

    def __init__(
        self,
        transport: Transport,
        clock: Clock,
        environ: Mapping[str, str],
        token_url: str = TOKEN_URL,
    ) -> None:
        self._transport = transport
        self._clock = clock
        self._environ = environ
        self._token_url = token_url
        self._tokens: OrderedDict[Secret, _Token] = OrderedDict()
        self._fetching: dict[Secret, asyncio.Task[_Token]] = {}
        self._private = lru_cache(maxsize=MOST_TOKENS)(_private)

    async def signed(self, request: Request, credential: Credential) -> Request:
        """Return the request with a token; an account's own calls its own project.

        Raises AttemptFailed.
        """
        token = self._tokens.get(credential.secret)
        if token is None or self._clock.monotonic() >= token.until:
            token = await self._fetched(credential)
        else:
            self._tokens.move_to_end(credential.secret)
        url = request.url
        if token.project is not None:
            url = of_project(url, token.project)
        return msgspec.structs.replace(request, url=url, headers=request.headers + token.headers)

    def refused(self, request: Request, credential: Credential) -> bool:
        """Forget the token of a request that was not let in. Say whether another may do better."""
        token = self._tokens.get(credential.secret)
        if token is None or token.headers[0] not in request.headers:
            return True
        if self._clock.monotonic() - token.since < FRESH_S:
            return False
        del self._tokens[credential.secret]
        return True

    async def _fetched(self, credential: Credential) -> _Token:
        """Return a new token. Who stops waiting for it does not stop it for the others."""
        secret = credential.secret
        task = self._fetching.get(secret)
        if task is None:
            task = asyncio.create_task(self._fetch(credential))
            self._fetching[secret] = task
            task.add_done_callback(partial(self._done, secret))
        return await asyncio.shield(task)

    def _done(self, secret: Secret, task: asyncio.Task[_Token]) -> None:
        del self._fetching[secret]
        if task.cancelled() or task.exception() is not None:
            return
        self._tokens[secret] = task.result()
        self._tokens.move_to_end(secret)
        while len(self._tokens) > MOST_TOKENS:
            self._tokens.popitem(last=False)

    async def _fetch(self, credential: Credential) -> _Token:
        try:
            key = await load(credential, self._environ)
            request = self._asking(key)
        except Unusable as error:
            raise AttemptFailed(_refused(credential, str(error), "credential")) from None
        body = await self._asked(request, credential)
        try:
            granted = _granted(body)
        except (ValueError, RecursionError):
            raise AttemptFailed(nonsense("the token server's answer is no token")) from None
        if not granted.access_token.isascii() or not granted.access_token.isprintable():
            raise AttemptFailed(nonsense("the token server's token is no text"))
        headers: Headers = (("Authorization", f"Bearer {granted.access_token}"),)
        if key is not None and key.quota_project_id:
            headers += (("x-goog-user-project", key.quota_project_id),)
        now = self._clock.monotonic()
        return _Token(
            headers=headers,
            since=now,
            until=now + max(0.0, granted.expires_in - MARGIN_S),
            project=key.project_id if key is not None and key.own else None,
        )

    def _asking(self, key: Key | None) -> Request:
        """Return the request for a token: of the metadata server where there is no key."""
        if key is None:
            host = self._environ.get("GCE_METADATA_HOST") or METADATA_HOST
            path = "/computeMetadata/v1/instance/service-accounts/default/token"
            flavor = (("Metadata-Flavor", "Google"),)
            return Request(method="GET", url=f"http://{host}{path}", headers=flavor)
        if key.type == "authorized_user":
            form = {
                "grant_type": "refresh_token",
                "client_id": key.client_id,
                "client_secret": key.client_secret,
                "refresh_token": key.refresh_token,
            }
        else:
            private = self._private(key.private_key)
            said = _claims(key, self._token_url, int(self._clock.wall()))
            form = {"grant_type": JWT_BEARER, "assertion": _signed(private, said)}
        body = urlencode(form).encode()
        return Request(method="POST", url=self._token_url, headers=_FORM, body=body)

    async def _asked(self, request: Request, credential: Credential) -> bytes:
        """Return the body of a success; once more if a kept connection died unused."""
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
        if status not in _REFUSED and request.method == "POST":
            raise AttemptFailed(nonsense(f"the token server answered {status}", status))
        said = _reason(body)
        detail = said.error_description or said.error or f"HTTP {status}"
        raise AttemptFailed(_refused(credential, detail, said.error or "credential", status))

    async def _send(self, request: Request) -> tuple[int, bytes]:
        response: Response = await self._transport.send(request, LIMITS)
        try:
            return response.status, await response.read()
        finally:
            response.close()


def _private(pem: str) -> RSAPrivateKey:
    """Return the key of a service account, which takes long. Raises Unusable."""
    return _rsa(pem, proved=True)


def _rsa(pem: str, *, proved: bool) -> RSAPrivateKey:
    if len(pem) > MOST_PEM:
        raise Unusable(f"its private_key is longer than any of {MOST_BITS} bits")
    try:
        private = load_pem_private_key(
            pem.encode(), None, unsafe_skip_rsa_key_validation=not proved
        )
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise Unusable("its private_key cannot be read") from None
    if not isinstance(private, RSAPrivateKey):
        raise Unusable("its private_key is no RSA key")
    if private.key_size > MOST_BITS:
        raise Unusable(f"its private_key has more than {MOST_BITS} bits")
    return private


def _claims(key: Key, audience: str, now: int) -> str:
    """Return what the JWT of a service account says, at Unix time `now`."""
    header = {"alg": "RS256", "typ": "JWT"}
    if key.private_key_id:
        header["kid"] = key.private_key_id
    claims = {
        "iss": key.client_email,
        "scope": SCOPE,
        "aud": audience,
        "iat": now,
        "exp": now + LIFE_S,
    }
    return f"{_base64(_encode(header))}.{_base64(_encode(claims))}"


def _signed(private: RSAPrivateKey, text: str) -> str:
    return f"{text}.{_base64(private.sign(text.encode(), PKCS1v15(), SHA256()))}"


def check_private_key(key: Key) -> None:
    """Raise Unusable where the private key of a service account is none, or unusually long.

    That its numbers are primes is not proved: for long ones that takes a third of a second.
    """
    _rsa(key.private_key, proved=False)


def _base64(data: bytes) -> str:
    return urlsafe_b64encode(data).rstrip(b"=").decode()


def _reason(body: bytes) -> _Denied:
    try:
        return _denied(body)
    except (ValueError, RecursionError):
        return _Denied()


def _refused(credential: Credential, detail: str, code: str, status: int | None = None) -> Fault:
    return Fault(
        kind=Kind.CREDENTIAL,
        error_type="provider_unavailable",
        message=f"no access token for the credential from {credential.source}: {detail[:500]}",
        status=status,
        code=code[:64],
    )
