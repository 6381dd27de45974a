"""The Responses API over a real socket: official clients, and upstreams of both kinds."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import openai
import pytest
from openrouter import OpenRouter
from pydantic import BaseModel

from tests.e2e import scripted
from tests.e2e.answering import SAYS, failing, responses
from tests.e2e.conftest import IMPATIENT
from tests.e2e.gateway import Gateway, Reply
from tests.e2e.scripted import ScriptedUpstream

WEATHER: Any = {
    "type": "function",
    "name": "get_weather",
    "parameters": {"type": "object", "properties": {"city": {"type": "string"}}},
    "strict": False,
}


class Person(BaseModel):
    name: str
    age: int


@pytest.fixture(scope="module")
def host() -> Iterator[ScriptedUpstream]:
    mine = {"responses": responses, "failing": failing}
    with pytest.MonkeyPatch.context() as patch, ScriptedUpstream() as upstream:
        for name, script in mine.items():
            patch.setitem(scripted.SCRIPTS, name, script)
        yield upstream


@pytest.fixture(scope="module")
def gate(host: ScriptedUpstream, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    home: Path = tmp_path_factory.mktemp("responses")
    row = {"price": {"prompt": 0.0000025, "completion": 0.00001}, "context": 128000}
    names = ("responses", "failing", "good", "cut-3", "too_long", "status-500", "echo")
    config = {
        "providers": {
            "same": {
                "dialect": "responses",
                "base_url": host.url,
                "models": {f"same/{name}": {**row, "upstream": name} for name in names[:2]},
            },
            "chat": {
                "base_url": host.url,
                "models": {f"chat/{name}": {**row, "upstream": name} for name in names[2:]},
            },
        },
        "demo": "on",
    }
    file = home / "dragoman.yaml"
    file.write_text(json.dumps(config))
    running = Gateway(home / "data", file, IMPATIENT)
    yield running
    running.stop()
    assert "Traceback" not in running.log, running.log


@pytest.fixture
def client(gate: Gateway, host: ScriptedUpstream) -> Iterator[openai.OpenAI]:
    host.forget()
    with openai.OpenAI(base_url=gate.base, api_key=gate.key, max_retries=0) as client:
        yield client


def cost(usage: Any) -> float:
    return float(usage.model_extra["cost"])


@pytest.mark.parametrize("model", ["demo/parrot", "same/responses"])
def test_openai_create(client: openai.OpenAI, model: str) -> None:
    answer = client.responses.create(model=model, input=SAYS)
    assert answer.output_text == SAYS
    assert answer.id.startswith("gen-")
    assert answer.model == model
    assert answer.usage is not None
    assert cost(answer.usage) > 0
    assert answer._request_id == answer.id


@pytest.mark.parametrize("model", ["demo/parrot", "same/responses"])
def test_openai_stream(client: openai.OpenAI, model: str) -> None:
    with client.responses.stream(model=model, input=SAYS) as stream:
        text = "".join(each.delta for each in stream if each.type == "response.output_text.delta")
        answer = stream.get_final_response()
    assert text == SAYS
    assert answer.output_text == SAYS
    assert answer.usage is not None
    assert cost(answer.usage) > 0


def test_openai_parse(client: openai.OpenAI) -> None:
    answer = client.responses.parse(model="demo/scholar", input="Ann", text_format=Person)
    assert isinstance(answer.output_parsed, Person)


@pytest.mark.parametrize("model", ["demo/scholar", "same/responses"])
def test_openai_tools(client: openai.OpenAI, model: str) -> None:
    question: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    with client.responses.stream(model=model, input=question, tools=[WEATHER]) as stream:
        answer = stream.get_final_response()
    call = answer.output[-1]
    assert call.type == "function_call"
    assert (call.name, json.loads(call.arguments)) == ("get_weather", {"city": "Paris"})
    output: Any = {"type": "function_call_output", "call_id": call.call_id, "output": "sunny"}
    history: Any = [item.model_dump(exclude_none=True) for item in answer.output]
    again: Any = [*question, *history, output]
    last = client.responses.create(model=model, input=again)
    assert last.status == "completed"


def test_a_conversation_goes_to_the_same_api_as_it_is(
    client: openai.OpenAI, host: ScriptedUpstream
) -> None:
    items: Any = [
        {"role": "developer", "content": "Be kind."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "custom_tool_call", "call_id": "c1", "name": "patch", "input": "x"},
        {"type": "custom_tool_call_output", "call_id": "c1", "output": "ok"},
    ]
    answer = client.responses.create(
        model="same/responses",
        input=items,
        tools=[{"type": "custom", "name": "patch"}],
        extra_body={"client_metadata": {"a": "b"}, "session_id": "s"},
    )
    assert [item.type for item in answer.output] == ["reasoning", "message", "custom_tool_call"]
    (body,) = host.bodies
    assert body["input"] == items
    assert body["client_metadata"] == {"a": "b"}
    assert (body["model"], body["store"]) == ("responses", False)
    assert "session_id" not in body


def test_a_conversation_goes_to_chat_as_messages(
    client: openai.OpenAI, host: ScriptedUpstream
) -> None:
    client.responses.create(model="chat/good", instructions="Be kind.", input="hello")
    assert host.bodies[0]["messages"] == [
        {"role": "system", "content": "Be kind."},
        {"role": "user", "content": "hello"},
    ]


@pytest.mark.parametrize("stream", [False, True])
def test_a_chat_client_at_a_host_of_the_responses_api(
    client: openai.OpenAI,
    host: ScriptedUpstream,
    stream: bool,  # noqa: FBT001 - a parameter of a test
) -> None:
    ask: Any = {"model": "same/responses", "messages": [{"role": "user", "content": SAYS}]}
    if stream:
        chunks = list(client.chat.completions.create(**ask, stream=True))
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks)
        thought = "".join(
            (chunk.choices[0].delta.model_extra or {}).get("reasoning") or "" for chunk in chunks
        )
    else:
        message = client.chat.completions.create(**ask).choices[0].message
        text, thought = message.content or "", (message.model_extra or {})["reasoning"]
    assert (text, thought) == (SAYS, "Hm.")
    assert host.bodies[0]["input"] == [{"type": "message", "role": "user", "content": SAYS}]


def test_openrouters_strict_client(gate: Gateway) -> None:
    with OpenRouter(api_key=gate.key, server_url=gate.base) as client:
        for model in ("demo/parrot", "same/responses"):
            answer: Any = client.beta.responses.send(model=model, input=SAYS, service_tier="auto")
            assert answer.output[-1].content[0].text == SAYS
            assert answer.usage.cost > 0
            stream: Any = client.beta.responses.send(model=model, input=SAYS, stream=True)
            with stream as events:
                kinds = [event.type for event in events]
            assert (kinds[0], kinds[-1]) == ("response.created", "response.completed")


def test_errors_are_its_own_classes(client: openai.OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match="store: must be false"):
        client.responses.create(model="demo/parrot", input="x", store=True)
    with pytest.raises(openai.BadRequestError, match="is not a valid model ID"):
        client.responses.create(model="no/such-model", input="x")
    with pytest.raises(openai.InternalServerError):
        client.responses.create(model="chat/status-500", input="x")


@pytest.mark.parametrize("model", ["chat/cut-3", "same/failing"])
def test_what_breaks_fails_the_response(gate: Gateway, model: str) -> None:
    last = events(gate, model)[-1]
    assert last["type"] == "response.failed"
    assert last["response"]["status"] == "failed"
    assert last["response"]["error_type"] == "provider_unavailable"
    assert last["response"]["output"]


def test_too_long_a_conversation_is_an_incomplete_response(
    gate: Gateway, client: openai.OpenAI
) -> None:
    answer = client.responses.create(model="chat/too_long", input="x")
    assert answer.status == "incomplete"
    assert events(gate, "chat/too_long")[-1]["type"] == "response.incomplete"


def test_what_no_provider_can_be_told_is_named(gate: Gateway) -> None:
    items = [{"role": "user", "content": "x"}, {"type": "compaction", "encrypted_content": "x"}]
    refused = ask(gate, "chat/good", input=items)
    assert refused.status == 400
    assert refused.json()["error"]["message"] == "input.1 (compaction): cannot be sent to chat"
    assert ask(gate, "same/responses", input=items).status == 200


def test_what_did_not_survive_is_noted_where_it_did_not(gate: Gateway) -> None:
    wanted = {"X-OpenRouter-Metadata": "enabled"}
    fields = {"client_metadata": {"a": "b"}, "truncation": "auto"}
    translated = ask(gate, "chat/good", wanted, **fields)
    assert "client_metadata" in json.dumps(translated.json()["openrouter_metadata"])
    same = ask(gate, "same/responses", wanted, **fields)
    assert "client_metadata" not in json.dumps(same.json()["openrouter_metadata"])


def ask(gate: Gateway, model: str, headers: dict[str, str] | None = None, **body: Any) -> Reply:
    return gate.post("/v1/responses", {"model": model, "input": "x", **body}, headers)


def events(gate: Gateway, model: str) -> list[Any]:
    reply = ask(gate, model, stream=True)
    assert reply.status == 200
    assert reply.events()[-1] == "[DONE]"
    return reply.chunks()
