"""Every way a call can fail, and what its caller is told.

    GatewayError
    ├── CallerError              the caller must change something; never retried by us
    │   ├── InvalidRequest         400 invalid_request
    │   │   ├── InvalidPrompt        400 invalid_prompt
    │   │   ├── ContextTooLong       400 context_length_exceeded
    │   │   └── ThreadRefused        400 invalid_request: Anthropic's Threads (`wire.anthropic`)
    │   ├── Unauthenticated        401 authentication
    │   ├── PaymentRequired        402 payment_required
    │   ├── PermissionDenied       403 permission_denied
    │   ├── NotFound               404 not_found
    │   │   ├── NoAccount            404 not_found
    │   │   └── NoEndpoint           404 not_found, and why each endpoint was left out
    │   ├── RequestTooSlow         408 timeout
    │   ├── Conflict               409 conflict
    │   ├── PayloadTooLarge        413 payload_too_large
    │   ├── UnsupportedEncoding    415 invalid_request
    │   ├── KeyReused              422 invalid_request: an idempotency key, for something else
    │   ├── RateLimited            429 rate_limit_exceeded
    │   ├── Unreadable             400..505 invalid_request: this is not HTTP as it should be
    │   └── RefusedUpstream        400..422: a provider says the request itself is at fault
    ├── UpstreamError            providers let us down, and no other could help
    │   ├── CapacityExhausted      429 rate_limit_exceeded
    │   ├── ProviderUnavailable    502 provider_unavailable
    │   ├── ProviderOverloaded     503 provider_overloaded
    │   └── ProviderTimeout        504 timeout
    └── OwnError                 the gateway's own trouble, never blamed on a key
        ├── Internal               500 server
        ├── Unavailable            503 gateway_unavailable
        └── Overloaded             503 gateway_overloaded

`error_type` is OpenRouter's closed list (errors-and-debugging, "Typed error
codes") plus `conflict`, and `gateway_unavailable` and `gateway_overloaded`, which say
that the fault is ours. `dragoman.web.errors` renders them, once.
"""

from collections.abc import Mapping
from typing import Any, ClassVar

from msgspec import Struct

AVAILABILITY_DOCS_URL = (
    "https://openrouter.ai/docs/api-reference/errors-and-debugging#model-availability-errors"
)
"""Where `error.availability` is explained, for its member `docs_url`."""


class Constraint(Struct, frozen=True):
    """Which wish of the caller emptied the list of endpoints."""

    field: str
    detail: str


class Availability(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The `error.availability` object (errors-and-debugging, "Model availability errors").

    `code` is machine-readable and stable; the first four members are always sent.
    """

    code: str
    retryable: bool
    requested_models: tuple[str, ...]
    docs_url: str
    retry_after: int | None = None
    affected_providers: tuple[str, ...] = ()
    excluded_by: tuple[str, ...] = ()
    fallback_models: tuple[str, ...] = ()
    constraint: Constraint | None = None


class GatewayError(Exception):
    """A failure with a public face: an HTTP status, a stable type, a sentence.

    `metadata` goes into `error.metadata` beside `error_type`. `retry_after_s`
    becomes the `Retry-After` header. `should_retry` becomes `x-should-retry`,
    which the OpenAI and Anthropic SDKs obey. `routing` becomes
    `openrouter_metadata` when the caller asked for it.
    """

    status: ClassVar[int]
    error_type: ClassVar[str]

    def __init__(
        self,
        message: str,
        *,
        metadata: Mapping[str, Any] | None = None,
        availability: Availability | None = None,
        retry_after_s: int | None = None,
        should_retry: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.metadata: dict[str, Any] = dict(metadata or {})
        self.availability = availability
        self.retry_after_s = retry_after_s
        self.should_retry = should_retry
        self.routing: object | None = None

    @property
    def code(self) -> int:
        """The HTTP status, which is also `error.code`."""
        return self.status

    @property
    def type(self) -> str:
        """The `error_type` that this failure carries on the wire."""
        return self.error_type


class CallerError(GatewayError):
    """The caller must change something."""


class InvalidRequest(CallerError):
    """The request is malformed, or asks for something that does not exist."""

    status, error_type = 400, "invalid_request"


class InvalidPrompt(InvalidRequest):
    """A message of the conversation is malformed."""

    error_type = "invalid_prompt"


class ContextTooLong(InvalidRequest):
    """The conversation is longer than any endpoint can read."""

    error_type = "context_length_exceeded"


class Unauthenticated(CallerError):
    """No key, or a key that the database positively does not know."""

    status, error_type = 401, "authentication"


class PaymentRequired(CallerError):
    """Only money stands in the way."""

    status, error_type = 402, "payment_required"


class PermissionDenied(CallerError):
    """The key is good, but not for this."""

    status, error_type = 403, "permission_denied"


class NotFound(CallerError):
    """The named thing does not exist, or not for this caller."""

    status, error_type = 404, "not_found"


class NoAccount(NotFound):
    """There is no account of that id."""


class NoEndpoint(NotFound):
    """No endpoint is left after the caller's wishes and the operator's settings."""


class RequestTooSlow(CallerError):
    """The request did not arrive in time, or its body not fast enough."""

    status, error_type = 408, "timeout"


class Conflict(CallerError):
    """The request contradicts what has happened since it was first made."""

    status, error_type = 409, "conflict"


class PayloadTooLarge(CallerError):
    """The request body is over the limit."""

    status, error_type = 413, "payload_too_large"


class UnsupportedEncoding(CallerError):
    """The request body is compressed, which is not accepted."""

    status, error_type = 415, "invalid_request"


class KeyReused(CallerError):
    """An `Idempotency-Key` came with a request other than the one it was first used for."""

    status, error_type = 422, "invalid_request"


class RateLimited(CallerError):
    """The caller is over a limit that the operator set."""

    status, error_type = 429, "rate_limit_exceeded"


class Unreadable(CallerError):
    """The request breaks the rules of HTTP, or a limit on its head (RFC 9110, section 15)."""

    status, error_type = 400, "invalid_request"

    def __init__(self, message: str, status: int = 400) -> None:
        super().__init__(message)
        self._status = status

    @property
    def code(self) -> int:
        """The status that says which rule."""
        return self._status


class RefusedUpstream(CallerError):
    """A provider says that the request itself is at fault, in its own words."""

    status, error_type = 400, "invalid_request"

    def __init__(self, message: str, *, status: int, error_type: str, **details: Any) -> None:
        super().__init__(message, **details)
        self._status = status
        self._type = error_type

    @property
    def code(self) -> int:
        """The status the provider chose, kept within 400..422."""
        return self._status

    @property
    def type(self) -> str:
        """The type the provider's own code maps to."""
        return self._type


class UpstreamError(GatewayError):
    """A provider let us down; the next one may do better."""


class CapacityExhausted(UpstreamError):
    """Every endpoint tried is rate limited."""

    status, error_type = 429, "rate_limit_exceeded"


class ProviderUnavailable(UpstreamError):
    """The provider cannot be reached, refuses our credential, or answers nonsense."""

    status, error_type = 502, "provider_unavailable"


class ProviderOverloaded(UpstreamError):
    """Several endpoints were tried and all are in trouble."""

    status, error_type = 503, "provider_overloaded"


class ProviderTimeout(UpstreamError):
    """The provider did not answer in time."""

    status, error_type = 504, "timeout"


class OwnError(GatewayError):
    """The gateway's own trouble."""


class Internal(OwnError):
    """A defect of ours. Its message is masked; the log has the rest."""

    status, error_type = 500, "server"


class Unavailable(OwnError):
    """Something the gateway needs did not answer, such as its database."""

    status, error_type = 503, "gateway_unavailable"


class Overloaded(OwnError):
    """More work than the gateway can take on."""

    status, error_type = 503, "gateway_overloaded"
