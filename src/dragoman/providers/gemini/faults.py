"""What a refusal by Google means: its codes are in the common table, its wait is in the body.

Source: google.rpc `Status` and `RetryInfo` (cloud.google.com/apis/design/errors). AI Studio puts
a list around the error where a stream was asked for.
"""

import math
from collections.abc import Mapping

import msgspec
from msgspec import Struct, structs

from dragoman.providers.dialect import Fault
from dragoman.providers.openai.faults import fault as common_fault
from dragoman.providers.openai.words import LONGEST_BODY
from dragoman.providers.retry_after import LONGEST_S


class _Detail(Struct, gc=False, rename="camel"):
    retry_delay: str | None = None


class _Error(Struct, gc=False):
    details: list[_Detail] | None = None


class _Refusal(Struct, gc=False):
    error: _Error | None = None


_refusal = msgspec.json.Decoder(_Refusal | list[_Refusal]).decode


def fault(status: int, headers: Mapping[str, str], body: bytes) -> Fault:
    """Classify an HTTP answer that is not a success. `headers` has lower-case names."""
    found = common_fault(status, headers, body)
    if found.retry_after_s is None and (wait_s := _retry_after_s(body)) is not None:
        return structs.replace(found, retry_after_s=wait_s)
    return found


def _retry_after_s(body: bytes) -> float | None:
    """Return the wait that `RetryInfo` asks for, in whole seconds: `"37.5s"` is 38."""
    if len(body) > LONGEST_BODY:
        return None
    try:
        told = _refusal(body)
    except (ValueError, RecursionError):
        return None
    refusal = told if isinstance(told, _Refusal) else next(iter(told), None)
    if refusal is None or refusal.error is None:
        return None
    for detail in refusal.error.details or ():
        if detail.retry_delay and detail.retry_delay.endswith("s"):
            return _seconds(detail.retry_delay[:-1])
    return None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return float(math.ceil(seconds)) if 0 <= seconds <= LONGEST_S else None
