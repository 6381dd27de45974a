"""Google Cloud: a credential is exchanged for an access token, which is good for an hour.

A service account signs a JWT (RFC 7523; developers.google.com/identity/protocols/oauth2/
service-account), a user's refresh token is exchanged (RFC 6749, 6), a machine asks its metadata
server (cloud.google.com/compute/docs/access/authenticate-workloads). Where no credential is
given they are looked for in the order of Application Default Credentials. `google_files` reads
what they are.

Where tokens come from is fixed, and not taken from the credential: accounts bring their own.
"""

from base64 import urlsafe_b64encode
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
from dragoman.net.types import Request, Transport
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.signing.given import Unusable
from dragoman.upstream.signing.google_files import Key, load, of_project
from dragoman.upstream.signing.kept import MOST, Kept
from dragoman.upstream.signing.token_server import FORM, ask, no_token

TOKEN_URL = "https://oauth2.googleapis.com/token"  # noqa: S105 - an address
METADATA_HOST = "metadata.google.internal"
SCOPE = "https://www.googleapis.com/auth/cloud-platform"
JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"

LIFE_S = 3600
"""How long an assertion is good."""
MOST_BITS = 4096
"""Google's own keys have half as many; to sign with longer ones would hold up everybody."""
MOST_PEM = 4096
"""Characters of a private key: one of `MOST_BITS` has some 3300, and Google's own have half that.
To prove that its numbers are primes holds up everything, too: 36 ms for 2048 bits, 0.25 s for 4096
and 4 s for 8192."""


Headers = tuple[tuple[str, str], ...]


class _Token(Struct, frozen=True):
    """What lets in. `project`: whose models are called."""

    headers: Headers
    project: str | None


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
        self._tokens: Kept[_Token] = Kept(clock)
        self._private = lru_cache(maxsize=MOST)(_private)

    async def signed(self, request: Request, credential: Credential) -> Request:
        """Return the request with a token; an account's own calls its own project.

        Raises AttemptFailed.
        """
        token = await self._tokens.get(credential.secret, partial(self._fetch, credential))
        url = request.url
        if token.project is not None:
            url = of_project(url, token.project)
        return msgspec.structs.replace(request, url=url, headers=request.headers + token.headers)

    def refused(self, request: Request, credential: Credential) -> bool:
        """Forget the token of a request that was not let in. Say whether another may do better."""
        sent = request.headers
        return self._tokens.forget(credential.secret, lambda token: token.headers[0] in sent)

    async def _fetch(self, credential: Credential) -> tuple[_Token, float]:
        """Return a new token and for how many seconds it is to be used."""
        try:
            key = await load(credential, self._environ)
            request = self._asking(key)
        except Unusable as error:
            raise AttemptFailed(no_token(credential, str(error))) from None
        token, good_s = await ask(self._transport, request, credential)
        headers: Headers = (("Authorization", f"Bearer {token}"),)
        if key is not None and key.quota_project_id:
            headers += (("x-goog-user-project", key.quota_project_id),)
        project = key.project_id if key is not None and key.own else None
        return _Token(headers, project), good_s

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
        return Request(method="POST", url=self._token_url, headers=FORM, body=body)


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
