"""What a request's headers say of it, but for those that only one dialect knows."""

from collections.abc import Mapping
from typing import Final

from msgspec import Struct

from dragoman.access.credentials import plain_hash

LONGEST_HEADER: Final = 512
"""Characters of an attribution header that are kept."""

SESSIONS: Final = (
    b"x-session-id", b"x-claude-code-session-id", b"session-id", b"thread-id",
    b"x-session-affinity", b"x-openwebui-chat-id",
)  # fmt: skip
"""Headers that name the conversation a request belongs to, the most telling first: OpenRouter's
own, and those of Claude Code, Codex (two), OpenCode and Open WebUI."""

TOLD: Final = frozenset({
    *SESSIONS, b"http-referer", b"referer", b"x-openrouter-title", b"x-title",
    b"x-openrouter-metadata", b"x-openrouter-experimental-metadata", b"x-openrouter-cache",
    b"idempotency-key",
})  # fmt: skip
"""Headers that few requests have."""


class Said(Struct, frozen=True, kw_only=True, gc=False):
    """What the headers say. `key_hash` is None where the gate has to look which key they bring."""

    key_hash: str | None
    user_agent: str | None
    session_id: str | None = None
    referer: str | None = None
    title: str | None = None
    wants_metadata: bool = False
    wants_cache: bool = False
    wants_replay: bool = False


def said_by(headers: Mapping[bytes, bytes]) -> Said:
    """Return what headers say. Names are in lower case."""
    key_hash, user_agent = plain_hash(headers), _kept(headers, b"user-agent")
    if TOLD.isdisjoint(headers):
        return Said(key_hash=key_hash, user_agent=user_agent)
    return Said(
        key_hash=key_hash,
        user_agent=user_agent,
        session_id=next(filter(None, (_kept(headers, name) for name in SESSIONS)), None),
        referer=_kept(headers, b"http-referer") or _kept(headers, b"referer"),
        title=_kept(headers, b"x-openrouter-title") or _kept(headers, b"x-title"),
        wants_metadata=_wants_metadata(headers),
        wants_cache=headers.get(b"x-openrouter-cache", b"").strip().lower() == b"true",
        wants_replay=b"idempotency-key" in headers,
    )


def _kept(headers: Mapping[bytes, bytes], name: bytes) -> str | None:
    value = headers.get(name)
    return value[:LONGEST_HEADER].decode("latin-1") if value else None


def _wants_metadata(headers: Mapping[bytes, bytes]) -> bool:
    value = headers.get(b"x-openrouter-metadata")
    if value is None:
        value = headers.get(b"x-openrouter-experimental-metadata", b"")
    return value.strip().lower() == b"enabled"
