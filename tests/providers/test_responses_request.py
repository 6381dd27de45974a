"""Requests from the hub to providers of the Responses API: OpenAI's own types are the oracle."""

import json
from base64 import b64encode
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.wire.chat import ChatCall, parse_chat
from dragoman.wire.responses.dialect import RESPONSES
from dragoman.wire.responses.thoughts import OPENAI
from tests.providers.openai_calls import endpoint
from tests.providers.responses_calls import USER, notes, sent, write
from tests.wire import responses_calls

THINKS = endpoint(
    "reasoning", "tools", "tool_choice", "temperature", "response_format", "verbosity"
)
FUNCTION: dict[str, Any] = {
    "type": "function",
    "function": {"name": "f", "parameters": {"type": "object"}},
}


def ask(**members: Any) -> ChatCall:
    """A call of a chat client."""
    body = {"model": "acme/turbo", "messages": [USER], **members}
    return parse_chat(json.dumps(body).encode())


def test_a_plain_call() -> None:
    outgoing = write(ask(max_tokens=50, temperature=0.5))
    assert outgoing.path == "/responses"
    assert ("Accept", "application/json") in outgoing.headers
    assert sent(outgoing) == {
        "input": [{"type": "message", **USER}],
        "max_output_tokens": 50,
        "temperature": 0.5,
    }
    assert outgoing.notes == ()


def test_a_stream_is_asked_for_when_the_call_says_so() -> None:
    outgoing = write(ask(stream=True, stream_options={"include_usage": True}))
    assert sent(outgoing)["stream"] is True
    assert ("Accept", "text/event-stream") in outgoing.headers


@pytest.mark.parametrize(
    ("message", "items"),
    [
        ({"role": "system", "content": [{"type": "text", "text": "x"}]},
         [{"type": "message", "role": "system",
           "content": [{"type": "input_text", "text": "x"}]}]),
        ({"role": "developer", "content": "x"},
         [{"type": "message", "role": "developer", "content": "x"}]),
        ({"role": "user", "content": [
            {"type": "text", "text": "x"},
            {"type": "image_url", "image_url": {"url": "http://x/i.png"}},
            {"type": "file", "file": {"filename": "a.pdf", "file_data": "data:;base64,AAAA"}},
            {"type": "file", "file": {"file_data": "https://x/a.pdf"}}]},
         [{"type": "message", "role": "user", "content": [
             {"type": "input_text", "text": "x"},
             {"type": "input_image", "image_url": "http://x/i.png", "detail": "auto"},
             {"type": "input_file", "filename": "a.pdf", "file_data": "data:;base64,AAAA"},
             {"type": "input_file", "file_url": "https://x/a.pdf"}]}]),
        ({"role": "assistant", "content": "x"},
         [{"type": "message", "role": "assistant", "content": "x"}]),
        ({"role": "assistant", "content": [{"type": "text", "text": "x"}], "refusal": "no"},
         [{"type": "message", "role": "assistant", "id": "msg_1", "status": "completed",
           "content": [{"type": "output_text", "text": "x", "annotations": []}]},
          {"type": "message", "role": "assistant", "id": "msg_2", "status": "completed",
           "content": [{"type": "refusal", "refusal": "no"}]}]),
        ({"role": "assistant", "content": None, "tool_calls": [
            {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}]},
         [{"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}]),
        ({"role": "tool", "tool_call_id": "c1", "content": "done"},
         [{"type": "function_call_output", "call_id": "c1", "output": "done"}]),
        ({"role": "tool", "tool_call_id": "c1", "content": [{"type": "text", "text": "a"}]},
         [{"type": "function_call_output", "call_id": "c1",
           "output": "a"}]),
    ],
)  # fmt: skip
def test_a_message_as_items(message: Any, items: Any) -> None:
    outgoing = write(ask(messages=[USER, message]))
    assert sent(outgoing)["input"][1:] == items
    assert outgoing.notes == ()


def test_the_first_instructions_are_the_instructions() -> None:
    body = sent(write(ask(messages=[{"role": "system", "content": "Be kind."}, USER])))
    assert body["instructions"] == "Be kind."
    assert body["input"] == [{"type": "message", **USER}]


def test_only_own_reasoning_goes_back() -> None:
    own = {"format": OPENAI, "id": "rs_1"}
    details = [
        {"type": "reasoning.summary", "summary": "a", **own, "index": 0},
        {"type": "reasoning.encrypted", "data": "gA", **own, "index": 1},
        {"type": "reasoning.text", "text": "b", "signature": "S", "format": "anthropic-claude-v1"},
    ]
    message = {"role": "assistant", "content": "x", "reasoning_details": details}
    outgoing = write(ask(messages=[USER, message]))
    assert sent(outgoing)["input"][1] == {
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "a"}],
        "encrypted_content": "gA",
    }
    assert notes(outgoing) == [(Change.DROPPED, "messages.reasoning_details")]


def test_fragments_of_a_summary_are_one_again() -> None:
    """Clients of chat that only collect what a stream tells send back hundreds of them."""
    own = {"format": OPENAI, "id": "rs_1"}
    told = [("On", 0), ("e", 0), ("Two", 1), ("", 1), ("!", 1)]
    details = [
        *({"type": "reasoning.summary", "summary": t, "index": n, **own} for t, n in told),
        {"type": "reasoning.encrypted", "data": "gA", **own, "index": 2},
        {"type": "reasoning.summary", "summary": "Other", **own, "id": "rs_2", "index": 1},
        {"type": "reasoning.encrypted", "data": "gB", **own, "id": "rs_2", "index": 3},
    ]
    message = {"role": "assistant", "content": "x", "reasoning_details": details}
    one, two, _ = sent(write(ask(messages=[USER, message])))["input"][1:]
    assert [part["text"] for part in one["summary"]] == ["One", "Two!"]
    assert [part["text"] for part in two["summary"]] == ["Other"]


def test_ids_of_calls_are_no_longer_than_the_api_takes() -> None:
    ids = [f"functions.{'f' * 64}:{n}" for n in range(2)]
    function = {"name": "f", "arguments": "{}"}
    called = [{"id": each, "type": "function", "function": function} for each in ids]
    results = [{"role": "tool", "tool_call_id": each, "content": "ok"} for each in ids]
    answer = {"role": "assistant", "content": None, "tool_calls": called}
    outgoing = write(ask(messages=[USER, answer, *results]))
    found = [item["call_id"] for item in sent(outgoing)["input"][1:]]
    assert [len(each) for each in found] == [64] * 4
    assert found[:2] == found[2:]
    assert found[0] != found[1]
    assert (Change.RENAMED, "messages.tool_calls.id") in notes(outgoing)


def test_the_callers_own_safety_identifier_is_sent() -> None:
    outgoing = write(ask(messages=[USER], user="mail@acme.example", safety_identifier="mine"))
    assert sent(outgoing)["safety_identifier"] == "mine"
    assert notes(outgoing) == [(Change.DROPPED, "user")]


@pytest.mark.parametrize(
    "message", [{"reasoning": "hm"}, {"reasoning_details": [{"type": "reasoning.text"}]}]
)
def test_reasoning_that_nobody_signed_is_left_out(message: Any) -> None:
    outgoing = write(ask(messages=[USER, {"role": "assistant", "content": "x", **message}]))
    assert [item["type"] for item in sent(outgoing)["input"]] == ["message", "message"]
    assert notes(outgoing) == [(Change.DROPPED, "messages.reasoning_details")]


def test_what_cannot_be_said_names_the_field_and_the_provider() -> None:
    video = [{"type": "video_url", "video_url": {"url": "http://x"}}]
    with pytest.raises(InvalidRequest, match=r"^messages.1.content.0: video_url .* to Acme$"):
        write(ask(messages=[USER, {"role": "user", "content": video}]))


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({"response_format": {"type": "json_object"}},
         {"text": {"format": {"type": "json_object"}}}),
        ({"response_format": {"type": "json_schema", "json_schema": {
            "name": "a", "schema": {"type": "object"}, "strict": True}}, "verbosity": "low"},
         {"text": {"format": {"type": "json_schema", "name": "a", "schema": {"type": "object"},
                              "strict": True}, "verbosity": "low"}}),
        ({"logprobs": True, "top_logprobs": 2},
         {"include": ["message.output_text.logprobs"], "top_logprobs": 2}),
        ({"prompt_cache_key": "k", "max_completion_tokens": 20},
         {"prompt_cache_key": "k", "max_output_tokens": 20}),
    ],
)  # fmt: skip
def test_members_by_their_other_names(members: Any, told: Any) -> None:
    outgoing = write(ask(**members))
    body = sent(outgoing)
    del body["input"]
    assert body == told
    assert outgoing.notes == ()


@pytest.mark.parametrize(
    ("members", "told"),
    [
        ({}, {"include": ["reasoning.encrypted_content"]}),
        ({"reasoning": {"effort": "low"}},
         {"include": ["reasoning.encrypted_content"],
          "reasoning": {"effort": "low", "summary": "auto"}}),
        ({"reasoning": {"effort": "high", "summary": "detailed", "mode": "pro"}},
         {"include": ["reasoning.encrypted_content"],
          "reasoning": {"effort": "high", "summary": "detailed", "mode": "pro"}}),
        ({"reasoning": {"effort": "low", "exclude": True}},
         {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "low"}}),
        ({"reasoning_effort": "none"},
         {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "none"}}),
        ({"reasoning": {"max_tokens": 800}, "max_tokens": 1000},
         {"include": ["reasoning.encrypted_content"], "max_output_tokens": 1000,
          "reasoning": {"effort": "high", "summary": "auto"}}),
        ({"reasoning": {"enabled": False}},
         {"include": ["reasoning.encrypted_content"], "reasoning": {"effort": "none"}}),
    ],
)  # fmt: skip
def test_reasoning_is_asked_for_where_the_model_can(members: Any, told: Any) -> None:
    body = sent(write(ask(**members), THINKS))
    del body["input"]
    assert body == told


def test_reasoning_is_not_asked_of_a_model_that_cannot() -> None:
    outgoing = write(ask(reasoning={"effort": "low"}), endpoint("temperature"))
    assert set(sent(outgoing)) == {"input"}
    assert notes(outgoing) == [(Change.DROPPED, "reasoning")]


def test_summaries_are_not_asked_of_a_host_that_rejects_them() -> None:
    body = sent(write(ask(reasoning={"effort": "low"}), rejects=frozenset({"reasoning.summary"})))
    assert body["reasoning"] == {"effort": "low"}


def test_tools_say_that_they_are_not_strict_where_chat_says_nothing() -> None:
    choice = {"type": "function", "function": {"name": "f"}}
    body = sent(write(ask(tools=[FUNCTION], tool_choice=choice, parallel_tool_calls=False)))
    assert body["tools"] == [
        {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": False}
    ]
    assert body["tool_choice"] == {"type": "function", "name": "f"}
    assert body["parallel_tool_calls"] is False


@pytest.mark.parametrize(
    ("members", "note"),
    [
        ({"n": 2}, (Change.DROPPED, "n")),
        ({"stop": ["x"]}, (Change.DROPPED, "stop")),
        ({"seed": 1}, (Change.DROPPED, "seed")),
        ({"top_k": 1}, (Change.DROPPED, "top_k")),
        ({"frequency_penalty": 1}, (Change.DROPPED, "frequency_penalty")),
        ({"foo": 1}, (Change.DROPPED, "foo")),
        ({"user": "u"}, (Change.RENAMED, "user")),
        ({"max_tokens": 3}, (Change.CLAMPED, "max_tokens")),
        ({"parallel_tool_calls": True}, (Change.DROPPED, "parallel_tool_calls")),
        ({"messages": [USER, {"role": "assistant", "content": "x", "name": "y"}]},
         (Change.DROPPED, "messages.name")),
    ],
)  # fmt: skip
def test_what_does_not_survive_is_noted(members: Any, note: Any) -> None:
    outgoing = write(ask(**members))
    sent(outgoing)
    assert notes(outgoing) == [note]


def test_an_endpoint_is_not_told_what_it_does_not_take() -> None:
    asked = ask(temperature=0.5, tools=[FUNCTION], response_format={"type": "json_object"})
    outgoing = write(asked, endpoint("max_tokens"))
    assert set(sent(outgoing)) == {"input"}
    assert {field for _, field in notes(outgoing)} == {"temperature", "tools", "response_format"}


# Both sides, one after the other.

texts = st.text(min_size=1, max_size=12)
base64s = st.binary(min_size=1).map(lambda data: f"data:;base64,{b64encode(data).decode()}")
parts = st.lists(
    st.one_of(
        st.builds(lambda text: {"type": "text", "text": text}, texts),
        st.builds(
            lambda url: {"type": "image_url", "image_url": {"url": url, "detail": "low"}}, texts
        ),
        st.builds(lambda data: {"type": "file", "file": {"file_data": data}}, base64s),
    ),
    min_size=2,
    max_size=3,
)
calls: st.SearchStrategy[list[dict[str, Any]]] = st.lists(
    st.builds(
        lambda n, name, arguments: {
            "id": f"c{n}",
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        },
        st.integers(0, 9),
        st.from_regex(r"\A[A-Za-z0-9_-]{1,64}\Z"),
        texts,
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda call: str(call["id"]),
)


def turn(content: str | None, asked: list[Any]) -> list[dict[str, Any]]:
    """What an assistant said and called, and what came back."""
    said = {"role": "assistant", "content": content, **({"tool_calls": asked} if asked else {})}
    answers = [{"role": "tool", "tool_call_id": c["id"], "content": "ok"} for c in asked]
    return [said, *answers]


conversations = st.lists(
    st.one_of(
        st.builds(lambda text: [{"role": "user", "content": text}], texts),
        st.builds(lambda found: [{"role": "user", "content": found}], parts),
        st.builds(turn, texts, st.just([])),
        st.builds(turn, texts, calls),
        # Items say what a model said and called, not in how many messages.
        st.builds(lambda asked: [USER, *turn(None, asked)], calls),
    ),
    min_size=1,
    max_size=5,
).map(lambda turns: [message for each in turns for message in each])


@given(st.none() | texts, conversations)
def test_from_the_hub_and_back_is_the_same(
    instructions: str | None, conversation: list[dict[str, Any]]
) -> None:
    system = [] if instructions is None else [{"role": "system", "content": instructions}]
    members = {
        "messages": [*system, *conversation],
        "tools": [FUNCTION],
        "tool_choice": "auto",
        "max_tokens": 100,
        "temperature": 0.5,
        "response_format": {"type": "json_object"},
        "reasoning": {"effort": "low", "summary": "auto"},
    }
    outgoing = write(ask(**members))
    assert outgoing.notes == ()
    back = RESPONSES.parse(outgoing.body, {})
    strict = {"type": "function", "function": {**FUNCTION["function"], "strict": False}}
    found = responses_calls.hub(back)
    assert found.pop("model") == "turbo-1"
    assert found == members | {"tools": [strict]}


@pytest.mark.parametrize("members", [{"tool_choice": "none"}, {"tools": []}])
def test_a_choice_without_tools_is_left_out_and_noted(members: dict[str, Any]) -> None:
    outgoing = write(ask(**members))
    assert sent(outgoing).keys() == {"input"}
    assert notes(outgoing) == [(Change.DROPPED, *members)]


def test_an_effort_that_the_model_does_not_know_becomes_the_nearest() -> None:
    here = structs.replace(THINKS, efforts=("high", "medium", "low"))
    outgoing = write(ask(reasoning={"effort": "xhigh"}), here)
    assert sent(outgoing)["reasoning"]["effort"] == "high"
    assert (Change.CLAMPED, "reasoning.effort") in notes(outgoing)
