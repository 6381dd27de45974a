"""What of a call reaches Anthropic, and what is said of the rest."""

import json
from typing import Any

import msgspec
import pytest

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change, Note
from dragoman.providers.anthropic.vertex import write_vertex
from dragoman.providers.dialect import Dialect, Kind
from dragoman.providers.openai.request import opaque
from dragoman.providers.registry import DIALECTS
from tests.providers.anthropic_calls import (
    DIALECT,
    HI,
    MODEL,
    TOOL,
    call,
    endpoint,
    provider,
    said,
    sent,
    write,
)

JSON = ("Content-Type", "application/json")
VERSION = ("anthropic-version", "2023-06-01")
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}, "additionalProperties": False}


def test_the_registry_fulfils_the_contract() -> None:
    dialect: Dialect = DIALECTS["anthropic"]
    assert dialect.speaks == "messages"
    assert dialect.fault(429, {}, b"").kind is Kind.RATE
    assert dialect.parser().feed(b"event: ping\ndata: {}\n\n") == [b"{}"]


def test_a_plain_call() -> None:
    outgoing = write(call(max_tokens=50))
    assert outgoing.path == "/messages"
    assert outgoing.headers == (JSON, ("Accept", "application/json"), VERSION)
    assert outgoing.body == (
        b'{"model":"claude-opus-4-5","max_tokens":50,"messages":[{"role":"user","content":"hi"}]}'
    )
    assert outgoing.notes == ()


def test_a_stream_is_asked_for() -> None:
    outgoing = write(call(max_tokens=5, stream=True, stream_options={"include_usage": True}))
    assert sent(outgoing)["stream"] is True
    assert outgoing.headers == (JSON, ("Accept", "text/event-stream"), VERSION)
    assert outgoing.notes == ()


def test_a_limit_is_put_where_there_is_none() -> None:
    assert sent(write(call()))["max_tokens"] == 64_000
    outgoing = write(call(), endpoint(MODEL, max_output=None))
    assert sent(outgoing)["max_tokens"] == 4096
    detail = "4096: this provider needs a limit"
    assert outgoing.notes == (Note(Change.INJECTED, "max_tokens", detail, "anthropic"),)


def test_what_was_decided_of_the_call_counts_before_its_members() -> None:
    asked = msgspec.structs.replace(call(max_completion_tokens=9), max_tokens=7, stream=True)
    body = sent(write(asked))
    assert (body["max_tokens"], body["stream"]) == (7, True)


def test_what_the_api_has_no_member_for_is_dropped_with_a_word() -> None:
    asked = call(
        max_tokens=5, seed=1, n=2, logprobs=True, top_logprobs=2, logit_bias={"1": 2}, min_p=0.1,
        frequency_penalty=1, presence_penalty=1, repetition_penalty=1.1, top_a=0.2,
        prediction={"type": "content", "content": "x"}, modalities=["text", "audio"],
        audio={"format": "wav", "voice": "a"}, image_config={}, prompt_cache_key="k",
        foo={"bar": 1}, function_call="auto",
    )  # fmt: skip
    outgoing = write(asked)
    assert sent(outgoing).keys() == {"model", "max_tokens", "messages"}
    assert said(outgoing) == [
        ("dropped", name)
        for name in asked.members
        if name not in {"model", "messages", "max_tokens"}
    ]


def test_what_asks_for_nothing_is_not_worth_a_word() -> None:
    asked = call(
        max_tokens=5, n=1, logprobs=False, top_p=1, top_k=0, logit_bias={}, seed=None, stop=None,
        frequency_penalty=0, modalities=["text"], store=False, tools=None, tool_choice=None,
        response_format=None, reasoning=None, temperature=None, service_tier=None, verbosity=None,
        cache_control=None, models=["a/b"], provider={}, metadata={"a": "b"},
        include_reasoning=True,
    )  # fmt: skip
    outgoing = write(asked)
    assert sent(outgoing).keys() == {"model", "max_tokens", "messages"}
    assert outgoing.notes == ()


def test_who_asks_is_told_as_an_opaque_id() -> None:
    outgoing = write(call(max_tokens=5, user="Eve"))
    assert sent(outgoing)["metadata"] == {"user_id": opaque("Eve")}
    assert said(outgoing) == [("renamed", "user")]


@pytest.mark.parametrize(("tier", "told"), [("auto", "auto"), ("default", "standard_only")])
def test_a_service_tier(tier: str, told: str) -> None:
    assert sent(write(call(max_tokens=5, service_tier=tier)))["service_tier"] == told
    assert "service_tier" not in sent(write(call(max_tokens=5, service_tier="flex")))


@pytest.mark.parametrize(
    ("members", "body", "noted"),
    [
        ({"temperature": 0.5, "top_k": 3}, {"temperature": 0.5, "top_k": 3}, []),
        ({"temperature": 1.7}, {"temperature": 1}, [("clamped", "temperature")]),
        ({"temperature": 0.5, "top_p": 0.9}, {"temperature": 0.5}, [("dropped", "top_p")]),
        ({"top_p": 0.9}, {"top_p": 0.9}, []),
    ],
)
def test_sampling(
    members: dict[str, Any], body: dict[str, Any], noted: list[tuple[str, str]]
) -> None:
    outgoing = write(call(max_tokens=5, **members))
    found = sent(outgoing)
    assert {
        name: found[name] for name in found if name in {"temperature", "top_p", "top_k"}
    } == body
    assert said(outgoing) == noted
    assert VERSION in outgoing.headers


def test_older_models_sample_twice_and_newer_ones_not_at_all() -> None:
    asked = call(max_tokens=5, temperature=0.5, top_p=0.9)
    assert sent(write(asked, "claude-opus-4-0")).keys() >= {"temperature", "top_p"}
    outgoing = write(asked, "claude-opus-4-7")
    assert not sent(outgoing).keys() & {"temperature", "top_p"}
    assert said(outgoing) == [("dropped", "temperature"), ("dropped", "top_p")]


def test_what_the_endpoint_does_not_list_is_not_sent() -> None:
    at = endpoint(MODEL, "max_tokens")
    asked = call(
        max_tokens=5, temperature=0.5, stop=["a"], tools=[TOOL], tool_choice="auto",
        reasoning={"effort": "low"},
    )  # fmt: skip
    outgoing = write(asked, at)
    assert sent(outgoing).keys() == {"model", "max_tokens", "messages"}
    assert {field for _, field in said(outgoing)} == {
        "temperature", "stop", "tools", "tool_choice", "reasoning",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("stop", "sequences", "noted"),
    [
        ("END", ["END"], []),
        (["a", "\n", "b"], ["a", "b"], [("dropped", "stop")]),
        ([" "], None, [("dropped", "stop")]),
        ([], None, []),
    ],
)
def test_stop(stop: Any, sequences: list[str] | None, noted: list[tuple[str, str]]) -> None:
    outgoing = write(call(max_tokens=5, stop=stop))
    assert sent(outgoing).get("stop_sequences") == sequences
    assert said(outgoing) == noted


def test_a_schema_binds_the_answer_of_a_model_that_can_be_bound() -> None:
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}
    outgoing = write(call(max_tokens=5, response_format=form))
    assert sent(outgoing)["output_config"] == {"format": {"type": "json_schema", "schema": SCHEMA}}
    assert outgoing.notes == ()


def test_a_schema_is_put_into_the_grammar_that_is_known() -> None:
    schema = {
        "type": "object",
        "properties": {
            "a": {"type": "integer", "minimum": 1},
            "b": {"oneOf": [{"type": "string", "format": "color"}, {"type": "null"}]},
            "c": {"type": "array", "minItems": 3, "items": {"type": "object"}},
            "minimum": {"type": "string", "format": "date"},
        },
        "$defs": {"d": {"type": "object", "additionalProperties": True}},
    }
    form = {"type": "json_schema", "json_schema": {"name": "n", "schema": schema}}
    outgoing = write(call(max_tokens=5, response_format=form))
    assert sent(outgoing)["output_config"]["format"]["schema"] == {
        "type": "object",
        "properties": {
            "a": {"type": "integer"},
            "b": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "c": {"type": "array", "items": {"type": "object", "additionalProperties": False}},
            "minimum": {"type": "string", "format": "date"},
        },
        "$defs": {"d": {"type": "object", "additionalProperties": False}},
        "additionalProperties": False,
    }
    assert said(outgoing) == [("clamped", "response_format")]
    assert outgoing.notes[0].detail.endswith("minimum, format, minItems, additionalProperties")


@pytest.mark.parametrize(
    ("form", "at", "told"),
    [
        ({"type": "json_object"}, MODEL, "one JSON object and nothing else"),
        (
            {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}},
            "claude-opus-4-1",
            json.dumps(SCHEMA, separators=(",", ":")),
        ),
        ({"type": "json_schema", "json_schema": {"name": "n"}}, MODEL, "one JSON object"),
    ],
)
def test_json_is_asked_for_in_words_where_nothing_binds(
    form: dict[str, Any], at: str, told: str
) -> None:
    asked = call({"role": "system", "content": "Be kind."}, HI, max_tokens=5, response_format=form)
    outgoing = write(asked, at)
    body = sent(outgoing)
    assert "output_config" not in body
    assert body["system"][0] == {"type": "text", "text": "Be kind."}
    assert told in body["system"][1]["text"]
    assert said(outgoing) == [("renamed", "response_format")]


def test_a_format_that_nobody_here_knows_is_dropped() -> None:
    outgoing = write(call(max_tokens=5, response_format={"type": "grammar", "grammar": "a"}))
    assert said(outgoing) == [("dropped", "response_format")]
    assert write(call(max_tokens=5, response_format={"type": "text"})).notes == ()


def test_the_whole_prompt_is_cached_by_a_member_or_by_a_mark() -> None:
    marker = {"type": "ephemeral", "ttl": "1h"}
    asked = call(max_tokens=5, cache_control=marker)
    assert sent(write(asked))["cache_control"] == marker
    outgoing = write(asked, rejects=frozenset({"cache_control"}))
    assert sent(outgoing)["messages"] == [
        {"role": "user", "content": [{"type": "text", "text": "hi", "cache_control": marker}]}
    ]
    assert said(outgoing) == [("renamed", "cache_control")]


def test_a_hosts_quirks_are_about_its_own_names() -> None:
    outgoing = write(
        call(max_tokens=5, user="a", stop="x"),
        rejects=frozenset({"metadata"}),
        renames={"stop_sequences": "stops"},
        adds={"speed": "fast", "max_tokens": "1"},
    )
    body = json.loads(outgoing.body)
    assert body.keys() == {"model", "max_tokens", "messages", "stops", "speed"}
    assert said(outgoing)[1:] == [
        ("dropped", "metadata"), ("renamed", "stop_sequences"), ("injected", "speed"),
    ]  # fmt: skip


def test_headers_of_a_row_are_sent_and_its_version_and_betas_joined() -> None:
    row = provider(
        headers={"Anthropic-Version": "2026-10-21", "anthropic-beta": "a-2026-01-01", "X-Own": "1"}
    )
    outgoing = DIALECT.request(call(max_tokens=5), endpoint(), row)
    assert outgoing.headers[2:] == (
        ("anthropic-version", "2026-10-21"),
        ("anthropic-beta", "a-2026-01-01"),
        ("X-Own", "1"),
    )


def test_a_file_of_the_providers_own_needs_its_beta() -> None:
    part = {"type": "file", "file": {"file_id": "file_1"}}
    outgoing = write(call({"role": "user", "content": [part]}, max_tokens=5))
    assert ("anthropic-beta", "files-api-2025-04-14") in outgoing.headers
    assert sent(outgoing)["messages"][0]["content"] == [
        {"type": "document", "source": {"type": "file", "file_id": "file_1"}}
    ]


def test_on_vertex_the_model_is_in_the_path_and_the_version_in_the_body() -> None:
    row = provider(slug="google-vertex", headers={"X-Own": "1"})
    at = endpoint("claude-haiku-4-5@20251001")
    outgoing = write_vertex(call(max_tokens=5, stream=True), at, row)
    assert outgoing.path == (
        "/publishers/anthropic/models/claude-haiku-4-5@20251001:streamRawPredict"
    )
    assert json.loads(outgoing.body) == {
        "anthropic_version": "vertex-2023-10-16",
        "max_tokens": 5,
        "messages": [HI],
        "stream": True,
    }
    assert outgoing.headers[2:] == (("X-Own", "1"),)
    whole = write_vertex(call(max_tokens=5), endpoint("claude/..;x"), row)
    assert whole.path == "/publishers/anthropic/models/claude%2F..%3Bx:rawPredict"


def test_what_cannot_be_said_names_field_and_provider() -> None:
    part = {"type": "input_audio", "input_audio": {"data": "aaaa", "format": "wav"}}
    asked = call(HI, {"role": "user", "content": [part]})
    with pytest.raises(
        InvalidRequest, match=r"^messages\.1\.content\.0: Anthropic takes no audio$"
    ):
        write(asked)
