"""What Converse's blocks are in the hub's words, whole or in fragments.

Thoughts that are signed or encrypted are Claude's: its signatures are good at all clouds that have
it (platform.claude.com/docs, "Extended thinking"). Of others nobody says who thought them.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.blocks import ABSENT, given, string
from dragoman.providers.openai.members import finish

_WORDS: Mapping[str, str] = {
    "content_filtered": "content_filter",
    "malformed_model_output": "error",
    "malformed_tool_use": "error",
}
"""Reasons to stop that no other host has (API reference, `stopReason`)."""
_CLAUDE, _UNKNOWN = b"anthropic-claude-v1", b"unknown"


class Web(Struct, gc=False):
    """A page."""

    url: Raw = ABSENT


class Location(Struct, gc=False):
    """Where something is from."""

    web: Web | None = None


class Passage(Struct, gc=False):
    """A text among others."""

    text: Raw = ABSENT


class Citation(Struct, gc=False, rename="camel"):
    """Where a passage of an answer is from."""

    title: Raw = ABSENT
    source_content: list[Passage] | None = None
    location: Location | None = None


class Tier(Struct, gc=False):
    """The tier that served."""

    type: str | None = None


class Source(Struct, gc=False):
    """An image's bytes."""

    bytes: Raw = ABSENT


class Image(Struct, gc=False):
    """An image, or the part of one."""

    format: str = "png"
    source: Source | None = None


_citation = msgspec.json.Decoder(Citation).decode
_plain = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def ended(native: str, *, called: bool) -> str:
    """Return the hub's word for a reason to stop."""
    return finish(_WORDS.get(native, native), called=called)


def thought(index: int, text: Raw, signature: Raw) -> Raw:
    """Return what a model thought, or a fragment of it, as the only one of the details."""
    members = b'"text":%b,' % text if text else b""
    signed = given(signature)
    if signed:
        string(signature)
        members += b'"signature":%b,' % signature
    return Raw(
        b'[{"type":"reasoning.text",%b"format":"%b","index":%d}]'
        % (members, _CLAUDE if signed else _UNKNOWN, index)
    )


def annotation(value: Raw, begin: int, end: int) -> bytes:
    """Return a citation as an annotation of the text from `begin` to `end`, in characters."""
    said = _citation(value)
    url = said.location.web.url if said.location and said.location.web else ABSENT
    if not given(url):
        return b'{"type":"file_citation","file_citation":%b}' % value
    rest = b',"title":%b' % said.title if given(said.title) else b""
    texts = [each.text for each in said.source_content or () if given(each.text)]
    if texts:
        rest += b',"content":%b' % texts[0]
    return (
        b'{"type":"url_citation","url_citation":{"url":%b%b,"start_index":%d,"end_index":%d}}'
        % (url, rest, begin, end)
    )


def image(format_: str, source: Source | None) -> bytes:
    """Return an image as one of the message's images, nothing for one without bytes."""
    if source is None or not given(source.bytes):
        return b""
    url = f"data:image/{format_};base64,{_plain(source.bytes)}"
    return b'{"type":"image_url","image_url":{"url":%b}}' % _encode(url)
