"""What a refusal of Bedrock's means, by the name of its exception: a status alone says less.

Sources: Bedrock Runtime API reference, `Converse`, "Errors", and "Common Error Types".
"""

from collections.abc import Mapping

import msgspec
from msgspec import Struct, structs

from dragoman.providers.dialect import Fault, Kind
from dragoman.providers.openai import faults
from dragoman.providers.openai.faults import (
    DENIED,
    LATE,
    LIMITED,
    OVERLOADED,
    REFUSED,
    UNAVAILABLE,
    Meaning,
)
from dragoman.providers.openai.words import shorten
from dragoman.wire.hub import StreamFault

ERROR_TYPE = "x-amzn-errortype"
LONGEST_NAME = 64

MEANINGS: Mapping[str, Meaning] = {
    "validationexception": (Kind.CALLER, "invalid_request"),
    "accessdeniedexception": DENIED,
    "expiredtokenexception": REFUSED,
    "incompletesignature": REFUSED,
    "incompletesignatureexception": REFUSED,
    "invalidclienttokenid": REFUSED,
    "invalidsignatureexception": REFUSED,
    "missingauthenticationtoken": REFUSED,
    "missingauthenticationtokenexception": REFUSED,
    "notauthorized": REFUSED,
    "optinrequired": REFUSED,
    "unrecognizedclientexception": REFUSED,
    "servicequotaexceededexception": LIMITED,
    "throttlingexception": LIMITED,
    "modelnotreadyexception": OVERLOADED,
    "serviceunavailableexception": OVERLOADED,
    "modeltimeoutexception": LATE,
    "internalserverexception": UNAVAILABLE,
    "modelerrorexception": UNAVAILABLE,
    "modelstreamerrorexception": UNAVAILABLE,
    "resourcenotfoundexception": UNAVAILABLE,
}
STATUSES = {
    "validationexception": 400,
    "accessdeniedexception": 403,
    "modeltimeoutexception": 408,
    "throttlingexception": 429,
    "servicequotaexceededexception": 429,
    "internalserverexception": 500,
    "serviceunavailableexception": 503,
    "modelnotreadyexception": 503,
}
"""What an exception in a stream would be as a status; 424, the model failed, for any other."""
FAILED = 424


class _Said(Struct):
    message: str | None = None
    other: str | None = msgspec.field(default=None, name="Message")
    type: str | None = msgspec.field(default=None, name="__type")


_said = msgspec.json.Decoder(_Said).decode


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Classify an HTTP answer that is not a success. `headers` has lower-case names."""
    said = _read(body)
    name = _name(headers.get(ERROR_TYPE) or said.type or "")
    found = faults.fault(status, headers, body)
    told = said.message or said.other
    message = shorten(told) if told else found.message
    known = MEANINGS.get(name.lower(), (found.kind, found.error_type))
    kind, error_type = faults.narrowed(known, message)
    return structs.replace(
        found,
        kind=kind,
        error_type=error_type,
        message=message,
        code=name or found.code,
    )


def in_stream(name: str, body: bytes, message: str = "") -> StreamFault:
    """Read an exception that came inside a stream."""
    said = _read(body)
    text = said.message or said.other or message or "the model broke off without a word"
    name = _name(name)
    status = STATUSES.get(name.lower(), FAILED)
    return StreamFault(status=status, code=name or None, message=shorten(text))


def in_body(body: bytes) -> StreamFault | None:
    """Read an error that came as the body of a success, None if there is none."""
    said = _read(body)
    if said.type is None and said.message is None and said.other is None:
        return None
    return in_stream(said.type or "", body)


def _read(body: bytes) -> _Said:
    try:
        return _said(body)
    except (ValueError, RecursionError):
        return _Said()


def _name(text: str) -> str:
    """Return an exception's name: a namespace may stand before it, an address after it."""
    name = text.partition(":")[0].rpartition("#")[2].strip()
    return name if name.isalnum() and len(name) <= LONGEST_NAME else ""
