"""`data:` URLs: what kind of thing they hold, and its base64, checked without being decoded."""

import re
from binascii import a2b_base64
from string import ascii_letters, digits

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import InvalidRequest

_ALPHABET = (ascii_letters + digits + "+/").encode()
_LOOSE = _ALPHABET + b"-_\r\n"
_PADDINGS = (b"", b"=", b"==")
_DATA = re.compile(rb"data:([^;,]*)((?:;[^;,]*)*),", re.IGNORECASE)

_text = msgspec.json.Decoder(str).decode


class Data(Struct, frozen=True):
    """What a `data:` URL holds: its media type in lower case, and base64 that is sound."""

    media: bytes
    encoded: bytes


def plain(text: Raw) -> bytes:
    """Return the bytes of a text, which is only read where it has escapes."""
    inner = bytes(text)[1:-1]
    return inner if inner.find(b"\\") < 0 else _text(text).encode()


def is_web(url: bytes) -> bool:
    """Whether a URL is an address in the web."""
    return url[:8].lower().startswith((b"http://", b"https://"))


def is_data(url: bytes) -> bool:
    """Whether a URL is one that holds data."""
    return url[:5].lower() == b"data:"


def is_base64(data: bytes) -> bool:
    """Whether data is base64, of either alphabet, in lines or in one, padded or not."""
    padding = data.translate(None, _LOOSE)
    if padding not in _PADDINGS or not data.rstrip(b"\r\n").endswith(padding):
        return False
    letters = len(data) - len(padding) - data.count(b"\n") - data.count(b"\r")
    if padding:
        return (letters + len(padding)) % 4 == 0
    return letters > 0 and letters % 4 != 1


def checked_media(url: bytes, path: str, host: str) -> bytes:
    """Return the media type of a `data:` URL. Raises InvalidRequest where it holds no base64.

    It asks for less than `read_data`: some hosts read what others do not.
    """
    head = _head(url, path, f"must be a URL that {host} can read")
    if not is_base64(url[head.end() :]):
        raise InvalidRequest(f"{path}: is not valid base64, which {host} takes")
    return head[1].strip().lower()


def read_data(url: bytes, path: str, other: str) -> Data:
    """Return what a `data:` URL holds. Raises InvalidRequest that says which `other` one may be."""
    head = _head(url, path, f"must be a data: URL, or an {other} one")
    data = url[head.end() :]
    filled = len(data) - len(data.rstrip(b"="))
    if not data or len(data) % 4 or filled > 2 or data.translate(None, _ALPHABET) != b"=" * filled:
        raise InvalidRequest(f"{path}: is not valid base64")
    return Data(head[1].strip().lower(), data)


def _head(url: bytes, path: str, otherwise: str) -> re.Match[bytes]:
    head = _DATA.match(url)
    if head is None:
        raise InvalidRequest(f"{path}: {otherwise}")
    if b"base64" not in head[2].lower():
        raise InvalidRequest(f"{path}: the data must be in base64")
    return head


def decoded(data: Data, path: str) -> str:
    """Return the text that the data is. Raises InvalidRequest when it is none."""
    try:
        return a2b_base64(data.encoded).decode()
    except UnicodeDecodeError:
        raise InvalidRequest(f"{path}: is not text in UTF-8") from None
