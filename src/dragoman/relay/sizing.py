"""How large a request is, for the bound on its cost. Pure.

Text counts by the bytes of the body, which are never fewer than its tokens. Media do not:
their data are taken out, and they are counted (`dragoman.ledger.bound`).
"""

from collections.abc import Iterator
from typing import Any

import msgspec

from dragoman.ledger.bound import Size, first_slice
from dragoman.providers.usage import TERMS
from dragoman.wire.chat import ChatCall
from dragoman.wire.messages import TEXT_ONLY

MARKS = len('"":,')
IMAGES = frozenset({"image_url", "input_image"})
UNSIZED = frozenset({"video_url", "input_video", "file", "input_file"})


CHUNK_TOKENS, LEAST_CHUNK, CHUNKS_PER_SEARCH = 500, 100, 100
_NULL = msgspec.Raw(b"null")
_text = msgspec.json.Decoder(str).decode
_HOLDER = {"chat": "messages", "embeddings": "input"}
"""The member in which media stand."""


class _Document(msgspec.Struct):
    text: str | None = None
    image: str | None = None


class _Media(msgspec.Struct):
    data_bytes: int = 0
    images: int = 0
    audio_bytes: int = 0
    unsized: int = 0


def size_of(call: ChatCall) -> Size:
    """Return the size of a request with the output that is held at first."""
    if call.kind == "rerank":
        return _of_rerank(call)
    body = _bytes_of(call)
    media = _Media() if call.inputs == TEXT_ONLY else _media(call)
    return Size(
        body_bytes=body - media.data_bytes,
        images=media.images,
        audio_bytes=media.audio_bytes,
        unsized=media.unsized,
        output_tokens=first_slice(call.max_tokens),
        sliced=call.max_tokens is None,
        choices=call.choices,
        prompts=call.prompts,
        service_tier=_tier(call),
        terms=_terms(call),
    )


def sent_size(call: ChatCall, body: bytes) -> Size:
    """Return the size of a request of which this body was sent: cheaper, where it is but text."""
    if call.inputs != TEXT_ONLY or "n" in call.members or call.kind != "chat":
        return size_of(call)
    return Size(body_bytes=len(body))


def _of_rerank(call: ChatCall) -> Size:
    """Return the size of a request to rerank: its query is read, and billed, with each document.

    Cohere bills by search: a query with up to a hundred documents, of which one that is longer than
    500 tokens with the query counts as several ("How does pricing work?").
    """
    query, images, data_bytes, chunks = len(call.members["query"]), 0, 0, 0
    for document in msgspec.json.decode(call.members["documents"], type=list[str | _Document]):
        each = _Document(text=document) if isinstance(document, str) else document
        length = len((each.text or "").encode())
        chunks += 1 + length // max(CHUNK_TOKENS - query, LEAST_CHUNK)
        if each.image is not None:
            images += 1
            data_bytes += len(each.image)
    return Size(
        body_bytes=_bytes_of(call) + (call.prompts - 1) * query - data_bytes,
        images=images,
        output_tokens=0,
        searches=-(-chunks // CHUNKS_PER_SEARCH),
        prompts=call.prompts,
    )


def _tier(call: ChatCall) -> str | None:
    """Return the service tier that is asked for, None for whichever the provider takes."""
    asked = call.members.get("service_tier")
    tier = None if asked is None else msgspec.json.decode(asked)
    return tier if isinstance(tier, str) else None


def _terms(call: ChatCall) -> tuple[str, ...]:
    """Return what a client of Anthropic's API asks for that is billed at another rate."""
    if call.native is None:
        return ()
    said = ((name, call.native.members.get(name, _NULL)) for name in TERMS)
    return tuple(f"{name}:{_text(value)}" for name, value in said if bytes(value)[:1] == b'"')


def _bytes_of(call: ChatCall) -> int:
    return sum(len(name) + len(value) + MARKS for name, value in call.members.items())


def _media(call: ChatCall) -> _Media:
    found = _Media()
    for part in _parts(msgspec.json.decode(call.members[_HOLDER[call.kind]])):
        kind = part.get("type")
        if kind in IMAGES:
            found.images += 1
            found.data_bytes += _data_bytes(part)
        elif kind == "input_audio":
            size = _data_bytes(part)
            found.audio_bytes += size * 3 // 4
            found.data_bytes += size
        elif kind in UNSIZED:
            found.unsized += 1
            found.data_bytes += _data_bytes(part)
    return found


def _parts(messages: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for message in messages:
        content = message.get("content")
        if isinstance(content, list):
            yield from (part for part in content if isinstance(part, dict))


def _data_bytes(part: dict[str, Any]) -> int:
    """Return how many bytes of a part are a medium's data rather than text."""
    return sum(
        len(value)
        for inner in part.values()
        if isinstance(inner, dict)
        for name, value in inner.items()
        if isinstance(value, str) and (name == "data" or value.startswith("data:"))
    )
