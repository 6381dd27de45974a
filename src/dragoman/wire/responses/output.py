"""The items of a whole answer, and what streamed and whole answers make of the hub alike."""

from collections.abc import Callable, Iterator

import msgspec
from msgspec import Raw, Struct

from dragoman.wire.answers import encode
from dragoman.wire.details import ReasoningDetail, read_details
from dragoman.wire.hub import Choice, Members
from dragoman.wire.order import parts_of
from dragoman.wire.responses.call_item import read_calls
from dragoman.wire.responses.calls import IDS, call_item
from dragoman.wire.responses.items import BRING_TOOLS, Item, read_items
from dragoman.wire.responses.message_item import (
    flat_annotations,
    logprob_tokens,
    message_item,
    text_part,
)
from dragoman.wire.responses.raw import NULL, is_string, says
from dragoman.wire.responses.reasoning_item import ReasoningItem
from dragoman.wire.responses.request import toolbox_of
from dragoman.wire.responses.thoughts import ENCRYPTED, SUMMARY, TEXT
from dragoman.wire.responses.toolbox import Toolbox

_KINDS = frozenset({TEXT, SUMMARY, ENCRYPTED})
_BRINGING = tuple(f'"{kind}"'.encode() for kind in BRING_TOOLS)
_EMPTY = Raw(b'""')


class _Url(Struct, frozen=True, gc=False):
    url: str = ""


class _Image(Struct, frozen=True, gc=False):
    image_url: _Url = _Url()


_text = msgspec.json.Decoder(str).decode
_images = msgspec.json.Decoder(list[_Image]).decode
_tools = msgspec.json.Decoder(list[Raw] | None).decode


def item_id(prefix: str, generation: str, place: int) -> str:
    """Return the id of an item, the same whenever it is told: nothing is kept under it."""
    return f"{prefix}{generation.rpartition('-')[2]}_{place}"


def toolbox(asked: Members) -> Toolbox:
    """Return the tools of a request that was read before."""
    given = asked.get("input", NULL)
    items: list[Item] = []
    if any(bytes(given).find(kind) >= 0 for kind in _BRINGING):
        items = read_items(given, [])
    return toolbox_of(_tools(asked.get("tools", NULL)), items)


def thoughts_in(members: Members) -> list[ReasoningDetail]:
    """Return what a message or a delta holds of reasoning, in details or as text alone."""
    details = members.get("reasoning_details")
    if details is not None:
        try:
            found = read_details(details)
        except msgspec.ValidationError:
            found = []
        if found:
            return [each for each in found if each.type in _KINDS]
    text = members.get("reasoning", _EMPTY)
    if not is_string(text) or text == _EMPTY:
        return []
    return [ReasoningDetail(type=TEXT, text=_text(text))]


def image_items(value: Raw, next_id: Callable[[], str]) -> Iterator[bytes]:
    """Yield items for images that a model made (OpenRouter, `OutputImageGenerationCallItem`)."""
    try:
        images = _images(value)
    except msgspec.ValidationError:
        return
    for image in images:
        head, comma, data = image.image_url.url.partition(",")
        result = data if comma and head.startswith("data:") else image.image_url.url
        yield encode({
            "type": "image_generation_call",
            "id": next_id(),
            "status": "completed",
            "result": result,
        })  # fmt: skip


class Output:
    """The items of one choice of a whole answer."""

    __slots__ = ("_asked", "_generation", "_sealed", "_status", "items")

    def __init__(self, generation: str, asked: Members, status: bytes, *, sealed: bool) -> None:
        self.items: list[bytes] = []
        self._generation = generation
        self._asked = asked
        self._status = status
        self._sealed = sealed

    def take(self, choice: Choice) -> None:
        """Take in a choice, in the order in which a stream would tell it."""
        for message in parts_of(choice):
            self._think(message)
            self._say(message, choice.logprobs)
            if "images" in message:
                self.items += image_items(message["images"], lambda: self._id("ig_tmp_"))
            if says(message.get("tool_calls", NULL)):
                self._call(message["tool_calls"])

    def _think(self, message: Members) -> None:
        item: ReasoningItem | None = None
        for part in thoughts_in(message):
            if item is None or not item.takes(part):
                if item is not None:
                    self.items.append(item.whole(b"completed"))
                place = len(self.items)
                item = ReasoningItem(place, self._id("rs_tmp_"), part, sealed=self._sealed)
            item.take(part)
        if item is not None:
            self.items.append(item.whole(b"completed"))

    def _say(self, message: Members, likely: Raw | None) -> None:
        parts = []
        content = message.get("content", NULL)
        annotations = flat_annotations(message.get("annotations", Raw(b"[]")))
        if annotations or (is_string(content) and content != _EMPTY):
            text = bytes(content) if is_string(content) else bytes(_EMPTY)
            logprobs = [] if likely is None else [logprob_tokens(likely)]
            parts.append(text_part(text, annotations, logprobs))
        refusal = message.get("refusal", NULL)
        if is_string(refusal) and refusal != _EMPTY:
            parts.append(b'{"type":"refusal","refusal":%b}' % bytes(refusal))
        if parts:
            self.items.append(message_item(encode(self._id("msg_tmp_")), parts, self._status))

    def _call(self, value: Raw) -> None:
        try:
            calls = read_calls(value)
        except msgspec.ValidationError:
            return
        box = toolbox(self._asked)
        for call in calls:
            function = call.function
            if function is None or not function.name:
                continue
            tool = box.tool(function.name)
            arguments = bytes(function.arguments) if says(function.arguments) else b'""'
            if arguments[:1] != b'"':
                arguments = encode(arguments.decode())
            id_ = call.id or self._id("call_")
            item = call_item(tool, self._id(IDS[tool.kind]), id_, arguments, self._status.decode())
            self.items.append(item)

    def _id(self, prefix: str) -> str:
        return item_id(prefix, self._generation, len(self.items))
