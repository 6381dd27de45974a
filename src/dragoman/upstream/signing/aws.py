"""Amazon: a key of Bedrock's own is sent as it is, an access key signs each request.

A credential is the key of Bedrock's own (`AWS_BEARER_TOKEN_BEDROCK`), the JSON of an access key
as OpenRouter takes it (`accessKeyId`, `secretAccessKey`, `region`), or empty: then the environment
holds an access key, or botocore knows one. What an account brings along is never looked up here.
"""

import asyncio
import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

import msgspec

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.net.types import Request
from dragoman.providers.dialect import Fault, Kind
from dragoman.upstream.faults import AttemptFailed
from dragoman.upstream.signing import optional
from dragoman.upstream.signing.given import PRINTED, Unusable, check, members
from dragoman.upstream.signing.kept import Kept
from dragoman.upstream.signing.sigv4 import Keys, Scope, sign

OWN: Final = "byok:"
"""How ids of accounts' own credentials begin."""
SERVICE: Final = "bedrock"
GOOD_S: Final = 300.0
"""botocore renews what ends within ten minutes: so long it can be relied on."""

_NEEDED = ("accessKeyId", "secretAccessKey")
_OTHER = ("sessionToken", "region")
_REGION = re.compile(r"[a-z]{2,4}(?:-[a-z]{2,12}){1,3}-\d{1,2}")
_HOST = re.compile(r"(?<=^bedrock-runtime\.)[a-z0-9-]+(?=\.amazonaws\.com$)")
_RULES = {
    "accessKeyId": re.compile(r"[A-Za-z0-9_]{1,128}"),
    "secretAccessKey": PRINTED,
    "sessionToken": PRINTED,
    "region": _REGION,
}
_MEMBER_OF_HOST = re.compile(r"(?:^|[.-])([a-z]{2,4}(?:-[a-z]{2,12}){1,3}-\d{1,2})(?:\.|$)")


class AwsSigner:
    """Fulfils `Signer`."""

    def __init__(self, clock: Clock, environ: Mapping[str, str]) -> None:
        self._clock = clock
        self._environ = environ
        self._chain: Kept[Keys] = Kept(clock)

    async def signed(self, request: Request, credential: Credential) -> Request:
        """Return the request with a signature, or with Bedrock's own key. Raises AttemptFailed."""
        text = credential.secret.reveal()
        if text and not text.startswith("{"):
            return _with(request, (("Authorization", f"Bearer {text}"),))
        region = ""
        if text:
            try:
                keys, region = access_key(text)
            except Unusable as unusable:
                raise AttemptFailed(_refused(credential, str(unusable))) from None
        elif credential.id.startswith(OWN):
            raise AttemptFailed(_refused(credential, "it is empty"))
        else:
            keys = await self._found(credential)
        if region:
            request = _moved(request, region)
        return self._sign(request, keys, region or self._region(request.url, credential))

    def refused(self, request: Request, credential: Credential) -> bool:  # noqa: ARG002 - Signer's
        """Forget what botocore found if it was refused. Say whether another may do better."""
        environ = self._environ
        given = environ.get("AWS_ACCESS_KEY_ID") and environ.get("AWS_SECRET_ACCESS_KEY")
        return not (credential.secret.reveal() or given) and self._chain.forget("")

    def _sign(self, request: Request, keys: Keys, region: str) -> Request:
        scope = Scope(region, SERVICE, self._clock.wall())
        made = sign(request.method, request.url, request.headers, request.body, keys, scope)
        return _with(request, made)

    async def _found(self, credential: Credential) -> Keys:
        """Return the environment's access key, or what botocore finds."""
        environ = self._environ
        id_, secret = environ.get("AWS_ACCESS_KEY_ID"), environ.get("AWS_SECRET_ACCESS_KEY")
        if id_ and secret:
            return Keys(id=id_, secret=secret, token=environ.get("AWS_SESSION_TOKEN", ""))

        async def fetch() -> tuple[Keys, float]:
            return await self._asked(credential), GOOD_S

        return await self._chain.get("", fetch)

    async def _asked(self, credential: Credential) -> Keys:
        try:
            found = await asyncio.to_thread(optional.of_botocore)
        except OSError as error:
            raise AttemptFailed(_refused(credential, str(error))) from error
        if found is None:
            detail = "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or install dragoman[aws]"
            raise AttemptFailed(_refused(credential, detail))
        return Keys(id=found.id, secret=found.secret, token=found.token)

    def _region(self, url: str, credential: Credential) -> str:
        """Return the region that the host's name has, else the environment's."""
        named = _MEMBER_OF_HOST.search(urlsplit(url).hostname or "")
        region = named[1] if named else self._environ.get("AWS_REGION", "")
        if not region:
            raise AttemptFailed(_refused(credential, "no region is known: set AWS_REGION"))
        return region


def access_key(text: str) -> tuple[Keys, str]:
    """Return what the JSON of an access key says, and its region, empty if none. Raises Unusable.

    A secret that stands where the id belongs would be shown, so an id has letters and digits only.
    """
    found = members(text, _NEEDED, _OTHER)
    check(found, _RULES)
    keys = Keys(
        id=found["accessKeyId"],
        secret=found["secretAccessKey"],
        token=found.get("sessionToken", ""),
    )
    return keys, found.get("region", "")


def _with(request: Request, headers: tuple[tuple[str, str], ...]) -> Request:
    return msgspec.structs.replace(request, headers=request.headers + headers)


def _moved(request: Request, region: str) -> Request:
    """Return the request to Bedrock in another region; elsewhere hosts stay what they are."""
    parts = urlsplit(request.url)
    host = _HOST.sub(region, parts.netloc)
    return msgspec.structs.replace(request, url=parts._replace(netloc=host).geturl())


def _refused(credential: Credential, detail: str) -> Fault:
    return Fault(
        kind=Kind.CREDENTIAL,
        error_type="provider_unavailable",
        message=f"no access key for AWS from {credential.source}: {detail[:500]}",
        code="credential",
    )
