"""What items of an answer come to in the hub: the members of its one message."""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from dragoman.providers.responses.event import CALLED, Item, Part, is_search, text_in
from dragoman.wire.details import Detail
from dragoman.wire.hub import Members
from dragoman.wire.order import Course
from dragoman.wire.responses import calls
from dragoman.wire.responses.raw import is_list, is_object, joined, says
from dragoman.wire.responses.thoughts import ENCRYPTED, SUMMARY, TEXT

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_list = msgspec.json.Decoder(list[Raw]).decode

EMPTY = Raw(b'""')
NO_ARGUMENTS = Raw(b'"{}"')
"""The arguments of a call that has none, as chat has them."""

PARAGRAPH = "\n\n"
"""Stands between two summaries where they are read as one text."""


class Gathered:
    """What the items of one answer hold. `form` names who signs its reasoning."""

    __slots__ = (
        "_annotations", "_calls", "_details", "_form", "_images", "_logprobs", "_refusals",
        "_texts", "_thoughts", "_words", "course", "searches",
    )  # fmt: skip

    def __init__(self, form: str) -> None:
        self.searches = 0
        self.course = Course()
        self._form = form
        self._texts: list[bytes] = []
        self._refusals: list[bytes] = []
        self._annotations: list[bytes] = []
        self._logprobs: list[bytes] = []
        self._calls: list[bytes] = []
        self._images: list[bytes] = []
        self._details: list[Detail] = []
        self._thoughts: list[str] = []
        self._words = Words()

    @property
    def called(self) -> bool:
        """Whether a tool is called."""
        return bool(self._calls)

    def add(self, items: Iterable[Item]) -> None:
        """Take in items. Raises ValueError for a call without arguments."""
        for item in items:
            if item.type == "message":
                for part in item.content or ():
                    self._say(part)
            elif item.type == "reasoning":
                self._think(item)
            elif is_call(item):
                self._calls.append(hub_call(item))
                self.course.rows("tool_calls")
            elif item.type == "image_generation_call" and item.result:
                self._images.append(image_of(item))
                self.course.rows("images")
            elif is_search(item):
                self.searches += 1

    def message(self) -> Members:
        """Return the message."""
        message: Members = {"role": Raw(b'"assistant"')}
        message["content"] = Raw(joined(self._texts) if self._texts else b"null")
        if self._refusals:
            message["refusal"] = Raw(joined(self._refusals))
        if self._thoughts:
            message["reasoning"] = Raw(_encode("".join(self._thoughts)))
        if self._details:
            message["reasoning_details"] = Raw(_encode(self._details))
        if self._annotations:
            message["annotations"] = Raw(b"[%b]" % b",".join(self._annotations))
        if self._images:
            message["images"] = Raw(b"[%b]" % b",".join(self._images))
        if self._calls:
            message["tool_calls"] = Raw(b"[%b]" % b",".join(self._calls))
        return message

    def fragments(self) -> Raw:
        """Return the calls as a stream tells them."""
        told = (b'{"index":%d,%b' % (n, call[1:]) for n, call in enumerate(self._calls))
        return Raw(b"[%b]" % b",".join(told))

    def logprobs(self) -> Raw | None:
        """Return the probabilities of the text's tokens, as chat has them."""
        if not self._logprobs:
            return None
        return logprobs_of(b"[%b]" % b",".join(each[1:-1] for each in self._logprobs))

    def _say(self, part: Part) -> None:
        if text := text_in(part.text):
            self._texts.append(text)
            self.course.text(Raw(text))
        if refusal := text_in(part.refusal):
            self._refusals.append(refusal)
        if is_list(part.annotations):
            found = (hub_annotation(each) for each in _list(part.annotations))
            self._annotations += [each for each in found if each is not None]
        if is_list(part.logprobs) and len(part.logprobs) > 2:
            self._logprobs.append(bytes(part.logprobs))

    def _think(self, item: Item) -> None:
        for kind, _, text in passages_of(item):
            self._thoughts.append(self._words.add(kind, text))
            member = "summary" if kind == SUMMARY else "text"
            self._detail(item, {"type": kind, member: text})
        if item.encrypted_content:
            self._detail(item, {"type": ENCRYPTED, "data": item.encrypted_content})

    def _detail(self, item: Item, detail: Detail) -> None:
        spoke = bool(self._texts or self._refusals)
        index = place_of_thought(len(self._details), len(self._calls), spoke=spoke)
        shared: Detail = {"format": self._form, "index": index}
        self._details.append({**detail, **({"id": item.id} if item.id else {}), **shared})
        self.course.rows("reasoning_details")


def place_of_thought(thoughts: int, called: int, *, spoke: bool) -> int:
    """Return the place of a thought in its answer, by what was thought, called and said before.

    All text of an answer is one to the hub, and has one place. By it a thought goes back between
    the text and the call that it stood between, whichever client kept it.
    """
    return thoughts + called + spoke


class Words:
    """Reasoning as one text: summaries as paragraphs, until there is the text itself."""

    __slots__ = ("_begun", "_texted")

    def __init__(self) -> None:
        self._begun = False
        self._texted = False

    def add(self, kind: str, text: str, *, begins: bool = True) -> str:
        """Return what some of a passage, its beginning or more, adds to the one text."""
        if kind == TEXT:
            self._texted = True
        elif self._texted:
            return ""
        elif begins and self._begun:
            text = PARAGRAPH + text
        self._begun = True
        return text


def passages_of(item: Item) -> list[tuple[str, int, str]]:
    """Return what can be read of an item of reasoning: type of detail, number, and text."""
    found = [(SUMMARY, n, each.text) for n, each in enumerate(item.summary or ())]
    found += [
        (TEXT, n, _text(part.text))
        for n, part in enumerate(item.content or ())
        if text_in(part.text)
    ]
    return [each for each in found if each[2]]


def is_call(item: Item) -> bool:
    """Whether the client is to run a tool. What has no id to answer to runs at the provider."""
    if item.type in CALLED:
        return True
    return item.type in calls.CALLS and bool(item.call_id)


def hub_call(item: Item) -> bytes:
    """Return a call that is whole. Raises ValueError."""
    call_id = item.call_id or item.id
    if not call_id:
        raise ValueError("a call without an id")
    function = b'{"name":%b,"arguments":%b}' % (
        _encode(calls.flat_name(calls.tool_of(item))),
        bytes(given_arguments(item)),
    )
    return b'{"id":%b,"type":"function","function":%b}' % (_encode(call_id), function)


def given_arguments(item: Item) -> Raw:
    """Return the arguments of a call that is whole. Raises ValueError where it has no member."""
    arguments = calls.arguments_of(item)
    return NO_ARGUMENTS if arguments == EMPTY else arguments


def image_of(item: Item) -> bytes:
    """Return an image that was made, which comes in base64."""
    url = f"data:image/{item.output_format or 'png'};base64,{item.result}"
    return _encode({"type": "image_url", "image_url": {"url": url}})


def hub_annotation(annotation: Raw) -> bytes | None:
    """Return an annotation in the hub's form, None for one that it has no form for.

    Those are of files, which only tools find that are sent nowhere (`native.UNMETERED`).
    """
    if not is_object(annotation):
        return None
    found = _members(annotation)
    kind = found.pop("type", Raw())
    if bytes(kind) != b'"url_citation"':
        return None
    return b'{"type":"url_citation","url_citation":%b}' % _encode(found)


def logprobs_of(tokens: bytes) -> Raw:
    """Return the probabilities of tokens, given as an array, as chat has them."""
    return Raw(b'{"content":%b,"refusal":null}' % tokens)


def has_tokens(logprobs: Raw) -> bool:
    """Whether an array of probabilities has any."""
    return says(logprobs) and is_list(logprobs) and len(logprobs) > 2
