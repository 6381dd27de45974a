"""Embeddings at hosts whose API is not OpenAI's: texts in, vectors out, as one kind of dialect.

What is the host's own is two functions, one that writes requests and one that reads answers
(`gemini.embedding`, `bedrock.embedding`). Here is what they share: which inputs are texts, in how
many requests they go, and the shape of OpenAI's in which vectors travel (`Answer.native`).

Tokens are a matter of one maker's models, so no other host takes them. What a host cannot say is
an InvalidRequest that names the field and the host: the next endpoint is asked then, and where
there is none the caller is told (`Kind.UNTRANSLATABLE`). Hints that change no vector's meaning
(`user`) are left out with a note.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import msgspec
from msgspec import Raw, Struct

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.providers.dialect import Fault, Outgoing, Parser, StreamDecoder
from dragoman.providers.openai.answers import OpenAiDecoder
from dragoman.providers.openai.other_kinds import ENDED
from dragoman.providers.openai.request import GATEWAY_ONLY
from dragoman.providers.usage import MOST_TOKENS, count_of
from dragoman.wire.chat import ChatCall
from dragoman.wire.embeddings import read_vectors
from dragoman.wire.hub import Answer
from dragoman.wire.sse import SseParser
from dragoman.wire.usage import Usage

MOST_REQUESTS: Final = 256
"""So many requests may become of one, at hosts that take only so many texts in each."""

TASKS: Mapping[str, str] = {
    "query": "query",
    "search_query": "query",
    "retrieval_query": "query",
    "document": "document",
    "passage": "document",
    "search_document": "document",
    "retrieval_document": "document",
    "classification": "classification",
    "clustering": "clustering",
    "similarity": "similarity",
    "semantic_similarity": "similarity",
}
"""What vectors are for, in the words of Cohere, Voyage, Nvidia and Google -> one word for each."""

_APART = GATEWAY_ONLY | {
    "model", "stream", "input", "dimensions", "input_type",
    "encoding_format",  # all hosts send numbers; the client's dialect writes them as it was asked
}  # fmt: skip
_NULL = Raw(b"null")
_HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json"))
_encode = msgspec.json.Encoder().encode
_items = msgspec.json.Decoder(list[Raw]).decode
_number = msgspec.json.Decoder(int).decode
_word = msgspec.json.Decoder(str).decode


class _Part(Struct, gc=False):
    type: str
    text: str = ""


class _Parts(Struct):
    content: list[_Part]


class _Row(Struct, gc=False):
    object: str
    index: int
    embedding: Raw


class _List(Struct):
    object: str
    data: list[_Row]


_parts = msgspec.json.Decoder(_Parts).decode


class Vectors(Struct):
    """What an answer holds: the vectors in order, as they came, and the tokens that were counted.

    `tokens` is None where nobody counted them all.
    """

    found: list[Raw]
    tokens: int | None = None
    id: str | None = None


class Draft:
    """An embeddings call on its way to one endpoint: its texts, and what had to be said of it."""

    __slots__ = ("_call", "endpoint", "notes", "provider", "texts")

    def __init__(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> None:
        """Read the texts. Raises InvalidRequest where the input is not made of them."""
        self._call = call
        self.endpoint = endpoint
        self.provider = provider
        self.notes: list[Note] = []
        self.texts = [self._text(each) for each in self._inputs()]

    def refusal(self, field: str, detail: str) -> InvalidRequest:
        """Return what a caller is told whose request cannot be put into this API's words."""
        return InvalidRequest(f"{field}: {detail} ({self.provider.name})")

    def dropped(self, field: str, detail: str) -> None:
        """Say that a field was left out."""
        self.notes.append(Note(Change.DROPPED, field, detail, self.provider.slug))

    def dimensions(self, known: tuple[int, ...] | None = None) -> int | None:
        """Return the length of vectors that was asked for, None where none was.

        Raises InvalidRequest if it is not `known`: another length is not what was asked for.
        """
        value = self._given("dimensions")
        if value is None:
            return None
        wanted: int = _number(value)
        if known is None or wanted in known:
            return wanted
        if not known:
            raise self.refusal("dimensions", "the vectors of this model have one length")
        lengths = ", ".join(str(each) for each in known)
        raise self.refusal("dimensions", f"the vectors of this model have {lengths}")

    def task(self) -> str | None:
        """Return what the vectors are for, in the caller's word, None where he does not say."""
        value = self._given("input_type")
        return None if value is None else _word(value)

    def taken(self, known: frozenset[str]) -> Iterator[tuple[str, Raw]]:
        """Yield those of the other members that the host knows by its own names; note the rest."""
        call = self._call
        for name, value in call.members.items():
            if name in _APART or name in call.not_applied or value == _NULL:
                continue
            if name in known:
                yield name, value
            else:
                self.dropped(name, "this provider's API has no such field")

    def batches(self, most: int, most_bytes: int | None = None) -> Iterator[list[Raw]]:
        """Yield the texts, so many at a time, and no more bytes than that unless in one text."""
        batch: list[Raw] = []
        size = 0
        for text in self.texts:
            length = len(bytes(text))
            full = most_bytes is not None and size + length > most_bytes
            if batch and (full or len(batch) == most):
                yield batch
                batch, size = [], 0
            batch.append(text)
            size += length
        yield batch

    def outgoing(self, path: str, bodies: list[object], counted: str | None = None) -> Outgoing:
        """Return a request for each body. Raises InvalidRequest where there are too many.

        `counted` is the header of answers that tells their tokens, where they do not.
        """
        if len(bodies) > MOST_REQUESTS:
            raise self.refusal(
                "input",
                f"{len(self.texts)} texts take {len(bodies)} requests, and at most"
                f" {MOST_REQUESTS} are made: send fewer at a time",
            )
        first, *more = (_encode(each) for each in bodies)
        return Outgoing(
            path=path,
            headers=_HEADERS + tuple(self.provider.headers.items()),
            body=first,
            notes=tuple(self.notes),
            more=tuple(more),
            counted=counted,
        )

    def _given(self, name: str) -> Raw | None:
        value = self._call.members.get(name, _NULL)
        return None if value == _NULL else value

    def _inputs(self) -> list[Raw]:
        """Return the inputs. Tokens of one text are one input, which is no text."""
        value = self._call.members["input"]
        if not bytes(value).startswith(b"["):
            return [value]
        items: list[Raw] = _items(value)
        return items if bytes(items[0])[:1] in b'"[{' else [value]

    def _text(self, value: Raw) -> Raw:
        """Return an input as a text, which keeps the bytes it came with."""
        source = bytes(value)
        if source.startswith(b'"'):
            return value
        if source.startswith(b"["):
            raise self.refusal("input", "tokens are no text, and only texts can be embedded here")
        parts: list[_Part] = _parts(value).content
        for part in parts:
            if part.type != "text":
                raise self.refusal("input", f"{part.type} cannot be embedded here, only text")
        return Raw(_encode("\n".join(part.text for part in parts)))


class EmbeddingDialect:
    """Fulfils `Dialect` for embeddings. Keeps nothing.

    `write` translates a call for an endpoint, `read` finds the vectors in an answer, and in a
    list of answers where one call was several requests; `fault` classifies refusals.
    """

    __slots__ = ("_fault", "_read", "_write")
    speaks = "embeddings"

    def __init__(
        self,
        write: Callable[[Draft], Outgoing],
        read: Callable[[bytes], Vectors],
        fault: Callable[[int, Mapping[str, str], bytes], Fault],
    ) -> None:
        self._write = write
        self._read = read
        self._fault = fault

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a call for an endpoint, noting every member that did not survive.

        Raises InvalidRequest for what cannot be said.
        """
        return self._write(Draft(call, endpoint, provider))

    def answer(self, body: bytes) -> Answer:
        """Return the vectors in OpenAI's shape. Raises ValueError where there are none."""
        try:
            vectors = self._read(body)
        except RecursionError:
            raise ValueError("JSON is nested too deep") from None
        rows = [_Row("embedding", place, each) for place, each in enumerate(vectors.found)]
        native = _encode(_List("list", rows))
        read_vectors(native)
        return Answer(
            choices=(ENDED,),
            usage=usage(vectors.tokens),
            upstream_id=vectors.id or None,
            native=native,
        )

    def parser(self) -> Parser:
        """Return what splits a stream into events. No such answer is one."""
        return SseParser()

    def decoder(self) -> StreamDecoder:
        """Return a reader for a stream. No such answer is one."""
        return OpenAiDecoder()

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
        return self._fault(status, headers, body)


def usage(tokens: int | None) -> Usage | None:
    """Return the usage of so many tokens in; None where they are unknown, or no number of them."""
    return None if tokens is None or not 0 <= tokens <= MOST_TOKENS else Usage(prompt=tokens)


def counted(tokens: Sequence[object]) -> int | None:
    """Return the sum of what each said it took, None where one said no number of tokens."""
    told = [each for each in map(count_of, tokens) if each is not None]
    return sum(told) if told and len(told) == len(tokens) else None
