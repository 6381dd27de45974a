"""How providers embed and rerank: where, what they are asked, and what they answer.

Read and written after each provider's documentation, and nothing of the gateway's code. aimock
embeds as OpenAI and Azure do, and one text as AI Studio does; it counts no tokens, which are put in
here. What it does not know is answered here altogether.
"""

import json
import re
import urllib.parse
from collections.abc import Callable, Mapping
from typing import Any, Final

from msgspec import Struct

from tests.compat.asks import REFUSAL

Body = dict[str, Any]
Vector = list[float]

TOKENS: Final = 11
"""What one text takes, here."""
LENGTH: Final = 1024
"""Of vectors, where no other is asked for."""
REFUSED: Final = b"compat-refused"
UNSTRICT: Final = {"X-AIMock-Strict": "false"}
"""Has aimock make vectors of the texts, where no fixture has one."""


class Told(Struct, kw_only=True):
    """What one request asks a provider for."""

    model: str
    texts: list[Any]
    """What to embed, or the documents to rank."""
    length: int | None = None
    query: str = ""
    most: int | None = None


class Server(Struct, frozen=True, kw_only=True):
    """How a provider does one kind of thing. `row` is what its model costs."""

    base: str
    model: str
    read: Callable[[str, Body], Told]
    vectors: Callable[[Body], list[Vector]] = lambda _: []
    row: Mapping[str, Any]
    ours: frozenset[str] = frozenset()
    """The features that a script of ours answers, not aimock."""
    refuses: frozenset[str] = frozenset()
    """The features that its API has no place for, which the gateway says."""


_MODEL: Final = re.compile(r"/(?:deployments|models?)/([^/:?]+)")
_OURS: Final = re.compile(
    r":batchEmbedContents|/publishers/google/models/[^/]+:embed|/invoke$|/rerank$|/v2/embed$"
)
_EMBEDS: Final = re.compile(r"/embeddings|:embedContent|:batchEmbedContents|/invoke$")


def is_kind(path: str) -> bool:
    """Whether a request is for embeddings or reranking."""
    return bool(_EMBEDS.search(path) or _OURS.search(path))


def is_ours(path: str) -> bool:
    """Whether a script of ours answers there."""
    return bool(_OURS.search(path))


def model_in(path: str) -> str:
    """Return the model that a path names."""
    found = _MODEL.search(path)
    assert found, path
    return urllib.parse.unquote(found[1])


def answer(path: str, raw: bytes) -> tuple[int, list[tuple[str, str]], bytes]:
    """Answer as the provider at that path does."""
    headers = [("Content-Type", "application/json")]
    if REFUSED in raw:
        told = {"message": REFUSAL, "error": {"code": 429, "message": REFUSAL}}
        return 429, [*headers, ("Retry-After", "3")], json.dumps(told).encode()
    body = json.loads(raw)
    if path.endswith("/rerank"):
        made = _ranked(path, body)
    elif path.endswith("/invoke"):
        vector = _vector(body["inputText"], body.get("dimensions"))
        made = {"embedding": vector, "inputTextTokenCount": TOKENS}
    elif path.endswith("/v2/embed"):
        vectors = [_vector(each, body.get("output_dimension")) for each in body["texts"]]
        units = {"input_tokens": TOKENS * len(vectors)}
        made = {"embeddings": {"float": vectors}, "meta": {"billed_units": units}}
    elif path.endswith(":batchEmbedContents"):
        made = {"embeddings": [{"values": _of_content(each)} for each in body["requests"]]}
        made["usageMetadata"] = {"promptTokenCount": TOKENS * len(body["requests"])}
    else:
        flat = body | body.get("embedContentConfig", {})
        made = {"embedding": {"values": _of_content(flat)}}
        made["usageMetadata"] = {"promptTokenCount": TOKENS}
    return 200, headers, json.dumps(made).encode()


def counted(path: str, raw: bytes, said: bytes) -> bytes:
    """Return an answer of aimock's with the tokens that the provider would have counted."""
    body = json.loads(said)
    if ":embedContent" in path:
        return json.dumps(body | {"usageMetadata": {"promptTokenCount": TOKENS}}).encode()
    given = json.loads(raw)["input"]
    count = TOKENS * (len(given) if isinstance(given, list) and isinstance(given[0], str) else 1)
    usage = {"prompt_tokens": count, "total_tokens": count}
    return json.dumps(body | {"usage": usage}).encode()


def _vector(text: str, length: int | None) -> Vector:
    """Return numbers that no other text has, each of which a 32-bit float holds."""
    seed = sum(text.encode())
    return [((seed + place * len(text)) % 256) / 256 - 0.5 for place in range(length or LENGTH)]


def _of_content(request: Body) -> Vector:
    (part,) = request["content"]["parts"]
    return _vector(part["text"], request.get("outputDimensionality"))


def _ranked(path: str, body: Body) -> Body:
    """Rank by how many words of the query are in a document, as Cohere or as Jina tells it."""
    wanted = set(body["query"].split())
    scores = [len(wanted & set(_plain(each).split())) / 10 for each in body["documents"]]
    best = sorted(range(len(scores)), key=lambda place: -scores[place])[: body.get("top_n")]
    rows = [{"index": place, "relevance_score": scores[place]} for place in best]
    if path.startswith("/v2/"):
        return {"id": "r-1", "results": rows, "meta": {"billed_units": {"search_units": 1}}}
    return {"model": body["model"], "results": rows, "usage": {"total_tokens": TOKENS}}


def _plain(document: Any) -> str:
    return str(document if isinstance(document, str) else document["text"])


def _read_openai(_: str, body: Body) -> Told:
    given = body["input"]
    return Told(
        model=body["model"],
        texts=given if isinstance(given, list) else [given],
        length=body.get("dimensions"),
    )


def _read_azure(path: str, body: Body) -> Told:
    assert "api-version=" in path
    return _read_openai(path, {**body, "model": model_in(path)})


def _read_google(path: str, body: Body) -> Told:
    requests = body.get("requests") or [body]
    flat = [each | each.get("embedContentConfig", {}) for each in requests]
    for each in flat:
        assert each.get("model") in {None, f"models/{model_in(path)}"}
    (length,) = {each.get("outputDimensionality") for each in flat}
    texts = [part["text"] for each in flat for part in each["content"]["parts"]]
    return Told(model=model_in(path), texts=texts, length=length)


def _read_titan(path: str, body: Body) -> Told:
    assert set(body) <= {"inputText", "dimensions", "normalize", "embeddingTypes"}
    return Told(model=model_in(path), texts=[body["inputText"]], length=body.get("dimensions"))


def _read_cohere(_: str, body: Body) -> Told:
    assert body["input_type"] == "search_document"
    assert body["embedding_types"] == ["float"]
    return Told(model=body["model"], texts=body["texts"], length=body.get("output_dimension"))


def _read_rerank(_: str, body: Body) -> Told:
    return Told(
        model=body["model"], texts=body["documents"], query=body["query"], most=body.get("top_n")
    )


def _openai_vectors(body: Body) -> list[Vector]:
    return [each["embedding"] for each in body["data"]]


def _google_vectors(body: Body) -> list[Vector]:
    return [each["values"] for each in body.get("embeddings") or [body["embedding"]]]


_BY_TOKEN: Final = {"price": {"prompt": 0.0000025, "completion": 0}, "context": 8192}
_BY_SEARCH: Final = {"price": {"prompt": 0, "completion": 0, "search": 0.002}}
_NO_TOKENS: Final = frozenset({"tokens"})

EMBEDS: Final[Mapping[str, Server]] = {
    "openai": Server(
        base="/v1",
        model="text-embedding-3-small",
        read=_read_openai,
        vectors=_openai_vectors,
        row=_BY_TOKEN,
    ),
    "gemini": Server(
        base="/v1beta",
        model="gemini-embedding-001",
        read=_read_google,
        vectors=_google_vectors,
        row=_BY_TOKEN,
        ours=frozenset({"texts"}),
        refuses=_NO_TOKENS,
    ),
    "vertex": Server(
        base="/v1/projects/compat/locations/us",
        model="gemini-embedding-001",
        read=_read_google,
        vectors=_google_vectors,
        row=_BY_TOKEN,
        ours=frozenset({"text", "texts", "base64", "dimensions", "error"}),
        refuses=_NO_TOKENS,
    ),
    "azure": Server(
        base="/openai",
        model="text-embedding-3-small",
        read=_read_azure,
        vectors=_openai_vectors,
        row=_BY_TOKEN,
    ),
    "bedrock": Server(
        base="",
        model="amazon.titan-embed-text-v2:0",
        read=_read_titan,
        vectors=lambda body: [body["embedding"]],
        row=_BY_TOKEN,
        ours=frozenset({"text", "texts", "base64", "dimensions", "error"}),
        refuses=_NO_TOKENS,
    ),
    "cohere": Server(
        base="/v2",
        model="embed-v4.0",
        read=_read_cohere,
        vectors=lambda body: body["embeddings"]["float"],
        row=_BY_TOKEN,
        ours=frozenset({"text", "texts", "base64", "dimensions", "error"}),
        refuses=_NO_TOKENS,
    ),
}
"""By the dialect of the host."""

_ALL: Final = frozenset({"documents", "objects", "top_n", "error"})
RERANKS: Final[Mapping[str, Server]] = {
    "openai": Server(
        base="/v1", model="jina-reranker-v3", read=_read_rerank, row=_BY_TOKEN, ours=_ALL
    ),
    "cohere": Server(base="/v2", model="rerank-v4.0", read=_read_rerank, row=_BY_SEARCH, ours=_ALL),
}
