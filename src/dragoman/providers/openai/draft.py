"""A request body being put together for one endpoint, and what had to be said about it.

Every member passes `offer`, the one gate where the endpoint's abilities and the
host's quirks decide: kept, renamed, or dropped. Nothing is dropped without a note.
"""

import msgspec
from msgspec import Raw

from dragoman.catalog.parameters import PARAMETERS
from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change, Note
from dragoman.providers.tiers import NOT_SOLD, sold
from dragoman.wire.hub import Members

_NAMED_OTHERWISE = frozenset({
    "max_tokens", "max_completion_tokens", "reasoning", "reasoning_effort", "include_reasoning",
    "structured_outputs", "web_search_options",
})  # fmt: skip
CHOOSY = PARAMETERS - _NAMED_OTHERWISE
"""Parameters that go only to endpoints which list them, where an endpoint lists any.

The limit of output and the wish to reason have several names, and are put by
`request` and `reasoning` under the one that fits.
"""

_ALSO_MEANS = {
    "response_format": "structured_outputs",
    "parallel_tool_calls": "tools",
    "top_logprobs": "logprobs",
}
"""Parameter -> another whose support includes it."""

_text = msgspec.json.Decoder(str).decode


class Draft:
    """Collects the members of a body and the notes."""

    __slots__ = ("_host", "_provider", "_supports", "body", "endpoint", "notes", "quirks")

    def __init__(self, endpoint: Endpoint, provider: Provider) -> None:
        self.body: Members = {}
        self.notes: list[Note] = []
        self.endpoint = endpoint
        self._host = provider
        self._provider = provider.slug
        self.quirks = provider.quirks
        self._supports = endpoint.supports

    def note(self, change: Change, field: str, detail: str) -> None:
        """Say that a field did not survive as it was."""
        self.notes.append(Note(change, field, detail, self._provider))

    def offer(self, name: str, value: Raw) -> bool:
        """Take a member, under the host's name for it, and say whether it was taken."""
        if name in CHOOSY and not self._supported(name):
            self.note(Change.DROPPED, name, "this endpoint does not support it")
            return False
        quirks = self.quirks
        if name in quirks.rejects:
            self.note(Change.DROPPED, name, "this provider rejects it")
            return False
        if name == "service_tier":
            return self._ask_for_tier(value)
        if name in quirks.renames:
            return self._rename(name, quirks.renames[name], value)
        self.body[name] = value
        return True

    def inject(self, name: str, value: Raw) -> None:
        """Add a member that the host needs, unless the caller chose a value."""
        if name not in self.body:
            self.body[name] = value
            self.note(Change.INJECTED, name, "this provider needs it")

    def _ask_for_tier(self, value: Raw) -> bool:
        asked = _text(value)
        name = sold(asked, self.endpoint, self._host)
        if name is None:
            self.note(Change.DROPPED, "service_tier", NOT_SOLD)
            return False
        if name != asked:
            self.note(
                Change.RENAMED, "service_tier", f"{asked} is sent as {name}, which is the same"
            )
        self.body["service_tier"] = value if name == asked else Raw(msgspec.json.encode(name))
        return True

    def _supported(self, name: str) -> bool:
        supports = self._supports
        return not supports or name in supports or _ALSO_MEANS.get(name) in supports

    def _rename(self, name: str, new: str, value: Raw) -> bool:
        if new in self.body:
            self.note(Change.DROPPED, name, f"{new} was sent too")
            return False
        self.body[new] = value
        self.note(Change.RENAMED, name, f"this provider calls it {new}")
        return True
