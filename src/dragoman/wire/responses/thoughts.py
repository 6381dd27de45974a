"""Reasoning between the hub's details and the items of the Responses API.

An item has summaries, a text, and one of `encrypted_content` (OpenAI) or `signature`; who signed
it is its `format` (OpenRouter, `OutputReasoningItem`). Clients of OpenAI's own API, Codex among
them, send back only what OpenAI knows. For them whatever else has to come back travels inside
`encrypted_content`, which nobody but the gateway reads then.
"""

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

import msgspec
from msgspec import Struct

from dragoman.wire.details import Detail

OPENAI = "openai-responses-v1"
"""The format of what OpenAI signs: where a client names none, it is this."""

SEALED = "dm1."
"""What `encrypted_content` begins with where it holds details of another format."""

TEXT, SUMMARY, ENCRYPTED = "reasoning.text", "reasoning.summary", "reasoning.encrypted"


class Passage(Struct, frozen=True, gc=False):
    """A part of a summary or of a text."""

    text: str
    type: str = ""


class Thought(Struct, frozen=True, gc=False):
    """An item of reasoning."""

    id: str | None = None
    summary: list[Passage] | None = None
    content: list[Passage] | None = None
    encrypted_content: str | None = None
    format: str | None = None
    signature: str | None = None


class _Sealed(Struct, frozen=True, gc=False):
    """A detail as it was sealed, so far as it is counted on."""

    type: str
    text: str | None = None
    summary: str | None = None
    data: str | None = None
    signature: str | None = None


_encode = msgspec.json.Encoder().encode
_details = msgspec.json.Decoder(list[Detail]).decode
_checked = msgspec.json.Decoder(list[_Sealed]).decode


def seal(details: list[Detail]) -> str:
    """Return details as a client sends them back unread."""
    return SEALED + urlsafe_b64encode(_encode(details)).decode()


def unseal(content: str) -> list[Detail]:
    """Return the details in what `seal` made. Raises ValueError for anything else."""
    try:
        source = urlsafe_b64decode(content.removeprefix(SEALED).encode("ascii"))
        _checked(source)
        return _details(source)
    except (binascii.Error, UnicodeError, RecursionError, msgspec.DecodeError):
        raise ValueError("is not what was sent with the answer") from None


def details_of(thought: Thought) -> list[Detail]:
    """Return the details of an item, without their places. Raises ValueError for a broken seal."""
    content = thought.encrypted_content
    if content is not None and content.startswith(SEALED):
        return unseal(content)
    form = thought.format or (OPENAI if content else "unknown")
    found: list[Detail] = [
        {"type": SUMMARY, "summary": each.text} for each in thought.summary or () if each.text
    ]
    found += [{"type": TEXT, "text": each.text} for each in thought.content or () if each.text]
    if thought.signature:
        if not found or found[-1]["type"] != TEXT:
            found.append({"type": TEXT, "text": ""})
        found[-1]["signature"] = thought.signature
    if content:
        found.append({"type": ENCRYPTED, "data": content})
    shared: Detail = {"format": form}
    if thought.id:
        shared["id"] = thought.id
    return [{**each, **shared} for each in found]


def words_of(details: list[Detail]) -> str:
    """Return what can be read of details, in one text."""
    texts = [each.get("text") or "" for each in details if each.get("type") == TEXT]
    text = "".join(each for each in texts if isinstance(each, str))
    if text:
        return text
    summaries = [each.get("summary") for each in details if each.get("type") == SUMMARY]
    return "\n\n".join(each for each in summaries if isinstance(each, str) and each)
