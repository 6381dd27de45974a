"""A request being put together for one model, and what had to be said about it."""

from typing import Any

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.providers.gemini.families import Family, family
from dragoman.providers.openai.draft import CHOOSY

_ALSO_MEANS = {
    "response_format": "structured_outputs",
    "parallel_tool_calls": "tools",
    "top_logprobs": "logprobs",
}


class Draft:
    """Collects the members of the body, those of `generationConfig`, and notes.

    A field that changes in many places is noted once.
    """

    __slots__ = ("_noted", "body", "config", "endpoint", "family", "notes", "provider", "vertex")

    def __init__(self, endpoint: Endpoint, provider: Provider, *, vertex: bool) -> None:
        self.body: dict[str, Any] = {}
        self.config: dict[str, Any] = {}
        self.notes: list[Note] = []
        self.endpoint = endpoint
        self.provider = provider
        self.vertex = vertex
        self.family: Family = family(endpoint.upstream)
        self._noted: set[tuple[Change, str]] = set()

    def note(self, change: Change, field: str, detail: str) -> None:
        """Say that a field did not survive as it was."""
        if (change, field) not in self._noted:
            self._noted.add((change, field))
            self.notes.append(Note(change, field, detail, self.provider.slug))

    def drop(self, field: str, detail: str) -> None:
        """Say that a field was left out."""
        self.note(Change.DROPPED, field, detail)

    def refusal(self, field: str, detail: str) -> InvalidRequest:
        """Return what a caller is told whose request cannot be put into this API's words."""
        return InvalidRequest(f"{field}: {detail} ({self.provider.name})")

    def takes(self, name: str) -> bool:
        """Say whether the endpoint takes a parameter; note it if not."""
        supports = self.endpoint.supports
        if (
            name in CHOOSY
            and supports
            and name not in supports
            and _ALSO_MEANS.get(name) not in supports
        ):
            self.drop(name, "this endpoint does not support it")
            return False
        if name in self.provider.quirks.rejects:
            self.drop(name, "this provider rejects it")
            return False
        return True
