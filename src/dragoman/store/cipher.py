"""Sealing a short secret: AES-256-GCM, bound to what the secret belongs to.

What it is bound to is authenticated and not stored with it, so a sealed text that is moved
to another row, or whose row is changed, opens no more. The library is loaded with the first
secret: most processes have none.
"""

import secrets
from base64 import b64decode, b64encode
from importlib import import_module
from typing import Any

import msgspec

KEY_BYTES = 32
NONCE_BYTES = 12
AEAD, ERRORS = "cryptography.hazmat.primitives.ciphers.aead", "cryptography.exceptions"


class Unsealable(Exception):
    """A sealed text is damaged, is under another key, or belongs to something else."""


def bound(*parts: str | int) -> bytes:
    """Return what a secret is bound to, as bytes: other parts never give the same ones."""
    return msgspec.json.encode(parts)


def seal(key: bytes, plain: bytes, to: bytes) -> str:
    """Return `plain` sealed under a key of 32 bytes and bound to `to`, as text."""
    nonce = secrets.token_bytes(NONCE_BYTES)
    return b64encode(nonce + _aead(key).encrypt(nonce, plain, to)).decode()


def unseal(key: bytes, sealed: str, to: bytes) -> bytes:
    """Return what `seal` was given. Raises Unsealable unless key and binding are the same."""
    invalid_tag: type[Exception] = import_module(ERRORS).InvalidTag
    try:
        raw = b64decode(sealed, validate=True)
        plain: bytes = _aead(key).decrypt(raw[:NONCE_BYTES], raw[NONCE_BYTES:], to)
    except (ValueError, invalid_tag) as error:
        raise Unsealable("It was sealed for something else, or is damaged") from error
    return plain


def _aead(key: bytes) -> Any:
    return import_module(AEAD).AESGCM(key)
