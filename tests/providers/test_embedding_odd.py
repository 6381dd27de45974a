"""Embeddings at Google, Bedrock, Cohere: what cannot be said, how much goes at once, nonsense."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.errors import InvalidRequest
from dragoman.providers.bedrock.embedding import TOKENS
from dragoman.providers.cohere.embedding import TEXTS
from dragoman.providers.dialect import Kind, Outgoing
from dragoman.providers.embedding import MOST_REQUESTS
from dragoman.providers.gemini.embedding import BATCH, INSTANCES, INSTANCES_BYTES
from dragoman.providers.registry import DIALECTS
from dragoman.wire.embeddings import EMBEDDINGS

STUDIO, VERTEX, BEDROCK, COHERE = "gemini", "vertex", "bedrock", "cohere"
HOSTS = (STUDIO, VERTEX, BEDROCK, COHERE)
GEMINI = "gemini-embedding-001"
TITAN, TITAN_1 = "amazon.titan-embed-text-v2:0", "amazon.titan-embed-g1-text-02"
COHERE_3, COHERE_4 = "cohere.embed-english-v3", "eu.cohere.embed-v4:0"
PICTURE = {"content": [{"type": "image_url", "image_url": {"url": "data:,x"}}]}


def sent(dialect: str, upstream: str, **body: Any) -> Outgoing:
    host = Provider(
        slug="acme", name="Acme", dialect=dialect, base_url="https://a.example",
        headers={"x-more": "1"},
    )  # fmt: skip
    place = Endpoint(
        id="acme|acme/m", model="acme/m", provider="acme", provider_name="Acme", tag="acme",
        upstream=upstream, price=None,
    )  # fmt: skip
    asked = {"model": "acme/m", "input": "hi"} | body
    call = EMBEDDINGS.parse(json.dumps(asked).encode(), {})
    return DIALECTS[f"{dialect}-embeddings"].request(call, place, host)


def bodies(outgoing: Outgoing) -> list[Any]:
    return [json.loads(each) for each in (outgoing.body, *outgoing.more)]


def billed(tokens: Any) -> dict[str, Any]:
    """Return an answer of Cohere's that tells so many tokens."""
    return {"embeddings": {"float": [[1]]}, "meta": {"billed_units": {"input_tokens": tokens}}}


@pytest.mark.parametrize(
    ("dialect", "upstream", "body", "said"),
    [
        (STUDIO, GEMINI, {"input": [1, 2]}, "input: tokens are no text"),
        (VERTEX, "text-embedding-005", {"input": [[1, 2], [3]]}, "input: tokens are no text"),
        (BEDROCK, TITAN, {"input": [1]}, "input: tokens are no text"),
        (STUDIO, GEMINI, {"input": [PICTURE]}, "input: image_url cannot be embedded"),
        (STUDIO, GEMINI, {"input_type": "poem"}, "input_type: this API knows RETRIEVAL_QUERY"),
        (BEDROCK, COHERE_3, {"input_type": "similarity"}, "input_type: this model knows search"),
        (BEDROCK, COHERE_3, {"input_type": "poem"}, "input_type: this model knows search_query"),
        (BEDROCK, TITAN, {"dimensions": 8}, "dimensions: the vectors of this model have 256, 512"),
        (BEDROCK, TITAN_1, {"dimensions": 1536}, "dimensions: the vectors of this model have one"),
        (BEDROCK, COHERE_3, {"dimensions": 256}, "dimensions: the vectors of this model have one"),
        (BEDROCK, COHERE_4, {"dimensions": 9}, "dimensions: the vectors of this model have 256,"),
        (COHERE, "embed-v4.0", {"input": [1]}, "input: tokens are no text"),
        (COHERE, "embed-v4.0", {"input": [PICTURE]}, "input: image_url cannot be embedded"),
        (COHERE, "embed-v4.0", {"input_type": "similarity"}, "input_type: this model knows search"),
        (
            COHERE,
            "embed-v4.0",
            {"dimensions": 9},
            "dimensions: the vectors of this model have 256,",
        ),
        (
            COHERE,
            "embed-english-v3.0",
            {"dimensions": 256},
            "dimensions: the vectors of this model",
        ),
        (BEDROCK, "amazon.nova-2-multimodal-embeddings-v1:0", {}, "model: embeddings are known"),
        (BEDROCK, TITAN, {"input": ["a"] * 257}, "input: 257 texts take 257 requests"),
        (VERTEX, GEMINI, {"input": ["a"] * 300}, "300 requests, and at most 256 are made"),
    ],
)
def test_what_cannot_be_said_names_field_and_provider(
    dialect: str, upstream: str, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        sent(dialect, upstream, **body)
    assert said in refused.value.message
    assert refused.value.message.endswith("(Acme)")


def test_studio_takes_a_hundred_at_once() -> None:
    outgoing = sent(STUDIO, GEMINI, input=[f"t{n}" for n in range(2 * BATCH + 1)])
    batches = [each["requests"] for each in bodies(outgoing)]
    assert [len(each) for each in batches] == [BATCH, BATCH, 1]
    assert batches[2][0]["content"]["parts"][0]["text"] == "t200"
    assert outgoing.path.endswith(":batchEmbedContents")
    assert ("x-more", "1") in outgoing.headers


def test_vertex_takes_so_many_and_so_much_at_once() -> None:
    many = bodies(sent(VERTEX, "text-embedding-005", input=["a"] * (INSTANCES + 1)))
    assert [len(each["instances"]) for each in many] == [INSTANCES, 1]
    half = "x" * (INSTANCES_BYTES // 2)
    much = bodies(sent(VERTEX, "text-embedding-005", input=[half, "b", half, half * 3, "c"]))
    assert [len(each["instances"]) for each in much] == [2, 1, 1, 1]


def test_bedrock_takes_one_text_of_titans_and_many_of_coheres() -> None:
    titan = sent(BEDROCK, TITAN, input=["a"] * MOST_REQUESTS)
    assert len(bodies(titan)) == MOST_REQUESTS
    assert titan.counted == TOKENS
    cohere = bodies(sent(BEDROCK, COHERE_3, input=["a"] * (TEXTS + 1)))
    assert [len(each["texts"]) for each in cohere] == [TEXTS, 1]
    later = sent(BEDROCK, "cohere.embed-v5:0", dimensions=2048)
    assert bodies(later)[0]["output_dimension"] == 2048
    arn = "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0"
    assert sent(BEDROCK, arn).path.endswith("%2Famazon.titan-embed-text-v2%3A0/invoke")


def test_cohere_takes_96_at_once_and_any_length_of_models_that_are_not_known() -> None:
    many = sent(COHERE, "embed-v4.0", input=["a"] * (TEXTS + 1))
    assert [len(each["texts"]) for each in bodies(many)] == [TEXTS, 1]
    assert (many.path, many.counted) == ("/embed", None)
    for name in ("embed-v5.0", "embed-v40", "0aa1-ft"):
        assert bodies(sent(COHERE, name, dimensions=2048))[0]["output_dimension"] == 2048


def test_texts_keep_the_bytes_they_came_with() -> None:
    call = EMBEDDINGS.parse(rb'{"model":"acme/m","input":["\u00e9\/"]}', {})
    place = Endpoint(
        id="a|m", model="m", provider="a", provider_name="A", tag="a", upstream=TITAN, price=None
    )
    host = Provider(slug="a", name="A", dialect=BEDROCK, base_url="https://a.example")
    outgoing = DIALECTS["bedrock-embeddings"].request(call, place, host)
    assert outgoing.body == rb'{"inputText":"\u00e9\/"}'


def test_null_is_as_good_as_nothing() -> None:
    outgoing = sent(
        STUDIO, GEMINI, dimensions=None, input_type=None, encoding_format=None, title=None
    )
    (body,) = bodies(outgoing)
    assert set(body) == {"model", "content"}
    assert not outgoing.notes


@pytest.mark.parametrize(
    ("dialect", "body"),
    [
        (STUDIO, {}),
        (STUDIO, {"embeddings": []}),
        (STUDIO, {"embedding": {"values": "abc"}}),
        (VERTEX, {"predictions": []}),
        (VERTEX, [{"embedding": {"values": [1]}}, {}]),
        (BEDROCK, {"message": "no"}),
        (BEDROCK, {"embeddings": {"int8": [[1]]}}),
        (BEDROCK, {"embedding": []}),
        (BEDROCK, {"embedding": [[1]]}),
        (BEDROCK, {"embedding": [None]}),
        (BEDROCK, []),
        (COHERE, []),
        (COHERE, {"id": "1"}),
        (COHERE, {"embeddings": {}}),
        (COHERE, {"embeddings": {"float": []}}),
        (COHERE, {"embeddings": {"base64": ["AACAPw=="]}}),
        (COHERE, [{"embeddings": {"float": [[1]]}}, {"embeddings": {"float": []}}]),
    ],
)
def test_an_answer_without_vectors_is_none(dialect: str, body: Any) -> None:
    with pytest.raises(ValueError, match=r"."):
        DIALECTS[f"{dialect}-embeddings"].answer(json.dumps(body).encode())


@pytest.mark.parametrize(
    ("dialect", "body", "tokens"),
    [
        (STUDIO, {"embedding": {"values": [1]}, "usageMetadata": {}}, None),
        (STUDIO, {"embedding": {"values": [1]}, "usageMetadata": {"promptTokenCount": -1}}, None),
        (VERTEX, {"predictions": [{"embeddings": {"values": [1], "statistics": {}}}]}, None),
        (
            VERTEX,
            [
                {"embedding": {"values": [1]}, "usageMetadata": {"promptTokenCount": 2}},
                {"embedding": {"values": [2]}},
            ],
            None,
        ),
        (BEDROCK, {"embedding": [1], "inputTextTokenCount": 10**12}, None),
        (BEDROCK, {"embedding": [1], "inputTextTokenCount": 0}, 0),
        (COHERE, {"embeddings": {"float": [[1]]}, "meta": None}, None),
        (COHERE, {"embeddings": {"float": [[1]]}, "meta": {"billed_units": {}}}, None),
        (COHERE, billed(3.0), 3),
        (COHERE, billed(-1), None),
        (COHERE, billed(1e300), None),
        *[
            row
            for value in (None, -1, 0.5, "many", True, 10**18, [3])
            for row in (
                (
                    STUDIO,
                    {"embedding": {"values": [1]}, "usageMetadata": {"promptTokenCount": value}},
                    None,
                ),
                (
                    VERTEX,
                    {
                        "predictions": [
                            {"embeddings": {"values": [1], "statistics": {"token_count": value}}}
                        ]
                    },
                    None,
                ),
                (BEDROCK, {"embedding": [1], "inputTextTokenCount": value}, None),
                (COHERE, billed(value), None),
            )
        ],
        (COHERE, [billed(3), billed(4)], 7),
        (COHERE, [billed(3), {"embeddings": {"float": [[1]]}}], None),
    ],
)
def test_tokens_count_where_all_are_told(dialect: str, body: Any, tokens: int | None) -> None:
    usage = DIALECTS[f"{dialect}-embeddings"].answer(json.dumps(body).encode()).usage
    assert (usage and usage.prompt) == tokens


@pytest.mark.parametrize("host", HOSTS)
@given(body=st.binary(max_size=200))
def test_nothing_but_a_value_error_comes_out(host: str, body: bytes) -> None:
    try:
        DIALECTS[f"{host}-embeddings"].answer(body)
    except ValueError:
        return


@pytest.mark.parametrize("host", HOSTS)
def test_deep_nesting_is_a_value_error(host: str) -> None:
    with pytest.raises(ValueError, match="nested"):
        DIALECTS[f"{host}-embeddings"].answer(b'{"odd":' + b"[" * 100_000 + b"]" * 100_000 + b"}")


def test_refusals_are_the_hosts_own() -> None:
    wait = {"error": {"code": 429, "details": [{"retryDelay": "37.5s"}]}}
    fault = DIALECTS["vertex-embeddings"].fault(429, {}, json.dumps(wait).encode())
    assert (fault.kind, fault.retry_after_s) == (Kind.RATE, 38.0)
    named = {"x-amzn-errortype": "ModelNotReadyException"}
    fault = DIALECTS["bedrock-embeddings"].fault(429, named, b'{"message":"wait"}')
    assert (fault.code, fault.message) == ("ModelNotReadyException", "wait")
    for host in HOSTS:
        dialect = DIALECTS[f"{host}-embeddings"]
        assert dialect.speaks == "embeddings"
        assert dialect.parser() is not None
        assert dialect.decoder() is not None
