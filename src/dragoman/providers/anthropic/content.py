"""What a message is made of, as blocks: texts, images, documents. Each block is its JSON.

Bytes of the caller are spliced in as they came. What the dialect has no block for is refused
by name: an answer that never saw it would be a wrong one.

Sources: Anthropic's SDK types `TextBlockParam`, `ImageBlockParam`, `DocumentBlockParam`, and
"Vision" for the kinds of images.
"""

from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.anthropic.draft import Draft
from dragoman.providers.data_urls import decoded, is_web, plain, read_data
from dragoman.wire.hub import Members

NULL: Final = Raw(b"null")
EMPTY: Final = Raw(b'""')
NOTHING: Final = (NULL, EMPTY)
IMAGES: Final = frozenset({b"image/jpeg", b"image/png", b"image/gif", b"image/webp"})
PDF: Final = b"application/pdf"

_OTHER_NAMES = {b"image/jpg": b"image/jpeg", b"application/x-pdf": PDF}
_OF_IMAGES = frozenset({"type", "image_url", "cache_control"})
_OF_FILES = frozenset({"type", "file", "cache_control", "citations", "context"})
_IN_FILES = frozenset({"filename", "file_data", "file_id"})
_OF_TEXTS = frozenset({"type", "text", "cache_control", "prompt_cache_breakpoint"})
_MARKER = Raw(b'{"type":"ephemeral"}')

_parts = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def is_text(value: Raw) -> bool:
    """Whether a value is one text, and no list of parts."""
    return bytes(value)[:1] == b'"'


def says(text: Raw) -> bool:
    """Whether a text holds anything but white space: the API refuses one that does not."""
    inner = bytes(text)[1:-1]
    if inner.strip(b" \\ntr"):
        return True
    return bool(_text(text).strip())


def text_block(text: Raw, marker: Raw = NULL) -> bytes:
    """Return a text as a block, with the mark that the cache is to reach up to here."""
    return b'{"type":"text","text":%b%b}' % (text, marked(marker))


def marked(marker: Raw) -> bytes:
    """Return a cache marker as the last member of a block, nothing for none."""
    return b"" if marker == NULL else b',"cache_control":%b' % marker


def blocks(content: Raw, path: str, draft: Draft) -> list[bytes]:
    """Return content, a text or a list of parts that stands at `path`, as blocks.

    Raises InvalidRequest for what the dialect has no block for.
    """
    if content == NULL:
        return []
    if is_text(content):
        return [text_block(content)] if says(content) else []
    made = []
    for place, part in enumerate(_parts(content)):
        block = _block(part, f"{path}.{place}", draft)
        if block:
            made.append(block)
    return made


def _block(part: Members, path: str, draft: Draft) -> bytes:
    kind = _text(part["type"])
    make = _BLOCKS.get(kind)
    if make is None:
        raise InvalidRequest(f"{path}: {draft.provider.name} takes no {_WORDS.get(kind, kind)}")
    return make(part, path, draft)


def _of_text(part: Members, _path: str, draft: Draft) -> bytes:
    _note_strangers(part, _OF_TEXTS, "messages.content", draft)
    marker = part.get("cache_control", NULL)
    if marker == NULL and part.get("prompt_cache_breakpoint", NULL) != NULL:
        marker = _MARKER
        field = "messages.content.prompt_cache_breakpoint"
        draft.note(Change.RENAMED, field, "this provider calls it cache_control")
    if says(part["text"]):
        return text_block(part["text"], marker)
    if marker != NULL:
        draft.dropped("messages.content.cache_control", "a text without content takes no mark")
    return b""


def _of_refusal(part: Members, _path: str, draft: Draft) -> bytes:
    draft.note(Change.RENAMED, "messages.content.refusal", "sent as text")
    return text_block(part["refusal"]) if says(part["refusal"]) else b""


def _of_image(part: Members, path: str, draft: Draft) -> bytes:
    image = _members(part["image_url"])
    _note_strangers(image, frozenset({"url"}), "messages.content.image_url", draft)
    _note_strangers(part, _OF_IMAGES, "messages.content", draft)
    source = _image_source(plain(image["url"]), f"{path}.image_url.url", draft)
    return b'{"type":"image","source":%b%b}' % (source, marked(part.get("cache_control", NULL)))


def _image_source(url: bytes, path: str, draft: Draft) -> bytes:
    if is_web(url):
        return b'{"type":"url","url":%b}' % _quoted(url)
    data = read_data(url, path, "http(s)")
    media = _OTHER_NAMES.get(data.media, data.media)
    if media not in IMAGES:
        known = b", ".join(sorted(IMAGES)).decode()
        raise InvalidRequest(f"{path}: {draft.provider.name} takes images of the types {known}")
    return b'{"type":"base64","media_type":"%b","data":"%b"}' % (media, data.encoded)


def _of_file(part: Members, path: str, draft: Draft) -> bytes:
    file = _members(part["file"])
    _note_strangers(file, _IN_FILES, "messages.content.file", draft)
    _note_strangers(part, _OF_FILES, "messages.content", draft)
    source = _file_source(file, f"{path}.file", draft)
    title = file.get("filename", NULL)
    rest = b"" if title in NOTHING else b',"title":%b' % title
    for name in ("context", "citations"):
        value = part.get(name, NULL)
        if value != NULL:
            rest += b',"%b":%b' % (name.encode(), value)
    return b'{"type":"document","source":%b%b%b}' % (
        source,
        rest,
        marked(part.get("cache_control", NULL)),
    )


def _file_source(file: Members, path: str, draft: Draft) -> bytes:
    data = file.get("file_data", NULL)
    if data in NOTHING:
        return b'{"type":"file","file_id":%b}' % file["file_id"]
    url = plain(data)
    place = f"{path}.file_data"
    if is_web(url):
        return b'{"type":"url","url":%b}' % _quoted(url)
    if not url[:5].lower().startswith(b"data:"):
        # Some clients leave out what says that it is data: the name tells what it is.
        if not plain(file.get("filename", EMPTY)).lower().endswith(b".pdf"):
            raise InvalidRequest(f"{place}: must be a data: URL, or an http(s) one")
        url = b"data:" + PDF + b";base64," + url
    held = read_data(url, place, "http(s)")
    media = _OTHER_NAMES.get(held.media, held.media)
    if media == PDF:
        return b'{"type":"base64","media_type":"application/pdf","data":"%b"}' % held.encoded
    if media.startswith(b"text/"):
        text = _encode(decoded(held, place))
        return b'{"type":"text","media_type":"text/plain","data":%b}' % text
    raise InvalidRequest(f"{place}: {draft.provider.name} takes PDF and plain text")


def _quoted(text: bytes) -> bytes:
    return _encode(text.decode())


def _note_strangers(part: Members, known: frozenset[str], path: str, draft: Draft) -> None:
    """Name the members of a part that a block has no room for."""
    if known.issuperset(part):
        return
    for name in part:
        if name not in known and part[name] != NULL:
            draft.dropped(f"{path}.{name}", "this provider's API has no such field")


_WORDS = {"input_audio": "audio", "video_url": "video", "input_video": "video"}
_BLOCKS: Mapping[str, Callable[[Members, str, Draft], bytes]] = {
    "text": _of_text,
    "refusal": _of_refusal,
    "image_url": _of_image,
    "file": _of_file,
}
