"""A chat request: the members we act on, typed and checked, and all members as they came."""

from typing import Any, Literal

from msgspec import Raw, Struct

from dragoman.wire.hub import Members
from dragoman.wire.preferences import Preferences


class Reasoning(Struct, frozen=True, kw_only=True):
    """The `reasoning` object, with its legacy spellings folded in. Absent stays None."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool = False
    enabled: bool | None = None
    summary: str | None = None


class ChatCall(Struct, frozen=True, kw_only=True):
    """A validated chat request.

    `members` holds every top-level member with its bytes as sent, for forwarding
    what needs no change. The other fields are what routing, relay and records act on.
    `not_applied` names fields that are accepted and valid but have no effect yet.
    """

    members: Members
    model: str | None
    models: tuple[str, ...]
    preferences: Preferences
    partition: Literal["model", "none"]
    route_by_price: bool
    stream: bool
    max_tokens: int | None
    parameters: frozenset[str]
    inputs: frozenset[str]
    outputs: frozenset[str]
    text_bytes: int
    reasoning: Reasoning | None
    tools: bool
    json_output: bool
    session_id: str | None
    user: str | None
    tags: dict[str, str]
    trace: dict[str, Any]
    echo_upstream_body: bool
    not_applied: tuple[str, ...]


__all__ = ["ChatCall", "Members", "Raw", "Reasoning"]
