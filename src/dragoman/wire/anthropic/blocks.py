"""What a block of content may look like. Source: Anthropic, "Create a Message", `content`.

A block of a type that is not declared here is no error: providers of this dialect know more
of them, and more every month. It is theirs only.
"""

from collections.abc import Callable
from typing import Annotated, Union

import msgspec
from msgspec import Meta, Raw, Struct, inspect

from dragoman.core.errors import InvalidPrompt
from dragoman.wire.anthropic.gleanings import Gleanings
from dragoman.wire.explain import explain
from dragoman.wire.hub import Members
from dragoman.wire.json import TOO_DEEP
from dragoman.wire.shapes import NonEmpty

ABSENT = Raw()
NULL = Raw(b"null")


def given(value: Raw) -> bool:
    """Whether a member is there and not null."""
    return value not in (ABSENT, NULL)


def is_object(value: Raw) -> bool:
    """Whether a member is a JSON object."""
    return bytes(memoryview(value)[:1]) == b"{"


class Text(Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """A passage of text."""

    text: str
    cache_control: Raw = ABSENT
    citations: Raw = ABSENT


class Base64(Struct, frozen=True, gc=False, tag_field="type", tag="base64"):
    """The bytes of a medium."""

    media_type: NonEmpty
    data: NonEmpty


class Url(Struct, frozen=True, gc=False, tag_field="type", tag="url"):
    """Where a medium is."""

    url: NonEmpty


class Uploaded(Struct, frozen=True, gc=False, tag_field="type", tag="file"):
    """A medium that was uploaded to the provider before."""

    file_id: NonEmpty


class PlainText(Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """A document that is text."""

    data: str
    media_type: str = "text/plain"


class Blocks(Struct, frozen=True, gc=False, tag_field="type", tag="content"):
    """A document made of blocks."""

    content: str | list[Raw]


class Image(Struct, frozen=True, gc=False, tag_field="type", tag="image"):
    """An image."""

    source: Base64 | Url | Uploaded
    cache_control: Raw = ABSENT


class Document(Struct, frozen=True, gc=False, tag_field="type", tag="document"):
    """A document to be read."""

    source: Base64 | Url | Uploaded | PlainText | Blocks
    title: str | None = None
    context: str | None = None
    citations: Raw = ABSENT
    cache_control: Raw = ABSENT


class SearchResult(Struct, frozen=True, gc=False, tag_field="type", tag="search_result"):
    """What a search of the caller's found."""

    source: str
    title: str
    content: list[Text]
    citations: Raw = ABSENT
    cache_control: Raw = ABSENT


class Thinking(Struct, frozen=True, gc=False, tag_field="type", tag="thinking"):
    """What the model thought, and who vouches for it."""

    thinking: str
    signature: str | None = None


class Redacted(Struct, frozen=True, gc=False, tag_field="type", tag="redacted_thinking"):
    """What the model thought, to be read by its provider only."""

    data: str


class ToolUse(Struct, frozen=True, gc=False, tag_field="type", tag="tool_use"):
    """A call that the model made."""

    id: NonEmpty
    name: Annotated[str, Meta(min_length=1, max_length=256)]
    input: Raw
    caller: Raw = ABSENT
    cache_control: Raw = ABSENT


class ToolResult(Struct, frozen=True, gc=False, tag_field="type", tag="tool_result"):
    """What a tool answered."""

    tool_use_id: NonEmpty
    content: str | list[Raw] | None = None
    is_error: bool | None = None
    cache_control: Raw = ABSENT


class Unknown(Struct, frozen=True, gc=False):
    """A block that only a provider of this dialect can read."""

    type: NonEmpty


Known = (
    Text | Image | Document | SearchResult | Thinking | Redacted | ToolUse | ToolResult
)  # fmt: skip
Block = Known | Unknown

_KINDS: dict[str, type[Struct]] = {
    str(kind.__struct_config__.tag): kind
    for kind in (
        Text,
        Image,
        Document,
        SearchResult,
        Thinking,
        Redacted,
        ToolUse,
        ToolResult,
    )
}


def _closed(kind: type[Struct], *fields: tuple[str, object]) -> type[Struct]:
    """Return a shape that has no members beyond the declared."""
    return msgspec.defstruct(
        kind.__name__,
        fields,
        bases=(kind,),
        frozen=True,
        gc=False,
        forbid_unknown_fields=True,
        tag_field="type",
        tag=kind.__struct_config__.tag,
    )


_SOURCES = {Image: (Base64, Url, Uploaded), Document: (Base64, Url, Uploaded, PlainText, Blocks)}
_EXACT = tuple(
    _closed(kind, ("source", Union[tuple(_closed(each) for each in _SOURCES[kind])]))  # noqa: UP007
    if kind in _SOURCES
    else _closed(kind)
    for kind in _KINDS.values()
)
"""The same, but with no members beyond the declared: most blocks, found out in one pass."""
_exact: Callable[[Raw], Known] = msgspec.json.Decoder(Union[_EXACT]).decode  # noqa: UP007 - at run time
_known: Callable[[Raw], Known] = msgspec.json.Decoder(Known).decode
_unknown = msgspec.json.Decoder(Unknown).decode
_members = msgspec.json.Decoder(Members).decode


def read_block(raw: Raw, path: str, found: Gleanings) -> Block:
    """Return the block that stands at `path` of a request. Raises InvalidPrompt.

    What is not declared of one that is goes to providers of this dialect only, and is noted.
    """
    try:
        return _exact(raw)
    except (msgspec.ValidationError, RecursionError):
        block = _read(raw, path)
    if not isinstance(block, Unknown):
        part = "system" if path.startswith("system") else "messages.content"
        row = _members(raw)
        found.strangers(row, (*block.__struct_fields__, "type"), part)
        if isinstance(block, Image | Document):
            known = (*block.source.__struct_fields__, "type")
            found.strangers(_members(row["source"]), known, f"{part}.source")
    return block


def _read(raw: Raw, path: str) -> Block:
    try:
        return _known(raw)
    except RecursionError:
        raise InvalidPrompt(f"{path}: {TOO_DEEP}") from None
    except msgspec.ValidationError as error:
        kind = _kind(raw, path)
        if kind is None:
            return _unknown(raw)
        where, reason = explain(error, inspect.type_info(kind))
        raise InvalidPrompt(f"{'.'.join(filter(None, (path, where)))}: {reason}") from None


def _kind(raw: Raw, path: str) -> type[Struct] | None:
    """Return the declared shape of a block, None if its type is not declared."""
    try:
        return _KINDS.get(_unknown(raw).type)
    except msgspec.ValidationError as error:
        where, reason = explain(error, inspect.type_info(Unknown))
        raise InvalidPrompt(f"{'.'.join(filter(None, (path, where)))}: {reason}") from None
