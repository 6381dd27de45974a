"""Embeddings at Cohere in its own API, `POST /v2/embed`, and what its models take anywhere.

Source, read 2026-11: docs.cohere.com, "Embed API (v2)". 96 texts in a request; `input_type` is
wanted: who does not say gets `search_document`. `output_dimension` is for the fourth generation and
later ones. Tokens are those that are billed (`meta.billed_units`).

Vectors are asked for as numbers, also where the client wants base64: the page does not say how wide
the numbers in Cohere's base64 are, nor in which order their bytes stand.
"""

import re
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.core.notes import Change, Note
from dragoman.providers.dialect import Outgoing
from dragoman.providers.embedding import TASKS, Draft, EmbeddingDialect, Vectors, counted
from dragoman.providers.openai.faults import fault

TEXTS: Final = 96
LENGTHS_OF_4: Final = (256, 512, 1024, 1536)

_OF_API = frozenset({"truncate", "max_tokens", "priority"})
_GENERATION = re.compile(r"embed-(?:(?:english|multilingual)-)?(?:light-)?v([234])(?!\d)")
_INPUT_TYPES = {
    "query": "search_query",
    "document": "search_document",
    "classification": "classification",
    "clustering": "clustering",
}


class _ByType(Struct):
    float: list[Raw] = []


class _Units(Struct, gc=False):
    input_tokens: Any = None


class _Meta(Struct):
    billed_units: _Units | None = None


class _Embedded(Struct):
    embeddings: _ByType
    id: str | None = None
    meta: _Meta | None = None


_embedded = msgspec.json.Decoder(_Embedded | list[_Embedded]).decode


def write(draft: Draft) -> Outgoing:
    """Return the requests for texts. Raises InvalidRequest for what cannot be said."""
    name = draft.endpoint.upstream
    told = wishes(draft, _lengths(name), _OF_API)
    bodies: list[object] = [{"model": name, "texts": batch, **told} for batch in batches(draft)]
    return draft.outgoing("/embed", bodies)


def read(body: bytes) -> Vectors:
    """Return the vectors of an answer, or of several. Raises ValueError where there are none."""
    told = _embedded(body)
    answers = told if isinstance(told, list) else [told]
    if not answers or not all(each.embeddings.float for each in answers):
        raise ValueError("an answer without embeddings")
    vectors = [vector for each in answers for vector in each.embeddings.float]
    return Vectors(vectors, counted([_tokens(each) for each in answers]), answers[0].id)


def embeddings() -> EmbeddingDialect:
    """Return the dialect of embeddings at Cohere."""
    return EmbeddingDialect(write, read, fault)


def wishes(draft: Draft, lengths: tuple[int, ...] | None, known: frozenset[str]) -> dict[str, Any]:
    """Return all but the texts of a request to a model of Cohere's, wherever it is served.

    `lengths` are those that its vectors may have, None where any may be asked for; `known` are the
    members that go along. Raises InvalidRequest for what cannot be said.
    """
    told: dict[str, Any] = dict(draft.taken(known))
    length = draft.dimensions(lengths)
    if length is not None:
        told["output_dimension"] = length
    told["input_type"] = _input_type(draft)
    told["embedding_types"] = ["float"]
    return told


def batches(draft: Draft) -> list[list[Raw]]:
    """Return the texts, so many together as a model of Cohere's takes at a time."""
    return list(draft.batches(TEXTS))


def _lengths(name: str) -> tuple[int, ...] | None:
    found = _GENERATION.search(name)
    if found is None:
        return None
    return LENGTHS_OF_4 if found[1] == "4" else ()


def _input_type(draft: Draft) -> str:
    word = draft.task()
    if word is None:
        detail = "sent as search_document: this provider needs one"
        draft.notes.append(Note(Change.INJECTED, "input_type", detail, draft.provider.slug))
        return _INPUT_TYPES["document"]
    known = _INPUT_TYPES.get(TASKS.get(word.lower(), ""))
    if known is None:
        raise draft.refusal("input_type", f"this model knows {', '.join(_INPUT_TYPES.values())}")
    return known


def _tokens(answer: _Embedded) -> object:
    """Return what is billed for an answer: a whole number, which Cohere's page calls a double."""
    units = None if answer.meta is None else answer.meta.billed_units
    return None if units is None else units.input_tokens
