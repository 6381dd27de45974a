"""What answers of other models leave in a conversation, where Anthropic's own API is spoken."""

import json
import re
from typing import Any

import msgspec

from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import ChatCall

PNG = {"type": "base64", "media_type": "image/png", "data": "aGk="}
MOONSHOTS = ("functions.read:0", "functions.read:1", "functions_read_0")


def asked(*turns: Any) -> ChatCall:
    messages = [{"role": "user", "content": "go"}, *turns]
    body = {"model": "a/b", "max_tokens": 9, "messages": messages}
    return MESSAGES.parse(json.dumps(body).encode(), {})


def said(*blocks: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": list(blocks)}


def own(call: ChatCall) -> Any:
    """Return the messages that Anthropic is sent."""
    assert call.native is not None
    return msgspec.json.decode(call.native.members["messages"])


def hub(call: ChatCall) -> Any:
    return msgspec.json.decode(call.members["messages"])


def changes(call: ChatCall) -> list[str]:
    assert call.native is not None
    return [f"{note.change.value} {note.field}" for note in call.native.changes]


def test_ids_of_calls_are_put_into_letters_that_anthropic_takes() -> None:
    """Moonshot's ids have dots and colons, which are a 400 there."""
    uses = [{"type": "tool_use", "id": id_, "name": "read", "input": {}} for id_ in MOONSHOTS]
    results = [
        {"type": "tool_result", "tool_use_id": id_, "content": id_, "is_error": True}
        for id_ in reversed(MOONSHOTS)
    ]
    call = asked(said(*uses), {"role": "user", "content": results})
    _, turn, answer = own(call)
    ids = [block["id"] for block in turn["content"]]
    assert all(re.fullmatch(r"[a-zA-Z0-9_-]+", id_) for id_ in ids)
    assert len(set(ids)) == len(MOONSHOTS)
    assert ids[2] == MOONSHOTS[2]
    assert [block["tool_use_id"] for block in answer["content"]] == ids[::-1]
    assert [block["content"] for block in answer["content"]] == [*reversed(MOONSHOTS)]
    assert changes(call) == ["renamed messages.content.id"]
    assert [each["id"] for each in hub(call)[1]["tool_calls"]] == [*MOONSHOTS]


def test_texts_of_white_space_are_not_sent_back() -> None:
    """Several models say an empty line before they call; Anthropic refuses such a block."""
    use = {"type": "tool_use", "id": "t", "name": "read", "input": {}}
    result = {"type": "tool_result", "tool_use_id": "t", "content": "ok"}
    call = asked(said({"type": "text", "text": "\n\n"}, use), {"role": "user", "content": [result]})
    assert own(call)[1]["content"] == [use]
    assert changes(call) == ["dropped messages.content"]
    assert hub(call)[1]["content"] == "\n\n"


def test_images_that_a_model_made_are_its_images_and_none_for_anthropic() -> None:
    image = {"type": "image", "source": PNG}
    call = asked(said({"type": "text", "text": "here"}, image), {"role": "user", "content": "more"})
    message = hub(call)[1]
    assert message["content"] == "here"
    assert message["images"] == [
        {"type": "image_url", "image_url": {"url": "data:image/png;base64,aGk="}}
    ]
    assert own(call)[1]["content"] == [{"type": "text", "text": "here"}]
    assert changes(call) == ["dropped messages.content"]


def test_a_conversation_with_claude_keeps_its_bytes() -> None:
    turn = (
        b'[ {"role":"user","content":"go"}, {"role":"assistant","content":[{"type":"text",'
        b'"text":" ok "},{"type":"tool_use","id":"toolu_01-a_B","name":"f","input":{ }}]},'
        b'{"role":"user","content":[{"type":"tool_result","tool_use_id":"toolu_01-a_B"}]}]'
    )
    call = MESSAGES.parse(b'{"model":"a/b","max_tokens":9,"messages":%b}' % turn, {})
    assert call.native is not None
    assert bytes(call.native.members["messages"]) == turn
    assert changes(call) == []
