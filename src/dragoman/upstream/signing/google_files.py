"""Google's credentials as they lie in files and variables.

A credential is its JSON, the path of a file that holds it, or empty: then it is where Google's
own tools look (cloud.google.com/docs/authentication/application-default-credentials). What an
account brings along is JSON, of a service account, and nothing else: it names no file here.
"""

import asyncio
import re
from collections.abc import Mapping
from pathlib import Path

from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.upstream.signing.given import Unusable, members

KINDS = frozenset({"service_account", "authorized_user"})
OWN = "byok:"
"""How ids of accounts' own credentials begin."""
MOST_BYTES = 64 * 1024

_PROJECT = re.compile(r"(?<=/projects/)[^/]+")
_PROJECT_ID = re.compile(r"[a-z0-9.:-]{1,100}")
_WHAT = {
    "service_account": ("client_email", "private_key"),
    "authorized_user": ("client_id", "client_secret", "refresh_token"),
}


class Key(Struct, frozen=True, kw_only=True):
    """The members of a credential's file. `own`: an account brought it along."""

    type: str
    client_email: str = ""
    private_key: str = ""
    private_key_id: str = ""
    client_id: str = ""
    client_secret: str = ""
    refresh_token: str = ""
    project_id: str | None = None
    quota_project_id: str | None = None
    own: bool = False

    def __repr__(self) -> str:
        return f"Key({self.type})"


_TEXTS = tuple(name for name in Key.__struct_fields__ if name not in {"type", "own"})


def own_account(text: str) -> Key:
    """Return the service account that an account brings along. Raises Unusable."""
    return _read(text.encode(), own=True)


async def load(credential: Credential, environ: Mapping[str, str]) -> Key | None:
    """Return what a credential is, None for that of the machine. Raises Unusable."""
    own = credential.id.startswith(OWN)
    text = credential.secret.reveal()
    if text.startswith("{"):
        return own_account(text) if own else _read(text.encode(), own=False)
    if own:
        raise Unusable("it is no JSON object")
    if text:
        return _read(await asyncio.to_thread(_file, text), own=False)
    return await _default(environ)


def of_project(url: str, project: str) -> str:
    """Return the address with the models of another project."""
    return _PROJECT.sub(project, url, count=1)


async def _default(environ: Mapping[str, str]) -> Key | None:
    named = environ.get("GOOGLE_APPLICATION_CREDENTIALS", "").strip()
    if named.startswith("{"):
        return _read(named.encode(), own=False)
    if named:
        return _read(await asyncio.to_thread(_file, named), own=False)
    folder = environ.get("CLOUDSDK_CONFIG", "")
    home = environ.get("HOME", "")
    if not folder and not home:
        return None
    base = Path(folder) if folder else Path(home) / ".config" / "gcloud"
    path = base / "application_default_credentials.json"
    if not await asyncio.to_thread(path.exists):
        return None
    return _read(await asyncio.to_thread(_file, str(path)), own=False)


def _file(path: str) -> bytes:
    try:
        with Path(path).expanduser().open("rb") as file:
            return file.read(MOST_BYTES)
    except (OSError, RuntimeError) as error:
        raise Unusable(f"{path}: {error}") from None


def _read(text: bytes, *, own: bool) -> Key:
    found = members(text, ("type",), _TEXTS)
    kinds = {"service_account"} if own else KINDS
    if found["type"] not in kinds:
        raise Unusable(f"its type is not {' or '.join(sorted(kinds))}")
    key = Key(**found, own=own)
    missing = [name for name in _WHAT[key.type] if not getattr(key, name)]
    if missing:
        raise Unusable(f"it lacks {', '.join(missing)}")
    for name in ("project_id", "quota_project_id"):
        project = getattr(key, name)
        if project is not None and not _PROJECT_ID.fullmatch(project):
            raise Unusable(f"its {name} is none")
    return key
