"""Embeddings at Google AI Studio and Vertex AI.

AI Studio takes one text by `embedContent`, several by `batchEmbedContents`, of which it takes
100 (ai.google.dev/api/embeddings; the number is its refusal's: "at most 100 requests can be in
one batch"). Vertex AI has two APIs (docs.cloud.google.com/vertex-ai, "Text embeddings API" and
"Method: models.embedContent"; which model has which: google-genai 3.4.0,
`t_is_vertex_embed_content_model`):

- `:embedContent` for `gemini-*`: one text in a request. The SDK sends several at once to
  `v1beta1`; no page tells how many that may be, and its answers tell no tokens;
- `:predict` for all others, such as `text-embedding-005`: 250 texts and 20,000 tokens.

Gemini's models after `gemini-embedding-001` have no `taskType`: their task is written into the
text, which is the caller's (ai.google.dev/gemini-api/docs/embeddings). Answers tell tokens in
`usageMetadata`, those of `:predict` in `statistics` of each vector; AI Studio may leave them out.
"""

from typing import Any, Final
from urllib.parse import quote

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.dialect import Outgoing
from dragoman.providers.embedding import TASKS, Draft, EmbeddingDialect, Vectors, counted
from dragoman.providers.gemini.faults import fault

BATCH: Final = 100
INSTANCES: Final = 250
INSTANCES_BYTES: Final = 40_000
"""What 20,000 tokens are at the least, at two bytes each."""

_GOOGLE: Final = "/publishers/google/models"
_TASK_TYPES = {
    "query": "RETRIEVAL_QUERY",
    "document": "RETRIEVAL_DOCUMENT",
    "classification": "CLASSIFICATION",
    "clustering": "CLUSTERING",
    "similarity": "SEMANTIC_SIMILARITY",
}
_OTHER_TASK_TYPES = frozenset({"QUESTION_ANSWERING", "FACT_VERIFICATION", "CODE_RETRIEVAL_QUERY"})
_TITLE = frozenset({"title"})
_TITLE_AND_CUT = frozenset({"title", "autoTruncate"})


class _Statistics(Struct, gc=False):
    token_count: Any = None


class _Embedding(Struct):
    values: Raw
    statistics: _Statistics | None = None


class _Prediction(Struct):
    embeddings: _Embedding


class _Counts(Struct, gc=False, rename="camel"):
    prompt_token_count: Any = None


class _Embedded(Struct, rename="camel"):
    embedding: _Embedding | None = None
    embeddings: list[_Embedding] | None = None
    predictions: list[_Prediction] | None = None
    usage_metadata: _Counts | None = None


_embedded = msgspec.json.Decoder(_Embedded | list[_Embedded]).decode


def write_studio(draft: Draft) -> Outgoing:
    """Return the request of AI Studio for texts."""
    name = _name(draft)
    told = _told(draft, _TITLE)
    length, task = draft.dimensions(), _task(draft)
    if length is not None:
        told["outputDimensionality"] = length
    if task is not None:
        told["taskType"] = task
    path = f"/models/{quote(name, safe='@')}"
    model = f"models/{name}"
    each = [{"model": model, "content": _content(text), **told} for text in draft.texts]
    if len(each) == 1:
        return draft.outgoing(f"{path}:embedContent", [*each])
    batches: list[object] = [
        {"requests": each[place : place + BATCH]} for place in range(0, len(each), BATCH)
    ]
    return draft.outgoing(f"{path}:batchEmbedContents", batches)


def write_vertex(draft: Draft) -> Outgoing:
    """Return the requests of Vertex AI for texts, in the API that the model has."""
    name = _name(draft)
    path = f"{_GOOGLE}/{quote(name, safe='@')}"
    told = _told(draft, _TITLE_AND_CUT)
    length, task = draft.dimensions(), _task(draft)
    if "gemini" in name:
        if length is not None:
            told["outputDimensionality"] = length
        if task is not None:
            told["taskType"] = task
        config = {"embedContentConfig": told} if told else {}
        contents: list[object] = [{"content": _content(text), **config} for text in draft.texts]
        return draft.outgoing(f"{path}:embedContent", contents)
    parameters: dict[str, Any] = {}
    if "autoTruncate" in told:
        parameters["autoTruncate"] = told.pop("autoTruncate")
    if length is not None:
        parameters["outputDimensionality"] = length
    if task is not None:
        told["task_type"] = task
    more = {"parameters": parameters} if parameters else {}
    bodies: list[object] = [
        {"instances": [{"content": text, **told} for text in batch], **more}
        for batch in draft.batches(INSTANCES, INSTANCES_BYTES)
    ]
    return draft.outgoing(f"{path}:predict", bodies)


def read(body: bytes) -> Vectors:
    """Return the vectors of an answer of any of the APIs, or of several. Raises ValueError."""
    told = _embedded(body)
    vectors: list[Raw] = []
    tokens: list[object] = []
    for each in told if isinstance(told, list) else [told]:
        found = each.embeddings or [row.embeddings for row in each.predictions or ()]
        if each.embedding is not None:
            found = [each.embedding]
        if not found:
            raise ValueError("an answer without embeddings")
        vectors += [row.values for row in found]
        if each.usage_metadata is not None:
            tokens.append(each.usage_metadata.prompt_token_count)
        else:
            tokens += [_tokens(row) for row in found]
    return Vectors(vectors, counted(tokens))


def studio_embeddings() -> EmbeddingDialect:
    """Return the dialect of embeddings at Google AI Studio."""
    return EmbeddingDialect(write_studio, read, fault)


def vertex_embeddings() -> EmbeddingDialect:
    """Return the dialect of embeddings at Vertex AI."""
    return EmbeddingDialect(write_vertex, read, fault)


def _name(draft: Draft) -> str:
    return draft.endpoint.upstream.removeprefix("models/")


def _has_tasks(name: str) -> bool:
    return "gemini" not in name or name.startswith(("gemini-embedding-001", "gemini-embedding-exp"))


def _content(text: Raw) -> dict[str, object]:
    return {"parts": [{"text": text}]}


def _told(draft: Draft, known: frozenset[str]) -> dict[str, Any]:
    return dict(draft.taken(known))


def _task(draft: Draft) -> str | None:
    """Return Google's word for what the vectors are for. Raises InvalidRequest if it has none."""
    word = draft.task()
    if word is None:
        return None
    if not _has_tasks(_name(draft)):
        draft.dropped("input_type", "this model takes its task as words within the text")
        return None
    if word.upper() in _OTHER_TASK_TYPES:
        return word.upper()
    task = TASKS.get(word.lower())
    if task is None:
        known = ", ".join([*_TASK_TYPES.values(), *sorted(_OTHER_TASK_TYPES)])
        raise draft.refusal("input_type", f"this API knows {known}")
    return _TASK_TYPES[task]


def _tokens(row: _Embedding) -> object:
    """Return what was counted for one text: a whole number, which Vertex may write as 4.0."""
    return None if row.statistics is None else row.statistics.token_count
