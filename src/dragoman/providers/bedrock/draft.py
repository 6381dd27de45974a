"""A request being put together for one model at Bedrock, and what had to be said about it."""

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.anthropic.draft import Draft as ClaudeDraft
from dragoman.providers.bedrock.families import Family, family


class Draft(ClaudeDraft):
    """Collects the members of a body, those that only the model knows (`own`), and notes."""

    __slots__ = ("_names", "endpoint", "family", "own")

    def __init__(self, endpoint: Endpoint, provider: Provider) -> None:
        super().__init__(endpoint, provider)
        self.endpoint = endpoint
        self.family: Family = family(endpoint.upstream)
        self.own: dict[str, object] = {}
        self._names: set[str] = set()

    def own_name(self, name: str) -> str:
        """Return the name of a document: no two of one request may have the same."""
        made, number = name, 1
        while made in self._names:
            number += 1
            made = f"{name} {number}"
        self._names.add(made)
        return made
