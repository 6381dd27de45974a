"""What nobody here knows of a Responses request is noted, for providers of other APIs."""

import json
from typing import Any

import pytest

from dragoman.core.errors import InvalidRequest
from tests.wire.responses_calls import call, lost

MARK: dict[str, Any] = {"shade": "blue"}
USER: dict[str, Any] = {"role": "user", "content": "hello"}
CALL: dict[str, Any] = {
    "type": "function_call",
    "call_id": "c1",
    "name": "f",
    "arguments": "{}",
    "status": "completed",
}
OUTPUT: dict[str, Any] = {"type": "function_call_output", "call_id": "c1", "output": "done"}
TEXT: dict[str, Any] = {"type": "input_text", "text": "x"}
TOOL: dict[str, Any] = {"type": "function", "name": "f", "parameters": {"type": "object"}}
CHOICE: dict[str, Any] = {"type": "function", "name": "f"}
SCHEMA: dict[str, Any] = {"type": "json_schema", "name": "n", "schema": {"type": "object"}}


def said(**members: Any) -> dict[str, Any]:
    part = {"type": "output_text", "text": "x", "annotations": [], "logprobs": []} | members
    return {"type": "message", "id": "m", "role": "assistant", "content": [part]}


@pytest.mark.parametrize(
    ("members", "field"),
    [
        ({"tools": [TOOL | {"defer_loading": True}]}, "tools.defer_loading"),
        ({"tools": [TOOL], "tool_choice": CHOICE | MARK}, "tool_choice.shade"),
        ({"text": {"verbosity": "low"} | MARK}, "text.shade"),
        ({"text": {"format": {"type": "text"} | MARK}}, "text.format.shade"),
        ({"text": {"format": SCHEMA | MARK}}, "text.format.shade"),
        ({"input": [USER | MARK]}, "input.shade"),
        ({"input": [USER, CALL | MARK, OUTPUT]}, "input.shade"),
        ({"input": [USER, CALL, OUTPUT | MARK]}, "input.shade"),
        ({"input": [USER | {"content": [TEXT | MARK]}]}, "input.content.shade"),
        ({"input": [USER, CALL, OUTPUT | {"output": [TEXT | MARK]}]}, "input.content.shade"),
        ({"input": [USER, said(annotations=[MARK]), USER]}, "input.content.annotations"),
    ],
)
def test_a_member_that_nobody_knows(members: dict[str, Any], field: str) -> None:
    assert lost(call(**members)) == (field,)


def test_what_says_nothing_is_not_noted() -> None:
    nothing: dict[str, Any] = {"shade": None, "tint": []}
    items = [USER | nothing, said(**nothing), CALL | nothing, OUTPUT | nothing]
    assert lost(call(input=items, tools=[TOOL | nothing])) == ()


def test_an_item_that_is_left_out_is_noted_as_a_whole() -> None:
    search = {"type": "file_search_call", "id": "f", "queries": ["q"]}
    assert lost(call(input=[search, USER])) == ("input.file_search_call",)


@pytest.mark.parametrize(("asked", "kept"), [(["text", "audio"], ["text"]), (["audio"], ["text"])])
def test_sound_has_no_place_in_an_answer_and_is_not_asked_for(
    asked: list[str], kept: list[str]
) -> None:
    made = call(modalities=asked)
    assert json.loads(bytes(made.members["modalities"])) == kept
    assert lost(made) == ("modalities.audio",)


def test_what_is_no_list_of_modalities_is_refused_as_in_chat() -> None:
    with pytest.raises(InvalidRequest, match="modalities"):
        call(modalities=["audio", 1])
