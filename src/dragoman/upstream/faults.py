"""What went wrong with one attempt, as a `Fault`. What becomes of all is said in `failure`."""

from msgspec import Struct, structs

from dragoman.catalog.hosts import Credential
from dragoman.core.errors import InvalidRequest, Overloaded, Unavailable
from dragoman.net.types import NetError, Request
from dragoman.providers.dialect import Fault, Kind
from dragoman.routing.types import Step

NOBODYS = frozenset({Kind.CALLER, Kind.LOCAL, Kind.UNTRANSLATABLE})
"""Faults that are held against no endpoint and no credential."""
CREDENTIALS = frozenset({Kind.CREDENTIAL, Kind.FORBIDDEN, Kind.RATE})
"""What another credential may be spared of at the same endpoint."""
SHORTEST_SECRET = 8
"""Characters. What is shorter is no secret, and would be found in every other text."""
TOKEN_HEADERS = frozenset({"authorization", "x-amz-security-token"})
SHORTEST_CUT = 12
"""Characters of a secret's beginning that give it away: all of a kind may begin with fewer."""


class AttemptFailed(Exception):
    """An attempt that brought no answer, or broke while it did."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.message)
        self.fault = fault


class Try(Struct, frozen=True, kw_only=True, gc=False):
    """One attempt and its end. `fault` is None for the one that answered."""

    step: Step
    latency_s: float
    status: int | None
    fault: Fault | None = None


def of_net(error: NetError) -> Fault:
    """Classify a call that broke below HTTP. Connections that we lack are no fault of others."""
    if error.phase == "pool":
        return Fault(
            kind=Kind.LOCAL,
            error_type=Overloaded.error_type,
            message=str(error),
            code=error.phase,
        )
    if error.timed_out:
        return Fault(kind=Kind.TIMEOUT, error_type="timeout", message=str(error), code=error.phase)
    return Fault(
        kind=Kind.TRANSIENT,
        error_type="provider_unavailable",
        message=str(error),
        code=error.phase,
    )


def without_secret(fault: Fault, credential: Credential | None) -> Fault:
    """Return the fault as it may be told and recorded: a provider may echo what it was sent."""
    return fault if credential is None else without(fault, credential.secret.reveal())


def without(fault: Fault, secret: str) -> Fault:
    """Return the fault without a text that nobody is to be told, nor where it was cut off in it."""
    begins = secret[:SHORTEST_CUT]
    if len(secret) < SHORTEST_SECRET or not any(
        said is not None and begins in said for said in (fault.message, fault.raw, fault.code)
    ):
        return fault
    return structs.replace(
        fault,
        message=_struck(fault.message, secret),
        raw=fault.raw and _struck(fault.raw, secret),
        code=fault.code and _struck(fault.code, secret),
    )


def _struck(said: str, secret: str) -> str:
    said = said.replace(secret, "…")
    whole = said.removesuffix("…")
    for size in range(len(secret) - 1, SHORTEST_CUT - 1, -1):
        if whole.endswith(secret[:size]):
            return f"{whole[:-size]}…"
    return said


def without_tokens(fault: Fault, request: Request) -> Fault:
    """Return the fault without what a signer made of a credential to have the request let in."""
    for name, value in request.headers:
        if name.lower() in TOKEN_HEADERS:
            fault = without(fault, value.removeprefix("Bearer "))
    return fault


def late(what: str, after_s: float) -> Fault:
    """Return the fault of an upstream that was too slow, be it since no time was left for it."""
    message = f"{what} within {round(max(0.0, after_s), 3):g} s"
    return Fault(kind=Kind.TIMEOUT, error_type="timeout", message=message, code="late")


def hung() -> Fault:
    """Return the fault of a stream that was ended since its endpoint is silent to all."""
    return Fault(
        kind=Kind.TIMEOUT,
        error_type="timeout",
        message="no content came, and none came to others",
        code="hung",
    )


def nonsense(detail: str, status: int = 200) -> Fault:
    """Return the fault of an upstream whose success cannot be read."""
    return Fault(
        kind=Kind.TRANSIENT,
        error_type="provider_unavailable",
        message=detail,
        status=status,
        code="unreadable",
    )


def out_of_time() -> Fault:
    """Return the fault of an answer that outlives the deadline of its request."""
    return Fault(
        kind=Kind.TIMEOUT,
        error_type="timeout",
        message="the answer did not end within the time a request may take",
        status=200,
        code="deadline",
    )


def gave_up() -> Fault:
    """Return the fault of an answer whose finish reason is that the provider failed."""
    return Fault(
        kind=Kind.TRANSIENT,
        error_type="provider_unavailable",
        message="the provider ended the answer with an error",
        status=200,
        code="error",
    )


def cut_off() -> Fault:
    """Return the fault of a stream that ended without saying why: never a silent `stop`."""
    return Fault(
        kind=Kind.TRANSIENT,
        error_type="provider_unavailable",
        message="the provider's stream ended before the answer did",
        status=200,
        code="eof",
    )


def untranslatable(message: str) -> Fault:
    """Return the fault of an endpoint whose dialect cannot say the request: nothing was sent."""
    return Fault(
        kind=Kind.UNTRANSLATABLE,
        error_type=InvalidRequest.error_type,
        message=message,
        code="untranslatable",
    )


def was_sent(one: Try) -> bool:
    """Whether the endpoint was asked at all."""
    return one.fault is None or one.fault.kind is not Kind.UNTRANSLATABLE


def given_up() -> Fault:
    """Return what ended an attempt that nobody waits for any more: it is held against nobody."""
    return Fault(
        kind=Kind.LOCAL,
        error_type=Unavailable.error_type,
        message="the client left, or the gateway stopped, before there was an answer",
        code="given_up",
    )


def stopping() -> Fault:
    """Return the fault of an answer that is broken off because the server stops."""
    return Fault(
        kind=Kind.LOCAL,
        error_type=Unavailable.error_type,
        message="The gateway is stopping.",
        code="stopping",
    )
