"""Reranking: a query and documents in, how well each answers it out. A client dialect.

Answers travel as they came (`Answer.native`): what providers call `results`, Voyage `data`,
all have `index` and `relevance_score`. The documents in an answer are the caller's own, written
from the request. Shape: OpenRouter's OpenAPI document, `/rerank`.
"""

from collections.abc import Mapping
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Raw, Struct

from dragoman.core.errors import InvalidRequest
from dragoman.wire.answers import encode
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import Spent, Told
from dragoman.wire.hub import Answer
from dragoman.wire.json import members
from dragoman.wire.other_kinds import (
    Asked,
    CommonFields,
    Reader,
    UnstreamedDialect,
    call_of,
    rerank_usage,
    stamp_members,
)
from dragoman.wire.shapes import NonEmpty, PositiveCount

_TEXT = b'"'


class Document(Struct, frozen=True, gc=False):
    """A document that is an object: its text, an image of it (a URL), or both."""

    text: str | None = None
    image: str | None = None


class _Fields(CommonFields, frozen=True, kw_only=True):
    query: NonEmpty
    documents: Annotated[list[str | Document], Meta(min_length=1)]
    top_n: PositiveCount | None = None


class Result(Struct, gc=False):
    """How well the document at `index` of the request answers its query."""

    index: Annotated[int, Meta(ge=0)]
    relevance_score: float


class _Body(Struct):
    results: list[Result] | None = None
    data: list[Result] | None = None


class _Written(Struct, gc=False):
    index: int
    relevance_score: float
    document: Raw


_reader = Reader(_Fields)
_body = msgspec.json.Decoder(_Body).decode
_documents = msgspec.json.Decoder(list[Raw]).decode
_count = msgspec.json.Decoder(int | None).decode


class RerankDialect(UnstreamedDialect):
    """Fulfils `ClientDialect`. Keeps nothing."""

    __slots__ = ()
    name = "rerank"
    one_choice = False

    def parse(self, body: bytes, _headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. Raises InvalidRequest."""
        found = members(body)
        fields: _Fields = _reader.read(body)
        return call_of("rerank", fields, found, _asked(fields))

    def answer(self, told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
        """Return the documents by their relevance, the best first."""
        asked = told.call.members
        documents = _documents(asked["documents"])
        results = [
            each for each in read_results(answer.native or b"") if each.index < len(documents)
        ]
        results.sort(key=lambda each: -each.relevance_score)
        most = _count(asked.get("top_n", Raw(b"null")))
        rows = [
            _Written(each.index, each.relevance_score, _shown(documents[each.index]))
            for each in results[:most]
        ]
        return b'{%b,"results":%b,"usage":%b%b}' % (
            stamp_members(told.stamp),
            encode(rows),
            rerank_usage(spent),
            routing,
        )


RERANK: Final = RerankDialect()


def read_results(body: bytes) -> list[Result]:
    """Return the results of an answer. Raises ValueError when it is none."""
    try:
        found = _body(body)
    except RecursionError:
        raise ValueError("JSON is nested too deep") from None
    results = found.data if found.results is None else found.results
    if results is None:
        raise ValueError("an answer without results")
    return results


def _shown(document: Raw) -> Raw:
    """Return a document as an object, which answers have whatever the request had."""
    value = bytes(document)
    return Raw(b'{"text":%b}' % value) if value.startswith(_TEXT) else document


def _asked(fields: _Fields) -> Asked:
    """Measure a request: the query is read with each document. Raises InvalidRequest."""
    query = len(fields.query.encode())
    sizes, inputs = [], {"text"}
    for place, each in enumerate(fields.documents):
        text = each if isinstance(each, str) else each.text
        image = None if isinstance(each, str) else each.image
        if text is None and not image:
            raise InvalidRequest(f"documents.{place}: must have text or an image")
        sizes.append(query + len((text or "").encode()))
        if image:
            inputs.add("image")
    return Asked(
        inputs=frozenset(inputs),
        text_bytes=sum(sizes),
        prompts=len(sizes),
        window_bytes=max(sizes),
    )
