"""Ids of calls for hosts that take nine letters and digits."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.openai.ids import short_id, with_short_ids
from dragoman.wire.chat import parse_chat
from tests.providers.openai_calls import said, write


def talk(id_: str) -> list[dict[str, Any]]:
    made = {"id": id_, "type": "function", "function": {"name": "f", "arguments": "{}"}}
    return [
        {"role": "user", "content": "q"},
        {"role": "assistant", "content": None, "tool_calls": [made]},
        {"role": "tool", "tool_call_id": id_, "content": "a"},
    ]


@given(st.text(min_size=1, max_size=40))
def test_an_id_is_nine_letters_and_digits_and_stays_one(text: str) -> None:
    made = short_id(text)
    assert len(made) == 9
    assert made.isascii()
    assert made.isalnum()
    assert short_id(made) == made == short_id(text)


def test_calls_and_results_stay_together() -> None:
    raw = msgspec.Raw(json.dumps(talk("call_1")).encode())
    made, changed = with_short_ids(raw)
    rows = json.loads(bytes(made))
    assert changed
    assert rows[1]["tool_calls"][0]["id"] == rows[2]["tool_call_id"] == short_id("call_1")
    assert rows[0] == {"role": "user", "content": "q"}


@pytest.mark.parametrize(
    "rows",
    [talk("abcDEF123"), [{"role": "user", "content": '"tool_calls"'}],
     [{"role": "assistant", "content": "a", "tool_calls": None}]],
)  # fmt: skip
def test_what_needs_no_change_keeps_its_bytes(rows: list[dict[str, Any]]) -> None:
    raw = msgspec.Raw(json.dumps(rows).encode())
    assert with_short_ids(raw) == (raw, False)


def test_a_row_says_so() -> None:
    asked = parse_chat(json.dumps({"model": "a/b", "messages": talk("call_1")}).encode())
    made = write(asked, short_ids=True)
    assert json.loads(made.body)["messages"][2]["tool_call_id"] == short_id("call_1")
    assert "messages.tool_calls.id" in [field for _, field in said(made)]
    assert json.loads(write(asked).body)["messages"] == talk("call_1")
