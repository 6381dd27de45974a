"""What a model thought, told in the hub's `reasoning_details` and given back as blocks.

Only Anthropic's own details go to Anthropic: it refuses what it has not signed (docs, "Extended
thinking", "Thinking encryption"). Clients of streams may send back the fragments as they came;
those of one index are one detail (OpenRouter, reasoning-tokens).
"""

from collections.abc import Iterator

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.content import EMPTY, NOTHING, NULL
from dragoman.providers.anthropic.draft import Draft
from dragoman.wire.hub import Members

FORMAT = "anthropic-claude-v1"

_FORMAT = Raw(b'"anthropic-claude-v1"')
_TEXT, _ENCRYPTED = Raw(b'"reasoning.text"'), Raw(b'"reasoning.encrypted"')
_WITHOUT = "this provider takes back only what its own models thought and signed"

_details = msgspec.json.Decoder(list[Members]).decode
_number = msgspec.json.Decoder(int).decode


class Thought(Struct, frozen=True, gc=False):
    """One thought as a block, and the index that it had among the blocks of its answer."""

    block: bytes
    index: int | None


def thoughts(row: Members, draft: Draft) -> list[Thought]:
    """Return what an answer's model thought, as far as the model may have it back."""
    details = row.get("reasoning_details", NULL)
    if details == NULL:
        if any(row.get(name, EMPTY) not in NOTHING for name in _TOLD):
            draft.dropped("messages.reasoning", _WITHOUT)
        return []
    found = []
    for detail in _whole(_details(details)):
        block = _block(detail)
        if block is None:
            draft.dropped("messages.reasoning_details", _WITHOUT)
        else:
            found.append(Thought(block, _index(detail)))
    return found


_TOLD = ("reasoning", "reasoning_content")


def in_places(said: list[bytes], thought: list[Thought]) -> list[bytes]:
    """Return blocks with thoughts among them, each at the index that it had in the answer.

    Thoughts stay in their order, and one without an index directly follows the one before it.
    """
    if not thought:
        return said
    placed: list[bytes] = []
    rest = iter(said)
    for each in thought:
        while each.index is not None and len(placed) < each.index:
            block = next(rest, None)
            if block is None:
                break
            placed.append(block)
        placed.append(each.block)
    placed += rest
    return placed


def _whole(details: list[Members]) -> Iterator[Members]:
    """Yield details, the fragments of one joined."""
    joined: Members = {}
    texts: list[bytes] = []
    for detail in details:
        goes_on = (
            bool(joined)
            and detail.get("type") == joined.get("type") == _TEXT
            and detail.get("index", NULL) in (NULL, joined.get("index", NULL))
            and joined.get("signature", NULL) in NOTHING
        )
        if goes_on:
            texts.append(_inner(detail))
            joined = {**joined, **{k: v for k, v in detail.items() if v != NULL}}
            continue
        if joined:
            yield _with_text(joined, texts)
        joined, texts = detail, [_inner(detail)]
    if joined:
        yield _with_text(joined, texts)


def _inner(detail: Members) -> bytes:
    text = bytes(detail.get("text", EMPTY))
    return text[1:-1] if text[:1] == b'"' else b""


def _with_text(detail: Members, texts: list[bytes]) -> Members:
    if len(texts) == 1:
        return detail
    return {**detail, "text": Raw(b'"%b"' % b"".join(texts))}


def _block(detail: Members) -> bytes | None:
    """Return a detail as a block, None if it is not of Anthropic's own."""
    if detail.get("format", NULL) not in (NULL, _FORMAT):
        return None
    kind = detail.get("type")
    signature = bytes(detail.get("signature", NULL))
    if kind == _TEXT and signature[:1] == b'"' and signature != b'""':
        text = bytes(detail.get("text", EMPTY))
        text = text if text[:1] == b'"' else b'""'
        return b'{"type":"thinking","thinking":%b,"signature":%b}' % (text, signature)
    data = bytes(detail.get("data", NULL))
    if kind == _ENCRYPTED and data[:1] == b'"':
        return b'{"type":"redacted_thinking","data":%b}' % data
    return None


def _index(detail: Members) -> int | None:
    try:
        return _number(detail.get("index", NULL))
    except ValueError:
        return None
