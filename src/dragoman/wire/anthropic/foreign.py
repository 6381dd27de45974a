"""What an answer of another model leaves in a conversation, and Anthropic refuses to have back.

Clients send back what they were given. Thoughts that Anthropic has not signed, sources that it has
not found, images that it has not made and texts of white space alone are taken out; ids of calls
are put into the letters that its API takes. Everything else keeps its bytes.
"""

import hashlib
import re

import msgspec
from msgspec import Raw

from dragoman.core.notes import Change, Note
from dragoman.wire.hub import Members

_OUT = Note(
    Change.DROPPED,
    "messages.content",
    "thoughts, citations and images of others, and empty texts, which Anthropic refuses",
)
_RENAMED = Note(
    Change.RENAMED, "messages.content.id", "put into letters that Anthropic takes in ids of calls"
)
_NO_INDEX = (b'"encrypted_index":""', b'"encrypted_index": ""')
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")

_encode = msgspec.json.Encoder().encode
_list = msgspec.json.Decoder(list[Raw]).decode
_members = msgspec.json.Decoder(Members).decode
_rows = msgspec.json.Decoder(list[Members]).decode


class Foreign:
    """The blocks of one conversation that Anthropic would refuse, by their places."""

    __slots__ = ("_blocks", "_out", "_renamed")

    def __init__(self) -> None:
        self._blocks: dict[int, dict[int, Raw | None]] = {}
        """Places of messages, of their blocks, and what stands there instead, if anything."""
        self._out = False
        self._renamed = False

    @property
    def changes(self) -> tuple[Note, ...]:
        """What is said of it where Anthropic's API is spoken."""
        return (_OUT,) * self._out + (_RENAMED,) * self._renamed

    def leave_out(self, message: int, block: int, instead: object = None) -> None:
        """Leave a block out, or put what Anthropic takes in its place."""
        self._out = True
        made = None if instead is None else Raw(_encode(instead))
        self._blocks.setdefault(message, {})[block] = made

    def name(self, message: int, block: int, raw: Raw, member: str, id_: str) -> None:
        """Put the id of a call into letters that Anthropic takes; one id stays one."""
        plain = _NOT_IN_IDS.sub("_", id_)
        if plain == id_:
            return
        self._renamed = True
        mark = hashlib.sha256(id_.encode()).hexdigest()[:8]
        row = {**_members(raw), member: Raw(_encode(f"{plain}_{mark}"))}
        self._blocks.setdefault(message, {})[block] = Raw(_encode(row))

    def without(self, messages: Raw) -> Raw:
        """Return the messages as Anthropic takes them, less those that are empty then."""
        if not self._blocks:
            return messages
        kept = []
        rows = _rows(messages)
        for place, (raw, row) in enumerate(zip(_list(messages), rows, strict=True)):
            gone = self._blocks.get(place)
            if gone is None:
                kept.append(raw)
                continue
            blocks = [
                kept_block
                for at, each in enumerate(_list(row["content"]))
                if (kept_block := gone.get(at, each)) is not None
            ]
            if blocks:
                kept.append(Raw(_encode({**row, "content": blocks})))
        return Raw(_encode(kept))


def cites_others(citations: Raw) -> bool:
    """Whether sources are cited that no provider of this API has found: those have an index."""
    cited = bytes(citations)
    return any(cited.find(empty) >= 0 for empty in _NO_INDEX)
