"""What a request is for: the target of its first line, decoded once and made unambiguous.

The path that comes out is the one that is routed and authorised; a target that
somebody before or behind us could read in another way is refused.
"""

import re
from urllib.parse import unquote_to_bytes

from msgspec import Struct

from dragoman.core.errors import Unreadable

LONGEST = 8192
_VISIBLE = bytes(range(0x21, 0x7F))
_SCHEME = re.compile(rb"(?i:https?)://([^/?]*)")
_BAD_ESCAPE = re.compile(rb"%(?![0-9A-Fa-f]{2})")
_ESCAPE = re.compile(r"%[0-9A-Fa-f]{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\\]")
_PATH = re.compile(
    rb"[^ ]{1,64} (?:(?i:https?)://[^/?# ]{0,255})?(/[^?# \r\n]{0,255})[?# \r\n]",
)
_NAMES_BEFORE = re.compile(rb"/models?/")


class Target(Struct, frozen=True):
    """Where a request goes. `authority` is that of a target in absolute form."""

    path: str
    raw_path: bytes
    query: bytes = b""
    authority: bytes | None = None


def read_target(raw: bytes, method: str) -> Target:
    """Return what a target says (RFC 9112, section 3.2). Raises Unreadable.

    Origin form and absolute form are good for every method, `*` for OPTIONS.
    """
    if len(raw) > LONGEST:
        raise Unreadable(f"The URL is too long: the limit is {LONGEST} bytes.", 414)
    if raw.translate(None, _VISIBLE) or b"\\" in raw or b"#" in raw:
        raise Unreadable("The URL has a character in it that no URL may have.")
    if raw == b"*" and method == "OPTIONS":
        return Target("*", raw)
    authority = None
    if match := _SCHEME.match(raw):
        authority = match[1]
        raw = raw[match.end() :]
        raw = raw if raw.startswith(b"/") else b"/" + raw
    if not raw.startswith(b"/"):
        raise Unreadable("The target of a request is a path: it begins with a slash.")
    path, _, query = raw.partition(b"?")
    return Target(_decoded(path), path, query, authority)


def path_in(line: bytes) -> str:
    """Return the path in a first line that cannot be read, empty where it is not all there.

    It is for finding the words of a refusal, and for nothing else: nobody has checked it.
    """
    found = _PATH.match(line)
    return found[1].decode("latin-1") if found else ""


def _decoded(raw: bytes) -> str:
    """Return the path without escapes. Raises Unreadable when it could be read in two ways.

    A slash may be escaped in the name of a model only: official clients do that.
    """
    if _BAD_ESCAPE.search(raw):
        raise Unreadable("The path has a % that escapes nothing.")
    slash = raw.lower().find(b"%2f")
    if slash >= 0 and not _NAMES_BEFORE.search(raw, 0, slash):
        raise Unreadable("The path has an escaped slash in it.")
    try:
        path = unquote_to_bytes(raw).decode()
    except UnicodeDecodeError:
        raise Unreadable("The path is not UTF-8.") from None
    if _CONTROL.search(path):
        raise Unreadable("The path has a control character or a backslash in it.")
    if _ESCAPE.search(path):
        raise Unreadable("The path is escaped twice.")
    if "//" in path or not {".", ".."}.isdisjoint(path.split("/")):
        raise Unreadable("The path has an empty step, `.` or `..` in it.")
    return path
