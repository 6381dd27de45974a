"""Models that a person has read against the source, and whether they are still as they were.

What was read is the evidence: a line per endpoint, with what the source says and what became of
it. `checked.yaml` keeps a fingerprint of it beside each verdict. Pure.
"""

from hashlib import sha256

from msgspec import Struct

from dragoman.catalog.build.merge import Draft, Joined
from dragoman.catalog.build.prices import both
from dragoman.catalog.build.read import Cost
from dragoman.catalog.shipped import EndpointRow, ModelRow


class Checked(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A model that was read, the fingerprint of what was seen, and what was found."""

    model: str
    seen: str
    verdict: str


class Checks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file `checked.yaml`. `dated` is the day of the last reading."""

    dated: str = ""
    checked: tuple[Checked, ...] = ()


def evidence(model: Joined, row: ModelRow) -> tuple[str, ...]:
    """Return a line per endpoint: what the source says, an arrow, and what became of it."""
    return tuple(_line(*each) for each in zip(model.drafts, row.endpoints, strict=True))


def fingerprint(lines: tuple[str, ...]) -> str:
    """Return eight hexadecimal digits that change when the evidence does."""
    return sha256("\n".join(lines).encode()).hexdigest()[:8]


def _line(draft: Draft, row: EndpointRow) -> str:
    limit = draft.entry.about.limit
    price = "0/0" if row.free else both(draft.price)
    return (
        f"- `{draft.entry.place}` {said(draft.said)}, {limit.context:,}/{limit.output:,}"
        f" → {draft.tag}{':free' if row.free else ''} {price},"
        f" {row.context or 0:,}/{row.max_output or 0:,}, {row.quantization}, {row.status}"
    )


def said(cost: Cost | None) -> str:
    """Return a price as the source has it, `-` for what it does not say."""
    amounts = (cost.input, cost.output) if cost else (None, None)
    return "/".join("-" if amount is None else f"{amount:g}" for amount in amounts)
