"""Media in a conversation that goes to a host nearly as it came: whether they can be read there.

Hosts of OpenAI's APIs get parts with the caller's own bytes. What none of them can read is refused
here, by name, so that another endpoint is asked or the caller told, as with dialects that have
words of their own: data that is no base64, and types of images that a host is known not to take
(`quirks.images`). All else is the host's to judge, for they differ.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.catalog.types import Provider
from dragoman.core.errors import InvalidRequest
from dragoman.providers.data_urls import checked_media, is_base64, is_data, is_web, plain

_OTHER_NAMES = {"image/jpg": "image/jpeg"}


class _Url(Struct, gc=False):
    url: Raw


class _Sound(Struct, gc=False):
    data: Raw


class _File(Struct, gc=False):
    file_data: Raw = Raw(b"null")


class _Part(Struct, gc=False):
    image_url: _Url | None = None
    video_url: _Url | None = None
    input_audio: _Sound | None = None
    file: _File | None = None


class _Row(Struct, gc=False):
    content: Raw = Raw()


_rows = msgspec.json.Decoder(list[_Row]).decode
_parts = msgspec.json.Decoder(list[_Part]).decode


def check_media(messages: Raw, host: Provider) -> None:
    """Look at the media of a checked conversation. Raises InvalidRequest for what is unreadable."""
    for place, row in enumerate(_rows(messages)):
        if bytes(memoryview(row.content)[:1]) == b"[":
            for number, part in enumerate(_parts(row.content)):
                _check_part(part, f"messages.{place}.content.{number}", host)


def check_image(url: bytes, path: str, host: str, types: frozenset[str]) -> None:
    """Look at where an image is. Raises InvalidRequest unless it is of one of the `types`, if any.

    Types are known of data only. Without them an address may be of any scheme.
    """
    if is_web(url) or not (types or is_data(url)):
        return
    media = checked_media(url, path, host).decode(errors="replace")
    if types and _OTHER_NAMES.get(media, media) not in types:
        known = ", ".join(sorted(types))
        raise InvalidRequest(f"{path}: {host} takes images of the types {known}")


def _check_part(part: _Part, path: str, host: Provider) -> None:
    if part.image_url is not None:
        url = plain(part.image_url.url)
        check_image(url, f"{path}.image_url.url", host.name, host.quirks.images)
    elif part.file is not None:
        _check_data(part.file.file_data, f"{path}.file.file_data", host.name)
    elif part.input_audio is not None:
        _check_data(part.input_audio.data, f"{path}.input_audio.data", host.name)
    elif part.video_url is not None:
        url = plain(part.video_url.url)
        if is_data(url):
            checked_media(url, f"{path}.video_url.url", host.name)


def _check_data(value: Raw, path: str, host: str) -> None:
    """Look at bytes that come as a `data:` URL, as an address, or as base64 alone."""
    if bytes(value) in {b"null", b'""'}:
        return
    data = plain(value)
    if is_data(data):
        checked_media(data, path, host)
    elif data[:16].find(b"://") < 0 and not is_base64(data):
        raise InvalidRequest(f"{path}: is not valid base64, which {host} takes")
