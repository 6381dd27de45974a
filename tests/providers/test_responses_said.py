"""Messages that the Responses API is told in words of its own, or that it cannot be told."""

import json
from typing import Any

import pytest

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.wire.chat import parse_chat
from tests.providers.responses_calls import USER, notes, sent, write

CALL = {"id": "c1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
CALLED = {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"}


def told(*messages: dict[str, Any]) -> Any:
    """What is sent of messages after the user's first."""
    body = {"model": "acme/turbo", "messages": [USER, *messages]}
    return write(parse_chat(json.dumps(body).encode()))


@pytest.mark.parametrize("content", ["", None, []])
def test_a_call_without_words_is_a_call_alone(content: Any) -> None:
    row = {"role": "assistant", "content": content, "tool_calls": [CALL]}
    assert sent(told(row))["input"][1:] == [CALLED]


def test_an_answer_that_said_nothing_is_one_all_the_same() -> None:
    row = {"role": "assistant", "content": ""}
    assert sent(told(row))["input"][1:] == [{"type": "message", **row}]


def test_what_was_refused_among_other_parts_stays_there() -> None:
    parts = [{"type": "text", "text": "a"}, {"type": "refusal", "refusal": "no"}]
    said = sent(told({"role": "assistant", "content": parts}))["input"][1:]
    assert [part for item in said for part in item["content"]] == [
        {"type": "output_text", "text": "a", "annotations": []},
        {"type": "refusal", "refusal": "no"},
    ]


def test_what_no_assistant_says_is_refused_by_name() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://a.b/c.png"}}
    with pytest.raises(InvalidRequest, match=r"^messages.1.content.0: image_url .* to Acme$"):
        told({"role": "assistant", "content": [image]})


@pytest.mark.parametrize(
    ("file", "expected"),
    [
        ({"file_id": "file-1"}, {"file_id": "file-1"}),
        (
            {"filename": "a", "file_data": "data:x://y;base64,YQ=="},
            {"filename": "a", "file_data": "data:x://y;base64,YQ=="},
        ),
        ({"file_data": "http://a.b"}, {"file_url": "http://a.b"}),
    ],
)
def test_a_file_goes_by_what_it_is_given_as(file: Any, expected: Any) -> None:
    (item,) = sent(told({"role": "user", "content": [{"type": "file", "file": file}]}))["input"][1:]
    assert item["content"] == [{"type": "input_file", **expected}]


def test_a_later_system_message_is_a_message() -> None:
    body = sent(told({"role": "system", "content": "Be kind."}))
    assert "instructions" not in body
    assert body["input"][1:] == [{"type": "message", "role": "system", "content": "Be kind."}]


def test_what_there_is_no_place_for_is_noted_once() -> None:
    row = {**USER, "name": "ada"}
    made = told(row, row)
    assert sent(made)["input"][1:] == [{"type": "message", **USER}] * 2
    assert notes(made) == [(Change.DROPPED, "messages.name")]


@pytest.mark.parametrize(
    "beside",
    [
        {"audio": {"id": "a"}},
        {"annotations": [{"type": "x"}]},
        {"function_call": {"name": "f", "arguments": "{}"}},
        {"images": [{"type": "x"}]},
    ],
)
def test_what_an_answer_had_beside_its_words_is_noted(beside: dict[str, Any]) -> None:
    made = told({"role": "assistant", "content": "a", **beside})
    assert notes(made) == [(Change.DROPPED, f"messages.{name}") for name in beside]
