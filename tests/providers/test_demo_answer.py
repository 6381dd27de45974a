"""The demo hosts answer like an OpenAI-compatible host: words, thoughts, tools, documents."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from dragoman.providers.demo.text import MAX_TOKENS
from tests.providers.demo_host import TOOLS, WEATHER, answered, body, play, said, streamed, user

PICTURE = "data:image/png;base64," + "A" * 8192
SOUND = {"data": "AAAA", "format": "wav"}


def total(chunks: list[ChatCompletionChunk], read: Callable[[Any], Any], index: int = 0) -> str:
    """Return what the deltas of one choice add up to."""
    choices = [choice for chunk in chunks for choice in chunk.choices if choice.index == index]
    return "".join(read(choice.delta) or "" for choice in choices)


def content(delta: Any) -> Any:
    return delta.content


def reasoning(delta: Any) -> Any:
    return (delta.model_extra or {}).get("reasoning_content")


def arguments(delta: Any) -> Any:
    return "".join(call.function.arguments or "" for call in delta.tool_calls or ())


def test_a_parrot_repeats_the_last_user_message() -> None:
    found = answered(messages=[*user("first"), {"role": "assistant", "content": "x"}, *user("a b")])
    assert found.choices[0].message.content == "a b"
    assert found.choices[0].finish_reason == "stop"
    assert found.id.startswith("chatcmpl-")
    assert found.created == 1_760_000_000
    assert found.usage is not None
    assert found.usage.completion_tokens == 2


def test_silence_is_answered_too() -> None:
    assert said(messages=user("")) == "(You said nothing.)"
    assert said(messages=[{"role": "system", "content": "be brief"}]) == "be brief"
    assert "{topic}" not in said(model="scholar", messages=user(""))


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ({"type": "text", "text": "look"}, "look"),
        ({"type": "image_url", "image_url": {"url": "https://x.test/a"}}, "[image: https://x.test/a]"),
        ({"type": "image_url", "image_url": PICTURE}, "[image: image/png, 6 KB]"),
        ({"type": "video_url", "video_url": {"url": "https://x.test/v"}}, "[video: https://x.test/v]"),
        ({"type": "input_audio", "input_audio": SOUND}, "[audio: audio/wav, 1 KB]"),
        ({"type": "file", "file": {"filename": "a.pdf"}}, "[file: a.pdf]"),
        ({"type": "file", "file": {"file_id": "f1"}}, "[file: unnamed]"),
    ],
)  # fmt: skip
def test_media_are_described_in_brackets(part: dict[str, Any], expected: str) -> None:
    found = answered(messages=user([{"type": "text", "text": "see"}, part]))
    assert found.choices[0].message.content == f"see {expected}"
    assert found.usage is not None
    assert found.usage.prompt_tokens == (1 + 256 if part["type"] != "text" else 2)


def test_a_scholar_writes_paragraphs_about_the_question() -> None:
    text = said(model="scholar", messages=user("Why is the sky blue?"))
    assert len(text.split("\n\n")) == 4
    assert "sky blue" in text


def test_the_same_request_gets_the_same_words_under_another_name() -> None:
    one, two = (
        play(model="scholar", draw=draw, provider=p)
        for draw, p in ((1, "demo-swift"), (2, "demo-thrifty"))
    )
    first, second = (ChatCompletion.model_validate_json(body(each)) for each in (one, two))
    assert first.choices == second.choices
    assert first.id != second.id
    assert play(model="scholar", draw=1) == one


def test_a_seed_and_each_choice_vary_the_words() -> None:
    texts = {said(model="scholar", seed=seed, messages=user("Tea?")) for seed in range(6)}
    assert len(texts) > 1
    found = answered(model="scholar", n=4)
    assert [choice.index for choice in found.choices] == [0, 1, 2, 3]
    assert len({choice.message.content for choice in found.choices}) > 1


def test_a_stream_adds_up_to_the_whole_answer() -> None:
    whole = answered(model="scholar", n=2, reasoning_effort="high")
    chunks = streamed(model="scholar", n=2, reasoning_effort="high")
    for choice in whole.choices:
        assert total(chunks, content, choice.index) == choice.message.content
        extra = choice.message.model_extra or {}
        assert total(chunks, reasoning, choice.index) == extra["reasoning_content"]
    assert [chunk.choices[0].delta.role for chunk in chunks[:3]] == ["assistant", "assistant", None]
    assert [chunk.choices[0].finish_reason for chunk in chunks[-2:]] == ["stop", "stop"]
    assert {chunk.id for chunk in chunks} != {""}
    assert len({chunk.id for chunk in chunks}) == 1


def test_usage_ends_a_stream_only_when_it_was_asked_for() -> None:
    last = streamed(stream_options={"include_usage": True})[-1]
    assert last.choices == []
    assert last.usage == answered().usage
    assert streamed()[-1].usage is None
    assert streamed(stream_options={"include_usage": False})[-1].usage is None


@pytest.mark.parametrize(
    ("members", "sentences"),
    [
        ({}, 0),
        ({"reasoning_effort": "none"}, 0),
        ({"reasoning": {"effort": "none"}}, 0),
        ({"reasoning": {"enabled": False, "max_tokens": 5}}, 0),
        ({"reasoning": {}}, 0),
        ({"reasoning_effort": "minimal"}, 1),
        ({"reasoning": {"effort": "low"}}, 2),
        ({"reasoning": {"enabled": True}}, 3),
        ({"reasoning": {"max_tokens": 100}}, 3),
        ({"reasoning_effort": "xhigh"}, 6),
    ],
)
def test_thinking_is_as_long_as_asked(members: dict[str, Any], sentences: int) -> None:
    found = answered(messages=user("Tea"), **members)
    text = (found.choices[0].message.model_extra or {}).get("reasoning_content", "")
    assert (len(text) > 0) is (sentences > 0)
    assert found.usage is not None
    assert found.usage.completion_tokens_details is not None
    assert found.usage.completion_tokens_details.reasoning_tokens == len(text.split())
    if sentences == 6:
        assert text.endswith("Now to write it down.")


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens"])
@pytest.mark.parametrize(("most", "expected"), [(1, "Hello"), (2, "Hello there,"), (3, None)])
def test_a_limit_ends_the_answer(name: str, most: int, expected: str | None) -> None:
    found = answered(**{name: most})
    assert found.choices[0].message.content == (expected or "Hello there, world")
    assert found.choices[0].finish_reason == ("length" if expected else "stop")


def test_thinking_counts_towards_the_limit() -> None:
    found = answered(reasoning_effort="high", max_tokens=3)
    assert found.choices[0].message.content == ""
    assert found.choices[0].finish_reason == "length"
    assert found.usage is not None
    assert found.usage.completion_tokens == 3


def test_no_answer_is_longer_than_a_demo_is_worth() -> None:
    found = answered(messages=user("a " * (MAX_TOKENS + 5)))
    assert found.choices[0].finish_reason == "length"
    assert found.usage is not None
    assert found.usage.completion_tokens == MAX_TOKENS


@pytest.mark.parametrize(
    ("stop", "expected"),
    [
        (" world", "Hello there,"),
        ([" world", "there"], "Hello "),
        ("nowhere", "Hello there, world"),
        (["", "Hello"], ""),
        (None, "Hello there, world"),
    ],
)
def test_an_answer_ends_before_a_stop(stop: Any, expected: str) -> None:
    assert said(stop=stop) == expected


def test_likelihoods_come_with_every_word() -> None:
    choice = answered(logprobs=True, top_logprobs=3).choices[0]
    assert choice.logprobs is not None
    found = choice.logprobs.content or []
    assert "".join(each.token for each in found) == choice.message.content
    for each in found:
        assert each.logprob < 0
        assert bytes(each.bytes or ()).decode() == each.token
        assert each.top_logprobs[0].token == each.token
        ranks = [top.logprob for top in each.top_logprobs]
        assert ranks == sorted(ranks, reverse=True)
        assert len(ranks) == 3
    chunks = [c.choices[0].logprobs for c in streamed(logprobs=True)]
    assert [bool(each) for each in chunks] == [False, True, True, True, False]
    assert all(not (each.content or [])[0].top_logprobs for each in chunks if each)


def test_a_long_conversation_is_partly_cached_in_whole_blocks() -> None:
    found = answered(messages=[{"role": "system", "content": "x" * 8000}, *user("hi")])
    assert found.usage is not None
    assert found.usage.prompt_tokens == 2001
    assert found.usage.prompt_tokens_details is not None
    assert found.usage.prompt_tokens_details.cached_tokens == 1920
    short = answered(messages=[{"role": "system", "content": "x" * 4092}, *user("hi")]).usage
    assert short is not None
    assert short.prompt_tokens_details is not None
    assert (short.prompt_tokens, short.prompt_tokens_details.cached_tokens) == (1024, 0)


@pytest.mark.parametrize(
    ("choice", "question", "expected"),
    [
        ("auto", "What is the weather in Lisbon?", "forecast"),
        (None, "Write a letter to Anna", "send_mail"),
        ("required", "Hm", "send_mail"),
        ({"type": "function", "function": {"name": "forecast"}}, "a letter", "forecast"),
        ({"type": "allowed_tools"}, "weather", "forecast"),
    ],
)
@pytest.mark.parametrize("model", ["parrot", "scholar"])
def test_a_tool_is_chosen_and_called(choice: Any, question: str, expected: str, model: str) -> None:
    members = {"model": model, "messages": user(question), "tools": TOOLS, "tool_choice": choice}
    found = answered(**members)
    message = found.choices[0].message
    assert message.content is None
    assert found.choices[0].finish_reason == "tool_calls"
    call = (message.tool_calls or [])[0]
    assert call.type == "function"
    assert call.function.name == expected
    if expected == "forecast":
        Draft202012Validator(WEATHER).validate(json.loads(call.function.arguments))
    chunks = streamed(**members)
    assert total(chunks, arguments) == call.function.arguments
    first = (chunks[1].choices[0].delta.tool_calls or [])[0]
    assert (first.id, first.function and first.function.name) == (call.id, expected)


def test_a_limit_cuts_the_arguments_of_a_call() -> None:
    found = answered(messages=user("weather"), tools=TOOLS, max_tokens=1)
    assert found.choices[0].finish_reason == "length"


@pytest.mark.parametrize(
    "members",
    [
        {"tools": TOOLS, "tool_choice": "none"},
        {"tools": []},
        {"tools": [TOOLS[1]]},
    ],
)
def test_words_are_said_when_no_tool_may_be_called(members: dict[str, Any]) -> None:
    assert said(**members) == "Hello there, world"


def test_after_a_tool_the_answer_tells_what_it_returned() -> None:
    messages = [
        *user("What is the weather in Lisbon?"),
        {"role": "assistant", "content": None, "tool_calls": [{"id": "c"}]},
        {"role": "tool", "tool_call_id": "c", "content": "Sunny"},
        {"role": "tool", "tool_call_id": "d", "content": [{"type": "text", "text": "22 degrees"}]},
    ]
    text = said(model="scholar", messages=messages, tools=TOOLS)
    assert "weather in Lisbon" in text
    assert "> Sunny\n> 22 degrees" in text
    assert said(messages=messages, tools=TOOLS) == "22 degrees"


@pytest.mark.parametrize("model", ["parrot", "scholar"])
def test_a_document_satisfies_the_schema_that_was_given(model: str) -> None:
    wish = {"type": "json_schema", "json_schema": {"name": "w", "strict": True, "schema": WEATHER}}
    text = said(model=model, messages=user("Weather in Lisbon?"), response_format=wish)
    assert json.loads(text)["city"] == "Lisbon"


@pytest.mark.parametrize(
    ("wish", "is_json"),
    [
        ({"type": "json_object"}, True),
        ({"type": "json_schema", "json_schema": {"name": "any"}}, True),
        ({"type": "text"}, False),
    ],
)
def test_a_document_without_a_schema_is_an_object(wish: dict[str, Any], is_json: bool) -> None:  # noqa: FBT001
    text = said(response_format=wish)
    assert text.startswith("{") is is_json
    if is_json:
        assert set(json.loads(text)) == {"topic", "answer"}
