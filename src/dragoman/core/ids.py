"""Names for generations and keys: how they look, how they are made, how they are checked.

A generation is `gen-<unix seconds>-<20 alphanumerics>`, as OpenRouter's. A key is
a prefix, 43 base62 characters (256 bits) and 6 that are the CRC-32 of all before
them, so that a mistyped or foreign key is refused without asking a database, and
a scanner can tell a real key from a look-alike.
"""

import hashlib
import secrets
import string
import zlib
from random import Random

ALPHABET = string.digits + string.ascii_uppercase + string.ascii_lowercase
KEY_BYTES = 32
KEY_RANDOM = 43
KEY_CHECKSUM = 6
GENERATION_RANDOM = 20

_ALPHANUMERIC = bytes(ord(ALPHABET[i % len(ALPHABET)]) for i in range(256))
"""Any byte -> a character. Some come up 5 times in 256 and others 4: these are names, not keys."""


def generation_id(now: float, rng: Random) -> str:
    """Return a fresh id for a generation that begins at Unix time `now`.

    It opens nothing by itself, so a source that was seeded once does: the system is not
    asked for each request.
    """
    drawn = rng.getrandbits(8 * GENERATION_RANDOM).to_bytes(GENERATION_RANDOM, "little")
    return f"gen-{int(now)}-{drawn.translate(_ALPHANUMERIC).decode()}"


def new_key(prefix: str) -> str:
    """Return a fresh key that begins with `prefix`."""
    return key_of(prefix, secrets.token_bytes(KEY_BYTES))


def key_of(prefix: str, secret: bytes) -> str:
    """Return the key that begins with `prefix` and is made of 32 secret bytes."""
    body = prefix + _base62(int.from_bytes(secret, "big"), KEY_RANDOM)
    return body + checksum(body)


def checksum(text: str) -> str:
    """Return the CRC-32 of `text` as 6 base62 characters."""
    return _base62(zlib.crc32(text.encode()), KEY_CHECKSUM)


def is_key(text: str, prefix: str) -> bool:
    """Say whether `text` has the form of a key of ours: prefix, alphabet, length, checksum."""
    if not text.startswith(prefix) or len(text) != len(prefix) + KEY_RANDOM + KEY_CHECKSUM:
        return False
    body, mark = text[:-KEY_CHECKSUM], text[-KEY_CHECKSUM:]
    return text.isascii() and checksum(body) == mark


def key_hash(key: str | bytes) -> str:
    """Return the public id of a key: SHA-256 in hex, OpenRouter's `hash`."""
    return hashlib.sha256(key.encode() if isinstance(key, str) else key).hexdigest()


def key_label(key: str, prefix: str) -> str:
    """Return what may be shown of a key: prefix, three characters, three more."""
    return f"{key[: len(prefix) + 3]}...{key[-3:]}"


def _base62(number: int, width: int) -> str:
    digits = ""
    while number:
        number, rest = divmod(number, 62)
        digits = ALPHABET[rest] + digits
    return digits.rjust(width, ALPHABET[0])
