"""What a Responses client is given it sends back: the thoughts have to come home as they were."""

import json
from typing import Any

import pytest
from msgspec import Raw

from dragoman.wire.hub import Answer, Choice, Chunk, Text
from dragoman.wire.responses.dialect import RESPONSES
from tests.wire.responses_calls import HELLO, SPENT, call, hub, told
from tests.wire.responses_events import accumulated, delta, fragment, write

CLAUDE, GEMINI = "anthropic-claude-v1", "google-gemini-v1"
ENCRYPTED = ["reasoning.encrypted_content"]
TOOLS = [{"type": "function", "name": "f", "parameters": {"type": "object"}}]


def thinks(**detail: Any) -> Chunk:
    return delta(reasoning_details=[{"type": "reasoning.text", **detail}])


def hides(data: str, **detail: Any) -> Chunk:
    return delta(reasoning_details=[{"type": "reasoning.encrypted", "data": data, **detail}])


def calls(index: int, id_: str) -> Chunk:
    return delta(tool_calls=[fragment(index, "f", "{}", id_)])


def sent_back(include: list[str], *chunks: Chunk | Text) -> list[Any]:
    """Return the messages that an answer comes to once OpenAI's client has sent it back."""
    asked = call(input=HELLO, tools=TOOLS, include=include)
    items = accumulated(write(asked, *chunks, finish="tool_calls")).output
    return given_back([item.model_dump(exclude_none=True) for item in items])


def given_back(items: list[Any]) -> list[Any]:
    for item in items:
        item.pop("parsed_arguments", None)
        if isinstance(item.get("content"), list):
            item["content"] = [
                {k: v for k, v in p.items() if k != "parsed"} for p in item["content"]
            ]
    results = [
        {"type": "function_call_output", "call_id": item["call_id"], "output": "ok"}
        for item in items
        if item["type"] == "function_call"
    ]
    messages: list[Any] = hub(call(input=[*HELLO, *items, *results], tools=TOOLS))["messages"]
    return messages[1 : len(messages) - len(results)]


@pytest.mark.parametrize("include", [[], ENCRYPTED])
def test_a_signature_that_alone_names_its_format_stays_with_its_thought(include: list[str]) -> None:
    """Bedrock says with the signature only that it was Claude who thought."""
    (message,) = sent_back(
        include,
        thinks(text="Hm", format="unknown", index=0),
        thinks(text="m.", format="unknown", index=0),
        thinks(signature="c2ln", format=CLAUDE, index=0),
        Text(0, b'"Let me see."'),
        calls(0, "toolu_1"),
    )
    (detail,) = message["reasoning_details"]
    assert (detail["text"], detail["signature"], detail["format"]) == ("Hmm.", "c2ln", CLAUDE)
    assert detail["index"] == 0


@pytest.mark.parametrize("include", [[], ENCRYPTED])
def test_thoughts_between_calls_keep_their_places(include: list[str]) -> None:
    (message,) = sent_back(
        include,
        thinks(text="One", signature="c2lnMQ==", format=CLAUDE, index=0),
        hides("cmVk", format=CLAUDE, index=1),
        thinks(text="Two", signature="c2lnMg==", format=CLAUDE, index=2),
        Text(0, b'"Let me see."'),
        calls(0, "toolu_1"),
        thinks(text="Three", signature="c2lnMw==", format=CLAUDE, index=5),
        calls(1, "toolu_2"),
    )
    told_back = [
        (each["index"], each.get("text") or each["data"]) for each in message["reasoning_details"]
    ]
    assert told_back == [(0, "One"), (1, "cmVk"), (2, "Two"), (5, "Three")]
    assert [each["id"] for each in message["tool_calls"]] == ["toolu_1", "toolu_2"]


@pytest.mark.parametrize("include", [[], ENCRYPTED])
def test_what_signs_a_call_behind_a_text_is_of_the_same_turn(include: list[str]) -> None:
    """Gemini signs its calls: the signature comes behind the text, and names the call."""
    (message,) = sent_back(
        include,
        thinks(text="Hm.", format=GEMINI, index=0),
        Text(0, b'"Let me see."'),
        hides("c2ln", format=GEMINI, id="call_1", index=1),
        calls(0, "call_1"),
    )
    assert message["content"] == "Let me see."
    assert [each["id"] for each in message["tool_calls"]] == ["call_1"]
    thought, signature = message["reasoning_details"]
    assert (thought["text"], signature["data"], signature["id"]) == ("Hm.", "c2ln", "call_1")


def test_what_signs_a_text_and_comes_last_is_kept() -> None:
    (message,) = sent_back(
        ENCRYPTED, Text(0, b'"Done."'), hides("c2ln", format=GEMINI, index=0, id=None)
    )
    assert message["content"] == "Done."
    assert [each["data"] for each in message["reasoning_details"]] == ["c2ln"]


def test_a_thought_behind_a_text_and_before_another_begins_a_turn() -> None:
    items = [
        {"type": "message", "role": "assistant", "content": "One."},
        {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"},
        {"type": "message", "role": "assistant", "content": "Two."},
    ]
    first, second = given_back(items)
    assert (first["content"], second["content"]) == ("One.", "Two.")
    assert "reasoning_details" not in first
    assert [each["data"] for each in second["reasoning_details"]] == ["gAAA"]


@pytest.mark.parametrize("include", [[], ENCRYPTED])
def test_a_whole_answer_keeps_the_order_of_its_thoughts(include: list[str]) -> None:
    details = (
        b'[{"type":"reasoning.text","text":"One","signature":"c2lnMQ==","format":"%b","index":0},'
        b'{"type":"reasoning.encrypted","data":"cmVk","format":"%b","index":1},'
        b'{"type":"reasoning.text","text":"Two","signature":"c2lnMg==","format":"%b","index":2}]'
    ) % ((CLAUDE.encode(),) * 3)
    message = {"content": Raw(b'"Hi"'), "reasoning_details": Raw(details)}
    asked = call(input=HELLO, include=include)
    choice = Choice(index=0, message=message, finish_reason="stop", native_finish_reason=None)
    body = RESPONSES.answer(told(asked), Answer(choices=(choice,)), SPENT, b"")
    items = json.loads(body)["output"]
    (said,) = given_back(items)
    assert [each.get("text") or each["data"] for each in said["reasoning_details"]] == [
        "One", "cmVk", "Two",
    ]  # fmt: skip


def test_an_image_that_a_model_made_goes_back_with_what_signs_it() -> None:
    image = {"type": "image_url", "image_url": {"url": "data:image/jpeg;base64,/9j/aaaa"}}
    (message,) = sent_back(
        [],
        Text(0, b'"Here."'),
        hides("c2ln", format=GEMINI, id="image:0", index=0),
        delta(images=[image]),
    )
    assert (message["content"], message["images"]) == ("Here.", [image])
    assert [each["id"] for each in message["reasoning_details"]] == ["image:0"]


def test_an_image_before_a_text_is_of_the_same_answer() -> None:
    drawn = {"type": "image_generation_call", "id": "ig_1", "status": "completed", "result": "aGk="}
    text = {"type": "message", "role": "assistant", "content": "Here."}
    url = {"url": "data:image/png;base64,aGk="}
    (message,) = given_back([drawn, text])
    assert message["content"] == "Here."
    assert message["images"] == [{"type": "image_url", "image_url": url}]
    (alone,) = given_back([drawn])
    assert alone["content"] == ""
