"""Events and items, so far as anybody acts on them (`openai.types.responses`)."""

from collections.abc import Callable, Iterable
from typing import TypeVar

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.openai.faults import stream_fault
from dragoman.providers.openai.members import finish
from dragoman.providers.usage import read_usage
from dragoman.wire.hub import StreamFault
from dragoman.wire.responses import calls
from dragoman.wire.responses.raw import is_object, is_string, opening, says
from dragoman.wire.responses.thoughts import Passage
from dragoman.wire.usage import Usage

T = TypeVar("T")

REASONS = {"max_output_tokens": "length", "max_tokens": "length"}
"""Why a response is incomplete -> finish reason; others go by the words that all hosts share."""


class Event(Struct, gc=False):
    """An event of a stream."""

    type: str = ""
    delta: Raw = Raw()
    logprobs: Raw = Raw()
    output_index: int = 0
    content_index: int = 0
    summary_index: int = 0
    item_id: str = ""
    item: Raw = Raw()
    part: Raw = Raw()
    response: Raw = Raw()
    annotation: Raw = Raw()
    text: Raw = Raw()
    arguments: Raw = Raw()
    input: Raw = Raw()
    refusal: Raw = Raw()


class Part(Struct, gc=False):
    """A part of a message."""

    type: str = ""
    text: Raw = Raw()
    refusal: Raw = Raw()
    annotations: Raw = Raw()
    logprobs: Raw = Raw()


class Action(Struct, gc=False):
    """What a search of the web did."""

    type: str = "search"


class Item(calls.Item):
    """An item of an answer."""

    type: str = ""
    content: list[Part] | None = None
    summary: list[Passage] | None = None
    encrypted_content: str | None = None
    status: str | None = None
    result: str | None = None
    output_format: str | None = None


class Details(Struct, gc=False):
    """Why a response is incomplete."""

    reason: str = ""


class Whole(Struct, gc=False):
    """A response."""

    output: list[Raw] | None = None
    id: str | None = None
    status: str | None = None
    error: Raw = Raw()
    incomplete_details: Details | None = None
    usage: Raw = Raw()
    service_tier: str | None = None


class _Kind(Struct, gc=False):
    type: str = ""


CALLED = frozenset({"function_call", "custom_tool_call"})
"""Types of items in which a tool is called that only the client can run."""

_decode_kind = msgspec.json.Decoder(_Kind).decode
_decode_event = msgspec.json.Decoder(Event).decode
_decode_item = msgspec.json.Decoder(Item).decode
_decode_whole = msgspec.json.Decoder(Whole).decode
_decode_part = msgspec.json.Decoder(Part).decode
_decode_action = msgspec.json.Decoder(Action).decode


def read_event(data: bytes) -> Event:
    """Read an event. Raises ValueError if it is none."""
    if not data.isascii():
        data.decode()
    return _read(_decode_event, data)


def read_item(data: Raw) -> Item:
    """Read an item of an answer. Raises ValueError if it is none."""
    return _read(_decode_item, _object(data, "item"))


def read_part(data: Raw) -> Part:
    """Read a part of a message. Raises ValueError if it is none."""
    return _read(_decode_part, _object(data, "part"))


def read_response(data: bytes | Raw) -> Whole:
    """Read a response. Raises ValueError if it is none."""
    return _read(_decode_whole, data)


def object_of(data: Raw, what: str) -> Raw:
    """Return a member that must be an object. Raises ValueError."""
    return _object(data, what)


def usage_of(response: Whole, searches: int) -> Usage | None:
    """Return the usage that a response reports, with the searches that were made for it."""
    if not is_object(response.usage):
        return None
    usage = read_usage(response.usage)
    if usage is None or not searches:
        return usage
    return msgspec.structs.replace(usage, searches=max(searches, usage.searches))


def fault_of(error: Raw) -> StreamFault | None:
    """Return the error that a response or an event reports, None for none."""
    if not says(error) or bytes(error) in {b"{}", b'""', b"false"}:
        return None
    return stream_fault(b'{"error":%b}' % bytes(error))


def finish_of(response: Whole, *, called: bool) -> tuple[str, str]:
    """Return the finish reason of a response that has ended, and the provider's word for it."""
    details = response.incomplete_details
    if response.status == "incomplete" or (details is not None and details.reason):
        reason = details.reason if details is not None and details.reason else "max_output_tokens"
        return REASONS.get(reason) or finish(reason, called=False), reason
    native = response.status or "completed"
    if native in {"failed", "cancelled"}:
        return "error", native
    return "tool_calls" if called else "stop", native


def calls_in(output: Iterable[Raw]) -> int:
    """Return how many functions the items of an answer call, whatever else is in them."""
    return sum(_kind(item) in CALLED for item in output)


def _kind(item: Raw) -> str:
    try:
        return _decode_kind(item).type
    except (msgspec.MsgspecError, RecursionError):
        return ""


def is_search(item: Item) -> bool:
    """Whether an item tells of a search that the provider made and bills.

    OpenAI, pricing, "Web search": calls with the action `search` are billed.
    """
    if item.type != "web_search_call" or item.status == "failed":
        return False
    action = item.action
    return not is_object(action) or _read(_decode_action, action).type == "search"


def text_in(value: Raw) -> bytes:
    """Return a member that is a string and not empty, as JSON; nothing for any other."""
    return bytes(value) if is_string(value) and len(value) > 2 else b""


def _object(data: Raw, what: str) -> Raw:
    if not is_object(data):
        raise ValueError(
            f"an event without {what}" if not opening(data) else f"{what} is no object"
        )
    return data


def _read(decode: Callable[[bytes | Raw], T], data: bytes | Raw) -> T:
    try:
        return decode(data)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
