"""The self-test's judgement: what each dialect's answers must hold, and what is said of others."""

import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest
from msgspec import Struct

from dragoman.cli.connect import dialects
from dragoman.cli.connect.call import Broken, Caller
from dragoman.cli.connect.dialects import NotCalled, Step
from dragoman.net.types import Limits, NetError, Phase, Request

MODEL = "a/b"


class Answer(Struct):
    """An answer from memory, in pieces."""

    status: int
    pieces: list[bytes]
    breaks: Phase | None = None
    idle_s: float = 60.0

    @property
    def headers(self) -> dict[str, str]:
        return {}

    async def chunks(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece
        if self.breaks:
            raise NetError(self.breaks, "gone")

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        return all(take(piece) for piece in self.pieces)

    async def read(self) -> bytes:
        return b"".join(self.pieces)

    def close(self) -> None:
        self.breaks = None

    def release(self) -> None:
        self.close()


class Scripted:
    """A transport that gives one answer, and keeps what it was asked."""

    def __init__(self, answer: Answer) -> None:
        self.answer = answer
        self.asked: list[Request] = []

    async def send(self, request: Request, limits: Limits) -> Answer:
        assert limits.head_s > 0
        self.asked.append(request)
        return self.answer


def whole(body: Any, status: int = 200) -> Answer:
    return Answer(status, [json.dumps(body).encode()])


def stream(*events: Any, breaks: Phase | None = None) -> Answer:
    texts = [each if isinstance(each, str) else json.dumps(each) for each in events]
    return Answer(200, [f"data: {text}\n\n".encode() for text in texts], breaks)


async def run(step: Step, answer: Answer) -> str:
    return await step(Caller(Scripted(answer), "http://g", "k"), MODEL)


def chat(message: Any) -> Answer:
    return whole({"choices": [{"message": message}]})


def called(name: str, arguments: str) -> Any:
    return {"tool_calls": [{"function": {"name": name, "arguments": arguments}}]}


CALL_ITEM = {
    "type": "response.output_item.done",
    "item": {"type": "function_call", "name": "get_weather", "arguments": '{"city": "Paris"}'},
}
ENTRY = dict.fromkeys(dialects.CODEX_NEEDS, "x") | {"slug": MODEL}


@pytest.mark.parametrize(
    ("step", "answer", "said"),
    [
        (dialects.key, whole({"data": {"limit_remaining": 1.5}}), "$1.50 left"),
        (dialects.key, whole({"data": {"limit_remaining": None}}), "no limit"),
        (dialects.chat_models, whole({"data": [{"id": MODEL}]}), "1"),
        (dialects.chat_models, whole({"data": []}), "a/b is not listed"),
        (dialects.chat, chat({"content": "Good\nday."}), "“Good day.”"),
        (dialects.chat_tools, chat(called("get_weather", '{"city": "P"}')), "get_weather(city=P)"),
        (dialects.chat_stream, stream({"usage": {"cost": 1}}, "[DONE]"), "2 events"),
        (dialects.messages_stream, stream({"type": "message_stop"}), "1 events"),
        (dialects.messages_stream, stream({"type": "message_stop"}, "[DONE]"), "2 events"),
        (
            dialects.messages_models,
            whole({"data": [{"id": MODEL}, {"id": "anthropic/claude-x"}]}),
            "2, 1 in Claude's picker",
        ),
        (dialects.count_tokens, whole({"input_tokens": 8}), "8 tokens"),
        (dialects.codex_models, whole({"models": [ENTRY]}), "1"),
        (dialects.responses_stream, stream({"type": "response.completed"}), "1 events"),
        (
            dialects.responses_tools,
            stream(CALL_ITEM, {"type": "response.completed"}),
            "get_weather(city=Paris)",
        ),
        (
            dialects.responses,
            whole({"output": [{"content": [{"type": "output_text", "text": "Hi."}]}]}),
            "“Hi.”",
        ),
    ],
)
async def test_a_right_answer_is_told_in_short(step: Step, answer: Answer, said: str) -> None:
    assert said in await run(step, answer)


@pytest.mark.parametrize(
    ("step", "answer", "why"),
    [
        (dialects.chat, chat({"content": ""}), "no text"),
        (dialects.chat, whole({}), "no choices"),
        (dialects.chat, Answer(200, [b"<html>"]), "no JSON"),
        (dialects.chat, whole({"error": {"message": "No credit."}}, 402), "402: No credit."),
        (dialects.chat, Answer(500, [b"oops"]), "no reason given"),
        (dialects.chat_tools, chat(called("other", "{}")), "the call is of other"),
        (dialects.chat_tools, chat(called("get_weather", "{")), "no JSON object"),
        (dialects.chat_stream, stream({"usage": {}}), r"without \[DONE\]"),
        (dialects.chat_stream, stream({"choices": []}, "[DONE]"), "no usage"),
        (dialects.chat_stream, stream(), "empty"),
        (dialects.chat_stream, stream({"a": 1}, breaks="reset"), "broke off"),
        (dialects.chat_stream, whole({"error": {"message": "Slow down."}}, 429), "Slow down."),
        (dialects.messages, whole({"type": "message", "content": []}), "no message"),
        (dialects.messages_stream, stream({"type": "message_delta"}), "without message_stop"),
        (
            dialects.messages_stream,
            stream({"type": "error", "error": {"message": "Overloaded."}}),
            "Overloaded.",
        ),
        (
            dialects.responses_stream,
            stream({"type": "response.failed", "response": {"error": {"message": "No."}}}),
            "No.",
        ),
        (dialects.codex_models, whole({"models": []}), "no entries"),
        (dialects.codex_models, whole({"models": [{"slug": MODEL}]}), "lack base_instructions"),
        (dialects.count_tokens, whole({}), "no number"),
        (
            dialects.flat_tools,
            whole({"error": {"message": "tools.0.function: is required"}}, 400),
            "Cursor's agent",
        ),
    ],
)
async def test_a_wrong_answer_is_named_with_a_fix(step: Step, answer: Answer, why: str) -> None:
    with pytest.raises(Broken, match=why) as broken:
        await run(step, answer)
    assert broken.value.fix


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        (dialects.chat_tools, chat({"content": "Sunny."})),
        (
            dialects.messages_tools,
            whole({"type": "message", "content": [{"type": "text", "text": "Sunny."}]}),
        ),
        (dialects.responses_tools, stream({"type": "response.completed"})),
    ],
)
async def test_words_in_place_of_a_call_are_the_models_choice(step: Step, answer: Answer) -> None:
    with pytest.raises(NotCalled):
        await run(step, answer)


async def test_a_request_bears_the_key_and_goes_where_the_client_sends_it() -> None:
    transport = Scripted(stream({"type": "response.completed"}))
    await dialects.responses_stream(Caller(transport, "http://g", "k"), MODEL)
    (asked,) = transport.asked
    assert asked.url == "http://g/api/v1/responses"
    assert ("Authorization", "Bearer k") in asked.headers
    body = json.loads(asked.body)
    assert (body["stream"], body["store"], body["model"]) == (True, False, MODEL)
