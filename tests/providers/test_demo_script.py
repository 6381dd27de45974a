"""The demo hosts refuse, fail and keep their pace as real ones do, and as they were asked to."""

import json
from math import inf
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from dragoman.providers.demo.script import Script, refused, script
from dragoman.providers.demo.speeds import SPEEDS
from tests.providers.demo_host import TOOLS, body, events, play, said, user


@pytest.mark.parametrize(
    ("members", "status", "code", "words"),
    [
        ({"model": "gpt-4o"}, 404, "model_not_found", "gpt-4o"),
        ({"model": None}, 400, None, "$.model"),
        ({"messages": []}, 400, None, "$.messages"),
        ({"n": 9}, 400, None, "$.n"),
        ({"max_tokens": 0}, 400, None, "$.max_tokens"),
        ({"tools": TOOLS, "tool_choice": {"function": {"name": "no"}}}, 400, None, "'no'"),
        ({"messages": user("x" * 600_000)}, 400, "context_length_exceeded", "131072"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": False}}},
            400, "invalid_json_schema", "response_format",
        ),
        (
            {"tools": [{"function": {"name": "t", "parameters": {"type": 5}}}]},
            400, "invalid_json_schema", "tool 't'",
        ),
    ],
    ids=lambda value: str(value)[:40],
)  # fmt: skip
def test_a_bad_request_is_refused_in_openai_words(
    members: dict[str, Any], status: int, code: str | None, words: str
) -> None:
    found = play(**members)
    assert found.status == status
    assert found.headers["content-type"] == "application/json"
    error = json.loads(body(found))["error"]
    assert (error["type"], error["code"]) == ("invalid_request_error", code)
    assert words in error["message"]


@pytest.mark.parametrize(
    "request_body", [b"", b"{", b"[]", b"\xff", b"[" * 5000, b'{"model":"parrot"}', b"null"]
)
def test_a_body_that_is_no_request_is_refused(request_body: bytes) -> None:
    found = script(request_body, provider="demo-swift", seed=0, now=0)
    assert found.status == 400


@given(st.binary(max_size=60))
def test_whatever_the_body_there_is_a_script(request_body: bytes) -> None:
    assert script(request_body, provider="demo-steady", seed=0, now=0).status == 400


@given(
    st.text(max_size=60),
    st.fixed_dictionaries(
        {
            "model": st.sampled_from(["parrot", "scholar"]),
            "stream": st.booleans(),
            "max_tokens": st.none() | st.integers(1, 30),
            "stop": st.none() | st.text(max_size=3),
            "n": st.none() | st.integers(1, 3),
            "logprobs": st.none() | st.booleans(),
            "reasoning_effort": st.sampled_from([None, "low", "none"]),
        }
    ),
)
def test_whatever_is_asked_the_answer_can_be_read(text: str, members: dict[str, Any]) -> None:
    request = msgspec.json.encode(members | {"messages": user(text)})
    found = script(request, provider="demo-swift", seed=1, now=2.0)
    assert found.status == 200
    if not members["stream"]:
        ChatCompletion.model_validate_json(body(found), strict=True)
        return
    *chunks, done = events(found)
    assert done == "[DONE]"
    for chunk in chunks:
        ChatCompletionChunk.model_validate_json(chunk, strict=True)


@pytest.mark.parametrize("provider", SPEEDS)
def test_each_host_keeps_its_pace(provider: str) -> None:
    speed = SPEEDS[provider]
    stream = play(provider, stream=True)
    assert stream.head_s == play(provider).head_s == speed.first_token_s
    pauses = [pause for pause, _ in stream.frames]
    assert pauses == [0, 0, 1 / speed.tokens_per_s, 1 / speed.tokens_per_s, 0, 0]
    assert [pause for pause, _ in play(provider).frames] == [0]


def test_an_unknown_host_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(KeyError):
        play("demo-unheard-of")


def faulty(marker: str, **members: Any) -> Script:
    return play(messages=user(f"one two three four {marker}"), **members)


@pytest.mark.parametrize(
    ("marker", "status", "kind", "code"),
    [
        ("[[fault:status]]", 503, "server_error", None),
        ("[[fault:status 401]]", 401, "invalid_request_error", "invalid_api_key"),
        ("[[fault:status 404]]", 404, "invalid_request_error", "model_not_found"),
        ("[[fault:retry-after 7]]", 429, "invalid_request_error", "rate_limit_exceeded"),
    ],
)
def test_a_status_on_request(marker: str, status: int, kind: str, code: str | None) -> None:
    found = faulty(marker)
    assert found.status == status
    assert json.loads(body(found))["error"]["type"] == kind
    assert json.loads(body(found))["error"]["code"] == code
    assert found.headers.get("retry-after") == ("7" if status == 429 else None)


def test_strange_answers_on_request() -> None:
    assert (faulty("[[fault:empty]]").status, body(faulty("[[fault:empty]]"))) == (200, b"")
    page = faulty("[[fault:html]]", stream=True)
    assert (page.status, page.headers["content-type"]) == (200, "text/html")
    assert body(page).startswith(b"<!DOCTYPE html>")


def test_slowness_on_request() -> None:
    assert faulty("[[fault:slow 2.5]]").head_s == pytest.approx(2.54)
    slow = faulty("[[fault:slow]]", stream=True)
    assert slow.head_s == pytest.approx(5.04)
    assert events(slow)[-1] == "[DONE]"


def test_hanging_on_request() -> None:
    assert faulty("[[fault:hang]]").head_s == inf
    assert faulty("[[fault:hang 2]]").head_s == inf
    assert faulty("[[fault:hang]]", stream=True).head_s == inf
    stream = faulty("[[fault:hang 2]]", stream=True)
    assert stream.head_s == 0.040
    assert stream.ending == "hang"
    assert len(stream.frames) == 1 + 2


@pytest.mark.parametrize(("place", "frames"), [(0, 1), (2, 3), (100, 5)])
def test_a_cut_on_request(place: int, frames: int) -> None:
    stream = faulty(f"[[fault:cut {place}]]", stream=True)
    assert stream.ending == "cut"
    assert len(stream.frames) == frames
    whole = faulty(f"[[fault:cut {place}]]")
    assert whole.ending == "cut"
    with pytest.raises(ValueError, match="JSON"):
        ChatCompletion.model_validate_json(body(whole))


def test_malformed_bytes_on_request() -> None:
    found = events(faulty("[[fault:malformed 1]]", stream=True))
    unreadable = [place for place, each in enumerate(found[:-1]) if not _is_json(each)]
    assert unreadable == [2]
    assert found[-1] == "[DONE]"
    whole = faulty("[[fault:malformed]]")
    assert whole.ending == "end"
    assert not _is_json(body(whole).decode())


def test_an_error_inside_a_good_answer_on_request() -> None:
    found = events(faulty("[[fault:sse-error 1]]", stream=True))
    assert len(found) == 3
    assert json.loads(found[-1])["error"]["type"] == "server_error"
    whole = faulty("[[fault:sse-error]]")
    assert whole.status == 200
    assert json.loads(body(whole))["error"]["type"] == "server_error"


def test_a_marker_is_not_echoed_and_does_not_change_the_words() -> None:
    assert said(messages=user("Hi [[fault:status 503 @demo-thrifty]]")) == "Hi"
    plain = said(model="scholar", messages=user("Hi"))
    marked = user("Hi [[fault:slow 1 @demo-thrifty]]")
    assert said(model="scholar", messages=marked) == plain


def test_an_unknown_fault_explains_the_known_ones() -> None:
    for members in ({}, {"tools": TOOLS}, {"model": "scholar", "reasoning_effort": "high"}):
        text = said(messages=user("[[fault:explode]]"), **members)
        assert "'explode'" in text
        assert "`cut N`" in text


def test_a_refusal_can_be_made_by_hand() -> None:
    assert json.loads(body(refused(404, "no", None)))["error"]["code"] == "model_not_found"
    assert json.loads(body(refused(418, "no", "teapot")))["error"]["code"] == "teapot"


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True
