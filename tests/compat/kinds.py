"""What is no chat, at every provider: embeddings and reranking, or an honest word that it is not.

As in `cells`, both ends are looked at: what the client was answered, and what the provider was
asked. A provider whose API is not spoken for this is not asked at all.
"""

import json
from array import array
from base64 import b64decode
from collections.abc import Callable, Iterator, Mapping
from http import HTTPStatus
from typing import Any, Final

import pytest
from msgspec import Struct
from openai.types import CreateEmbeddingResponse

from tests.compat.asks import REFUSAL
from tests.compat.clients import openrouter_refusal
from tests.compat.kind_hosts import EMBEDS, RERANKS, TOKENS, Server, Told, Vector
from tests.compat.lab import SECRET, Lab, provider_name
from tests.compat.upstreams import HOSTS, Host
from tests.e2e.gateway import Reply

Body = dict[str, Any]

YES: Final = "yes"
REFUSED: Final = "refused"
"""The provider's API has no place for it: a 400 says so."""
NOT_OFFERED: Final = "not offered"
"""The provider's API is not spoken for this: a 404 says so."""

FIRST, SECOND = "compat-embed: a cat", "compat-embed: a law of taxes"
QUERY: Final = "a small cat"
DOCUMENTS: Final = ("law of taxes", "a small cat", "a dog")
SHORT: Final = 256


class Kind(Struct, frozen=True, kw_only=True, eq=False):
    """What is asked for, and how its features are checked. Each is equal to itself only."""

    name: str
    path: str
    least: Mapping[str, Any]
    """A request."""
    servers: Mapping[str, Server]
    """Who does it, by dialect."""
    features: "Mapping[str, Callable[[KindCell, Lab], None]]"


class KindCell(Struct, frozen=True):
    """Where a kind, a provider and a feature meet."""

    kind: Kind
    host: Host
    feature: str

    def __str__(self) -> str:
        return f"{self.kind.name}-{self.host.dialect}-{self.feature}"

    @property
    def server(self) -> Server | None:
        return self.kind.servers.get(self.host.dialect)

    @property
    def expected(self) -> str:
        """What the page says of it, where it holds."""
        if self.server is None:
            return NOT_OFFERED
        return REFUSED if self.feature in self.server.refuses else YES

    @property
    def is_ours(self) -> bool:
        """Whether a script of ours plays the provider."""
        return self.server is not None and self.feature in self.server.ours


def check(cell: KindCell, lab: Lab) -> None:
    """Raise AssertionError where a cell does not hold."""
    if cell.expected == NOT_OFFERED:
        _not_offered(cell, lab)
    else:
        cell.kind.features[cell.feature](cell, lab)


def _not_offered(cell: KindCell, lab: Lab) -> None:
    reply = _post(cell, lab)
    assert reply.status == HTTPStatus.NOT_FOUND, reply.body
    body = reply.json()
    assert lab.model(cell) in openrouter_refusal(body)
    (left_out,) = body["error"]["metadata"]["endpoints"]
    assert (left_out["provider"], left_out["reason"]) == (provider_name(cell), "inactive")
    assert not lab.taps[cell.host.name].heard


def _text(cell: KindCell, lab: Lab) -> None:
    assert _embedded(cell, lab, [FIRST], input=FIRST) == [None]


def _texts(cell: KindCell, lab: Lab) -> None:
    _embedded(cell, lab, [FIRST, SECOND], input=[FIRST, SECOND])


def _base64(cell: KindCell, lab: Lab) -> None:
    _embedded(cell, lab, [FIRST], input=[FIRST], encoding_format="base64")


def _dimensions(cell: KindCell, lab: Lab) -> None:
    assert _embedded(cell, lab, [FIRST], input=FIRST, dimensions=SHORT) == [SHORT]


def _tokens(cell: KindCell, lab: Lab) -> None:
    if cell.expected == YES:
        _embedded(cell, lab, [1, 2, 3], input=[1, 2, 3])
        return
    reply = _post(cell, lab, input=[1, 2, 3])
    assert reply.status == HTTPStatus.BAD_REQUEST, reply.body
    message = openrouter_refusal(reply.json())
    assert message.startswith("input: tokens")
    assert provider_name(cell) in message
    assert not lab.taps[cell.host.name].heard


def _error(cell: KindCell, lab: Lab) -> None:
    said = {"query": "compat-refused", "input": "compat-refused"}
    reply = _post(cell, lab, **{name: said[name] for name in said if name in cell.kind.least})
    assert reply.status == HTTPStatus.TOO_MANY_REQUESTS, reply.body
    assert reply.headers["retry-after"] == "3"
    openrouter_refusal(reply.json())
    assert REFUSAL in reply.body.decode()


def _embedded(cell: KindCell, lab: Lab, given: list[Any], **asked: Any) -> list[int | None]:
    """Ask, and check that each vector is the one of its text. Return the lengths asked for."""
    reply = _post(cell, lab, **asked)
    assert reply.status == HTTPStatus.OK, reply.body
    body = reply.json()
    if asked.get("encoding_format") != "base64":
        CreateEmbeddingResponse.model_validate(body)
    _is_ours(cell, lab, body)
    texts = given if isinstance(given[0], str) else [given]
    assert body["usage"]["prompt_tokens"] == TOKENS * len(texts)
    got = [_numbers(row["embedding"]) for row in body["data"]]
    assert [row["index"] for row in body["data"]] == list(range(len(texts)))
    assert cell.server is not None
    lengths: list[int | None] = []
    sent: dict[str, Vector] = {}
    for told, said in _asked(cell, lab):
        lengths.append(told.length)
        parts = told.texts if isinstance(told.texts[0], str) else [json.dumps(told.texts)]
        sent |= dict(zip(parts, cell.server.vectors(said), strict=True))
    named = [each if isinstance(each, str) else json.dumps(each) for each in texts]
    assert got == [pytest.approx(sent[name], abs=1e-6) for name in named]
    assert len(got[0]) == asked.get("dimensions", len(got[0]))
    return lengths


def _numbers(embedding: Any) -> Vector:
    if isinstance(embedding, list):
        return embedding
    return list(array("f", b64decode(embedding, validate=True)))


def _documents(cell: KindCell, lab: Lab) -> None:
    rows = _ranked(cell, lab)
    assert [row["index"] for row in rows] == [1, 2, 0]
    assert rows[0]["document"]["text"] == DOCUMENTS[1]


def _objects(cell: KindCell, lab: Lab) -> None:
    rows = _ranked(cell, lab, documents=[{"text": each} for each in DOCUMENTS])
    assert [row["index"] for row in rows] == [1, 2, 0]


def _top_n(cell: KindCell, lab: Lab) -> None:
    assert [row["index"] for row in _ranked(cell, lab, top_n=1)] == [1]


def _ranked(cell: KindCell, lab: Lab, **asked: Any) -> list[Body]:
    """Ask, check both ends, and return the rows of the answer."""
    reply = _post(cell, lab, **asked)
    assert reply.status == HTTPStatus.OK, reply.body
    body = reply.json()
    _is_ours(cell, lab, body)
    ((told, said),) = _asked(cell, lab)
    assert (told.query, told.texts, told.most) == (QUERY, list(DOCUMENTS), asked.get("top_n"))
    scores = [row["relevance_score"] for row in body["results"]]
    assert scores == [row["relevance_score"] for row in said["results"]]
    rows: list[Body] = body["results"]
    return rows


def _is_ours(cell: KindCell, lab: Lab, body: Body) -> None:
    """Check what every answer of the gateway has."""
    assert body["model"] == lab.model(cell)
    assert body["provider"] == provider_name(cell)
    assert body["usage"]["cost"] > 0


def _asked(cell: KindCell, lab: Lab) -> Iterator[tuple[Told, Body]]:
    """Yield what the provider was asked, request by request, each with its answer."""
    assert cell.server is not None
    heard = lab.taps[cell.host.name].heard
    assert heard
    for each in heard:
        assert SECRET in each.headers[cell.host.secret]
        told = cell.server.read(each.path, json.loads(each.raw))
        assert told.model == cell.server.model
        yield told, json.loads(each.said)


def _post(cell: KindCell, lab: Lab, **asked: Any) -> Reply:
    lab.taps[cell.host.name].heard.clear()
    body = {**cell.kind.least, **asked, "model": lab.model(cell)}
    return lab.gateway.post(cell.kind.path, body)


KINDS: Final = (
    Kind(
        name="embeddings",
        path="/api/v1/embeddings",
        least={"input": FIRST},
        servers=EMBEDS,
        features={
            "text": _text,
            "texts": _texts,
            "base64": _base64,
            "dimensions": _dimensions,
            "tokens": _tokens,
            "error": _error,
        },
    ),
    Kind(
        name="rerank",
        path="/api/v1/rerank",
        least={"query": QUERY, "documents": list(DOCUMENTS)},
        servers=RERANKS,
        features={
            "documents": _documents,
            "objects": _objects,
            "top_n": _top_n,
            "error": _error,
        },
    ),
)


def kind_cells() -> list[KindCell]:
    """Return every cell."""
    return [
        KindCell(kind, host, name) for kind in KINDS for host in HOSTS for name in kind.features
    ]
