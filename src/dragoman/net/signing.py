"""Signs what is sent to receivers of webhooks, so that they can tell it from a forgery. Pure.

Source: Standard Webhooks, "Signature scheme": HMAC-SHA256 over id, time and body, joined by
dots, under a secret that is written `whsec_` and base64. Several signatures are parted by
spaces, so that a secret can be replaced while receivers still have the one before.
"""

import base64
import binascii
import hashlib
import hmac
from collections.abc import Iterable
from typing import Final

PREFIX: Final = "whsec_"
LEAST_BYTES: Final = 24
MOST_BYTES: Final = 64


def secret_text(secret: bytes) -> str:
    """Return a secret as people write it down."""
    return PREFIX + base64.b64encode(secret).decode()


def secret_bytes(text: str) -> bytes:
    """Return the secret that is written so. Raises ValueError for what is none."""
    try:
        secret = base64.b64decode(text.removeprefix(PREFIX), validate=True)
    except binascii.Error:
        secret = b""
    if not text.startswith(PREFIX) or not LEAST_BYTES <= len(secret) <= MOST_BYTES:
        size = f"{LEAST_BYTES} to {MOST_BYTES} bytes"
        raise ValueError(f"a signing secret is {PREFIX} and base64 of {size}")
    return secret


def signature(secret: bytes, id_: str, at: int, body: bytes) -> str:
    """Return the signature of a message that is sent at Unix time `at`."""
    signed = b"%s.%d.%s" % (id_.encode(), at, body)
    return "v1," + base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()


def signed_headers(
    secrets: Iterable[bytes], id_: str, at: int, body: bytes
) -> tuple[tuple[str, str], ...]:
    """Return the headers that a signed message carries, signed under each of the secrets."""
    signatures = " ".join(signature(each, id_, at, body) for each in secrets)
    return (
        ("webhook-id", id_),
        ("webhook-timestamp", str(at)),
        ("webhook-signature", signatures),
    )
