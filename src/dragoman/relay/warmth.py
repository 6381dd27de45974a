"""Whose prompts are kept by providers, and what tells one conversation from another.

A conversation that nobody named is known by how it begins. That is looked at only for a
model at which an account's prompts were lately found in a cache that makes them cheaper
(OpenRouter, prompt-caching, "Provider Sticky Routing").
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.catalog.types import Price
from dragoman.wire.hub import Members

WARM_S = 600.0
"""How long after it was seen a cache is thought of: OpenRouter's ten minutes."""
MOST_WARM = 4096
"""So many pairs of account and model are remembered."""

NO_MESSAGES = Raw(b"[]")
INSTRUCTIONS = frozenset({"system", "developer"})


class _Message(Struct, frozen=True, gc=False):
    role: str = ""


_messages = msgspec.json.Decoder(list[Raw]).decode
_message = msgspec.json.Decoder(_Message).decode


class Warmth:
    """At which models an account's prompts were kept lately, as far as this process saw."""

    def __init__(self) -> None:
        self.until: dict[tuple[str, str], float] = {}
        """Account and model -> until when. Empty where no cache was ever seen."""

    def saw(self, account: str, model: str, now: float) -> None:
        """Take note that a prompt was kept, or found to be."""
        self.until.pop((account, model), None)
        if len(self.until) >= MOST_WARM:
            del self.until[next(iter(self.until))]
        self.until[account, model] = now + WARM_S

    def lately(self, account: str, model: str, now: float) -> bool:
        """Say whether that was so within the last ten minutes."""
        until = self.until.get((account, model))
        return until is not None and now < until


def pays_off(price: Price | None) -> bool:
    """Say whether it is cheaper to have a prompt read from a cache."""
    return price is not None and price.cache_read is not None and price.cache_read < price.prompt


def opening(members: Members) -> str:
    """Return what a conversation begins with: its first instruction and what it is first told.

    Empty where there is none, or where it is nested too deep to be read from here.
    """
    first: list[Raw] = []
    try:
        for each in _messages(members.get("messages", NO_MESSAGES)):
            told = _message(each).role not in INSTRUCTIONS
            if told or not first:
                first.append(each)
            if told:
                break
    except RecursionError:
        return ""
    return "\n".join(bytes(each).decode(errors="replace") for each in first)
