"""Accounts' own credentials that are more than a word: what may be kept of them. Pure."""

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import InvalidRequest
from dragoman.core.secret import Secret


class _Account(Struct):
    type: str
    client_email: str
    private_key: str


LONGEST_ADDRESS = 64
"""Characters that are shown."""

_account = msgspec.json.Decoder(_Account).decode
_members = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode
_KEPT = ("type", "project_id", "private_key_id", "private_key", "client_email", "quota_project_id")


def service_account(text: str) -> Secret:
    """Return the JSON of a Google service account on one line, less what nobody reads.

    A path, or a credential of another type, would let an account use files or tokens that are
    the machine's. Raises InvalidRequest.
    """
    try:
        account = _account(text)
        members = _members(text)
    except (ValueError, RecursionError):
        raise InvalidRequest(
            "key: give the JSON of a service account, with type, client_email and private_key"
        ) from None
    if account.type != "service_account":
        raise InvalidRequest("key: its type must be service_account")
    kept = {name: members[name] for name in _KEPT if name in members}
    line = _encode(kept).decode()
    if not line.isascii() or not line.isprintable():
        raise InvalidRequest("key: its members must be ASCII")
    return Secret(line)


def address(secret: Secret) -> str:
    """Return the address of a service account that `service_account` made."""
    return _account(secret.reveal()).client_email[:LONGEST_ADDRESS]
