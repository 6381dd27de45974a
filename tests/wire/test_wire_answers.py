"""Answers in OpenRouter's words: always JSON, whatever a provider said."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.wire.answers import Billing, ChunkWriter, Stamp, answer_body, usage_body
from dragoman.wire.hub import Answer, Choice, Members, Piece, Text
from dragoman.wire.sse import SseParser
from dragoman.wire.usage import Usage

STAMP = Stamp(id="gen-1", created=1, model="acme/turbo", provider="Acme")
PAID = Billing(cost=0.25, upstream=0.25, prompt=0.05, completion=0.2)
USAGE = usage_body(Usage(prompt=3, completion=4), PAID)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip
SPELLINGS: list[dict[str, Any]] = [
    {"separators": (",", ":")},
    {"indent": 2},
    {"ensure_ascii": False},
    {"indent": "\r\n\t"},
]
"""How a provider may write the same JSON, line ends between tokens included."""

RAWS = st.builds(
    lambda value, spelling: Raw(json.dumps(value, **spelling).encode()),
    JSON,
    st.sampled_from(SPELLINGS),
)
NAMES = st.sampled_from(["role", "content", "tool_calls", "reasoning", "refusal"]) | st.text()
MEMBERS = st.dictionaries(NAMES, RAWS, max_size=4)
WORDS = st.none() | st.text()
STAMPS = st.builds(
    Stamp, id=st.text(), created=st.integers(0, 2**40), model=st.text(), provider=st.text()
)
PIECES = st.builds(
    Piece,
    index=st.integers(0, 128),
    delta=MEMBERS,
    finish_reason=WORDS,
    native_finish_reason=WORDS,
    logprobs=st.none() | RAWS,
)
ANSWERS = st.builds(
    Answer,
    choices=st.lists(
        st.builds(
            Choice,
            index=st.integers(0, 128),
            message=MEMBERS,
            finish_reason=WORDS,
            native_finish_reason=WORDS,
            logprobs=st.none() | RAWS,
        ),
        max_size=3,
    ).map(tuple),
    service_tier=WORDS,
    system_fingerprint=WORDS,
)


def members(**values: object) -> Members:
    return {name: Raw(json.dumps(value).encode()) for name, value in values.items()}


def read(event: bytes) -> Any:
    """Return the JSON of what a client takes for exactly one event."""
    (one,) = SseParser().feed(event)
    return json.loads(one)


def strictly(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object of members, each of which must be there once."""
    assert len(dict(pairs)) == len(pairs)
    return dict(pairs)


@given(STAMPS, st.lists(PIECES, min_size=1, max_size=3), st.none() | st.text())
def test_a_chunk_is_one_event_with_all_that_its_pieces_hold(
    stamp: Stamp, pieces: list[Piece], tier: str | None
) -> None:
    writer = ChunkWriter(stamp)
    if tier is not None:
        writer.tier(tier)
    chunk = read(writer.pieces(tuple(pieces)))
    assert (chunk["id"], chunk["model"], chunk["provider"]) == (
        stamp.id,
        stamp.model,
        stamp.provider,
    )
    assert chunk.get("service_tier") == tier
    for choice, piece in zip(chunk["choices"], pieces, strict=True):
        assert choice["index"] == piece.index
        assert choice["finish_reason"] == piece.finish_reason
        if piece.finish_reason is not None:
            assert choice["native_finish_reason"] == piece.native_finish_reason
        if piece.logprobs is not None:
            assert choice["logprobs"] == json.loads(bytes(piece.logprobs))
        delta = choice["delta"]
        assert delta["role"] == "assistant"
        for name, value in piece.delta.items():
            if name != "role":
                assert delta[name] == json.loads(bytes(value))


@given(PIECES)
def test_every_event_that_ends_a_stream_is_json(last: Piece) -> None:
    writer = ChunkWriter(STAMP)
    usage = read(writer.usage(last, USAGE, b',"more":1'))
    assert usage["usage"]["total_tokens"] == 7
    assert usage["more"] == 1
    (choice,) = usage["choices"]
    assert choice["index"] == last.index
    assert choice["delta"] == {"role": "assistant", "content": ""}
    assert choice["finish_reason"] == last.finish_reason


@given(STAMPS, ANSWERS)
def test_a_whole_answer_is_json_with_all_that_its_choices_hold(
    stamp: Stamp, answer: Answer
) -> None:
    body = json.loads(answer_body(stamp, answer, USAGE, b',"more":1'), object_pairs_hook=strictly)
    assert (body["object"], body["id"], body["more"]) == ("chat.completion", stamp.id, 1)
    assert (body["service_tier"], body["system_fingerprint"]) == (
        answer.service_tier,
        answer.system_fingerprint,
    )
    for said, choice in zip(body["choices"], answer.choices, strict=True):
        assert (said["finish_reason"], said["native_finish_reason"]) == (
            choice.finish_reason,
            choice.native_finish_reason,
        )
        assert {"role", "content", "refusal", "reasoning"} <= said["message"].keys()
        for name, value in choice.message.items():
            assert said["message"][name] == json.loads(bytes(value))


@pytest.mark.parametrize(
    ("delta", "written"),
    [
        (members(content="x"), {"role": "assistant", "content": "x"}),
        (members(role="tool", content="x"), {"role": "assistant", "content": "x"}),
        ({}, {"role": "assistant", "content": ""}),
        (
            members(tool_calls=[{"index": 0}]),
            {"role": "assistant", "content": None, "tool_calls": [{"index": 0}]},
        ),
        (
            members(tool_calls=[], content="x"),
            {"role": "assistant", "content": "x", "tool_calls": []},
        ),
        (members(reasoning="hm"), {"role": "assistant", "content": "", "reasoning": "hm"}),
    ],
)
def test_a_delta_always_has_a_role_and_a_content(delta: Members, written: object) -> None:
    chunk = read(ChunkWriter(STAMP).pieces((Piece(index=0, delta=delta),)))
    assert chunk["choices"][0]["delta"] == written


def test_numbers_keep_the_digits_in_which_they_came() -> None:
    delta = {"content": Raw(b'"x"'), "odds": Raw(b"1.10000000000000000001e+3")}
    assert b"1.10000000000000000001e+3" in ChunkWriter(STAMP).pieces((Piece(index=0, delta=delta),))


@pytest.mark.parametrize("usage", [None, USAGE])
def test_an_error_ends_a_stream_with_a_choice_that_says_so(usage: bytes | None) -> None:
    event = read(ChunkWriter(STAMP).error(b'{"code":502}', usage, b',"more":1'))
    assert event["error"] == {"code": 502}
    assert [choice["finish_reason"] for choice in event["choices"]] == ["error"]
    assert ("usage" in event, event["more"]) == (usage is not None, 1)


@given(JSON, st.sampled_from(SPELLINGS))
def test_what_was_sent_upstream_is_echoed_in_one_event(
    sent: object, spelling: dict[str, Any]
) -> None:
    event = read(ChunkWriter(STAMP).debug(json.dumps({"body": sent}, **spelling).encode()))
    assert event["debug"]["echo_upstream_body"] == {"body": sent}
    assert event["choices"] == []


def test_usage_has_every_count_that_clients_read() -> None:
    usage = Usage(
        prompt=10,
        completion=20,
        reasoning=5,
        cached=4,
        cache_write=3,
        prompt_audio=2,
        completion_audio=1,
        completion_image=6,
    )
    assert msgspec.json.decode(usage_body(usage, PAID)) == {
        "prompt_tokens": 10,
        "completion_tokens": 20,
        "total_tokens": 30,
        "cost": 0.25,
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": 4,
            "cache_write_tokens": 3,
            "audio_tokens": 2,
            "video_tokens": 0,
        },
        "cost_details": {
            "upstream_inference_cost": 0.25,
            "upstream_inference_prompt_cost": 0.05,
            "upstream_inference_completions_cost": 0.2,
        },
        "completion_tokens_details": {
            "reasoning_tokens": 5,
            "image_tokens": 6,
            "audio_tokens": 1,
        },
    }


def test_an_unknown_cost_is_left_out_rather_than_null() -> None:
    """A null there makes the official JavaScript clients refuse the whole answer."""
    unknown = Billing(cost=None, upstream=None, prompt=None, completion=None)
    body = json.loads(usage_body(Usage(prompt=1), unknown))
    assert body["prompt_tokens"] == 1
    assert "cost" not in body
    assert "cost_details" not in body


@given(STAMPS, st.integers(0, 128), st.text(min_size=1), st.none() | st.text(min_size=1))
def test_text_is_written_in_its_short_form_as_in_the_long_one(
    stamp: Stamp, index: int, said: str, tier: str | None
) -> None:
    writer, content = ChunkWriter(stamp), msgspec.json.encode(said)
    if tier is not None:
        writer.tier(tier)
    spelled_out = writer.pieces((Piece(index=index, delta={"content": Raw(content)}),))
    assert writer.text(Text(index, content)) == spelled_out


@given(st.none() | st.text())
def test_a_plain_message_is_written_as_one_that_says_more_is(said: str | None) -> None:
    content = Raw(msgspec.json.encode(said))
    plain: Members = {"content": content, "role": Raw(b'"assistant"')}
    choices = [
        Choice(index=0, message=message, finish_reason="stop", native_finish_reason="stop")
        for message in (plain, {**plain, "refusal": Raw(b"null")})
    ]
    short, long = [answer_body(STAMP, Answer(choices=(each,)), USAGE) for each in choices]
    assert short == long
