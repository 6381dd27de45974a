"""Embeddings and reranking at hosts that take them as OpenAI and Cohere do, as two dialects.

The body is made of the caller's own members. Where a host departs from the others, in its
address or its names, its row says so (`Provider.services`). Sources: OpenAI API reference,
"Create embeddings"; Cohere, "Rerank" (v2); Jina, Voyage and Together, "Rerank": results have
`index` and `relevance_score` everywhere.
"""

from collections.abc import Callable
from typing import Annotated

import msgspec
from msgspec import Meta, Raw, Struct, structs

from dragoman.catalog.types import Endpoint, OtherKind, Provider, Service
from dragoman.core.notes import Change
from dragoman.providers.dialect import Fault, Outgoing, Parser, StreamDecoder
from dragoman.providers.openai.answers import OpenAiDecoder
from dragoman.providers.openai.draft import Draft
from dragoman.providers.openai.faults import fault, stream_fault
from dragoman.providers.openai.members import NULL
from dragoman.providers.openai.request import GATEWAY_ONLY, opaque
from dragoman.providers.usage import MOST_TOKENS, read_usage
from dragoman.wire.chat import ChatCall
from dragoman.wire.embeddings import read_vectors
from dragoman.wire.hub import Answer, Choice
from dragoman.wire.rerank import read_results
from dragoman.wire.sse import SseParser
from dragoman.wire.usage import Usage

APART = GATEWAY_ONLY | {"model", "stream", "user", "input", "documents"}
WITH_A_USER = frozenset({"embeddings"})
"""Kinds whose requests say who the end user is."""

ENDED = Choice(index=0, message={}, finish_reason="stop", native_finish_reason=None)
"""What such an answer is to whoever asks whether it came to its end."""

_HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json"))
_encode = msgspec.json.Encoder().encode
_items = msgspec.json.Decoder(list[Raw]).decode


class _Part(Struct, gc=False):
    type: str
    text: str = ""


class _Parts(Struct):
    content: list[_Part]


class _Document(Struct, gc=False):
    text: str | None = None
    image: str | None = None


class _Units(Struct):
    billed_units: Raw = NULL


class _Answer(Struct):
    id: str | None = None
    usage: Raw = NULL
    meta: _Units | None = None
    error: Raw = NULL


class _Total(Struct):
    total_tokens: Annotated[int, Meta(ge=0, le=MOST_TOKENS)]


_answer = msgspec.json.Decoder(_Answer).decode
_parts = msgspec.json.Decoder(list[_Parts]).decode
_document = msgspec.json.Decoder(_Document).decode
_total = msgspec.json.Decoder(_Total).decode


class OtherKindDialect:
    """Fulfils `Dialect` for one kind of request. Keeps nothing."""

    __slots__ = ("_kind", "_read")

    def __init__(self, kind: OtherKind, read: Callable[[bytes], object]) -> None:
        self._kind: OtherKind = kind
        self._read = read

    @property
    def speaks(self) -> str:
        """The client dialect whose answers these are: that of the kind."""
        return self._kind

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        service = provider.services.get(self._kind) or Service()
        draft = Draft(endpoint, structs.replace(provider, quirks=service.quirks))
        members = call.members
        draft.body["model"] = Raw(_encode(endpoint.upstream))
        if "input" in members:
            draft.body["input"] = _plain_input(members["input"])
        for name, value in members.items():
            if name not in APART and name not in call.not_applied and value != NULL:
                draft.offer(name, value)
        if "documents" in members:
            draft.body["documents"] = _plain_documents(members["documents"])
        if call.user and self._kind in WITH_A_USER:
            self._tell_user(draft, call.user)
        for name, source in service.quirks.adds.items():
            draft.inject(name, Raw(_encode(source)))
        return Outgoing(
            path=f"/{self._kind}",
            headers=_HEADERS + tuple(provider.headers.items()),
            body=_encode(draft.body),
            notes=tuple(draft.notes),
            url=service.url,
        )

    def answer(self, body: bytes) -> Answer:
        """Read a whole answer. Raises ValueError when it is not one."""
        try:
            found = _answer(body)
        except RecursionError:
            raise ValueError("JSON is nested too deep") from None
        if found.error != NULL:
            return Answer(choices=(), fault=stream_fault(body))
        self._read(body)
        return Answer(
            choices=(ENDED,),
            usage=_usage(found),
            upstream_id=found.id or None,
            native=body,
        )

    def parser(self) -> Parser:
        """Return what splits a stream into events. No such answer is one."""
        return SseParser()

    def decoder(self) -> StreamDecoder:
        """Return a reader for a stream. No such answer is one."""
        return OpenAiDecoder()

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
        return fault(status, headers, body)

    @staticmethod
    def _tell_user(draft: Draft, user: str) -> None:
        if draft.offer("user", Raw(_encode(opaque(user)))):
            draft.note(Change.RENAMED, "user", "sent as an opaque id derived from it")


def embeddings() -> OtherKindDialect:
    """Return the dialect of embeddings."""
    return OtherKindDialect("embeddings", read_vectors)


def rerank() -> OtherKindDialect:
    """Return the dialect of reranking."""
    return OtherKindDialect("rerank", read_results)


def _plain_input(value: Raw) -> Raw:
    """Return the input, its objects as texts where they hold nothing else: hosts know no others."""
    if not any(bytes(each).startswith(b"{") for each in _head(value)):
        return value
    objects = _parts(value)
    if any(part.type != "text" for each in objects for part in each.content):
        return value
    return Raw(_encode(["\n".join(part.text for part in each.content) for each in objects]))


def _head(value: Raw) -> list[Raw]:
    """Return the first item of a list, by which all others go; nothing for a text."""
    return _items(value)[:1] if bytes(value).startswith(b"[") else []


def _plain_documents(value: Raw) -> Raw:
    """Return the documents, as texts those that are but a text: not every host takes objects."""
    return Raw(_encode([_plain_document(each) for each in _items(value)]))


def _plain_document(value: Raw) -> Raw:
    if not bytes(value).startswith(b"{"):
        return value
    document = _document(value)
    return value if document.image or document.text is None else Raw(_encode(document.text))


def _usage(found: _Answer) -> Usage | None:
    """Return what was counted: tokens in, none out; by search where that is what is billed.

    Jina and Voyage name the total only, Cohere searches apart.
    """
    usage = None if found.usage == NULL else _of_tokens(found.usage)
    units = None if found.meta is None else found.meta.billed_units
    billed = None if units is None or units == NULL else read_usage(units)
    if billed is None or not billed.searches:
        return usage or billed
    return structs.replace(usage or Usage(), searches=billed.searches)


def _of_tokens(source: Raw) -> Usage | None:
    usage = read_usage(source)
    if usage is not None and usage.source == "estimated":
        try:
            usage = structs.replace(usage, prompt=_total(source).total_tokens, source="upstream")
        except ValueError:
            return usage
    return None if usage is None else structs.replace(usage, completion=0, reasoning=0)
