"""What the blocks of an answer are in the hub's words, whole or in fragments.

Texts stay the JSON strings that they came as. Blocks of tools that the provider runs itself have
no words in the hub: clients of the dialect get them as they are, others see what comes of them.
"""

import hashlib
from typing import Literal

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.anthropic.content import EMPTY, NOTHING, NULL
from dragoman.wire.hub import Members

ABSENT = Raw()
_FORMAT = b'"format":"anthropic-claude-v1"'


class Citation(Struct, gc=False):
    """Where a sentence is from: a page of the web, or a place in a document."""

    type: str = ""
    url: Raw = ABSENT
    title: Raw = ABSENT
    cited_text: Raw = ABSENT
    source: Raw = ABSENT


class StopDetails(Struct, gc=False):
    """Why an answer was refused."""

    explanation: str | None = None


_citation = msgspec.json.Decoder(Citation).decode
_details = msgspec.json.Decoder(StopDetails).decode
_string = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode

Kind = Literal["thinking", "redacted_thinking"]


def given(value: Raw) -> bool:
    """Whether a member is there and says something."""
    return bool(value) and value not in NOTHING


def string(value: Raw) -> str:
    """Return a text. Raises ValueError when it is none."""
    return _string(value)


def thought(index: int, text: Raw, signature: Raw) -> Raw:
    """Return what the model thought, or a fragment of it, as the only one of the details."""
    members = b""
    if text:
        members += b'"text":%b,' % text
    if given(signature):
        members += b'"signature":%b,' % signature
    return Raw(b'[{"type":"reasoning.text",%b%b,"index":%d}]' % (members, _FORMAT, index))


def redacted(index: int, data: Raw) -> Raw:
    """Return what the model thought and the provider encrypted, as the only one of the details."""
    return Raw(b'[{"type":"reasoning.encrypted","data":%b,%b,"index":%d}]' % (data, _FORMAT, index))


def joined(lists: list[Raw]) -> Raw:
    """Return lists that are not empty as one."""
    return Raw(b"[%b]" % b",".join([bytes(each)[1:-1] for each in lists]))


def call(number: int, id_: bytes, name: Raw, arguments: bytes) -> bytes:
    """Return a call of a tool; `arguments` is their JSON as a JSON string."""
    return b'{"index":%d,"id":%b,"type":"function","function":{"name":%b,"arguments":%b}}' % (
        number,
        id_,
        name,
        arguments,
    )


def more_arguments(number: int, arguments: bytes) -> Raw:
    """Return a fragment of a call's arguments, as the only one of the calls."""
    return Raw(b'[{"index":%d,"function":{"arguments":%b}}]' % (number, arguments))


def call_id(id_: Raw, answer: str | None, number: int) -> bytes:
    """Return the id of a call; one for it where the provider gave none."""
    if given(id_):
        string(id_)
        return bytes(id_)
    source = f"{answer} {number}".encode()
    return b'"toolu_%b"' % hashlib.sha256(source).hexdigest()[:24].encode()


def quoted(json: Raw) -> bytes:
    """Return JSON as a JSON string."""
    return _encode(bytes(json).decode())


def annotation(value: Raw, begin: int, end: int) -> bytes:
    """Return a citation as an annotation of the text from `begin` to `end`, in characters.

    What is not from the web is told in the provider's words.
    """
    said = _citation(value)
    url = said.url or (said.source if bytes(said.source).startswith(b'"http') else ABSENT)
    if not given(url):
        return b'{"type":"file_citation","file_citation":%b}' % value
    rest = b""
    for name, member in ((b"title", said.title), (b"content", said.cited_text)):
        if member and member != NULL:
            rest += b',"%b":%b' % (name, member)
    return (
        b'{"type":"url_citation","url_citation":{"url":%b%b,"start_index":%d,"end_index":%d}}'
        % (url, rest, begin, end)
    )


def refusal(details: Raw) -> Members:
    """Return why an answer was refused, as a member of its message, if the provider says so."""
    if not given(details):
        return {}
    try:
        said = _details(details).explanation
    except msgspec.ValidationError:
        return {}
    return {"refusal": Raw(_encode(said))} if said else {}


def text_of(parts: list[Raw]) -> Raw:
    """Return texts as one."""
    if len(parts) == 1:
        return parts[0]
    return Raw(b'"%b"' % b"".join([bytes(part)[1:-1] for part in parts])) if parts else EMPTY
