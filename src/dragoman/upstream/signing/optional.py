"""What others' packages know of a cloud's credentials, where they are installed.

They block, so they work in a thread; they are looked up when first needed, for they are slow to
load and nobody without an account there should pay for it.
"""

import importlib
from typing import Any, NamedTuple


class Token(NamedTuple):
    """A token, and the Unix time at which it ends."""

    text: str
    ends: float


class AccessKey(NamedTuple):
    """An access key of AWS, with the token that may go with it."""

    id: str
    secret: str
    token: str


def of_botocore() -> AccessKey | None:
    """Return what botocore's chain finds (profile, SSO, roles of machines); None without it.

    Raises OSError with its words when it finds something that does not work.
    """
    session, errors = _module("botocore.session"), _module("botocore.exceptions")
    if session is None or errors is None:
        return None
    try:
        found = session.Session().get_credentials()
        frozen = found and found.get_frozen_credentials()
    except (errors.BotoCoreError, errors.ClientError) as error:
        raise OSError(f"botocore: {error}") from error
    return frozen and AccessKey(frozen.access_key, frozen.secret_key, frozen.token or "")


def of_azure(scope: str) -> Token | None:
    """Return a token by azure-identity's chain (managed identity, CLI); None without it.

    Raises OSError with its words when it finds none.
    """
    identity, errors = _module("azure.identity"), _module("azure.core.exceptions")
    if identity is None or errors is None:
        return None
    try:
        with identity.DefaultAzureCredential() as credential:
            found = credential.get_token(scope)
    except errors.AzureError as error:
        raise OSError(f"azure-identity: {error}") from error
    return Token(found.token, float(found.expires_on))


def _module(name: str) -> Any:
    """Return a module, None where its package is not installed."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None
