"""What a model said, from the hub's form: reasoning, calls of tools and media as blocks.

Shapes: Anthropic, "Create a Message", `content` of the answer. Anthropic's models make no
images, so an image of another's is a block as a request would have it.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.wire.anthropic.seal import ANTHROPIC, seal
from dragoman.wire.details import Detail, ReasoningDetail, read_details
from dragoman.wire.hub import Members

NOTHING = frozenset({b"null", b'""', b"[]", b"{}"})
INVALID_JSON = "INVALID_JSON"
"""Under this name text that should have been JSON is shown (Anthropic, "Fine-grained tool
streaming", which has clients send it back so)."""

_encode = msgspec.json.Encoder().encode
_object = msgspec.json.Decoder(dict[str, Raw]).decode
_string = msgspec.json.Decoder(str).decode


class Function(Struct, frozen=True, gc=False):
    """What of a call names it, and what it is called with."""

    name: str | None = None
    arguments: Raw = Raw(b'""')


class Call(Struct, frozen=True, gc=False):
    """A call of a tool, whole or a fragment."""

    function: Function = Function()
    index: int | None = None
    id: str | None = None


class _ImageUrl(Struct, frozen=True, gc=False):
    url: str = ""


class _Image(Struct, frozen=True, gc=False):
    image_url: _ImageUrl = _ImageUrl()


class _Cited(Struct, frozen=True, gc=False):
    url: str = ""
    title: str = ""
    content: str = ""


class _Annotation(Struct, frozen=True, gc=False):
    url_citation: _Cited | None = None


read_calls = msgspec.json.Decoder(list[Call]).decode
_images = msgspec.json.Decoder(list[_Image]).decode
_annotations = msgspec.json.Decoder(list[_Annotation]).decode


def member(members: Members, name: str) -> Raw | None:
    """Return a member that says something, else None."""
    value = members.get(name)
    return None if value is None or bytes(value) in NOTHING else value


def details_of(members: Members) -> list[ReasoningDetail]:
    """Return what a message or a delta says of reasoning, its plain text if nothing else."""
    value = member(members, "reasoning_details")
    if value is not None:
        try:
            return read_details(value)
        except (msgspec.MsgspecError, UnicodeError):
            pass
    text = text_of(members, "reasoning")
    return [ReasoningDetail(type="reasoning.text", text=text)] if text else []


def text_of(members: Members, name: str) -> str:
    """Return a member that is text, empty for anything else."""
    value = member(members, name)
    if value is None:
        return ""
    try:
        return _string(value)
    except (msgspec.MsgspecError, UnicodeError):
        return ""


def calls_of(members: Members) -> list[Call]:
    """Return the calls, or fragments of calls, of a message or a delta."""
    value = member(members, "tool_calls")
    if value is None:
        return []
    try:
        return read_calls(value)
    except (msgspec.MsgspecError, UnicodeError):
        return []


def argument_text(raw: Raw) -> bytes:
    """Return arguments as a JSON string, whatever the provider sent them as."""
    text = bytes(raw)
    if text == b"null":
        return b'""'
    return text if text.startswith(b'"') else _encode(text.decode("utf-8", "replace"))


def input_of(arguments: bytes) -> Raw:
    """Return the input of a call from its arguments, which are a JSON string."""
    try:
        text = _string(arguments)
    except (msgspec.MsgspecError, UnicodeError):
        text = arguments.decode("utf-8", "replace")
    if not text.strip() or text == "null":
        return Raw(b"{}")
    try:
        return Raw(_encode(_object(text)))
    except (ValueError, RecursionError):
        return Raw(_encode({INVALID_JSON: text}))


def signature_of(detail: Detail) -> str:
    """Return what vouches for a block of reasoning, empty if nobody does."""
    signature: str = detail.get("signature", "")
    if detail.get("format") == ANTHROPIC:
        return signature
    told = signature or detail.get("id") or detail.get("type") == "reasoning.summary"
    return seal(detail) if told else ""


def redacted_of(detail: Detail) -> str:
    """Return the data of a block of reasoning that only its provider can read."""
    if detail.get("format") == ANTHROPIC:
        return str(detail.get("data", ""))
    return seal(detail)


def image_blocks(members: Members) -> list[dict[str, object]]:
    """Return the images of a message or a delta as blocks."""
    value = member(members, "images")
    if value is None:
        return []
    try:
        images = _images(value)
    except (msgspec.MsgspecError, UnicodeError):
        return []
    return [{"type": "image", "source": _source(each.image_url.url)} for each in images]


def citations_of(members: Members) -> list[dict[str, object]]:
    """Return where what is said was found, as citations of a block of text."""
    value = member(members, "annotations")
    if value is None:
        return []
    try:
        found = _annotations(value)
    except (msgspec.MsgspecError, UnicodeError):
        return []
    return [
        {
            "type": "web_search_result_location",
            "url": cited.url,
            "title": cited.title,
            "cited_text": cited.content,
            "encrypted_index": "",
        }
        for each in found
        if (cited := each.url_citation) is not None
    ]


def _source(url: str) -> dict[str, object]:
    head, comma, data = url.partition(";base64,")
    if comma and head.startswith("data:"):
        return {"type": "base64", "media_type": head[5:], "data": data}
    return {"type": "url", "url": url}
