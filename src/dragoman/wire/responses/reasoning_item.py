"""An item of reasoning, as it grows: its summaries, its text, and what is sent back unread.

One item holds one thing that was signed: what comes with another signature, id or format is
another item (OpenRouter, `OutputReasoningItem`).
"""

from dragoman.wire.answers import encode
from dragoman.wire.details import Detail, ReasoningDetail
from dragoman.wire.responses.events import Events
from dragoman.wire.responses.thoughts import ENCRYPTED, OPENAI, SUMMARY, TEXT, seal

_UNNAMED = (None, "unknown")
"""Formats that say nothing: of some providers the signature alone, which comes last, tells it."""


class ReasoningItem:
    """One item of reasoning. `sealed`: the client gets all of it in `encrypted_content`.

    It does so in any case where an id has to come back that is none of an item's.
    """

    __slots__ = (
        "_data", "_format", "_id", "_index", "_item_id", "_open", "_own", "_passages",
        "_sealed", "_signature", "_source", "item",
    )  # fmt: skip

    def __init__(self, index: int, item_id: str, first: ReasoningDetail, *, sealed: bool) -> None:
        self.item = b""
        """The whole item, once it is closed."""
        # An id of OpenAI's own is what its `encrypted_content` belongs to.
        own = first.id if first.id and first.id.startswith("rs_") else item_id
        self._own = own
        self._item_id = encode(own)
        self._index = index
        self._id = first.id
        self._format = first.format
        self._sealed = sealed
        self._source: list[tuple[str, int | None]] = []
        """Of each passage: its type, and its index in the hub."""
        self._passages: list[list[str]] = []
        self._open = -1
        self._data: str | None = None
        self._signature: str | None = None

    def takes(self, part: ReasoningDetail) -> bool:
        """Whether a fragment belongs to this item."""
        if part.id and self._id and part.id != self._id:
            return False
        if not _alike(part.format, self._format):
            return False
        if part.type == TEXT:
            texts = [index for kind, index in self._source if kind == TEXT]
            follows = not texts or part.index is None or texts[-1] in {None, part.index}
            return follows and self._may_follow(part)
        if part.type == ENCRYPTED:
            # An id that only the encrypted text has names what it signs: it is no more of this.
            signs_another = part.id is not None and self._id is None and bool(self._source)
            return self._data is None and self._signature is None and not signs_another
        return self._may_follow(part)

    def _may_follow(self, part: ReasoningDetail) -> bool:
        """Whether text may come behind what is encrypted: only where an id says so."""
        return self._data is None or part.id is not None

    def open(self, events: Events) -> bytes:
        """Return the event that begins the item."""
        item = b'{"type":"reasoning","id":%b,"summary":[],"status":"in_progress"}' % self._item_id
        return events.added(self._index, item)

    def add(self, events: Events, part: ReasoningDetail) -> bytes:
        """Return the events for a fragment."""
        self._id = self._id or part.id
        if self._format in _UNNAMED:
            self._format = part.format
        if part.type == ENCRYPTED:
            self._data = (self._data or "") + (part.data or "")
            return b""
        if part.signature is not None:
            self._signature = part.signature
        text = part.summary if part.type == SUMMARY else part.text
        if not text:
            return b""
        before = self._passage(events, part)
        self._passages[-1].append(text)
        name = b"reasoning_summary_text" if part.type == SUMMARY else b"reasoning_text"
        rest = b'%b,"delta":%b' % (self._place(len(self._source) - 1), encode(text))
        return before + events.event(name + b".delta", rest)

    def close(self, events: Events, status: bytes) -> bytes:
        """Return the events that end the item."""
        before = self._close_passage(events)
        self.item = self.whole(status)
        return before + events.done(self._index, self.item)

    def take(self, part: ReasoningDetail) -> None:
        """Take in a fragment of a whole answer, which has no events."""
        self.add(Events(), part)

    def whole(self, status: bytes) -> bytes:
        """Return the item as it is now."""
        summaries = self._texts(SUMMARY, b"summary_text")
        texts = self._texts(TEXT, b"reasoning_text")
        more = [b',"content":[%b]' % texts] if texts else []
        content = self._unread()
        if content is not None:
            more.append(b',"encrypted_content":%b' % encode(content))
        if self._signature is not None:
            more.append(b',"signature":%b' % encode(self._signature))
        if self._format is not None:
            more.append(b',"format":%b' % encode(self._format))
        return b'{"type":"reasoning","id":%b,"summary":[%b]%b,"status":"%b"}' % (
            self._item_id,
            summaries,
            b"".join(more),
            status,
        )

    def _unread(self) -> str | None:
        """Return what the client is to send back unread, if anything."""
        seals = self._sealed or (self._data is not None and self._id not in (None, self._own))
        if seals and self._format != OPENAI:
            return seal(self._details())
        return self._data

    def _details(self) -> list[Detail]:
        """Return the hub's details, as they were before they became this item."""
        found: list[Detail] = []
        for (kind, _), texts in zip(self._source, self._passages, strict=True):
            member = "summary" if kind == SUMMARY else "text"
            found.append({"type": kind, member: "".join(texts)})
        if self._signature is not None:
            if not found or found[-1]["type"] != TEXT:
                found.append({"type": TEXT, "text": ""})
            found[-1]["signature"] = self._signature
        if self._data is not None:
            found.append({"type": ENCRYPTED, "data": self._data})
        shared: Detail = {"format": self._format or "unknown"}
        if self._id:
            shared["id"] = self._id
        return [{**each, **shared} for each in found]

    def _texts(self, kind: str, name: bytes) -> bytes:
        pairs = zip(self._source, self._passages, strict=True)
        texts = ["".join(texts) for (each, _), texts in pairs if each == kind]
        return b",".join(b'{"type":"%b","text":%b}' % (name, encode(text)) for text in texts)

    def _passage(self, events: Events, part: ReasoningDetail) -> bytes:
        """Return the events that let a passage be open which takes a fragment."""
        if self._open >= 0:
            kind, index = self._source[-1]
            if kind == part.type and (part.index is None or index in {None, part.index}):
                return b""
        before = self._close_passage(events)
        self._source.append((part.type, part.index))
        self._passages.append([])
        self._open = len(self._source) - 1
        return before + self._tell_part(events, b"added", "")

    def _close_passage(self, events: Events) -> bytes:
        if self._open < 0:
            return b""
        text = "".join(self._passages[-1])
        name = b"reasoning_summary_text" if self._summarises() else b"reasoning_text"
        rest = b'%b,"text":%b' % (self._place(self._open), encode(text))
        done = events.event(name + b".done", rest) + self._tell_part(events, b"done", text)
        self._open = -1
        return done

    def _tell_part(self, events: Events, what: bytes, text: str) -> bytes:
        if self._summarises():
            name, kind = b"reasoning_summary_part.", b"summary_text"
        else:
            name, kind = b"content_part.", b"reasoning_text"
        part = b'{"type":"%b","text":%b}' % (kind, encode(text))
        return events.event(name + what, b'%b,"part":%b' % (self._place(self._open), part))

    def _summarises(self) -> bool:
        return self._source[-1][0] == SUMMARY

    def _place(self, passage: int) -> bytes:
        kind = self._source[passage][0]
        number = sum(each == kind for each, _ in self._source[:passage])
        name = b"summary_index" if kind == SUMMARY else b"content_index"
        return b'"output_index":%d,"item_id":%b,"%b":%d' % (
            self._index,
            self._item_id,
            name,
            number,
        )


def _alike(one: str | None, other: str | None) -> bool:
    """Whether two formats may be those of one thing."""
    return one == other or one in _UNNAMED or other in _UNNAMED
