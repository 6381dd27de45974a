"""What the hub gets of Gemini's answers, whole and streamed, sane and not."""

import json
from pathlib import Path
from typing import Any

import pytest

from dragoman.providers.gemini.answers import FINISH, GeminiDecoder, finish, read_answer
from dragoman.providers.gemini.dialect import GeminiDialect
from dragoman.wire.gather import Gathering
from dragoman.wire.hub import Chunk, Text
from tests.providers import gemini_calls as gemini

STREAMS = gemini.golden("streams")
WHOLE = [path for path in STREAMS if path.stem not in {"error", "sound"}]
"""Streams that could have come as one answer; sound comes in one part then."""


def each(paths: list[Path]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("path", paths, ids=lambda path: path.stem)


def lines(events: list[Any]) -> bytes:
    rows = [json.dumps(event, ensure_ascii=False).encode() for event in events]
    return b"".join(b"data: %b\r\n\r\n" % row for row in rows)


def heard(data: bytes, size: int) -> list[Any]:
    """Return what the hub gets of a stream that comes in pieces of `size` bytes."""
    dialect = GeminiDialect()
    parser, decoder = dialect.parser(), dialect.decoder()
    found = []
    for place in range(0, len(data), size):
        events = parser.feed(data[place : place + size])
        found += [gemini.shown(decoder.feed(event)) for event in events]
    return found


@each(STREAMS)
def test_streams_are_as_the_golden_files_have_them(path: Path) -> None:
    told = gemini.read(path)
    assert heard(lines(told["events"]), 1 << 20) == told["hub"]


@each(STREAMS)
@pytest.mark.parametrize("size", [1, 7, 100])
def test_a_stream_does_not_depend_on_how_the_network_cuts_it(path: Path, size: int) -> None:
    told = gemini.read(path)
    assert heard(lines(told["events"]), size) == told["hub"]


def whole(events: list[Any]) -> bytes:
    """Return the answer that would have come for a stream: all parts of each candidate."""
    answer: dict[str, Any] = {}
    candidates: dict[int, Any] = {}
    for event in events:
        answer |= event
        for place, candidate in enumerate(event.get("candidates", ())):
            one = candidates.setdefault(candidate.get("index", place), {"content": {"parts": []}})
            one["content"]["parts"] += candidate.get("content", {}).get("parts", [])
            one |= {name: value for name, value in candidate.items() if name != "content"}
    if candidates:
        answer["candidates"] = [candidates[index] for index in sorted(candidates)]
    return json.dumps(answer).encode()


@each(WHOLE)
def test_streamed_and_whole_answers_agree(path: Path) -> None:
    events = gemini.read(path)["events"]
    decoder, gathering, fault = GeminiDecoder(), Gathering(), None
    for event in events:
        chunk = decoder.feed(json.dumps(event).encode())
        if isinstance(chunk, Text):
            gathering.hear(chunk)
        elif chunk is not None:
            gathering.see(chunk)
            fault = fault or chunk.fault
    gathered, answer = gathering.answer(), read_answer(whole(events))
    assert fault == answer.fault
    assert gathered.usage == answer.usage
    assert gathered.upstream_id == answer.upstream_id
    assert len(gathered.choices) == len(answer.choices)
    for one, other in zip(gathered.choices, answer.choices, strict=True):
        streamed, at_once = gemini.plain(one.message), gemini.plain(other.message)
        assert {"content": "", **streamed, "role": ""} == {"content": "", **at_once, "role": ""}
        assert one.finish_reason == other.finish_reason
        assert one.native_finish_reason == other.native_finish_reason
        assert (one.logprobs is None) == (other.logprobs is None)


@pytest.mark.parametrize(
    ("native", "called", "expected"),
    [
        ("STOP", False, "stop"),
        ("STOP", True, "tool_calls"),
        ("MAX_TOKENS", True, "length"),
        ("RECITATION", False, "content_filter"),
        ("MODEL_ARMOR", False, "content_filter"),
        ("UNEXPECTED_TOOL_CALL", True, "error"),
        ("OTHER", False, "error"),
        ("SOMETHING_NEW", False, "stop"),
    ],
)
def test_finish_reasons(native: str, called: bool, expected: str) -> None:  # noqa: FBT001
    assert finish(native, called=called) == expected


def test_every_finish_reason_has_a_word_of_the_hubs() -> None:
    assert set(FINISH.values()) == {"length", "content_filter", "error"}


def test_an_unspecified_reason_ends_nothing() -> None:
    chunk = GeminiDecoder().feed(gemini.event({"text": "a"}, finish="FINISH_REASON_UNSPECIFIED"))
    assert isinstance(chunk, Chunk)
    assert chunk.pieces[0].finish_reason is None


def test_usage_counts_only_once_an_answer_ends() -> None:
    decoder = GeminiDecoder()
    usage = {"usageMetadata": {"promptTokenCount": 3, "candidatesTokenCount": 1}}
    first = json.loads(gemini.event({"text": "a"})) | usage
    chunk = decoder.feed(json.dumps(first).encode())
    assert isinstance(chunk, Chunk)
    assert chunk.usage is None
    last = decoder.feed(gemini.event(finish="STOP"))
    assert isinstance(last, Chunk)
    assert last.usage is not None
    assert (last.usage.prompt, last.usage.completion) == (3, 1)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"7",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"candidates":',
        b'{"candidates":7}',
        b'{"candidates":[7]}',
        b'{"candidates":[{"content":{"parts":[{"functionCall":[]}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
        b'{"candidates":[{"content":{"parts":[{"text":"\\q"}]}}]}',
        b'{"candidates":[{"groundingMetadata":{"groundingChunks":7}}]}',
        b'{"candidates":[{"logprobsResult":{"chosenCandidates":[{"token":7}]}}]}',
        b'{"candidates":' + b"[" * 100_000,
        b'{"candidates":[{"content":{"parts":[{"functionCall":{"name":"f","args":'
        + b'{"a":' * 50_000
        + b"1"
        + b"}" * 50_000
        + b"}}]}}]}",
    ],
)
def test_nonsense_is_a_value_error_and_nothing_else(data: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - any is right
        GeminiDecoder().feed(data)
    with pytest.raises(ValueError):  # noqa: PT011
        read_answer(data)


@pytest.mark.parametrize("data", [b"{}", b'{"usageMetadata":{}}', b'{"promptFeedback":{}}'])
def test_a_whole_answer_that_says_nothing_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="without candidates"):
        read_answer(data)


@pytest.mark.parametrize(
    "part",
    [
        {},
        {"text": ""},
        {"text": None},
        {"text": 7},
        {"thought": True, "text": ""},
        {"thought": True, "inlineData": {"mimeType": "image/png", "data": "AA=="}},
        {"inlineData": {"mimeType": "image/png"}},
        {"inlineData": {"mimeType": "model/gltf", "data": "AA=="}},
        {"executableCode": {"language": "PYTHON", "code": "1"}},
        {"somethingNew": {}},
    ],
)
def test_parts_that_say_nothing_the_hub_knows_add_nothing(part: Any) -> None:
    decoder = GeminiDecoder()
    decoder.feed(gemini.event({"text": "a"}))
    assert decoder.feed(gemini.event(part)) is None
    assert read_answer(gemini.event(part)).choices[0].message == {}


def test_events_that_come_twice_or_late_break_nothing() -> None:
    decoder = GeminiDecoder()
    ended = gemini.event({"text": "a"}, finish="STOP")
    found = [gemini.shown(decoder.feed(data)) for data in (ended, ended, gemini.event())]
    assert found[0] == found[1]
    assert found[2] is None


def test_a_long_image_is_one_event() -> None:
    parser = GeminiDialect().parser()
    data = gemini.event({"inlineData": {"mimeType": "image/png", "data": "A" * 3_000_000}})
    assert parser.feed(b"data: " + data + b"\n\n") == [data]


def test_calls_without_ids_get_the_same_ones_whenever_they_are_read() -> None:
    data = gemini.event(
        {"functionCall": {"name": "f", "args": {}}}, {"functionCall": {"name": "f", "args": {}}}
    )
    ids = [
        [
            call["id"]
            for call in json.loads(bytes(read_answer(data).choices[0].message["tool_calls"]))
        ]
        for _ in range(2)
    ]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 2


def test_where_a_citation_stands_is_not_told_in_bytes() -> None:
    found = {"groundingChunks": [{"web": {"uri": "https://a", "title": "A"}}]}
    support = {"segment": {"startIndex": 0, "endIndex": 3}, "groundingChunkIndices": [0, 9]}
    answer = json.loads(gemini.event({"text": "Bär"}, finish="STOP"))
    answer["candidates"][0]["groundingMetadata"] = {**found, "groundingSupports": [support]}
    message = read_answer(json.dumps(answer).encode()).choices[0].message
    (cited,) = json.loads(bytes(message["annotations"]))
    citation = cited["url_citation"]
    assert (citation["url"], citation["start_index"], citation["end_index"]) == ("https://a", 0, 0)


@pytest.mark.parametrize(
    ("said", "tier"),
    [
        ({"serviceTier": "standard"}, "default"),
        ({"serviceTier": "flex"}, "flex"),
        ({"serviceTier": "priority"}, "priority"),
        ({"trafficType": "ON_DEMAND"}, "default"),
        ({"trafficType": "ON_DEMAND_FLEX"}, "flex"),
        ({"trafficType": "ON_DEMAND_PRIORITY"}, "priority"),
        ({"trafficType": "PROVISIONED_THROUGHPUT"}, None),
        ({"serviceTier": 7}, None),
        ({}, None),
    ],
)
def test_the_tier_that_served_is_told_with_the_usage(
    said: dict[str, Any], tier: str | None
) -> None:
    event = {
        "candidates": [{"content": {"parts": [{"text": "a"}]}, "finishReason": "STOP"}],
        "usageMetadata": {"promptTokenCount": 1, "candidatesTokenCount": 1, **said},
    }
    data = json.dumps(event).encode()
    chunk = GeminiDecoder().feed(data)
    assert isinstance(chunk, Chunk)
    assert (chunk.service_tier, read_answer(data).service_tier) == (tier, tier)


@pytest.mark.parametrize(
    "part",
    [
        {"inlineData": {"mimeType": "image/png", "data": "QQ=="}},
        {"functionCall": {"name": "f", "args": {}}},
    ],
)
def test_each_signature_is_a_detail_of_its_own_and_names_what_it_signs(part: Any) -> None:
    parts = [{**part, "thoughtSignature": each} for each in ("s1", "s2")]
    candidate = {"content": {"parts": parts}, "finishReason": "STOP"}
    message = read_answer(json.dumps({"candidates": [candidate]}).encode()).choices[0].message
    details = json.loads(bytes(message["reasoning_details"]))
    assert [(each["data"], each["index"]) for each in details] == [("s1", 0), ("s2", 1)]
    assert len({each["id"] for each in details}) == 2
    if "functionCall" in part:
        calls = json.loads(bytes(message["tool_calls"]))
        assert [each["id"] for each in calls] == [each["id"] for each in details]


@pytest.mark.parametrize("native", ["MAX_TOKENS", "CONTINUATION"])
def test_an_answer_that_grew_too_long_says_so(native: str) -> None:
    assert finish(native, called=False) == finish(native, called=True) == "length"


PAGE = {"uri": "https://a.b", "startIndex": 0, "endIndex": 1}


@pytest.mark.parametrize(
    "beside",
    [
        {"groundingMetadata": {"webSearchQueries": ["q"]}},
        {"citationMetadata": {"citationSources": [PAGE]}},
    ],
)
def test_text_with_sources_beside_it_is_told_with_them(beside: Any) -> None:
    def event(**more: Any) -> bytes:
        content = {"parts": [{"text": "a"}]}
        return json.dumps({"candidates": [{"content": content, **more}]}).encode()

    decoder = GeminiDecoder()
    decoder.feed(event())
    assert isinstance(decoder.feed(event()), Text)
    assert isinstance(decoder.feed(event(**beside)), Chunk)
