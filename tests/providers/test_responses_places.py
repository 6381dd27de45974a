"""What a model thought goes back to it before what followed it, whichever client kept it.

OpenAI wants each item of reasoning before the item that it led to, and its caches of prompts
want a turn to be told in the same bytes every time.
"""

import json
from collections.abc import Callable, Sequence
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.providers.registry import DIALECTS
from dragoman.wire.anthropic.message import blocks_of
from dragoman.wire.chat import ChatCall, parse_chat
from dragoman.wire.hub import Answer, Chunk, Text
from dragoman.wire.responses.dialect import RESPONSES
from tests.providers.responses_calls import DIALECT, sent, write
from tests.wire import responses_calls
from tests.wire.messages_told import SPENT, gathered, parse, told

Item = dict[str, Any]
USER = {"role": "user", "content": "go on"}


def items(kinds: Sequence[str]) -> list[Item]:
    """Return the items of an answer. A letter is a kind: t(hought), T(hought), s(ay), c(all)."""
    found: list[Item] = []
    for n, kind in enumerate(kinds):
        if kind in "tT":
            summary = [{"type": "summary_text", "text": f"{n}{each}"} for each in "ab"]
            found.append({
                "type": "reasoning", "id": f"rs_{n}", "summary": summary if kind == "T" else [],
                "encrypted_content": f"gA{n}",
            })  # fmt: skip
        elif kind == "s":
            part = {"type": "output_text", "text": f"said {n}.", "annotations": []}
            found.append({"type": "message", "id": f"msg_{n}", "content": [part]})
        else:
            found.append({
                "type": "function_call", "id": f"fc_{n}", "call_id": f"call_{n}", "name": "f",
                "arguments": "{}",
            })  # fmt: skip
    return found


def whole(output: list[Item]) -> Answer:
    return DIALECT.answer(json.dumps({"status": "completed", "output": output}).encode())


def streamed(output: list[Item]) -> list[Chunk | Text]:
    """Return the stream that tells an answer, passage by passage."""
    events: list[Item] = [{"type": "response.created", "response": {"id": "resp_1"}}]
    for place, item in enumerate(output):
        at = {"output_index": place, "item_id": item["id"]}
        begun = {**item, "summary": [], "arguments": ""}
        events.append({"type": "response.output_item.added", "item": begun, **at})
        for n, each in enumerate(item.get("summary", ())):
            for text in each["text"]:
                name = "response.reasoning_summary_text.delta"
                events.append({"type": name, "summary_index": n, "delta": text, **at})
        for n, part in enumerate(item.get("content", ())):
            for text in ("", part["text"][:2], part["text"][2:]):
                name = "response.output_text.delta"
                events.append({"type": name, "content_index": n, "delta": text, **at})
        events.append({"type": "response.output_item.done", "item": item, **at})
    response = {"status": "completed", "output": output}
    events.append({"type": "response.completed", "response": response})
    decoder = DIALECTS["responses"].decoder()
    told_so = [decoder.feed(json.dumps(event).encode()) for event in events]
    return [chunk for chunk in told_so if chunk is not None]


def results(output: list[Item]) -> list[str]:
    return [item["call_id"] for item in output if item["type"] == "function_call"]


def chat(turns: Sequence[list[Item]], *, stream: bool) -> ChatCall:
    """Return how a client of chat goes on; of a stream it keeps the details as they came."""
    messages: list[Any] = [USER]
    for output in turns:
        answer = gathered(streamed(output)) if stream else whole(output)
        message = json.loads(msgspec.json.encode(answer.choices[0].message))
        if stream and "reasoning_details" in message:
            pieces = [p for c in streamed(output) if isinstance(c, Chunk) for p in c.pieces]
            kept = [p.delta.get("reasoning_details") for p in pieces]
            message["reasoning_details"] = [
                d for each in kept if each for d in json.loads(bytes(each))
            ]
        called = results(output)
        tools = [{"role": "tool", "tool_call_id": id_, "content": "ok"} for id_ in called]
        messages += [message, *(tools or [USER])]
    return parse_chat(json.dumps({"model": "acme/turbo", "messages": messages}).encode())


def messages(turns: Sequence[list[Item]], *, stream: bool) -> ChatCall:
    """Return how a client of Messages goes on."""
    found: list[Any] = [USER]
    for output in turns:
        answer = gathered(streamed(output)) if stream else whole(output)
        blocks = json.loads(msgspec.json.encode(blocks_of(told(), answer.choices[0])))
        called = results(output)
        tools = [{"type": "tool_result", "tool_use_id": i, "content": "ok"} for i in called]
        found += [
            {"role": "assistant", "content": blocks},
            {"role": "user", "content": tools or "go on"},
        ]
    return parse(messages=found, max_tokens=99)


def responses(turns: Sequence[list[Item]], *, stream: bool) -> ChatCall:
    """Return how a client of Responses goes on, whose items did not come from this host."""
    found: list[Any] = [{"type": "message", **USER}]
    for output in turns:
        asked = responses_calls.call(include=["reasoning.encrypted_content"])
        answer = gathered(streamed(output)) if stream else whole(output)
        hub = structs.replace(answer, native=None)
        body = json.loads(RESPONSES.answer(responses_calls.told(asked), hub, SPENT, b""))
        outputs = [
            {"type": "function_call_output", "call_id": id_, "output": "ok"}
            for id_ in results(output)
        ]
        found += [*body["output"], *(outputs or [{"type": "message", **USER}])]
    call = RESPONSES.parse(json.dumps({"model": "acme/turbo", "input": found}).encode(), {})
    return structs.replace(call, native=None)


Goes = Callable[..., ChatCall]
CLIENTS: list[Goes] = [chat, messages, responses]


def order(sent_items: list[Item]) -> list[tuple[str, Any]]:
    """Return what the items of the assistant's say, in their order."""
    found: list[tuple[str, Any]] = []
    for item in sent_items:
        if item["type"] == "reasoning":
            summary = [each["text"] for each in item["summary"]]
            found.append(("thought", (item["id"], item["encrypted_content"], summary)))
        elif item["type"] == "function_call":
            found.append(("call", item["call_id"]))
        elif item["type"] == "message" and item["role"] == "assistant":
            content = item["content"]
            texts = [content] if isinstance(content, str) else [p["text"] for p in content]
            found.append(("said", "".join(texts)))
    return found


def as_it_came(turns: Sequence[list[Item]]) -> list[tuple[str, Any]]:
    return order([{"role": "assistant", **item} for output in turns for item in output])


TURN = st.from_regex(r"\A([tT]{0,2}s)?([tT]{0,2}c){0,3}\Z").filter(bool)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", CLIENTS)
@given(kinds=st.lists(TURN, min_size=1, max_size=3))
def test_each_thought_goes_back_before_what_followed_it(
    client: Goes, *, stream: bool, kinds: list[str]
) -> None:
    turns = [items(each) for each in kinds]
    outgoing = write(client(turns, stream=stream))
    assert order(sent(outgoing)["input"]) == as_it_came(turns)
    assert outgoing.notes == ()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("client", [messages, responses])
@given(kinds=st.from_regex(r"\A(T{1,2}s){0,3}(t{1,2}c){1,3}\Z"))
def test_clients_with_blocks_keep_texts_apart(client: Goes, *, stream: bool, kinds: str) -> None:
    outgoing = write(client([items(kinds)], stream=stream))
    assert order(sent(outgoing)["input"]) == as_it_came([items(kinds)])


@pytest.mark.parametrize("client", CLIENTS)
@given(kinds=st.lists(TURN, min_size=2, max_size=4))
def test_a_turn_is_told_in_the_same_bytes_each_time(client: Goes, kinds: list[str]) -> None:
    turns = [items(each) for each in kinds]
    before = json.dumps(sent(write(client(turns[:-1], stream=True)))["input"])
    after = json.dumps(sent(write(client(turns, stream=True)))["input"])
    assert after.startswith(before[:-1])


def test_a_text_that_only_its_end_tells_is_told() -> None:
    """Some hosts begin each text with an empty piece."""
    at = {"output_index": 0, "content_index": 0}
    decoder = DIALECTS["responses"].decoder()
    for name in ("output_text", "refusal"):
        member = {"output_text": "text"}.get(name, name)
        decoder = DIALECTS["responses"].decoder()
        empty = {"type": f"response.{name}.delta", "delta": "", **at}
        done = {"type": f"response.{name}.done", member: "all", **at}
        chunks = [decoder.feed(json.dumps(each).encode()) for each in (empty, done)]
        (choice,) = gathered([each for each in chunks if each is not None]).choices
        told_so = {"output_text": "content"}.get(name, name)
        assert bytes(choice.message[told_so]) == b'"all"'


def test_thoughts_without_ids_are_not_made_one() -> None:
    detail = {"type": "reasoning.encrypted", "format": "openai-responses-v1"}
    details = [{**detail, "data": f"g{n}", "index": n * 2} for n in range(2)]
    called = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    said = {"role": "assistant", "content": "x", "tool_calls": [called]}
    result = {"role": "tool", "tool_call_id": "c", "content": "ok"}
    body = {"model": "m", "messages": [USER, {**said, "reasoning_details": details}, result]}
    outgoing = write(parse_chat(json.dumps(body).encode()))
    found = json.loads(outgoing.body)["input"][1:-1]  # OpenAI's types want ids; its API does not
    assert [item.get("encrypted_content", item["type"]) for item in found] == [
        "g0", "message", "g1", "function_call",
    ]  # fmt: skip


def test_what_another_signed_under_the_same_id_is_not_gone_on_with() -> None:
    detail = {"type": "reasoning.summary", "summary": "a", "id": "rs_1", "index": 0}
    details = [
        {**detail, "format": "xai-responses-v1"},
        {**detail, "format": "openai-responses-v1"},
        {"type": "reasoning.encrypted", "data": "g", "id": "rs_1",
         "format": "openai-responses-v1", "index": 1},
    ]  # fmt: skip
    said = {"role": "assistant", "content": "x", "reasoning_details": details}
    body = {"model": "m", "messages": [USER, said]}
    thought = sent(write(parse_chat(json.dumps(body).encode())))["input"][1]
    assert thought["summary"] == [{"type": "summary_text", "text": "a"}]
