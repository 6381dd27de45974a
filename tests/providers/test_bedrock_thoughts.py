"""What Claude thought goes back to Bedrock in the order in which it thought it."""

import json
from typing import Any

import pytest

from tests.providers import bedrock_calls as bedrock

FORM = "anthropic-claude-v1"


def text(word: str, index: int | None) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    return {"type": "reasoning.text", "text": word, "signature": word, "format": FORM, **place}


def hidden(data: str, index: int | None) -> dict[str, Any]:
    place = {} if index is None else {"index": index}
    return {"type": "reasoning.encrypted", "data": data, "format": FORM, **place}


def sent(*details: dict[str, Any]) -> list[str]:
    """Return the blocks of an answer with a text and a call, by what they say."""
    function = {"name": "f", "arguments": "{}"}
    said = {
        "role": "assistant",
        "content": "said",
        "reasoning_details": list(details),
        "tool_calls": [{"id": "c", "type": "function", "function": function}],
    }
    result = {"role": "tool", "tool_call_id": "c", "content": "ok"}
    made = bedrock.write(bedrock.call(bedrock.HI, said, result))
    return [_word(block) for block in json.loads(made.body)["messages"][1]["content"]]


def _word(block: dict[str, Any]) -> str:
    if "reasoningContent" in block:
        inner = block["reasoningContent"]
        word: str = inner.get("redactedContent") or inner["reasoningText"]["text"]
        return word
    return str(block["text"]) if "text" in block else "call"


@pytest.mark.parametrize(
    ("details", "blocks"),
    [
        ([text("a", None), hidden("b", None), text("c", None)], ["a", "b", "c", "said", "call"]),
        ([text("a", 0), hidden("b", 0), text("c", 0)], ["a", "b", "c", "said", "call"]),
        ([text("a", 0), text("b", 2), hidden("c", None)], ["a", "said", "b", "c", "call"]),
        ([hidden("a", 1), text("b", 1)], ["said", "a", "b", "call"]),
        ([text("a", 0), text("b", 1), text("c", 9)], ["a", "b", "said", "call", "c"]),
    ],
)
def test_thoughts_go_back_in_their_order(details: list[dict[str, Any]], blocks: list[str]) -> None:
    assert sent(*details) == blocks
