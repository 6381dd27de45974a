"""From the headers of a request to the key it presents. Pure; knows no database.

Messages are OpenRouter's, so that clients which look for them find them.
"""

from collections.abc import Mapping

from dragoman.core import ids
from dragoman.core.errors import InvalidRequest, Unauthenticated

MISSING = "Missing Authentication header"
UNKNOWN = "User not found."
EXPIRED = "This API key has expired. Ask for a new one: a key's expiry cannot be changed."
TAIL = ids.KEY_RANDOM + ids.KEY_CHECKSUM

FOREIGN = (
    ("sk-ant-", "an Anthropic key"),
    ("sk-or-", "an OpenRouter key"),
    ("sk-proj-", "an OpenAI key"),
    ("sk-svcacct-", "an OpenAI key"),
    ("gsk_", "a Groq key"),
    ("xai-", "an xAI key"),
    ("csk-", "a Cerebras key"),
    ("fw_", "a Fireworks key"),
    ("tgp_", "a Together key"),
    ("AIza", "a Google key"),
    ("hf_", "a Hugging Face token"),
)
"""How keys of others begin."""


def plain_hash(headers: Mapping[bytes, bytes]) -> str | None:
    """Return the hash of the key in headers, if it comes as all clients send it.

    None says nothing: `presented` decides.
    """
    authorization = headers.get(b"authorization", b"")
    if not authorization.startswith(b"Bearer ") or b"x-api-key" in headers:
        return None
    return ids.key_hash(authorization[7:])


def presented(authorization: str | None, api_key: str | None) -> str:
    """Return the text of the key in `Authorization: Bearer` or `x-api-key`.

    Raises Unauthenticated if there is none, InvalidRequest if the two differ
    or hold anything but ASCII.
    """
    bearer, other = _bearer(authorization or ""), (api_key or "").strip()
    if bearer and other and bearer != other:
        raise InvalidRequest("Authorization and x-api-key carry different keys: send one of them")
    key = bearer or other
    if not key:
        raise Unauthenticated(MISSING)
    if not key.isascii():
        raise InvalidRequest("A key consists of ASCII characters only")
    return key


def check_form(key: str, prefix: str) -> None:
    """Raise Unauthenticated unless `key` may be one of ours: its checksum fits.

    The prefix may be any, since it is a setting and keys outlive settings; a key
    of another service is told apart from one of ours (`prefix`) for its owner's sake.
    """
    if ids.is_key(key, key[:-TAIL]):
        return
    kind = next((kind for start, kind in FOREIGN if key.startswith(start)), None)
    if kind is None or key.startswith(prefix):
        raise Unauthenticated(UNKNOWN)
    raise Unauthenticated(
        f"This looks like {kind}. A Dragoman key starts with {prefix} and is made by "
        "`dragoman keys create NAME`."
    )


def _bearer(authorization: str) -> str:
    scheme, _, credentials = authorization.strip().partition(" ")
    return credentials.strip() if scheme.lower() == "bearer" else ""
