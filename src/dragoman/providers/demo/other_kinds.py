"""What a demo host answers to a request for embeddings, or to rerank: OpenAI's shape, Cohere's.

Pure: the same request gives the same answer. It comes whole, after the host's usual wait.
"""

import sys
from array import array
from base64 import b64encode
from collections.abc import Iterable
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from dragoman.providers.demo.script import Script, refused
from dragoman.providers.demo.speeds import SPEEDS
from dragoman.providers.demo.text import count_tokens
from dragoman.providers.demo.vectors import DIMENSIONS, MOST_DIMENSIONS, embed, relevance

PATHS = frozenset({"/v1/embeddings", "/v1/rerank"})
"""Where a host takes what is no chat."""

EMBEDDER = "embedder"
RERANKER = "reranker"

MOST_LETTERS = 100_000
MOST_NUMBERS = 1 << 20
"""What is read, and answered, of one request: nothing else goes on in the process meanwhile."""

_encode = msgspec.json.Encoder().encode

Count = Annotated[int, Meta(ge=1, le=MOST_DIMENSIONS)]


class _Embeddings(Struct, frozen=True):
    model: str
    input: str | Annotated[list[str | int | list[int]], Meta(min_length=1, max_length=2048)]
    encoding_format: Literal["float", "base64"] = "float"
    dimensions: Count = DIMENSIONS


class _Document(Struct, frozen=True):
    text: str


class _Rerank(Struct, frozen=True):
    model: str
    query: str
    documents: Annotated[list[str | _Document], Meta(min_length=1, max_length=1000)]
    top_n: Annotated[int, Meta(ge=1)] | None = None


_embeddings = msgspec.json.Decoder(_Embeddings).decode
_rerank = msgspec.json.Decoder(_Rerank).decode


def script_of(path: str, body: bytes, *, provider: str) -> Script:
    """Return what `provider` does with a request to one of PATHS. Raises KeyError as `script`."""
    speed = SPEEDS[provider]
    try:
        answer = _embedded(body) if path == "/v1/embeddings" else _ranked(body)
    except (ValueError, RecursionError) as error:
        return refused(400, f"Invalid request: {error}")
    except LookupError as error:
        return refused(404, f"The model {error} does not exist", "model_not_found")
    return Script(
        head_s=speed.first_token_s,
        headers={"content-type": "application/json"},
        frames=((0.0, answer),),
    )


def _embedded(body: bytes) -> bytes:
    ask = _embeddings(body)
    if ask.model != EMBEDDER:
        raise LookupError(ask.model)
    write = _as_base64 if ask.encoding_format == "base64" else list
    rows = []
    used = 0
    texts = _texts(ask.input)
    _check_size(text for text, _ in texts)
    if len(texts) * ask.dimensions > MOST_NUMBERS:
        raise ValueError(f"so many vectors would have more than {MOST_NUMBERS:,} numbers")
    for index, (text, tokens) in enumerate(texts):
        used += tokens
        vector = write(embed(text, ask.dimensions))
        rows.append({"object": "embedding", "index": index, "embedding": vector})
    usage = {"prompt_tokens": used, "total_tokens": used}
    return _encode({"object": "list", "data": rows, "model": ask.model, "usage": usage})


def _texts(given: str | list[str | int | list[int]]) -> list[tuple[str, int]]:
    """Return each text with how many tokens it takes. Tokens are taken for words."""
    if isinstance(given, str):
        return [(given, count_tokens(given))]
    if all(isinstance(each, int) for each in given):
        return [(" ".join(map(str, given)), len(given))]
    return [
        (each, count_tokens(each))
        if isinstance(each, str)
        else (" ".join(map(str, each)), len(each))
        for each in given
        if not isinstance(each, int)
    ]


def _check_size(texts: Iterable[str]) -> None:
    if sum(map(len, texts)) > MOST_LETTERS:
        raise ValueError(f"the demo reads at most {MOST_LETTERS:,} characters at a time")


def _as_base64(vector: list[float]) -> str:
    numbers = array("f", vector)
    if sys.byteorder == "big":
        numbers.byteswap()
    return b64encode(numbers.tobytes()).decode()


def _ranked(body: bytes) -> bytes:
    ask = _rerank(body)
    if ask.model != RERANKER:
        raise LookupError(ask.model)
    texts = [each if isinstance(each, str) else each.text for each in ask.documents]
    _check_size((ask.query, *texts))
    query = embed(ask.query, MOST_DIMENSIONS)
    rows = [
        {"index": index, "relevance_score": relevance(query, text)}
        for index, text in enumerate(texts)
    ]
    rows.sort(key=lambda row: -row["relevance_score"])
    tokens = count_tokens(ask.query) * len(texts) + sum(map(count_tokens, texts))
    meta = {"billed_units": {"search_units": -(-len(texts) // 100)}}
    return _encode({"results": rows[: ask.top_n], "meta": meta, "usage": {"total_tokens": tokens}})
