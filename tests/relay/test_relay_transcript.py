"""What is gathered of a request: the first choice, as the client was told it, within bounds."""

import json
from typing import Any

import pytest
from msgspec import Raw
from msgspec.structs import replace

from dragoman.access.types import Terms
from dragoman.core.errors import ProviderTimeout
from dragoman.records.content import MOST_BYTES, Content
from dragoman.relay import transcript as transcripts
from dragoman.relay.transcript import Transcript, transcript_for
from dragoman.relay.visit import Visit
from dragoman.upstream.failover import Journey
from dragoman.wire.hub import Chunk, Members, Piece, StreamFault, Text
from tests.relay.scene import CALLER, Scene

STORING = replace(CALLER, terms=Terms(store_content=True))


class Turn:
    """A request that has ended after no attempt."""

    def __init__(self, **body: Any) -> None:
        visit = Scene(a=[]).visit(**body)
        self.visit: Visit = replace(visit, caller=STORING)
        self.journey = Journey(call=visit.call, plan=None, requested=(), deadline=0.0)  # type: ignore[arg-type]


def told(transcript: Transcript, **body: Any) -> Any:
    content: Content = transcript.content(Turn(**body))
    assert len(content.body) <= MOST_BYTES
    return json.loads(content.body)


def piece(index: int = 0, finish: str | None = None, **delta: str | None) -> Chunk:
    members: Members = {name: Raw(json.dumps(value).encode()) for name, value in delta.items()}
    return Chunk(pieces=(Piece(index=index, delta=members, finish_reason=finish),))


def test_the_parts_of_a_stream_become_one_text() -> None:
    transcript = Transcript(without_reasoning=False)
    transcript.hear([piece(reasoning="hm"), Text(0, b'"a\\n"'), Text(1, b'"other"')])
    transcript.hear([piece(content="b", refusal=None), piece(content=None, finish="stop")])
    transcript.hear([Text(0, b'"late"'), piece(content="late")])
    output = told(transcript)["output"]
    assert output == {"completion": "a\nb", "reasoning": "hm"}


def test_a_character_may_come_in_two_parts_or_half() -> None:
    transcript = Transcript(without_reasoning=False)
    transcript.hear([Text(0, b'"\\ud83d"'), Text(0, b'"\\ude00!\\ud83d"')])
    assert told(transcript)["output"]["completion"] == "\N{GRINNING FACE}!?"


def test_nothing_after_a_fault_is_heard() -> None:
    transcript = Transcript(without_reasoning=False)
    fault = StreamFault(status=500, code=None, message="no")
    transcript.hear([Text(0, b'"a"'), Chunk(fault=fault), Text(0, b'"b"')])
    assert told(transcript)["output"]["completion"] == "a"


def test_reasoning_that_the_client_did_not_want_is_left_out() -> None:
    transcript = Transcript(without_reasoning=True)
    transcript.hear([piece(reasoning="secret", content="a")])
    assert told(transcript)["output"] == {"completion": "a", "reasoning": None}


def test_what_is_too_long_is_left_out_and_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transcripts, "OUTPUT_BYTES", 12)
    transcript = Transcript(without_reasoning=False)
    transcript.hear([Text(0, b'"12345"'), Text(0, b'"67890"')])
    body = told(transcript)
    assert (body["output"]["completion"], body["truncated"]) == ("12345", True)
    whole = told(
        Transcript(without_reasoning=False),
        messages=[{"role": "user", "content": "x" * transcripts.INPUT_BYTES}],
    )
    assert (whole["input"], whole["truncated"]) == ({"messages": []}, True)


def test_the_longest_of_all_fits() -> None:
    transcript = Transcript(without_reasoning=False)
    part = b'"%b"' % (b"\\u0001" * 1000)
    transcript.hear([Text(0, part)] * 1000)
    long = "y" * (transcripts.INPUT_BYTES - 100)
    body = told(transcript, messages=[{"role": "user", "content": long}])
    assert body["truncated"]


def test_an_error_is_told() -> None:
    transcript = Transcript(without_reasoning=False)
    transcript.failed(ProviderTimeout("too late"))
    assert told(transcript)["error"] == {
        "message": "too late",
        "status": 504,
        "provider_name": None,
        "raw": None,
        "previous_errors": [],
    }


@pytest.mark.parametrize(
    ("caller", "provider", "stored"),
    [
        (CALLER, {}, False),
        (STORING, {}, True),
        (STORING, {"data_collection": "allow"}, True),
        (STORING, {"data_collection": "deny"}, False),
        (STORING, {"zdr": True}, False),
    ],
)
def test_there_is_one_only_where_the_account_and_the_request_agree(
    caller: Any, provider: dict[str, Any], *, stored: bool
) -> None:
    visit = replace(Scene(a=[]).visit(provider=provider), caller=caller)
    found = transcript_for(visit, visit.call.preferences)
    assert (found is not None) is stored
