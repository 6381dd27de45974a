"""What a demo host streams, gathered, is what it answers whole."""

from typing import Any

import msgspec
import pytest

from dragoman.providers.openai.answers import OpenAiDecoder, read_answer
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Answer, Text
from tests.providers.demo_host import TOOLS, body, events, play, user

_any = msgspec.json.Decoder().decode


def gathered(**members: Any) -> Answer:
    decoder, gathering = OpenAiDecoder(), Gathering()
    found = events(play(stream=True, stream_options={"include_usage": True}, **members))
    for data in found[:-1]:
        chunk = decoder.feed(data.encode())
        if isinstance(chunk, Text):
            gathering.hear(chunk)
        elif chunk is not None:
            gathering.see(chunk)
    assert gathering.complete
    return gathering.answer()


def plain(answer: Answer) -> Any:
    """Return an answer's values, apart from how their JSON is written, and from what is nothing."""
    choices = [
        (
            choice.index,
            {n: v for n, raw in choice.message.items() if (v := _any(raw)) not in (None, [])},
            choice.finish_reason,
            choice.native_finish_reason,
            choice.logprobs and _any(choice.logprobs),
        )
        for choice in answer.choices
    ]
    return choices, answer.usage, answer.system_fingerprint, answer.service_tier


SCHEMA = {
    "type": "json_schema",
    "json_schema": {"name": "x", "schema": {"type": "object", "properties": {"a": {}}}},
}


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"messages": user('Zwei Wörter 😀\n"quoted"')},
        {"model": "scholar"},
        {"model": "scholar", "reasoning": {"effort": "high"}},
        {"model": "scholar", "tools": TOOLS[2:], "tool_choice": "required"},
        {"model": "scholar", "tools": TOOLS[2:], "messages": user("the weather, please")},
        {"model": "scholar", "response_format": SCHEMA},
        {"n": 3},
        {"max_tokens": 2},
        {"logprobs": True},
    ],
)
def test_a_stream_gathered_is_the_whole_answer(members: dict[str, Any]) -> None:
    whole = read_answer(body(play(**members)))
    assert plain(gathered(**members)) == plain(whole)
