"""What a message is made of, as Converse's blocks: texts, images, documents, video, sound.

Bytes of the caller are spliced in as they came. What there is no block for is refused by name.
Where a cache is to reach is a block of its own, `cachePoint`, after what it follows.

Source: Bedrock Runtime API reference, `ContentBlock` and what it holds.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import EMPTY, NOTHING, NULL, is_text, says
from dragoman.providers.bedrock.draft import Draft
from dragoman.providers.data_urls import Data, decoded, is_web, plain, read_data
from dragoman.wire.hub import Members

IMAGES: Final = {
    b"image/png": b"png",
    b"image/jpeg": b"jpeg",
    b"image/jpg": b"jpeg",
    b"image/gif": b"gif",
    b"image/webp": b"webp",
}
DOCUMENTS: Final = {
    b"application/pdf": b"pdf",
    b"application/x-pdf": b"pdf",
    b"text/csv": b"csv",
    b"application/msword": b"doc",
    b"application/vnd.openxmlformats-officedocument.wordprocessingml.document": b"docx",
    b"application/vnd.ms-excel": b"xls",
    b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": b"xlsx",
    b"text/html": b"html",
    b"text/markdown": b"md",
    b"text/plain": b"txt",
}
VIDEOS: Final = {
    b"video/mp4": b"mp4",
    b"video/x-matroska": b"mkv",
    b"video/quicktime": b"mov",
    b"video/webm": b"webm",
    b"video/x-flv": b"flv",
    b"video/mpeg": b"mpeg",
    b"video/x-ms-wmv": b"wmv",
    b"video/wmv": b"wmv",
    b"video/3gpp": b"three_gp",
}
SOUNDS: Final = frozenset({
    "mp3", "opus", "wav", "aac", "flac", "mp4", "ogg", "mkv", "mka", "x-aac", "m4a", "mpeg",
    "mpga", "pcm", "webm",
})  # fmt: skip

_FORMATS = frozenset(DOCUMENTS.values())
_NOT_IN_NAMES = re.compile(r"[^a-zA-Z0-9\s()\[\]-]")
_LONGEST_NAME = 150
_KNOWN: Mapping[str, frozenset[str]] = {
    "text": frozenset({"type", "text", "cache_control", "prompt_cache_breakpoint"}),
    "image_url": frozenset({"type", "image_url", "cache_control"}),
    "file": frozenset({"type", "file", "cache_control", "citations", "context"}),
    "video_url": frozenset({"type", "video_url", "cache_control"}),
    "input_video": frozenset({"type", "video_url", "cache_control"}),
    "input_audio": frozenset({"type", "input_audio", "cache_control"}),
    "refusal": frozenset({"type", "refusal", "cache_control"}),
}
_OF_IMAGES = frozenset({"url", "detail"})
_OF_FILES = frozenset({"filename", "file_data", "file_id"})
_MARKER = Raw(b'{"type":"ephemeral"}')

_parts = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class _Marker(Struct):
    ttl: str | None = None


_marker = msgspec.json.Decoder(_Marker).decode


def text_block(text: Raw) -> bytes:
    """Return a text as a block."""
    return b'{"text":%b}' % text


def cache_point(marker: Raw, draft: Draft) -> bytes:
    """Return the block that lets a cache reach up to here, nothing where there is no cache."""
    if marker == NULL:
        return b""
    if not draft.family.caches:
        draft.dropped("cache_control", "this model has no cache that can be marked")
        return b""
    try:
        ttl = _marker(marker).ttl
    except msgspec.ValidationError:
        ttl = None
    if ttl == "1h" and draft.family.long_cache:
        return b'{"cachePoint":{"type":"default","ttl":"1h"}}'
    if ttl not in {None, "5m"}:
        draft.note(Change.CLAMPED, "cache_control.ttl", "five minutes, as long as this model can")
    return b'{"cachePoint":{"type":"default"}}'


def blocks(content: Raw, path: str, draft: Draft) -> list[bytes]:
    """Return content, a text or a list of parts that stands at `path`, as blocks.

    Raises InvalidRequest for what there is no block for.
    """
    if content == NULL:
        return []
    if is_text(content):
        return [text_block(content)] if says(content) else []
    made: list[bytes] = []
    for place, part in enumerate(_parts(content)):
        made += _block(part, f"{path}.{place}", draft)
    return made


def _block(part: Members, path: str, draft: Draft) -> list[bytes]:
    kind = _text(part["type"])
    make = _BLOCKS.get(kind)
    if make is None:
        raise InvalidRequest(f"{path}: {draft.provider.name} takes no {kind}")
    for name in part.keys() - _KNOWN[kind]:
        if part[name] != NULL:
            draft.dropped(f"messages.content.{name}", "this provider's API has no such field")
    block = make(part, path, draft)
    marker = part.get("cache_control", NULL)
    if marker == NULL and part.get("prompt_cache_breakpoint", NULL) != NULL:
        marker = _MARKER
    point = cache_point(marker, draft) if block else b""
    return [each for each in (block, point) if each]


def _of_text(part: Members, _path: str, _draft: Draft) -> bytes:
    return text_block(part["text"]) if says(part["text"]) else b""


def _of_refusal(part: Members, _path: str, draft: Draft) -> bytes:
    draft.note(Change.RENAMED, "messages.content.refusal", "sent as text")
    return text_block(part["refusal"]) if says(part["refusal"]) else b""


def _of_image(part: Members, path: str, draft: Draft) -> bytes:
    image = _members(part["image_url"])
    draft.strangers(image, _OF_IMAGES, "messages.content.image_url")
    if image.get("detail", NULL) not in (NULL, Raw(b'"auto"')):
        draft.dropped("messages.content.image_url.detail", "this provider's API has no such field")
    return _media(b"image", image["url"], IMAGES, f"{path}.image_url.url", draft)


def _of_video(part: Members, path: str, draft: Draft) -> bytes:
    video = _members(part["video_url"])
    return _media(b"video", video["url"], VIDEOS, f"{path}.video_url.url", draft)


def _media(kind: bytes, url: Raw, known: Mapping[bytes, bytes], path: str, draft: Draft) -> bytes:
    """Return an image or a video as a block. Its bytes, or where in S3 they are."""
    address = plain(url)
    if address.startswith(b"s3://"):
        format_ = _ending(address)
        if format_ not in known.values():
            raise InvalidRequest(f"{path}: the name must end in its format, such as .png")
        source = b'{"s3Location":{"uri":%b}}' % _encode(address.decode())
        return b'{"%b":{"format":"%b","source":%b}}' % (kind, format_, source)
    data = _data(address, path, draft)
    found = known.get(data.media)
    if found is None:
        names = ", ".join(sorted(name.decode() for name in known))
        raise InvalidRequest(f"{path}: {draft.provider.name} takes the types {names}")
    return b'{"%b":{"format":"%b","source":{"bytes":"%b"}}}' % (kind, found, data.encoded)


def _ending(address: bytes) -> bytes:
    ending = address.rpartition(b".")[2].lower()
    return {b"jpg": b"jpeg", b"3gp": b"three_gp"}.get(ending, ending)


def _of_sound(part: Members, path: str, draft: Draft) -> bytes:
    sound = _members(part["input_audio"])
    format_ = _text(sound["format"]).lower()
    if format_ not in SOUNDS:
        raise InvalidRequest(f"{path}.input_audio.format: {draft.provider.name} does not know it")
    url = b"data:audio;base64," + plain(sound["data"])
    data = _data(url, f"{path}.input_audio.data", draft)
    return b'{"audio":{"format":"%b","source":{"bytes":"%b"}}}' % (format_.encode(), data.encoded)


def _of_file(part: Members, path: str, draft: Draft) -> bytes:
    file = _members(part["file"])
    draft.strangers(file, _OF_FILES, "messages.content.file")
    if file.get("file_data", NULL) in NOTHING:
        raise InvalidRequest(f"{path}.file.file_id: {draft.provider.name} keeps no files")
    title = _text(file.get("filename", EMPTY)) if file.get("filename", NULL) != NULL else ""
    address, place = plain(file["file_data"]), f"{path}.file.file_data"
    format_ = title.lower().rpartition(".")[2].encode()
    if address.startswith(b"s3://"):
        if format_ not in _FORMATS:
            format_ = _ending(address)
        source = b'{"s3Location":{"uri":%b}}' % _encode(address.decode())
    else:
        if not address[:5].lower().startswith((b"data:", b"http")):
            address = b"data:;base64," + address  # some clients leave out what says it is data
        data = _data(address, place, draft)
        format_ = DOCUMENTS.get(data.media, format_)
        source = _source(data, part, place)
    if format_ not in _FORMATS:
        names = ", ".join(sorted(name.decode() for name in _FORMATS))
        raise InvalidRequest(f"{place}: {draft.provider.name} takes the formats {names}")
    rest = b"".join(
        b',"%b":%b' % (name.encode(), part[name])
        for name in ("citations", "context")
        if part.get(name, NULL) != NULL
    )
    return b'{"document":{"format":"%b","name":%b,"source":%b%b}}' % (
        format_,
        _encode(draft.own_name(_name(title))),
        source,
        rest,
    )


def _data(url: bytes, path: str, draft: Draft) -> Data:
    if is_web(url):
        raise InvalidRequest(f"{path}: {draft.provider.name} fetches nothing; give the data itself")
    return read_data(url, path, "s3:")


def _source(data: Data, part: Members, path: str) -> bytes:
    """Return a document's bytes; a text that is to be cited is sent as one."""
    if data.media.startswith(b"text/plain") and part.get("citations", NULL) != NULL:
        return b'{"text":%b}' % _encode(decoded(data, path))
    return b'{"bytes":"%b"}' % data.encoded


def _name(title: str) -> str:
    """Return a file's name in the letters that a document's may have."""
    words = _NOT_IN_NAMES.sub(" ", title.rpartition(".")[0] or title)
    return " ".join(words.split())[:_LONGEST_NAME].strip() or "document"


_BLOCKS: Mapping[str, Callable[[Members, str, Draft], bytes]] = {
    "text": _of_text,
    "refusal": _of_refusal,
    "image_url": _of_image,
    "video_url": _of_video,
    "input_video": _of_video,
    "input_audio": _of_sound,
    "file": _of_file,
}
