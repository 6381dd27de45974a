"""The official clients, unmodified, with what is no chat: completions, embeddings, rerank."""

import openai
import pytest
from openrouter import OpenRouter

from tests.e2e.gateway import Gateway


@pytest.fixture
def client(gateway: Gateway) -> openai.OpenAI:
    return openai.OpenAI(base_url=gateway.base, api_key=gateway.key)


def test_openai_completion(client: openai.OpenAI) -> None:
    answer = client.completions.create(model="demo/parrot", prompt="hello there", logprobs=1)
    assert answer.choices[0].text == "hello there"
    assert answer.choices[0].logprobs is not None
    assert answer.choices[0].logprobs.text_offset == [0, 5]
    assert answer.usage is not None


def test_openai_streamed_completion(client: openai.OpenAI) -> None:
    stream = client.completions.create(model="demo/parrot", prompt="hello there", stream=True)
    chunks = list(stream)
    assert "".join(chunk.choices[0].text for chunk in chunks) == "hello there"
    assert chunks[-1].usage is not None


def test_openai_embeddings_which_it_asks_for_in_base64(client: openai.OpenAI) -> None:
    answer = client.embeddings.create(model="demo/embedder", input=["a cat", "tax law"])
    assert [len(each.embedding) for each in answer.data] == [256, 256]
    assert sum(x * x for x in answer.data[0].embedding) == pytest.approx(1.0, abs=1e-4)
    plain = client.embeddings.create(
        model="demo/embedder", input="a cat", encoding_format="float", dimensions=8
    )
    assert len(plain.data[0].embedding) == 8
    assert plain.usage.prompt_tokens == 2
    assert plain.model == "demo/embedder"


def test_openai_errors_are_its_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="demo/parrot offers chat only: use POST"):
        client.embeddings.create(model="demo/parrot", input="x")
    with pytest.raises(openai.BadRequestError, match="input: must be"):
        client.embeddings.create(model="demo/embedder", input="")


def test_openrouter_embeddings_and_their_models(gateway: Gateway) -> None:
    with OpenRouter(api_key=gateway.key, server_url=gateway.base) as client:
        answer = client.embeddings.generate(model="demo/embedder", input=["a", "b"])
        assert not isinstance(answer, str)
        assert [each.index for each in answer.data] == [0, 1]
        assert answer.usage is not None
        assert answer.usage.cost is not None
        listed = client.embeddings.list_models()
        assert listed is not None
        assert "demo/embedder" in {each.id for each in listed.result.data}


def test_openrouter_rerank(gateway: Gateway) -> None:
    with OpenRouter(api_key=gateway.key, server_url=gateway.base) as client:
        answer = client.rerank.rerank(
            model="demo/reranker", query="cats", documents=["tax law", {"text": "a cat"}], top_n=1
        )
        assert not isinstance(answer, str)
        assert answer.results[0].index == 1
        assert answer.results[0].document.text == "a cat"
        assert answer.usage is not None
        assert answer.usage.search_units == 1
