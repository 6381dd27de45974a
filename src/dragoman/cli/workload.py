"""A workload, and what it costs at a price. Pure, and in integers until it is shown.

It is either so many tokens altogether, in requests of ordinary length and number, or
requests of one length, so many in some time: `10k in, 2k out, 500 a day`.
"""

import re
from decimal import Decimal, InvalidOperation

from msgspec import Struct, structs

from dragoman.catalog.types import Endpoint, Price
from dragoman.core.money import NanoUsd
from dragoman.ledger.cost import cost_of
from dragoman.wire.usage import Usage

MOST = 10**15
UNITS = {"": 1, "k": 10**3, "m": 10**6, "b": 10**9}
EXAMPLE = "10k in, 2k out, 500 a day"

_PART = re.compile(
    r"(?P<count>[\d._]+[kmb]?)\s*(?:tokens\s+)?(?:"
    r"(?P<prompt>in|input|prompt)|(?P<completion>out|output|completion)"
    r"|(?:(?:requests|times)\s*)?(?:an?|per)\s+(?P<period>hour|day|week|month|year)"
    r"|(?P<requests>requests|times)"
    r")",
    re.IGNORECASE,
)


class Workload(Struct, frozen=True, kw_only=True):
    """Tokens of prompt and completion: of each request, or of all where `requests` is None.

    `period` is the time in which there are so many requests, such as `day`; empty: any.
    """

    prompt_tokens: int
    completion_tokens: int
    requests: int | None = None
    period: str = ""

    def __str__(self) -> str:
        tokens = f"{self.prompt_tokens:,} tokens in, {self.completion_tokens:,} out"
        if self.requests is None:
            return tokens
        per = f" per {self.period}" if self.period else ""
        return f"{self.requests:,} requests{per} of {tokens} each"


def amount(text: str) -> int:
    """Return a number such as `128000`, `200k` or `1.5M`. Raises ValueError."""
    number = text.strip().lower()
    unit = number[-1:] if number[-1:] in UNITS else ""
    try:
        value = Decimal(number.removesuffix(unit)) * UNITS[unit]
    except InvalidOperation:
        value = Decimal("NaN")
    if not value.is_finite() or not 0 <= value <= MOST or value != int(value):
        raise ValueError(f"{text!r} is not a number such as 128000, 200k or 1.5M")
    return int(value)


def read_workload(text: str) -> Workload:
    """Return the workload that a person has written. Raises ValueError."""
    parts: dict[str, int] = {}
    period = ""
    for part in text.split(","):
        match = _PART.fullmatch(part.strip())
        if match is None or match.lastgroup is None:
            raise ValueError(f"{part.strip()!r} is not understood; a workload is like {EXAMPLE!r}")
        name = "requests" if match["period"] else match.lastgroup
        if name in parts:
            raise ValueError(f"{part.strip()!r}: that has been said already")
        parts[name] = amount(match["count"])
        period = match["period"] or period
    if not parts.keys() & {"prompt", "completion"}:
        raise ValueError(f"{text!r} has no tokens; a workload is like {EXAMPLE!r}")
    return Workload(
        prompt_tokens=parts.get("prompt", 0),
        completion_tokens=parts.get("completion", 0),
        requests=parts.get("requests"),
        period=period.lower(),
    )


def cost(workload: Workload, price: Price | None) -> NanoUsd | None:
    """Return what a workload costs, None if the price is unknown.

    Tokens altogether are taken for requests shorter than any tier of prices, and a fee
    for each request is left out: how many there are is not known.
    """
    if price is None:
        return None
    requests = workload.requests
    if requests is None:
        price, requests = structs.replace(price, tiers=(), request=None), 1
    usage = Usage(prompt=workload.prompt_tokens, completion=workload.completion_tokens)
    one = cost_of(usage, price)
    return None if one is None else NanoUsd(one.total * requests)


def fits(workload: Workload, endpoint: Endpoint) -> bool:
    """Say whether a request of this length is not known to be too long for the endpoint."""
    if workload.requests is None:
        return True
    length = workload.prompt_tokens + workload.completion_tokens
    return length <= (endpoint.context or length) and workload.completion_tokens <= (
        endpoint.max_output or workload.completion_tokens
    )
