"""Images, sound, video and documents as parts of Gemini's contents.

What is in the request goes as `inlineData`, what has an address as `fileData`
(ai.google.dev/gemini-api/docs/file-input-methods; Vertex AI, "FileData", where the type of what
an address leads to must be said).
"""

from typing import Any
from urllib.parse import urlsplit

from msgspec import Raw, Struct

from dragoman.core.notes import Change
from dragoman.providers.data_urls import is_base64
from dragoman.providers.gemini.draft import Draft
from dragoman.providers.gemini.values import ABSENT

Part = dict[str, Any]

_USUAL = {
    "image": "image/jpeg",
    "video": "video/mp4",
    "file": "application/pdf",
}
_TYPES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "webp": "image/webp",
    "heic": "image/heic",
    "heif": "image/heif",
    "gif": "image/gif",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mov": "video/quicktime",
    "webm": "video/webm",
    "wmv": "video/x-ms-wmv",
    "3gp": "video/3gpp",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "html": "text/html",
    "csv": "text/csv",
    "json": "application/json",
    "xml": "text/xml",
}
"""By the end of an address's path: the types that the API's guides name."""
_SOUNDS = {"mp3": "audio/mpeg", "m4a": "audio/mp4", "pcm16": "audio/pcm"}
_IMAGES = frozenset({"image/heic", "image/heif", "image/jpeg", "image/png", "image/webp"})
"""What models can see since Gemini 2 ("Image understanding", "Supported image formats")."""
_OTHER_NAMES = {"image/jpg": "image/jpeg"}
_ADDRESSES = ("https://", "http://", "gs://")
_YOUTUBE = frozenset({"youtube.com", "www.youtube.com", "m.youtube.com", "youtu.be"})


class Url(Struct, gc=False):
    """Where something is: an address or a `data:` URL."""

    url: str
    detail: str | None = None


class Sound(Struct, gc=False):
    """Sound in base64, and its format."""

    data: str
    format: str


class Document(Struct, gc=False):
    """A document: its bytes as a URL, or the id of one uploaded before."""

    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class Piece(Struct, gc=False):
    """A part of a message's content, of any type."""

    type: str
    text: Raw = ABSENT
    refusal: Raw = ABSENT
    image_url: Url | None = None
    input_audio: Sound | None = None
    video_url: Url | None = None
    file: Document | None = None
    cache_control: Raw = ABSENT


def media(draft: Draft, piece: Piece, path: str) -> Part:
    """Return the part for what is not text. Raises InvalidRequest naming `path`."""
    if piece.image_url is not None:
        if piece.image_url.detail not in {None, "auto"}:
            draft.drop("messages.content.image_url.detail", "this provider has one way to look")
        return _of_url(draft, piece.image_url.url, f"{path}.image_url.url", "image")
    if piece.video_url is not None:
        return _of_url(draft, piece.video_url.url, f"{path}.video_url.url", "video")
    if piece.input_audio is not None:
        return _of_sound(draft, piece.input_audio, f"{path}.input_audio.data")
    if piece.file is not None:
        return _of_document(draft, piece.file, f"{path}.file")
    raise draft.refusal(f"{path}.type", f"{piece.type!r} is not a part that can be sent here")


def _of_document(draft: Draft, document: Document, path: str) -> Part:
    if document.file_data is None:
        raise draft.refusal(f"{path}.file_id", "ids of uploaded files cannot be sent here")
    if document.filename:
        draft.drop("messages.content.file.filename", "this provider's API has no such field")
    return _of_url(draft, document.file_data, f"{path}.file_data", "file")


def _of_sound(draft: Draft, sound: Sound, path: str) -> Part:
    data = sound.data
    if data.startswith("data:"):
        return _of_url(draft, data, path, "audio")
    kind = sound.format.lower()
    return _inline(draft, _SOUNDS.get(kind, f"audio/{kind}"), data, path)


def _of_url(draft: Draft, url: str, path: str, kind: str) -> Part:
    if url.startswith("data:"):
        head, comma, data = url[len("data:") :].partition(",")
        mime, *options = head.split(";")
        if not comma or "base64" not in options:
            raise draft.refusal(path, "must be a data: URL in base64")
        return _inline(draft, mime or _USUAL.get(kind, "application/octet-stream"), data, path)
    if not url.startswith(_ADDRESSES):
        raise draft.refusal(path, "must be a data:, http or https URL")
    mime_type = _type_of(draft, url, path, kind)
    part: Part = {"fileUri": url}
    return {"fileData": part if mime_type is None else {"mimeType": mime_type, **part}}


def _inline(draft: Draft, mime: str, data: str, path: str) -> Part:
    if not is_base64(data.encode()):
        raise draft.refusal(path, "is not base64")
    mime = mime.strip().lower()
    mime = _OTHER_NAMES.get(mime, mime)
    if mime.startswith("image/") and mime not in _IMAGES:
        raise draft.refusal(path, f"must be an image of the types {', '.join(sorted(_IMAGES))}")
    return {"inlineData": {"mimeType": mime, "data": data}}


def _type_of(draft: Draft, url: str, path: str, kind: str) -> str | None:
    """Return the media type of what an address leads to, which has to be sent along.

    AI Studio knows by itself what YouTube has.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        raise draft.refusal(path, "is not a URL") from None
    if parts.hostname in _YOUTUBE:
        return "video/mp4" if draft.vertex else None
    guessed = _TYPES.get(parts.path.rpartition(".")[2].lower())
    if guessed is None:
        guessed = _USUAL[kind]
        draft.note(Change.INJECTED, path, f"its media type is not told: sent as {guessed}")
    return guessed
