"""A message of an answer, as it grows: parts of text and refusals, with what is noted on them."""

import msgspec
from msgspec import Raw

from dragoman.wire.answers import encode
from dragoman.wire.hub import Members
from dragoman.wire.responses.events import Events
from dragoman.wire.responses.raw import is_object, joined, on_one_line

_NULL_LOGPROBS = b"[]"
_CITATION: Members = {
    "type": Raw(b'"url_citation"'),
    "start_index": Raw(b"0"),
    "end_index": Raw(b"0"),
    "title": Raw(b'""'),
    "url": Raw(b'""'),
}

PAGE = 1024
"""So many pieces of text are kept apart."""

_annotations = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode


class MessageItem:
    """One message item. Text is taken as the JSON strings in which it came."""

    __slots__ = (
        "_annotations", "_before_text", "_content", "_index", "_item_id", "_kind", "_logprobs",
        "_pages", "_parts", "item",
    )  # fmt: skip

    def __init__(self, index: int, item_id: str) -> None:
        self.item = b""
        """The whole item, once it is closed."""
        self._index = index
        self._item_id = encode(item_id)
        self._kind = b""
        self._parts: list[bytes] = []
        self._content: list[bytes] = []
        self._pages: list[bytes] = []
        """The text of the open part, but for what came last: a page of pieces is one text, for
        a piece takes more memory than the word in it."""
        self._annotations: list[bytes] = []
        self._logprobs: list[bytes] = []
        self._before_text = b""

    @property
    def takes_text(self) -> bool:
        """Whether a part of text is open."""
        return self._kind == b"output_text"

    def open(self, events: Events) -> bytes:
        """Return the event that begins the item."""
        return events.added(self._index, self._whole(b"in_progress"))

    def text(self, events: Events, content: bytes) -> bytes:
        """Return the event for text, which goes to the part that is open for it."""
        said = self._content
        said.append(content)
        if len(said) >= PAGE:
            self._turn_page()
        number = events.next
        events.next = number + 1
        return b"".join((
            self._before_text, content, b',"sequence_number":', b"%d" % number, b"}\n\n",
        ))  # fmt: skip

    def say(self, events: Events, content: bytes, logprobs: Raw | None = None) -> bytes:
        """Return the events for text, which may be the first, with its probabilities."""
        before = self._part(events, b"output_text")
        if logprobs is None:
            return before + self.text(events, content)
        told = on_one_line(logprob_tokens(logprobs))
        self._content.append(content)
        if told != _NULL_LOGPROBS:
            self._logprobs.append(told)
        rest = b'%b,"delta":%b,"logprobs":%b' % (self._place(), content, told)
        return before + events.event(b"output_text.delta", rest)

    def refuse(self, events: Events, content: bytes) -> bytes:
        """Return the events for a refusal."""
        before = self._part(events, b"refusal")
        self._content.append(content)
        return before + events.event(b"refusal.delta", b'%b,"delta":%b' % (self._place(), content))

    def annotate(self, events: Events, value: Raw) -> bytes:
        """Return the events for annotations, which stand on text."""
        told = [self._part(events, b"output_text")]
        for annotation in flat_annotations(value):
            place = len(self._annotations)
            self._annotations.append(annotation)
            rest = b'%b,"annotation_index":%d,"annotation":%b' % (self._place(), place, annotation)
            told.append(events.event(b"output_text.annotation.added", rest))
        return b"".join(told)

    def close(self, events: Events, status: bytes) -> bytes:
        """Return the events that end the item."""
        before = self._close_part(events)
        self.item = self._whole(status)
        return before + events.done(self._index, self.item)

    def _part(self, events: Events, kind: bytes) -> bytes:
        """Return the events that let a part of a kind be open: none where it is."""
        if self._kind == kind:
            return b""
        before = self._close_part(events)
        self._kind = kind
        self._before_text = (
            b'data: {"type":"response.output_text.delta",%b,"logprobs":[],"delta":' % self._place()
        )
        rest = b'%b,"part":%b' % (self._place(), self._current())
        return before + events.event(b"content_part.added", rest)

    def _close_part(self, events: Events) -> bytes:
        if not self._kind:
            return b""
        kind, text = self._kind, joined([*self._pages, *self._content])
        self._content, self._pages = [text], []
        part = on_one_line(self._current())
        self._content = []
        if kind == b"output_text":
            logprobs = b"[%b]" % b",".join(each[1:-1] for each in self._logprobs)
            rest = b'%b,"text":%b,"logprobs":%b' % (self._place(), text, logprobs)
            done = events.event(b"output_text.done", rest)
        else:
            done = events.event(b"refusal.done", b'%b,"refusal":%b' % (self._place(), text))
        done += events.event(b"content_part.done", b'%b,"part":%b' % (self._place(), part))
        self._parts.append(part)
        self._kind = b""
        self._annotations, self._logprobs = [], []
        return done

    def _turn_page(self) -> None:
        self._pages.append(joined(self._content))
        self._content = []

    def _current(self) -> bytes:
        text = joined(self._content)
        if self._kind == b"refusal":
            return b'{"type":"refusal","refusal":%b}' % text
        return text_part(text, self._annotations, self._logprobs)

    def _place(self) -> bytes:
        return b'"output_index":%d,"item_id":%b,"content_index":%d' % (
            self._index,
            self._item_id,
            len(self._parts),
        )

    def _whole(self, status: bytes) -> bytes:
        return message_item(self._item_id, self._parts, status)


def message_item(item_id: bytes, parts: list[bytes], status: bytes) -> bytes:
    """Return a message item. `item_id` is JSON."""
    return b'{"type":"message","id":%b,"role":"assistant","status":"%b","content":[%b]}' % (
        item_id,
        status,
        b",".join(parts),
    )


def text_part(text: bytes, annotations: list[bytes], logprobs: list[bytes]) -> bytes:
    """Return a part of text. `logprobs` are arrays of tokens."""
    return b'{"type":"output_text","text":%b,"annotations":[%b],"logprobs":[%b]}' % (
        text,
        b",".join(annotations),
        b",".join(each[1:-1] for each in logprobs if each != _NULL_LOGPROBS),
    )


def flat_annotations(value: Raw) -> list[bytes]:
    """Return annotations in this API's form: the hub holds their members under their type.

    Only citations of pages are there in both. Clients count on all members, places in the text
    among them (OpenAI, `AnnotationURLCitation`); not all providers tell those.
    """
    try:
        found = _annotations(value)
    except msgspec.ValidationError:
        return []
    cited = (each.get("url_citation", Raw()) for each in found)
    return [on_one_line(encode(_CITATION | _members(each))) for each in cited if is_object(each)]


def logprob_tokens(logprobs: Raw) -> bytes:
    """Return the tokens in the hub's object of probabilities, as an array."""
    try:
        found = _members(logprobs)
    except msgspec.ValidationError:
        return _NULL_LOGPROBS
    tokens = bytes(found.get("content", b"null"))
    return tokens if tokens[:1] == b"[" else _NULL_LOGPROBS
