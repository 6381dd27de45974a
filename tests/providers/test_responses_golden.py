"""The golden files of the Responses API: see `golden/responses/README.md`."""

import json
from pathlib import Path
from typing import Any, get_args

import msgspec
import pytest

from dragoman.catalog.shipped import Spoken
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import parse_chat
from dragoman.wire.hub import Chunk, Text
from tests.providers.openai_calls import endpoint, provider
from tests.providers.responses_calls import notes, sent

GOLDEN = Path(__file__).parent / "golden" / "responses"
DIALECT = DIALECTS["responses"]
ERRORS: list[Any] = json.loads((GOLDEN / "errors.json").read_bytes())
MODEL = endpoint(
    "max_tokens", "reasoning", "tools", "tool_choice", "parallel_tool_calls", "response_format",
    "structured_outputs",
)  # fmt: skip


def plain(chunk: Chunk | Text) -> Any:
    """A chunk as JSON, less the event it came as."""
    if isinstance(chunk, Text):
        return {"text": json.loads(chunk.content)}
    whole = msgspec.structs.replace(chunk, native=None)
    found = json.loads(msgspec.json.encode(whole))
    return {name: value for name, value in found.items() if value}


def test_what_an_agent_asks() -> None:
    asked = parse_chat((GOLDEN / "agent.chat.json").read_bytes())
    outgoing = DIALECT.request(asked, MODEL, provider(dialect="responses"))
    expected = json.loads((GOLDEN / "agent.sent.json").read_bytes())
    assert {"body": sent(outgoing), "notes": [list(each) for each in notes(outgoing)]} == expected


def test_what_comes_back() -> None:
    parser, decoder = DIALECT.parser(), DIALECT.decoder()
    events = parser.feed((GOLDEN / "stream.sse").read_bytes())
    found = [plain(chunk) for event in events if (chunk := decoder.feed(event)) is not None]
    assert found == json.loads((GOLDEN / "stream.hub.json").read_bytes())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: f"{error['status']}")
def test_what_refusals_mean(error: Any) -> None:
    fault = DIALECT.fault(error["status"], {}, json.dumps(error["body"]).encode())
    assert (fault.kind, fault.error_type) == (error["kind"], error["error_type"])
    assert fault.message == error["body"]["error"]["message"]


def test_every_dialect_that_the_catalog_may_name_is_spoken() -> None:
    assert set(get_args(Spoken)) <= DIALECTS.keys()
