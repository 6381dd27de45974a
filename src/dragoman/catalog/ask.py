"""What a request asks of the catalog: which models, and what an endpoint must be able to do.

`dragoman.shaping` makes it of what a client sent, `dragoman.routing` answers it with a
plan. The two do not know each other, so it stands below both.
"""

from typing import Literal

from msgspec import Struct

from dragoman.catalog.byok import Byok
from dragoman.catalog.types import Endpoint
from dragoman.wire.preferences import Preferences, SortBy

TYPED_TOOLS = "tools."
"""What the names of tools that Anthropic knows by their type begin with among `parameters`."""


class Target(Struct, frozen=True, kw_only=True, cache_hash=True):
    """A model that the request may be served by.

    `asked` is what the caller wrote; `model` the catalog id it stands for.
    `free` selects the free endpoints; `sort` comes from a variant such as
    `:nitro` (throughput) or `:floor` (price).
    """

    asked: str
    model: str
    free: bool = False
    sort: SortBy | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """What a request needs from an endpoint, and what its caller prefers."""

    targets: tuple[Target, ...]
    preferences: Preferences = Preferences()
    partition: Literal["model", "none"] = "model"
    """Whether fallback models stay behind the first (`model`) or compete with it."""
    text_bytes: int = 0
    """Length of all text in the request: with six bytes a token, a lower bound of its size."""
    max_tokens: int | None = None
    parameters: frozenset[str] = frozenset()
    """Optional parameters the request sends, by their names in `supported_parameters`.

    Where all are required, also the typed tools, as `tools.<type>`."""
    inputs: frozenset[str] = frozenset({"text"})
    outputs: frozenset[str] = frozenset({"text"})
    strategy: str = "direct"
    passed: dict[str, tuple[Endpoint, ...]] = {}
    """Model -> endpoints for this request only: its name goes to a provider as it is."""
    byok: tuple[Byok, ...] = ()
    """The account's own credentials, in the order in which those of a provider are tried."""
    session: bytes | None = None
    """Stands for the session that the request belongs to: all of it draw the same lots."""
