"""Embeddings at Amazon Bedrock: InvokeModel, with a body that only the model knows.

Converse has no embeddings, so each maker's models are spoken to in their own words. Sources, read
2026-11: Amazon Bedrock user guide, "Amazon Titan Embeddings G1 - Text" (which has V2, too), "Cohere
Embed v3" and "Cohere Embed v4"; API reference, `InvokeModel`.

Titan takes one text in a request, Cohere 96. Answers of Titan tell tokens; for Cohere's they are
in the header `X-Amzn-Bedrock-Input-Token-Count` (no page of AWS's names it; vercel/ai, pull
request 15973, saw it live). What Cohere's models take is in `dragoman.providers.cohere.embedding`.
"""

import re
import urllib.parse
from typing import Any, Final

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.bedrock.faults import fault
from dragoman.providers.cohere.embedding import LENGTHS_OF_4, batches, wishes
from dragoman.providers.dialect import Outgoing
from dragoman.providers.embedding import Draft, EmbeddingDialect, Vectors, counted

TOKENS: Final = "x-amzn-bedrock-input-token-count"
TITAN_LENGTHS: Final = (256, 512, 1024)

_TITAN_2 = re.compile(r"amazon\.titan-embed-text-v2")
_TITAN_1 = re.compile(r"amazon\.titan-embed-(text-v1|g1-text)")
_COHERE = re.compile(r"cohere\.embed-(v4|(?:english|multilingual)-v3)?")
_COHERE_LENGTHS: dict[str, tuple[int, ...] | None] = {"v4": LENGTHS_OF_4, "": None}
"""By generation; those after the fourth say themselves what they take."""
_OF_TITAN = frozenset({"normalize"})
_OF_COHERE = frozenset({"truncate"})


class _ByType(Struct):
    float: list[Raw]


class _Embedded(Struct, rename="camel"):
    embedding: Raw = Raw()
    input_text_token_count: Any = None
    embeddings: list[Raw] | _ByType | None = None
    id: str | None = None


_embedded = msgspec.json.Decoder(_Embedded | list[_Embedded]).decode


def write(draft: Draft) -> Outgoing:
    """Return the requests for texts. Raises InvalidRequest for a model whose words are unknown."""
    name = draft.endpoint.upstream
    if _TITAN_2.search(name):
        return _titan(draft, TITAN_LENGTHS, _OF_TITAN)
    if _TITAN_1.search(name):
        return _titan(draft, (), frozenset())
    if found := _COHERE.search(name):
        return _cohere(draft, _COHERE_LENGTHS.get(found[1] or "", ()))
    raise draft.refusal("model", "embeddings are known here of Titan's and Cohere's models only")


def read(body: bytes) -> Vectors:
    """Return the vectors of an answer, or of several. Raises ValueError where there are none."""
    told = _embedded(body)
    answers = told if isinstance(told, list) else [told]
    vectors: list[Raw] = []
    for each in answers:
        found = each.embeddings.float if isinstance(each.embeddings, _ByType) else each.embeddings
        found = found or ([each.embedding] if each.embedding else [])
        if not found:
            raise ValueError("an answer without embeddings")
        vectors += found
    tokens = counted([each.input_text_token_count for each in answers])
    return Vectors(vectors, tokens, next((each.id for each in answers), None))


def embeddings() -> EmbeddingDialect:
    """Return the dialect of embeddings at Amazon Bedrock."""
    return EmbeddingDialect(write, read, fault)


def _titan(draft: Draft, lengths: tuple[int, ...], known: frozenset[str]) -> Outgoing:
    told: dict[str, Any] = dict(draft.taken(known))
    length = draft.dimensions(lengths)
    if length is not None:
        told["dimensions"] = length
    if draft.task() is not None:
        draft.dropped("input_type", "this model embeds all texts alike")
    bodies: list[object] = [{"inputText": text, **told} for text in draft.texts]
    return draft.outgoing(_path(draft), bodies, TOKENS)


def _cohere(draft: Draft, lengths: tuple[int, ...] | None) -> Outgoing:
    told = wishes(draft, lengths, _OF_COHERE)
    bodies: list[object] = [{"texts": batch, **told} for batch in batches(draft)]
    return draft.outgoing(_path(draft), bodies, TOKENS)


def _path(draft: Draft) -> str:
    return f"/model/{urllib.parse.quote(draft.endpoint.upstream, safe='')}/invoke"
