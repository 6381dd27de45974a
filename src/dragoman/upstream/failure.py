"""What a client is told when no attempt brought an answer, or the one that did broke.

Sources: OpenRouter, errors-and-debugging, for types, statuses and `availability`.
"""

import math
from collections.abc import Sequence

from dragoman.catalog.hosts import Credential
from dragoman.core.errors import (
    AVAILABILITY_DOCS_URL,
    Availability,
    CapacityExhausted,
    GatewayError,
    InvalidRequest,
    NoEndpoint,
    Overloaded,
    ProviderOverloaded,
    ProviderTimeout,
    ProviderUnavailable,
    RefusedUpstream,
    Unavailable,
)
from dragoman.providers.dialect import Fault, Kind
from dragoman.routing.types import Step
from dragoman.upstream.faults import Try, was_sent, without_secret

OVERLOADED = frozenset({503, 529})
GONE = 404
LONGEST_RETRY_AFTER_S = 3600


def in_band(fault: Fault, step: Step, credential: Credential | None) -> GatewayError:
    """Return what a client is told inside a stream that breaks after its first content.

    `credential` is what the stream was opened with, the installation's or the account's own.
    """
    if fault.kind is Kind.LOCAL:
        return Unavailable(fault.message, retry_after_s=1)
    fault = without_secret(fault, credential)
    metadata: dict[str, object] = {"provider_name": step.endpoint.provider_name}
    if fault.code:
        metadata["provider_code"] = fault.code
    if fault.kind is Kind.CALLER:
        return RefusedUpstream(
            fault.message,
            status=_callers_status(fault),
            error_type=fault.error_type,
            metadata=metadata,
        )
    return _told_in_band(fault)(fault.message, metadata=metadata)


def _told_in_band(fault: Fault) -> type[GatewayError]:
    if fault.kind is Kind.RATE:
        return CapacityExhausted
    if _was_late(fault):
        return ProviderTimeout
    return ProviderOverloaded if _is_overloaded(fault) else ProviderUnavailable


def _was_late(fault: Fault) -> bool:
    """Whether the answer took too long: to us, or as the provider says (408, 504, 522, 524).

    What a provider says is no proof that the next attempt would be late, too: it stays transient.
    """
    return fault.kind is Kind.TIMEOUT or (
        fault.kind is Kind.TRANSIENT and fault.error_type == ProviderTimeout.error_type
    )


def _is_overloaded(fault: Fault) -> bool:
    """Whether a provider has too much to do. Inside a stream Anthropic says it by name alone."""
    return fault.status in OVERLOADED or fault.error_type == ProviderOverloaded.error_type


SOON_S = 2
"""When to come back where no provider said so, and nothing else is known."""


def sum_up(tries: Sequence[Try], requested: tuple[str, ...], wait_s: int = SOON_S) -> GatewayError:
    """Return what the caller is told after every attempt failed. `tries` is not empty.

    A provider's word that the request itself is at fault is passed on. Otherwise
    the answer is about all providers that were tried: 429 if all are rate
    limited, 404 if none has the model any more, 504 or 502 if there was one, 503 if there
    were several. Calls that were never made, for want of a connection, are a 503 of our own.
    A 503 says when to come back: when the first provider said, or in `wait_s`. OpenRouter's SDKs
    take that for the pause between the retries of an hour.

    Endpoints whose dialect cannot say the request have a word only where there was no other
    attempt: then it is a 400 with the first one's, which is that of the caller's first choice.
    """
    sent = [one for one in tries if was_sent(one)]
    if not sent:
        return _unsaid(tries)
    error = _of_sent(sent, requested, wait_s)
    if len(sent) < len(tries) and "previous_errors" in error.metadata:
        error.metadata["previous_errors"] = _errors(tries)
    return error


def _unsaid(tries: Sequence[Try]) -> InvalidRequest:
    fault, step = tries[0].fault, tries[0].step
    assert fault is not None, "what was not sent brought no answer"
    metadata = {
        "provider_name": step.endpoint.provider_name,
        "previous_errors": _errors(tries),
    }
    return InvalidRequest(fault.message, metadata=metadata, should_retry=False)


def _of_sent(tries: Sequence[Try], requested: tuple[str, ...], wait_s: int) -> GatewayError:
    last = tries[-1]
    if last.fault is None:
        raise ValueError("the last attempt did not fail")
    if last.fault.kind is Kind.CALLER:
        return _refused(last.fault, tries)
    faults = [t.fault for t in tries if t.fault and t.fault.kind is not Kind.CALLER]
    if all(f.kind is Kind.LOCAL for f in faults):
        return Overloaded("Every connection to the provider is in use.", retry_after_s=1)
    if all(f.kind is Kind.RATE for f in faults):
        return _exhausted(tries, faults, requested)
    if all(f.status == GONE for f in faults):
        return _gone(tries, faults, requested)
    if len({t.step.endpoint.id for t in tries}) == 1:
        return _single(last, tries, requested, wait_s)
    return _several(tries, faults, requested, wait_s)


def _refused(fault: Fault, tries: Sequence[Try]) -> RefusedUpstream:
    return RefusedUpstream(
        fault.message,
        status=_callers_status(fault),
        error_type=fault.error_type,
        metadata=_metadata(fault, tries),
        should_retry=False,
    )


def _callers_status(fault: Fault) -> int:
    """Return the provider's status if it is one that tells a caller of a mistake."""
    status = fault.status or 400
    return status if 400 <= status <= 422 and status not in {401, 402, 403, 407} else 400


def _exhausted(
    tries: Sequence[Try], faults: Sequence[Fault], requested: tuple[str, ...]
) -> CapacityExhausted:
    wait_s = _hint(faults) or 1
    names = " or ".join(requested)
    return CapacityExhausted(
        f"All providers for {names} are at capacity. Retry after {wait_s} seconds.",
        metadata=_metadata(faults[-1], tries) | {"limit_source": _limit_source(tries)},
        availability=_availability("capacity_exhausted", tries, requested, wait_s),
        retry_after_s=wait_s,
    )


def _gone(tries: Sequence[Try], faults: Sequence[Fault], requested: tuple[str, ...]) -> NoEndpoint:
    names = " or ".join(requested)
    return NoEndpoint(
        f"No provider that was asked for {names} has it any more: each answered 404.",
        metadata=_metadata(faults[-1], tries),
        availability=_availability("model_unavailable_upstream", tries, requested, None),
    )


def _single(
    last: Try, tries: Sequence[Try], requested: tuple[str, ...], wait_s: int
) -> GatewayError:
    fault = last.fault
    assert fault is not None, "the last attempt failed"
    metadata = _metadata(fault, tries)
    name = last.step.endpoint.provider_name
    hint = _hint([fault])
    if _was_late(fault):
        return ProviderTimeout(
            f"{name} did not answer in time: {fault.message}", metadata=metadata, should_retry=False
        )
    if fault.kind is Kind.CREDENTIAL and last.step.byok is not None:
        text = (
            f"{name} refused your own credential ({last.step.byok.credential.source}). Check it"
            " there, and change it with PATCH /api/v1/byok."
        )
        return ProviderUnavailable(text, metadata=metadata, should_retry=False)
    if fault.kind is Kind.CREDENTIAL:
        text = f"{name} refused this gateway's credential. Run `dragoman doctor` on the gateway."
        return ProviderUnavailable(text, metadata=metadata, should_retry=False)
    if fault.kind is Kind.FORBIDDEN:
        whose = "this gateway's credential"
        if last.step.byok is not None:
            whose = f"your own credential ({last.step.byok.credential.source})"
        text = (
            f"{name} does not let {whose} do this: the model may not be enabled for its account,"
            " or the content may be against its rules."
        )
        return ProviderUnavailable(text, metadata=metadata, should_retry=False)
    if _is_overloaded(fault):
        return ProviderOverloaded(
            "Provider returned error",
            metadata=metadata,
            availability=_availability("temporarily_unavailable", tries, requested, hint),
            retry_after_s=hint or wait_s,
            should_retry=None if hint else False,
        )
    return ProviderUnavailable(
        "Provider returned error",
        metadata=metadata,
        retry_after_s=hint,
        should_retry=None if hint else False,
    )


def _limit_source(tries: Sequence[Try]) -> str:
    """Return whose limit it is: the account's own at a provider, or that of what is shared."""
    return "upstream_provider_byok" if _all_own(tries) else "upstream_provider_shared_pool"


def _all_own(tries: Sequence[Try]) -> bool:
    """Whether nothing but the account's own credentials was tried."""
    return all(each.step.byok is not None for each in tries)


def _several(
    tries: Sequence[Try], faults: Sequence[Fault], requested: tuple[str, ...], wait_s: int
) -> ProviderOverloaded:
    hint = _hint(faults)
    names = " or ".join(requested)
    return ProviderOverloaded(
        f"All providers for {names} are temporarily unavailable.",
        metadata=_metadata(faults[-1], tries),
        availability=_availability("temporarily_unavailable", tries, requested, hint),
        retry_after_s=hint or wait_s,
        should_retry=None if hint else False,
    )


def _availability(
    code: str, tries: Sequence[Try], requested: tuple[str, ...], retry_after_s: int | None
) -> Availability:
    return Availability(
        code=code,
        retryable=code != "model_unavailable_upstream",
        requested_models=requested,
        docs_url=AVAILABILITY_DOCS_URL,
        retry_after=retry_after_s,
        affected_providers=tuple(dict.fromkeys(t.step.endpoint.provider for t in tries)),
    )


def _metadata(fault: Fault, tries: Sequence[Try]) -> dict[str, object]:
    """Return both vocabularies that clients read: the documented one and the live one."""
    last = tries[-1]
    metadata: dict[str, object] = {"provider_name": last.step.endpoint.provider_name}
    if _all_own(tries):
        metadata["is_byok"] = True
    if fault.code:
        metadata["provider_code"] = fault.code
    if fault.kind not in {Kind.CREDENTIAL, Kind.FORBIDDEN}:
        metadata["raw"] = fault.raw or fault.message
    metadata["previous_errors"] = _errors(tries)
    return metadata


def _errors(tries: Sequence[Try]) -> list[dict[str, object]]:
    return [
        {
            "provider": t.step.endpoint.provider,
            "code": t.fault.code or t.fault.error_type,
            "status": t.fault.status,
        }
        for t in tries
        if t.fault
    ]


def _hint(faults: Sequence[Fault]) -> int | None:
    """Return the shortest wait that any provider asked for, in whole seconds."""
    waits = [f.retry_after_s for f in faults if f.retry_after_s is not None]
    return min(LONGEST_RETRY_AFTER_S, math.ceil(min(waits))) if waits else None
