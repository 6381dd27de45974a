"""Short ways to have a call put into Gemini's words, and to look at what leaves and comes."""

import json
from pathlib import Path
from typing import Any

import msgspec

from dragoman.catalog.types import Billing, Endpoint, Provider, Quirks
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import parse_chat
from dragoman.wire.hub import Chunk, Members, Piece, Text

GOLDEN = Path(__file__).parent / "golden" / "gemini"
HELLO = {"role": "user", "content": "Hi"}
NAMES = {"gemini": "Google AI Studio", "vertex": "Google"}


def golden(folder: str) -> list[Path]:
    return sorted((GOLDEN / folder).glob("*.json"))


def read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def endpoint(upstream: str = "gemini-2.5-flash", *supports: str) -> Endpoint:
    return Endpoint(
        id="google-ai-studio|google/m",
        model="google/m",
        provider="google-ai-studio",
        provider_name="Google AI Studio",
        tag="google-ai-studio",
        upstream=upstream,
        price=None,
        supports=frozenset(supports),
    )


def provider(dialect: str = "gemini", **quirks: Any) -> Provider:
    return Provider(
        slug="google-ai-studio",
        name=NAMES[dialect],
        dialect=dialect,
        base_url="https://example.com/v1",
        quirks=Quirks(**quirks),
        billing=Billing(rates={"flex": 0.5, "priority": 2}),
    )


def write(hub: dict[str, Any], upstream: str = "gemini-2.5-flash", *supports: str) -> Outgoing:
    """Have a request translated; the model and a message are added where it has none."""
    return of(hub, endpoint(upstream, *supports), provider())


def of(hub: dict[str, Any], at: Endpoint, host: Provider) -> Outgoing:
    body = json.dumps({"model": "google/m", "messages": [HELLO], **hub}, ensure_ascii=False)
    return DIALECTS[host.dialect].request(parse_chat(body.encode()), at, host)


def sent(outgoing: Outgoing) -> Any:
    return json.loads(outgoing.body)


def noted(outgoing: Outgoing) -> list[tuple[str, str]]:
    return [(note.change.value, note.field) for note in outgoing.notes]


def event(*parts: Any, finish: str | None = None, index: int = 0) -> bytes:
    """Return an event, or an answer, with one candidate."""
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": parts}, "index": index}
    if finish:
        candidate["finishReason"] = finish
    return json.dumps({"candidates": [candidate], "responseId": "r1"}).encode()


def plain(members: Members) -> dict[str, Any]:
    return {name: json.loads(bytes(value)) for name, value in members.items()}


def shown(chunk: Chunk | Text | None) -> Any:
    """Return what the hub gets, as the golden files have it: without what says nothing."""
    if chunk is None:
        return None
    if isinstance(chunk, Text):
        return {"index": chunk.index, "text": json.loads(chunk.content)}
    found: dict[str, Any] = {}
    if chunk.pieces:
        found["pieces"] = [_piece(piece) for piece in chunk.pieces]
    if chunk.usage:
        told = msgspec.to_builtins(chunk.usage)
        found["usage"] = {name: value for name, value in told.items() if value}
    if chunk.fault:
        found["fault"] = msgspec.to_builtins(chunk.fault)
    if chunk.upstream_id:
        found["upstream_id"] = chunk.upstream_id
    return found


def _piece(piece: Piece) -> dict[str, Any]:
    found: dict[str, Any] = {"index": piece.index, "delta": plain(piece.delta)}
    for name in ("finish_reason", "native_finish_reason"):
        if getattr(piece, name) is not None:
            found[name] = getattr(piece, name)
    if piece.logprobs is not None:
        found["logprobs"] = json.loads(bytes(piece.logprobs))
    return found
