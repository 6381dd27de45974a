"""AWS Signature Version 4 over one request. Pure: keys and time come in.

Source: docs.aws.amazon.com, IAM User Guide, "Create a signed AWS API request".
"""

import hmac
import time
from hashlib import sha256
from urllib.parse import SplitResult, parse_qsl, quote, urlsplit

from msgspec import Struct

ALGORITHM = "AWS4-HMAC-SHA256"
UNRESERVED = "-_.~"

_PORTS = {"http": 80, "https": 443}
_NOT_SIGNED = frozenset({"user-agent", "connection", "expect", "transfer-encoding"})
"""What a proxy may change on the way."""

Headers = tuple[tuple[str, str], ...]


class Keys(Struct, frozen=True, kw_only=True):
    """An access key. `token` goes with one that is good for a while only."""

    id: str
    secret: str
    token: str = ""

    def __repr__(self) -> str:
        return f"Keys({self.id[:4]}…)"


class Scope(Struct, frozen=True):
    """What a signature is good for, at Unix time `now`."""

    region: str
    service: str
    now: float


def sign(method: str, url: str, headers: Headers, body: bytes, keys: Keys, scope: Scope) -> Headers:
    """Return the headers that let the request in: the date, the token, the signature."""
    moment = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime(scope.now))
    parts = urlsplit(url)
    added: Headers = (("X-Amz-Date", moment),)
    if keys.token:
        added += (("X-Amz-Security-Token", keys.token),)
    told = _canonical_headers((("Host", _host(parts)), *headers, *added))
    names = ";".join(name for name, _ in told)
    canonical = "\n".join(
        [
            method,
            quote(parts.path or "/", safe=f"/{UNRESERVED}"),
            _canonical_query(parts.query),
            *(f"{name}:{value}" for name, value in told),
            "",
            names,
            sha256(body).hexdigest(),
        ]
    )
    place = f"{moment[:8]}/{scope.region}/{scope.service}/aws4_request"
    text = "\n".join([ALGORITHM, moment, place, sha256(canonical.encode()).hexdigest()])
    signature = hmac.new(_key(keys.secret, place), text.encode(), sha256).hexdigest()
    proof = f"Credential={keys.id}/{place}, SignedHeaders={names}, Signature={signature}"
    return (*added, ("Authorization", f"{ALGORITHM} {proof}"))


def _host(parts: SplitResult) -> str:
    """Return the host as the client names it: in lower case, without a port that is the usual."""
    usual = f":{_PORTS.get(parts.scheme, 0)}"
    return parts.netloc.lower().removesuffix(usual)


def _canonical_headers(headers: Headers) -> list[tuple[str, str]]:
    """Return names in lower case and in order, values without needless spaces."""
    found: dict[str, list[str]] = {}
    for name, value in headers:
        if name.lower() not in _NOT_SIGNED:
            found.setdefault(name.lower(), []).append(" ".join(value.split()))
    return [(name, ",".join(values)) for name, values in sorted(found.items())]


def _canonical_query(query: str) -> str:
    pairs = [
        (quote(name, safe=UNRESERVED), quote(value, safe=UNRESERVED))
        for name, value in parse_qsl(query, keep_blank_values=True)
    ]
    return "&".join(f"{name}={value}" for name, value in sorted(pairs))


def _key(secret: str, place: str) -> bytes:
    """Return the key that is derived for one day, region and service."""
    key = f"AWS4{secret}".encode()
    for part in place.split("/"):
        key = hmac.new(key, part.encode(), sha256).digest()
    return key
