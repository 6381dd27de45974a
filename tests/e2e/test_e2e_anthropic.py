"""The official Anthropic client, unmodified, against a listening gateway."""

import json
from collections.abc import Iterator
from typing import Any

import anthropic
import pytest

from tests.e2e.conftest import SEEING, model_id
from tests.e2e.gateway import Gateway
from tests.e2e.scripted import ScriptedUpstream

GOOD = model_id("good")
SAY: Any = [{"role": "user", "content": "hello there"}]
"""What the demo parrot repeats."""
WEATHER: Any = {
    "name": "get_weather",
    "description": "Says how the weather is.",
    "input_schema": {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
    },
}
PNG = (
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJg"
    "gg=="
)
"""One pixel."""


@pytest.fixture(params=["/api", ""], ids=["api", "bare"])
def client(gateway: Gateway, request: pytest.FixtureRequest) -> Iterator[anthropic.Anthropic]:
    base = gateway.url + request.param
    with anthropic.Anthropic(base_url=base, api_key=gateway.key) as client:
        yield client


def only(provider: str) -> dict[str, Any]:
    return {"provider": {"only": [provider]}}


def test_create(client: anthropic.Anthropic) -> None:
    message = client.messages.create(model="demo/parrot", max_tokens=99, messages=SAY)
    (block,) = message.content
    assert block.type == "text"
    assert block.text == "hello there"
    assert (message.stop_reason, message.model) == ("end_turn", "demo/parrot")
    assert message.id.startswith("gen-")
    assert message._request_id == message.id
    assert message.usage.input_tokens > 0
    assert message.usage.model_extra is not None
    assert message.usage.model_extra["cost"] > 0
    assert message.model_extra is not None
    assert message.model_extra["provider"]


def test_create_streams_to_its_end(client: anthropic.Anthropic) -> None:
    kinds = []
    with client.messages.create(
        model="demo/parrot", max_tokens=99, messages=SAY, stream=True
    ) as stream:
        kinds = [event.type for event in stream]
    assert kinds[0] == "message_start"
    assert kinds[-2:] == ["message_delta", "message_stop"]


def test_the_stream_helper(client: anthropic.Anthropic) -> None:
    with client.messages.stream(model="demo/parrot", max_tokens=99, messages=SAY) as stream:
        text = "".join(stream.text_stream)
        message = stream.get_final_message()
    assert text == "hello there"
    assert message.content[0].type == "text"
    assert message.usage.output_tokens > 0


def test_an_openai_upstream_is_streamed(
    client: anthropic.Anthropic, good: ScriptedUpstream
) -> None:
    with client.messages.stream(
        model=GOOD,
        max_tokens=99,
        system="Be brief.",
        messages=SAY,
        extra_body=only("good"),
    ) as stream:
        assert "".join(stream.text_stream) == "one two three four five "
        message = stream.get_final_message()
    assert (message.usage.input_tokens, message.usage.output_tokens) == (10, 5)
    asked = good.bodies[-1]
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert "system" not in asked


def test_tools_whole_and_streamed(client: anthropic.Anthropic) -> None:
    asks: Any = {
        "model": "demo/scholar",
        "max_tokens": 999,
        "tools": [WEATHER],
        "messages": [{"role": "user", "content": "What is the weather in Paris?"}],
    }
    whole = client.messages.create(**asks)
    assert whole.stop_reason == "tool_use"
    call = next(block for block in whole.content if block.type == "tool_use")
    assert call.name == "get_weather"
    assert isinstance(call.input, dict)
    assert isinstance(call.input["city"], str)
    with client.messages.stream(**asks) as stream:
        streamed = stream.get_final_message()
    again = next(block for block in streamed.content if block.type == "tool_use")
    assert (again.name, streamed.stop_reason) == ("get_weather", "tool_use")
    assert again.input == call.input


def test_a_tools_result_is_answered(client: anthropic.Anthropic) -> None:
    asked: Any = {"role": "user", "content": "What is the weather in Paris?"}
    first = client.messages.create(
        model="demo/scholar", max_tokens=999, tools=[WEATHER], messages=[asked]
    )
    call = next(block for block in first.content if block.type == "tool_use")
    result: Any = {"type": "tool_result", "tool_use_id": call.id, "content": "15 degrees"}
    second = client.messages.create(
        model="demo/scholar",
        max_tokens=999,
        tools=[WEATHER],
        messages=[asked, first.to_param(), {"role": "user", "content": [result]}],
    )
    assert any(block.type == "text" and block.text for block in second.content)


def test_thinking(client: anthropic.Anthropic) -> None:
    asks: Any = {
        "model": "demo/scholar",
        "max_tokens": 4000,
        "thinking": {"type": "enabled", "budget_tokens": 2000},
        "messages": [{"role": "user", "content": "Why is the sky blue?"}],
    }
    whole = client.messages.create(**asks)
    assert [block.type for block in whole.content] == ["thinking", "text"]
    with client.messages.stream(**asks) as stream:
        streamed = stream.get_final_message()
    thought = streamed.content[0]
    assert thought.type == "thinking"
    assert thought.thinking
    again = client.messages.create(
        **asks | {"messages": [*asks["messages"], streamed.to_param(), *SAY]}
    )
    assert again.stop_reason == "end_turn"


def test_thinking_that_is_not_to_be_shown(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model="demo/scholar",
        max_tokens=4000,
        thinking={"type": "adaptive", "display": "omitted"},
        messages=[{"role": "user", "content": "Why is the sky blue?"}],
    )
    assert [block.type for block in message.content] == ["text"]


def test_structured_output(client: anthropic.Anthropic) -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}},
        "required": ["name"],
        "additionalProperties": False,
    }
    message = client.messages.create(
        model="demo/scholar",
        max_tokens=999,
        output_config={"format": {"type": "json_schema", "schema": schema}},
        messages=[{"role": "user", "content": "Invent a person."}],
    )
    text = next(block.text for block in message.content if block.type == "text")
    assert set(json.loads(text)) == {"name"}


def test_images(client: anthropic.Anthropic, good: ScriptedUpstream) -> None:
    source: Any = {"type": "base64", "media_type": "image/png", "data": PNG}
    content: Any = [{"type": "image", "source": source}, {"type": "text", "text": "What is it?"}]
    client.messages.create(
        model=SEEING, max_tokens=9, messages=[{"role": "user", "content": content}]
    )
    assert good.bodies[-1]["messages"][0]["content"][0] == {
        "type": "image_url",
        "image_url": {"url": f"data:image/png;base64,{PNG}"},
    }


def test_errors_are_its_own_classes(client: anthropic.Anthropic) -> None:
    def ask(model: str, client: anthropic.Anthropic = client, **more: Any) -> None:
        asks = {"model": model, "max_tokens": 9, "messages": SAY} | more
        client.messages.create(**asks)

    with pytest.raises(anthropic.BadRequestError, match="is not a valid model ID") as bad:
        ask("no/such-model")
    assert bad.value.body is not None
    with pytest.raises(anthropic.BadRequestError, match=r"messages\.0\.content\.0\.text"):
        ask(GOOD, messages=[{"role": "user", "content": [{"type": "text"}]}])
    with pytest.raises(anthropic.NotFoundError):
        ask(GOOD, extra_body={"provider": {"max_price": {"prompt": 0.001}}})
    with pytest.raises(anthropic.RateLimitError):
        ask(
            model_id("status-429", "sdk"),
            client.with_options(max_retries=0),
            extra_body=only("bad"),
        )
    with pytest.raises(anthropic.AuthenticationError):
        ask(GOOD, client.with_options(api_key="sk-dm-v1-wrong"))


def test_too_long_a_prompt_is_told_as_anthropic_does(client: anthropic.Anthropic) -> None:
    """Here or at the provider: Claude Code compacts on these words, and on nothing else."""
    long: Any = [{"role": "user", "content": "words and " * 80_000}]
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: it exceeds"):
        client.messages.create(model=GOOD, max_tokens=99, messages=long)
    with pytest.raises(anthropic.BadRequestError, match="prompt is too long: scripted 400"):
        client.messages.create(
            model=model_id("too_long"), max_tokens=99, messages=SAY, extra_body=only("bad")
        )


def test_an_error_inside_a_stream(client: anthropic.Anthropic) -> None:
    parts: list[str] = []
    with (
        client.messages.stream(
            model=model_id("cut-3"), max_tokens=9, messages=SAY, extra_body=only("bad")
        ) as stream,
        pytest.raises(anthropic.APIStatusError) as broken,
    ):
        parts.extend(stream.text_stream)
    assert "".join(parts) == "one two three "
    assert isinstance(broken.value.body, dict)
    assert broken.value.body["error"]["type"] == "api_error"


def test_fallbacks(client: anthropic.Anthropic) -> None:
    message = client.messages.create(
        model=model_id("status-400", "sdk"),
        max_tokens=9,
        messages=SAY,
        extra_body={"fallbacks": [{"model": GOOD}], "provider": {"order": ["bad"]}},
    )
    assert message.model == GOOD


def test_count_tokens(client: anthropic.Anthropic) -> None:
    raw = client.messages.with_raw_response.count_tokens(model="demo/parrot", messages=SAY)
    assert 3 <= raw.parse().input_tokens <= 9  # by ranks, or by bytes while their helper starts
    assert raw.headers["x-dragoman-token-count"] == "estimate"


def test_models(client: anthropic.Anthropic) -> None:
    ids = {model.id for model in client.models.list(limit=1000)}
    assert {"demo/parrot", "demo/scholar", GOOD} <= ids


def test_the_beta_client(client: anthropic.Anthropic) -> None:
    message = client.beta.messages.create(
        model="demo/parrot",
        max_tokens=9,
        messages=SAY,
        betas=["context-management-2025-06-27"],
        context_management={"edits": [{"type": "clear_tool_uses_20250919"}]},
    )
    assert message.stop_reason == "end_turn"


async def test_async(gateway: Gateway) -> None:
    base = f"{gateway.url}/api"
    async with (
        anthropic.AsyncAnthropic(base_url=base, auth_token=gateway.key) as client,
        client.messages.stream(model="demo/parrot", max_tokens=99, messages=SAY) as stream,
    ):
        text = "".join([part async for part in stream.text_stream])
    assert text == "hello there"


def test_what_claude_code_sends_first(gateway: Gateway) -> None:
    """Its probe, and its request as it was captured (2.1.197), shortened."""
    assert gateway._call("HEAD", "/api", None, {}).status == 200
    body = {
        "model": "demo/parrot",
        "max_tokens": 4096,
        "stream": True,
        "system": [
            {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.197;"},
            {"type": "text", "text": "Rules.", "cache_control": {"type": "ephemeral"}},
        ],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "hello there"}]},
            {"role": "system", "content": "Mid-conversation."},
        ],
        "tools": [WEATHER],
        "thinking": {"type": "adaptive"},
        "output_config": {"effort": "medium"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": '{"device_id":"d"}'},
    }
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,mid-conversation-system-2026-04-07",
        "X-Claude-Code-Session-Id": "5f0c",
        "x-app": "cli",
    }
    reply = gateway.post("/api/v1/messages?beta=true", body, headers)
    assert reply.status == 200, reply.body
    assert reply.body.startswith(b"event: message_start\n")
    made = gateway.get(f"/api/v1/generation?id={reply.headers['x-generation-id']}").json()["data"]
    assert made["session_id"] == "5f0c"
