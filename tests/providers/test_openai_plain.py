"""The short way to read an answer says what the long way says, or nothing."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw

from dragoman.providers.openai.answers import read_answer, read_any
from dragoman.providers.openai.plain import read_plain

PLAIN: dict[str, Any] = {
    "id": "a",
    "choices": [{
        "index": 0,
        "message": {"role": "assistant", "content": "Yes.", "refusal": None, "annotations": []},
        "logprobs": None,
        "finish_reason": "stop",
    }],
    "usage": {"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5},
    "service_tier": "default",
    "system_fingerprint": "fp",
}  # fmt: skip


def body_of(top: dict[str, Any], choice: dict[str, Any], message: dict[str, Any]) -> bytes:
    said = {**PLAIN["choices"][0]["message"], **message}
    answer = {**PLAIN, "choices": [{**PLAIN["choices"][0], "message": said, **choice}], **top}
    return json.dumps(answer, ensure_ascii=False).encode()


def test_a_plain_answer_is_read_the_short_way() -> None:
    answer = read_plain(body_of({}, {}, {}))
    assert answer is not None
    assert answer.choices[0].message == {
        "role": Raw(b'"assistant"'), "content": Raw(b'"Yes."'), "annotations": Raw(b"[]"),
    }  # fmt: skip
    assert answer.usage is not None
    assert answer.usage.completion == 2


@pytest.mark.parametrize(
    "body",
    [
        body_of({"error": {"message": "no", "code": 500}}, {}, {}),
        body_of({"x_groq": {"usage": {"prompt_tokens": 1, "completion_tokens": 1}}}, {}, {}),
        body_of({"choices": PLAIN["choices"] * 2}, {}, {}),
        body_of({}, {"finish_reason": "tool_calls"}, {}),
        body_of({}, {"logprobs": {"content": []}}, {}),
        body_of({}, {"error": {"message": "no"}}, {}),
        body_of({}, {}, {"reasoning_content": "Hm."}),
        body_of({}, {}, {"content": None}),
        body_of({}, {}, {"content": [{"type": "text", "text": "a"}]}),
        b"[]",
        b"",
        b'{"choices":' + b"[" * 100_000,
        body_of({}, {}, {}).replace(b"Yes", b"\xff"),
    ],
)
def test_anything_else_is_not(body: bytes) -> None:
    assert read_plain(body) is None


ODD: st.SearchStrategy[Any] = st.sampled_from(
    [None, "", "é", "stop", "length", "STOP", 0, 1, 1.5, True, [], {}, ["a"]]
)


@given(
    st.dictionaries(st.sampled_from([*PLAIN, "error", "x_groq", "other"]), ODD, max_size=2),
    st.dictionaries(
        st.sampled_from([*PLAIN["choices"][0], "delta", "error", "other"]), ODD, max_size=2
    ),
    st.dictionaries(
        st.sampled_from([*PLAIN["choices"][0]["message"], "tool_calls", "other"]), ODD, max_size=2
    ),
)
def test_both_ways_agree(
    top: dict[str, Any], choice: dict[str, Any], message: dict[str, Any]
) -> None:
    body = body_of(top, choice, message)
    answer = read_plain(body)
    if answer is not None:
        assert answer == read_any(body) == read_answer(body)
