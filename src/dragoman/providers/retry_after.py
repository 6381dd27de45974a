"""When a provider wants to be asked again, from the headers of its refusal.

Read are `retry-after-ms` (OpenAI, Azure) and `Retry-After` (RFC 9110, 10.2.3):
seconds, or a date. A date is measured against the answer's own `Date`, so that
neither our clock nor a clock at all takes part. `x-ratelimit-reset-*` is left
alone: its unit differs from host to host.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_S = 86_400.0
"""A wait beyond a day is not a hint that anybody can use."""


def retry_after_s(headers: Mapping[str, str]) -> float | None:
    """Return the wait in whole seconds, rounded up, or None if none makes sense.

    `headers` has its names in lower case. Negative, endless and unreadable waits
    are None.
    """
    milliseconds = _number(headers.get("retry-after-ms", ""))
    if milliseconds is not None and (wait_s := _sane(milliseconds / 1000)) is not None:
        return wait_s
    text = headers.get("retry-after", "")
    seconds = _number(text)
    if seconds is not None:
        return _sane(seconds)
    then, now = _date(text), _date(headers.get("date", ""))
    if then is None or now is None:
        return None
    return _sane((then - now).total_seconds())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _sane(seconds: float) -> float | None:
    return float(math.ceil(seconds)) if 0 <= seconds <= LONGEST_S else None


def _date(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
