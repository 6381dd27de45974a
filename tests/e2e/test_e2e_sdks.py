"""The official Python clients, unmodified, against a listening gateway."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from openrouter import OpenRouter, errors

from tests.e2e.conftest import model_id
from tests.e2e.gateway import Gateway
from tests.e2e.scripted import ScriptedUpstream

GOOD = model_id("good")
SAY = [{"role": "user", "content": "hello there"}]
"""What the demo parrot repeats."""


@pytest.fixture
def client(gateway: Gateway) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(
        base_url=gateway.base,
        api_key=gateway.key,
        default_headers={"HTTP-Referer": "https://app.example", "X-Title": "App"},
    ) as client:
        yield client


def ask(client: openai.OpenAI, model: str, **more: object) -> object:
    return client.chat.completions.create(
        model=model, messages=[{"role": "user", "content": "hello there"}], extra_body=more
    )


def test_openai_chat(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo/parrot", messages=[{"role": "user", "content": "hello there"}]
    )
    assert answer.choices[0].message.content == "hello there"
    assert answer.usage is not None
    assert answer.usage.model_extra is not None
    assert answer.usage.model_extra["cost"] > 0
    assert answer._request_id == answer.id


def test_openai_stream(client: openai.OpenAI) -> None:
    text, usage = "", None
    with client.chat.completions.create(
        model="demo/parrot", messages=[{"role": "user", "content": "hello there"}], stream=True
    ) as stream:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
            usage = chunk.usage or usage
    assert text == "hello there"
    assert usage is not None


def test_openai_models(client: openai.OpenAI) -> None:
    ids = {model.id for model in client.models.list()}
    assert {"demo/parrot", "demo/scholar", GOOD} <= ids
    assert client.models.retrieve("demo/parrot").owned_by == "demo"


def test_openai_errors_are_its_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="is not a valid model ID"):
        ask(client, "no/such-model")
    with pytest.raises(openai.NotFoundError):
        ask(client, GOOD, provider={"max_price": {"prompt": 0.001}})
    with pytest.raises(openai.RateLimitError):
        ask(
            client.with_options(max_retries=0),
            model_id("status-429", "sdk"),
            provider={"only": ["bad"]},
        )
    with pytest.raises(openai.AuthenticationError):
        ask(client.with_options(api_key="sk-dm-v1-wrong"), GOOD)


def test_openai_does_not_retry_what_the_gateway_has_retried(
    client: openai.OpenAI, bad: ScriptedUpstream
) -> None:
    with pytest.raises(openai.InternalServerError):
        ask(client, model_id("status-500", "sdk"), provider={"only": ["bad"]})
    assert bad.calls == ["status-500"] * 3


def test_openai_sees_an_error_inside_a_stream(client: openai.OpenAI) -> None:
    with (
        pytest.raises(openai.APIError),
        client.chat.completions.create(
            model=model_id("cut-3"),
            messages=[{"role": "user", "content": "x"}],
            stream=True,
            extra_body={"provider": {"only": ["bad"]}},
        ) as stream,
    ):
        list(stream)


def test_openai_fallback_models_in_the_extra_body(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model=model_id("status-400", "sdk"),
        messages=[{"role": "user", "content": "x"}],
        extra_body={"models": [GOOD], "provider": {"order": ["bad"]}},
    )
    assert answer.model == GOOD


def test_openai_tools(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo/scholar",
        messages=[{"role": "user", "content": "What is the weather in Paris?"}],
        tools=[
            {
                "type": "function",
                "function": {
                    "name": "get_weather",
                    "parameters": {
                        "type": "object",
                        "properties": {"city": {"type": "string"}},
                        "required": ["city"],
                    },
                },
            }
        ],
    )
    (call,) = answer.choices[0].message.tool_calls or []
    assert call.type == "function"
    assert call.function.name == "get_weather"
    assert isinstance(json.loads(call.function.arguments)["city"], str)
    assert answer.choices[0].finish_reason == "tool_calls"


def test_openai_structured_output(client: openai.OpenAI) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
        "required": ["name", "age"],
        "additionalProperties": False,
    }
    answer = client.chat.completions.create(
        model="demo/scholar",
        messages=[{"role": "user", "content": "Invent a person."}],
        response_format={
            "type": "json_schema",
            "json_schema": {"name": "person", "strict": True, "schema": schema},
        },
    )
    person = json.loads(answer.choices[0].message.content or "")
    assert set(person) == {"name", "age"}
    assert person["age"] >= 0


def test_openai_reasoning(client: openai.OpenAI) -> None:
    answer = client.chat.completions.create(
        model="demo/scholar",
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
        extra_body={"reasoning": {"effort": "high"}},
    )
    message = answer.choices[0].message
    assert message.model_extra is not None
    assert message.model_extra["reasoning"]
    assert message.model_extra["reasoning_details"][0]["type"] == "reasoning.text"
    assert answer.usage is not None
    assert answer.usage.completion_tokens_details is not None
    assert answer.usage.completion_tokens_details.reasoning_tokens


async def test_openai_async(gateway: Gateway) -> None:
    async with openai.AsyncOpenAI(base_url=gateway.base, api_key=gateway.key) as client:
        answer = await client.chat.completions.create(
            model="demo/parrot", messages=[{"role": "user", "content": "hello there"}]
        )
    assert answer.choices[0].message.content == "hello there"


@pytest.fixture
def router(gateway: Gateway) -> Iterator[Any]:
    with OpenRouter(api_key=gateway.key, server_url=gateway.base) as router:
        yield router


def test_openrouter_chat(router: Any) -> None:
    answer = router.chat.send(model="demo/parrot", messages=SAY)
    assert answer.choices[0].message.content == "hello there"
    assert answer.usage.cost > 0


def test_openrouter_stream(router: Any) -> None:
    text = ""
    with router.chat.send(model="demo/parrot", messages=SAY, stream=True) as stream:
        for chunk in stream:
            text += chunk.choices[0].delta.content or ""
    assert text == "hello there"


def test_openrouter_models_and_endpoints(router: Any) -> None:
    listed = router.models.list()
    ids = {model.id for model in listed.result.data}
    assert {"demo/parrot", GOOD} <= ids
    found = router.endpoints.list(author="demo", slug="parrot")
    assert {row.provider_name for row in found.data.endpoints} == {
        "Demo Swift", "Demo Steady", "Demo Thrifty",
    }  # fmt: skip


def test_openrouter_reads_the_rest_of_the_catalog(gateway: Gateway, router: Any) -> None:
    found = router.models.list(q="demo", limit=1)
    assert [model.id for model in found.result.data] == ["demo/parrot"]
    assert router.models.count().data.count == len(router.models.list().result.data)
    mine = router.models.list_for_user(security={"bearer": gateway.key})
    assert "demo/parrot" in {model.id for model in mine.result.data}
    assert router.endpoints.list_zdr_endpoints().data is not None


@pytest.mark.filterwarnings("ignore:warning. .. DEPRECATED:DeprecationWarning")
def test_openrouter_providers_and_key(router: Any) -> None:
    assert "OpenAI" in {row.name for row in router.providers.list().data}
    me = router.api_keys.get_current_key_metadata()
    assert me.data.usage >= 0


def test_openrouter_errors(router: Any) -> None:
    with pytest.raises(errors.BadRequestResponseError, match="not a valid model ID"):
        router.chat.send(model="no/such-model", messages=SAY)


def test_openrouter_generation(router: Any) -> None:
    answer = router.chat.send(model="demo/parrot", messages=SAY)
    made = router.generations.get_generation(id=answer.id)
    assert made.data.id == answer.id
    assert made.data.total_cost == answer.usage.cost


def test_openrouter_provider_preferences(router: Any) -> None:
    answer = router.chat.send(
        model="demo/parrot", messages=SAY, provider={"order": ["demo-thrifty"]}
    )
    made = router.generations.get_generation(id=answer.id)
    assert made.data.provider_name == "Demo Thrifty"


@pytest.mark.filterwarnings("ignore:warning. .. DEPRECATED:DeprecationWarning")
def test_openrouter_manages_keys(gateway: Gateway, router: Any) -> None:
    boss = gateway.run("keys", "create", "boss", "--management", "--json")["key"]
    with OpenRouter(api_key=boss, server_url=gateway.base) as manager:
        expiry = datetime(2127, 1, 1, tzinfo=UTC)
        made = manager.api_keys.create(name="sdk", limit_reset="monthly", expires_at=expiry)
        hash_ = made.data.hash
        assert manager.api_keys.get(hash=hash_).data.expires_at == expiry
        assert hash_ in {row.hash for row in manager.api_keys.list().data}
        with OpenRouter(api_key=made.key, server_url=gateway.base) as worker:
            assert worker.chat.send(model="demo/parrot", messages=SAY).usage.cost > 0
        changed = manager.api_keys.update(hash=hash_, name="renamed", disabled=True)
        assert (changed.data.name, changed.data.disabled) == ("renamed", True)
        assert changed.data.usage > 0
        assert manager.api_keys.delete(hash=hash_).DELETED is True
        with pytest.raises(errors.NotFoundResponseError):
            manager.api_keys.get(hash=hash_)
    with pytest.raises(errors.OpenRouterError, match="Only management keys"):
        router.api_keys.list()
