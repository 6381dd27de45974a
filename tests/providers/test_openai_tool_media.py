"""Media in results of tools: OpenAI's API has no place for them, so the user shows them."""

import json
from typing import Any

from openai.types.chat import ChatCompletionMessageParam
from pydantic import TypeAdapter

from dragoman.core.notes import Change
from dragoman.providers.openai.tool_media import ELSEWHERE
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import parse_chat
from tests.providers.openai_calls import endpoint, provider

IMAGE = {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}}
TEXT = {"type": "text", "text": "a chart"}
ASK = {"role": "user", "content": "look"}
MESSAGES: TypeAdapter[Any] = TypeAdapter(list[ChatCompletionMessageParam])


def calls(*ids: str) -> dict[str, Any]:
    made = [
        {"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}} for id_ in ids
    ]
    return {"role": "assistant", "content": None, "tool_calls": made}


def result(id_: str, *parts: Any) -> dict[str, Any]:
    return {"role": "tool", "tool_call_id": id_, "content": list(parts)}


def shown(id_: str) -> dict[str, Any]:
    return {"type": "text", "text": f"Result of {id_}:"}


def sent(*messages: dict[str, Any], **changes: Any) -> tuple[list[Any], list[Change]]:
    """Return the messages that leave, and what was noted."""
    body = {"model": "acme/turbo", "messages": messages}
    call = parse_chat(json.dumps(body).encode())
    out = DIALECTS["openai"].request(call, endpoint(), provider(**changes))
    found = json.loads(out.body)["messages"]
    list(MESSAGES.validate_python(found))
    return found, [note.change for note in out.notes]


def test_media_follow_all_results_of_a_turn() -> None:
    found, notes = sent(
        ASK, calls("a", "b"), result("a", TEXT, IMAGE), result("b", TEXT), calls("c"),
        result("c", IMAGE),
    )  # fmt: skip
    assert found == [
        ASK,
        calls("a", "b"),
        result("a", TEXT),
        result("b", TEXT),
        {"role": "user", "content": [shown("a"), IMAGE]},
        calls("c"),
        {"role": "tool", "tool_call_id": "c", "content": ELSEWHERE},
        {"role": "user", "content": [shown("c"), IMAGE]},
    ]  # fmt: skip
    assert notes == [Change.RENAMED]


def test_media_of_the_users_stay_where_they_are() -> None:
    seen = {"role": "user", "content": [IMAGE, TEXT]}
    found, notes = sent(seen, calls("a"), result("a", TEXT))
    assert found == [seen, calls("a"), result("a", TEXT)]
    assert notes == []


def test_an_aggregator_takes_them_as_they_are() -> None:
    found, _ = sent(ASK, calls("a"), result("a", IMAGE), kind="aggregator")
    assert found == [ASK, calls("a"), result("a", IMAGE)]
