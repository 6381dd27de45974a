"""What a conversation may hold, and what is said of one that cannot be understood."""

import json
from typing import Any

import pytest

from dragoman.core.errors import InvalidPrompt
from dragoman.wire.chat import ChatCall, parse_chat

ROLES = '"system"|"developer"|"user"|"assistant"|"tool"'
PARTS = '"text"|"image_url"|"input_audio"|"video_url"|"input_video"|"file"|"refusal"'
CALL = {"id": "c1", "type": "function", "function": {"name": "look_up", "arguments": "{}"}}


def parse(*messages: Any) -> ChatCall:
    return parse_chat(json.dumps({"model": "a/b", "messages": messages}).encode())


def user(*parts: Any) -> dict[str, Any]:
    return {"role": "user", "content": list(parts)}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("Hi", "messages.0: must be an object"),
        ({"content": "Hi"}, "messages.0.role: is required"),
        (
            {"role": "god", "content": "Hi"},
            f"messages.0.role: Invalid option: expected one of {ROLES}",
        ),
        ({"role": 7, "content": "Hi"}, f"messages.0.role: Invalid option: expected one of {ROLES}"),
        ({"role": "user"}, "messages.0.content: is required"),
        ({"role": "user", "content": None}, "messages.0.content: must be a string or an array"),
        ({"role": "user", "content": 7}, "messages.0.content: must be a string or an array"),
        ({"role": "system", "content": None}, "messages.0.content: must be a string or an array"),
        ({"role": "user", "content": "Hi", "name": 7}, "messages.0.name: must be a string"),
        (
            {"role": "assistant", "content": None},
            "messages.0.content: is required unless the assistant called tools",
        ),
        (
            {"role": "assistant"},
            "messages.0.content: is required unless the assistant called tools",
        ),
        (
            {"role": "assistant", "content": None, "tool_calls": []},
            "messages.0.content: is required unless the assistant called tools",
        ),
        ({"role": "tool", "content": "42"}, "messages.0.tool_call_id: is required"),
        (
            {"role": "tool", "content": "42", "tool_call_id": ""},
            "messages.0.tool_call_id: must be a string of at least 1 character",
        ),
        ({"role": "tool", "tool_call_id": "c1"}, "messages.0.content: is required"),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "id": None}]},
            "messages.0.tool_calls.0.id: must be a string of at least 1 character",
        ),
        (
            {"role": "assistant", "tool_calls": [{"type": "function", "function": {}}]},
            "messages.0.tool_calls.0.function.name: is required",
        ),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "function": {"name": "x"}}]},
            "messages.0.tool_calls.0.function.arguments: is required",
        ),
        (
            {
                "role": "assistant",
                "tool_calls": [{**CALL, "function": {"name": "x", "arguments": {}}}],
            },
            "messages.0.tool_calls.0.function.arguments: must be a string",
        ),
        (
            {"role": "assistant", "tool_calls": [{**CALL, "type": "magic"}]},
            'messages.0.tool_calls.0.type: Invalid option: expected one of "function"',
        ),
        (user("Hi"), "messages.0.content.0: must be an object"),
        (user({"text": "Hi"}), "messages.0.content.0.type: is required"),
        (
            user({"type": "text", "text": "Hi"}, {"type": "hologram"}),
            f"messages.0.content.1.type: Invalid option: expected one of {PARTS}",
        ),
        (user({"type": "text"}), "messages.0.content.0.text: is required"),
        (user({"type": "text", "text": None}), "messages.0.content.0.text: must be a string"),
        (user({"type": "image_url"}), "messages.0.content.0.image_url: is required"),
        (
            user({"type": "image_url", "image_url": "https://x"}),
            "messages.0.content.0.image_url: must be an object",
        ),
        (
            user({"type": "image_url", "image_url": {"url": ""}}),
            "messages.0.content.0.image_url.url: must be a string of at least 1 character",
        ),
        (
            user({"type": "image_url", "image_url": {"url": "https://x", "detail": "max"}}),
            (
                "messages.0.content.0.image_url.detail: "
                'Invalid option: expected one of "auto"|"original"|"high"|"low"'
            ),
        ),
        (
            user({"type": "input_audio", "input_audio": {"data": "AA=="}}),
            "messages.0.content.0.input_audio.format: is required",
        ),
        (
            user({"type": "video_url", "video_url": {}}),
            "messages.0.content.0.video_url.url: is required",
        ),
        (
            user({"type": "file", "file": {"filename": "a.pdf"}}),
            "messages.0.content.0.file: needs 'file_data' or 'file_id'",
        ),
    ],
)
def test_a_message_that_cannot_be_understood_is_an_invalid_prompt(
    message: object, expected: str
) -> None:
    with pytest.raises(InvalidPrompt) as caught:
        parse(message)
    assert caught.value.message == expected
    assert (caught.value.code, caught.value.type) == (400, "invalid_prompt")


def test_the_place_of_a_bad_message_is_told() -> None:
    with pytest.raises(InvalidPrompt, match=r"^messages\.2\.content: is required"):
        parse({"role": "user", "content": "a"}, user(), {"role": "assistant"})


@pytest.mark.parametrize(
    "message",
    [
        {"role": "system", "content": [{"type": "text", "text": "x", "cache_control": {}}]},
        {"role": "developer", "content": "x", "name": "boss"},
        {"role": "user", "content": ""},
        {"role": "assistant", "content": "so far"},
        {"role": "assistant", "content": None, "tool_calls": [CALL]},
        {"role": "assistant", "tool_calls": [{k: v for k, v in CALL.items() if k != "type"}]},
        {"role": "assistant", "function_call": {"name": "x", "arguments": "{}"}},
        {"role": "assistant", "content": None, "refusal": "no"},
        {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
        {"role": "assistant", "content": None, "reasoning": "hm"},
        {"role": "assistant", "content": None, "reasoning_content": "hm"},
        {"role": "assistant", "content": None, "reasoning_details": [{"type": "x", "index": 0}]},
        {"role": "assistant", "content": None, "audio": {"id": "a1"}},
        {"role": "assistant", "content": None, "images": [{"type": "image_url"}]},
        {"role": "assistant", "content": "x", "model": "a/b", "annotations": [], "unheard": 1},
        {"role": "tool", "content": "42", "tool_call_id": "c1"},
        {"role": "tool", "content": [{"type": "text", "text": "42"}], "tool_call_id": "c1"},
    ],
)
def test_messages_are_forwarded_as_they_came(message: dict[str, Any]) -> None:
    call = parse(message)
    assert json.loads(bytes(call.members["messages"])) == [message]
    assert call.inputs == {"text"}


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ({"type": "image_url", "image_url": {"url": "https://x", "detail": "original"}}, "image"),
        ({"type": "input_audio", "input_audio": {"data": "AA==", "format": "wav"}}, "audio"),
        ({"type": "video_url", "video_url": {"url": "https://x"}}, "video"),
        ({"type": "input_video", "video_url": {"url": "https://x"}}, "video"),
        ({"type": "file", "file": {"file_id": "f1"}}, "file"),
        ({"type": "file", "file": {"file_data": "https://x", "filename": "a.pdf"}}, "file"),
    ],
)
def test_media_are_told_to_routing_wherever_they_stand(part: dict[str, Any], kind: str) -> None:
    text = {"type": "text", "text": "What is this?"}
    assert parse(user(text, part)).inputs == {"text", kind}
    result = {"role": "tool", "content": [part], "tool_call_id": "c1"}
    assert parse({"role": "user", "content": "x"}, result).inputs == {"text", kind}


@pytest.mark.parametrize(
    ("messages", "size"),
    [
        ([{"role": "user", "content": "abc"}], 3),
        ([{"role": "user", "content": "äöü€"}], 9),
        ([user({"type": "text", "text": "abc"}, {"type": "text", "text": "é"})], 5),
        (
            [
                {"role": "system", "content": "ab"},
                {"role": "assistant", "reasoning": "cd", "tool_calls": [CALL, CALL]},
                {"role": "tool", "content": "e", "tool_call_id": "c1"},
                {"role": "assistant", "content": [{"type": "refusal", "refusal": "no"}]},
            ],
            2 + 2 + 4 + 1 + 2,
        ),
        ([user({"type": "image_url", "image_url": {"url": "data:" + "x" * 1000}})], 0),
    ],
)
def test_text_is_measured_in_bytes_and_media_are_not(messages: list[Any], size: int) -> None:
    assert parse(*messages).text_bytes == size
