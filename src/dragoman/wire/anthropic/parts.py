"""Blocks of content as parts of a message in the hub's form.

A part keeps its `cache_control`. What the hub has no part for is said as text where that can
say it.
"""

import re
from collections.abc import Iterable, Iterator, Sequence

from msgspec import Raw

from dragoman.core.errors import InvalidPrompt
from dragoman.core.notes import Change
from dragoman.wire.anthropic.blocks import (
    Base64,
    Block,
    Blocks,
    Document,
    Image,
    PlainText,
    SearchResult,
    Text,
    Unknown,
    Uploaded,
    Url,
    given,
    read_block,
)
from dragoman.wire.anthropic.gleanings import Gleanings

Part = dict[str, object]

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
_MEDIA_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+")


def read_blocks(content: Iterable[Raw], path: str, found: Gleanings) -> Iterator[tuple[str, Block]]:
    """Yield the blocks of a content that stands at `path`, each with its own path."""
    for place, raw in enumerate(content):
        where = f"{path}.{place}"
        yield where, read_block(raw, where, found)


def text_part(text: str, cache_control: Raw) -> Part:
    """Return a passage of text."""
    part: Part = {"type": "text", "text": text}
    if given(cache_control):
        part["cache_control"] = cache_control
    return part


def parts_of(block: Block, path: str, found: Gleanings) -> list[Part]:
    """Return what a block comes to, nothing if it is no content. Raises InvalidPrompt."""
    match block:
        case Text():
            if given(block.citations) and bytes(block.citations) != b"[]":
                found.dropped("messages.content.citations")
            return [text_part(block.text, block.cache_control)]
        case Image():
            return [_image(block, path)]
        case Document():
            return _document(block, path, found)
        case SearchResult():
            return [_search_result(block, found)]
        case Unknown(type=kind):
            found.dropped(f"messages.content.{kind}")
            return []
        case _:
            raise InvalidPrompt(f"{path}.type: is not accepted here")


def content_of(parts: Sequence[Part]) -> object:
    """Return the content of a message: a text, where it is nothing but one text."""
    if not parts:
        return ""
    if len(parts) == 1 and parts[0].keys() == {"type", "text"}:
        return parts[0]["text"]
    return list(parts)


def _image(block: Image, path: str) -> Part:
    source = block.source
    part: Part = {"type": "image_url"}
    if isinstance(source, Uploaded):
        part = {"type": "file", "file": {"file_id": source.file_id}}
    elif isinstance(source, Url):
        part["image_url"] = {"url": source.url}
    else:
        part["image_url"] = {"url": _data_url(source, path)}
    return _cached(part, block.cache_control)


def _document(block: Document, path: str, found: Gleanings) -> list[Part]:
    """Return a document as a file, or, where it is text, as what it says."""
    if block.context:
        found.dropped("messages.content.document.context")
    if given(block.citations):
        found.dropped("messages.content.document.citations")
    source = block.source
    match source:
        case PlainText():
            found.changed(Change.RENAMED, "messages.content.document", "sent as text")
            return [text_part(_titled(block.title, source.data), block.cache_control)]
        case Blocks():
            found.changed(Change.RENAMED, "messages.content.document", "sent as its content")
            return _of_blocks(source, block, path, found)
        case Uploaded():
            return [_cached(_file(block, {"file_id": source.file_id}), block.cache_control)]
        case Url():
            return [_cached(_file(block, {"file_data": source.url}), block.cache_control)]
        case Base64():
            data = _data_url(source, path)
            return [_cached(_file(block, {"file_data": data}), block.cache_control)]


def _of_blocks(source: Blocks, block: Document, path: str, found: Gleanings) -> list[Part]:
    if isinstance(source.content, str):
        return [text_part(_titled(block.title, source.content), block.cache_control)]
    parts: list[Part] = [text_part(block.title, Raw())] if block.title else []
    for where, inner in read_blocks(source.content, f"{path}.source.content", found):
        if not isinstance(inner, Text | Image):
            raise InvalidPrompt(f"{where}.type: Invalid option: expected one of text|image")
        parts += parts_of(inner, where, found)
    if parts and given(block.cache_control):
        parts[-1]["cache_control"] = block.cache_control
    return parts


def _search_result(block: SearchResult, found: Gleanings) -> Part:
    found.changed(Change.RENAMED, "messages.content.search_result", "sent as text")
    text = "\n\n".join([block.title, block.source, *(each.text for each in block.content)])
    return text_part(text, block.cache_control)


def _file(block: Document, file: dict[str, str]) -> Part:
    if block.title:
        file = {"filename": block.title, **file}
    elif "file_data" in file:
        file = {"filename": "document.pdf", **file}
    return {"type": "file", "file": file}


def _titled(title: str | None, text: str) -> str:
    return f"{title}\n\n{text}" if title else text


def _cached(part: Part, cache_control: Raw) -> Part:
    if given(cache_control):
        part["cache_control"] = cache_control
    return part


def _data_url(source: Base64, path: str) -> str:
    """Return a medium as a `data:` URL. Raises InvalidPrompt for what is not base64."""
    if not _MEDIA_TYPE.fullmatch(source.media_type):
        raise InvalidPrompt(f"{path}.source.media_type: must be a media type")
    if not _is_base64(source.data):
        raise InvalidPrompt(f"{path}.source.data: is not base64")
    return f"data:{source.media_type};base64,{source.data}"


def _is_base64(text: str) -> bool:
    """Whether text is base64 (RFC 4648, section 4). Only looks at it: a medium may be large."""
    if len(text) % 4 or not text.isascii():
        return False
    digits = text.encode().removesuffix(b"=").removesuffix(b"=")
    return not digits.translate(None, _ALPHABET)
