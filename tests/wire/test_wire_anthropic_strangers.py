"""What nobody here knows of a Messages request is noted, for providers of other APIs."""

from typing import Any

import pytest

from tests.wire.messages_told import parse

MARK: dict[str, Any] = {"shade": "blue"}
TEXT: dict[str, Any] = {"type": "text", "text": "x"}
TOOL: dict[str, Any] = {"name": "f", "input_schema": {"type": "object"}}
USE: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
RESULT: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t1", "content": "r"}
IMAGE: dict[str, Any] = {"type": "image", "source": {"type": "url", "url": "https://x/a.png"}}
PDF: dict[str, Any] = {"type": "base64", "media_type": "application/pdf", "data": "AAAA"}


def user(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(blocks)}


def said(*blocks: dict[str, Any]) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def noted(**body: Any) -> list[str]:
    native = parse(**body).native
    assert native is not None
    return [note.field for note in native.notes]


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"messages": [user(TEXT | MARK)]}, "messages.content.shade"),
        ({"messages": [user(IMAGE | MARK)]}, "messages.content.shade"),
        ({"messages": [user(TEXT), said(USE | MARK), user(RESULT)]}, "messages.content.shade"),
        ({"messages": [user(TEXT), said(USE), user(RESULT | MARK)]}, "messages.content.shade"),
        ({"messages": [user(TEXT) | MARK]}, "messages.shade"),
        ({"messages": [user(TEXT), said(TEXT) | MARK]}, "messages.shade"),
        (
            {"messages": [user(IMAGE | {"source": IMAGE["source"] | MARK})]},
            "messages.content.source.shade",
        ),
        (
            {"messages": [user(IMAGE | {"type": "document", "source": PDF | MARK})]},
            "messages.content.source.shade",
        ),
        ({"system": [TEXT | MARK]}, "system.shade"),
        ({"tools": [TOOL | MARK]}, "tools.shade"),
        ({"tools": [TOOL], "tool_choice": {"type": "auto"} | MARK}, "tool_choice.shade"),
        ({"metadata": {"user_id": "u"} | MARK}, "metadata.shade"),
        ({"thinking": {"type": "disabled"} | MARK}, "thinking.shade"),
        ({"output_config": {"effort": "low"} | MARK}, "output_config.shade"),
        (
            {"messages": [user(TEXT), said(USE | {"caller": {"type": "code"}}), user(RESULT)]},
            "messages.content.caller",
        ),
    ],
)
def test_a_member_that_nobody_knows(body: dict[str, Any], field: str) -> None:
    assert noted(**body) == [field]


def test_what_says_nothing_is_not_noted() -> None:
    nothing: dict[str, Any] = {"shade": None, "tint": []}
    own = {"caller": {"type": "direct"}}
    turns = [user(TEXT | nothing), said(TEXT | {"citations": None}, USE | own), user(RESULT)]
    tools = [TOOL | nothing | {"type": "custom"}]
    assert noted(messages=turns, tools=tools, metadata={"user_id": "u"} | nothing) == []


def test_a_block_that_nobody_knows_is_noted_as_a_whole() -> None:
    block = {"type": "container_upload", "file_id": "f"} | MARK
    assert noted(messages=[user(block, TEXT)]) == ["messages.content.container_upload"]
