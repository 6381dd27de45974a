"""Every way a call of the client can fail.

    ClientError
    ├── ConnectionFailed     no gateway answered, or the connection broke
    ├── BrokenAnswer         what came is no answer of a gateway, or breaks off before its end
    └── Refused              the gateway said no: status, error_type, retry_after_s
        ├── InvalidRequest     400, and other 4xx
        ├── Unauthenticated    401
        ├── PaymentRequired    402
        ├── PermissionDenied   403
        ├── NotFound           404
        ├── RateLimited        429
        └── ServerFailed       5xx: the gateway or all its providers

The error object and its types are OpenRouter's (docs, errors-and-debugging). The same
errors are raised by a stream that ends in one.
"""

import math
from collections.abc import Mapping
from datetime import UTC
from email.utils import parsedate_to_datetime

from dragoman.client.answers import Record, read_object
from dragoman.net.types import NetError

NO_GATEWAY = "what answers there is no gateway; a base URL ends in /api/v1"
UNSENT = frozenset({"dns", "connect", "tls", "refused", "send"})
"""Phases of a NetError in which a connection is made, and nothing of the request has left."""


class ClientError(Exception):
    """A call that did not end well."""


class ConnectionFailed(ClientError):
    """The connection could not be made, or broke. `timed_out`: because a wait ran out.

    `unsent` is true where the gateway cannot have begun to work on the request.
    """

    def __init__(self, url: str, error: NetError) -> None:
        super().__init__(f"{url}: {error.detail}")
        self.timed_out = error.timed_out
        self.unsent = error.reused or error.phase in UNSENT


class BrokenAnswer(ClientError):
    """What came cannot be read, or ends before its end."""


class Refused(ClientError):
    """The gateway's refusal. `details` is its `error` object as it came, empty if there is none.

    `error_type` is the machine-readable kind, `retry_after_s` when to ask again, and
    `should_retry` whether to, each None where the gateway does not say.
    """

    def __init__(self, status: int, details: Record, headers: Mapping[str, str]) -> None:
        message = details.get("message")
        super().__init__(message if isinstance(message, str) else f"HTTP {status}: {NO_GATEWAY}")
        self.status = status
        self.details = details
        self.error_type = _error_type(details)
        self.retry_after_s = retry_after_s(headers)
        self.should_retry = {"true": True, "false": False}.get(headers.get("x-should-retry", ""))
        self.generation = headers.get("x-generation-id")


class InvalidRequest(Refused):
    """The request must change."""


class Unauthenticated(Refused):
    """The key is missing or wrong."""


class PaymentRequired(Refused):
    """Credits or a limit are used up."""


class PermissionDenied(Refused):
    """The key is good, but not for this."""


class NotFound(Refused):
    """There is no such thing, or no endpoint that can serve the request."""


class RateLimited(Refused):
    """Too many requests, here or at every provider."""


class ServerFailed(Refused):
    """The gateway, or all providers it tried, failed."""


KINDS: Mapping[int, type[Refused]] = {
    401: Unauthenticated,
    402: PaymentRequired,
    403: PermissionDenied,
    404: NotFound,
    429: RateLimited,
}


def whole(body: bytes) -> Record:
    """Return the object that the body of an answer is. Raises BrokenAnswer."""
    try:
        return read_object(body)
    except ValueError as error:
        raise BrokenAnswer(f"The answer cannot be read: {error}; {NO_GATEWAY}.") from error


def refusal(status: int, headers: Mapping[str, str], body: bytes) -> Refused:
    """Return the error for an answer that is none. Header names are in lower case."""
    try:
        error = read_object(body).get("error")
    except ValueError:
        error = None
    return failure(status, error, headers)


def failure(status: int, error: object, headers: Mapping[str, str]) -> Refused:
    """Return the error of the kind that `status` stands for. `error` is what the gateway sent."""
    kind = KINDS.get(status)
    if kind is None:
        kind = ServerFailed if status >= 500 else InvalidRequest if status >= 400 else Refused
    return kind(status, error if isinstance(error, Record) else Record(), headers)


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait that `retry-after-ms` or `Retry-After` asks for (RFC 9110, 10.2.3).

    A date is measured against the answer's own. None: nothing is said, or nonsense.
    """
    seconds = _number(headers.get("retry-after-ms", "")) / 1000
    if math.isnan(seconds):
        seconds = _number(headers.get("retry-after", ""))
    if math.isnan(seconds):
        seconds = _date(headers.get("retry-after", "")) - _date(headers.get("date", ""))
    return seconds if 0 <= seconds < math.inf else None


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _date(text: str) -> float:
    """Return a date as Unix time, NaN if it is none. One without a zone is UTC."""
    try:
        moment = parsedate_to_datetime(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return math.nan


def _error_type(details: Record) -> str | None:
    metadata = details.get("metadata")
    kind = metadata.get("error_type") if isinstance(metadata, Record) else None
    return kind if isinstance(kind, str) else None
