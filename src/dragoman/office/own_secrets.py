"""Accounts' own credentials that are more than a word: what may be kept of them. Pure.

What a cloud's signer would refuse is refused when it is written, with its reason, so that nobody
learns it from requests that fail. Whether the cloud knows the credential only a request can tell.
"""

from collections.abc import Callable
from typing import Final

import msgspec
from msgspec import Raw, Struct

from dragoman.catalog.types import Auth
from dragoman.core.errors import InvalidRequest
from dragoman.core.secret import Secret
from dragoman.upstream.signing.aws import access_key
from dragoman.upstream.signing.entra import application
from dragoman.upstream.signing.given import Unusable
from dragoman.upstream.signing.google import check_private_key
from dragoman.upstream.signing.google_files import own_account


class Form(Struct, frozen=True):
    """A credential that is JSON: in words, which members are kept, and who raises Unusable."""

    words: str
    kept: tuple[str, ...]
    check: Callable[[str], object]


class _Names(Struct):
    """The member of each form that says whose it is."""

    client_email: str = ""
    client_id: str = ""
    access_key: str = msgspec.field(default="", name="accessKeyId")


def _check_account(text: str) -> None:
    check_private_key(own_account(text))


FORMS: Final[dict[Auth, Form]] = {
    "gcp": Form(
        "the JSON of a service account, with type, client_email and private_key",
        (
            "type",
            "project_id",
            "private_key_id",
            "private_key",
            "client_email",
            "quota_project_id",
        ),
        _check_account,
    ),
    "sigv4": Form(
        "a Bedrock API key, which is one line of text, or the JSON of an access key, with"
        " accessKeyId, secretAccessKey and, if it is another than here, region",
        ("accessKeyId", "secretAccessKey", "sessionToken", "region"),
        access_key,
    ),
    "entra": Form(
        "the JSON of an application, with tenant_id, client_id and client_secret",
        ("tenant_id", "client_id", "client_secret"),
        application,
    ),
}
"""By how a provider lets in. AWS takes a plain word, too."""

LONGEST_ADDRESS = 64
"""Characters that are shown."""

SHOWN_FROM = 16
"""Characters. Of a shorter secret nothing is shown."""

_members = msgspec.json.Decoder(dict[str, Raw]).decode
_names = msgspec.json.Decoder(_Names).decode
_encode = msgspec.json.Encoder().encode


def in_form(text: str, form: Form) -> Secret:
    """Return a credential that is JSON on one line, less what nobody reads.

    A path, or what is of another type, would let an account use files or tokens that are the
    machine's. Raises InvalidRequest, which names the member at fault and no value.
    """
    try:
        form.check(text)
    except Unusable as unusable:
        raise InvalidRequest(f"key: {unusable}. Give {form.words}.") from None
    members = _members(text)
    line = _encode({name: members[name] for name in form.kept if name in members}).decode()
    if not line.isascii() or not line.isprintable():
        raise InvalidRequest("key: its members must be ASCII")
    return Secret(line)


def label(secret: Secret) -> str:
    """Return by what its owner knows a credential that `in_form` made.

    The address of a service account is no secret. Of an id only its ends are shown: where it was
    taken for the secret beside it, that is the secret.
    """
    names = _names(secret.reveal())
    if names.client_email:
        return names.client_email[:LONGEST_ADDRESS]
    return ends(names.client_id or names.access_key)


def ends(text: str) -> str:
    """Return how a secret begins and ends, `sk-...AbCd`; of a short one nothing."""
    return f"{text[:3]}...{text[-4:]}" if len(text) >= SHOWN_FROM else "..."
