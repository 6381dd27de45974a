"""Ids of calls for hosts that take nine letters and digits."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dragoman.providers.openai.ids import has_long_ids, short_id, with_short_ids
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


MOONSHOTS = [f"functions.mcp__github__create_pull_request_review:{n}" for n in range(2)]


def test_ids_are_cut_where_they_may_not_be_so_long() -> None:
    """OpenAI's chat takes forty letters; other models' ids have names of functions in them."""
    rows = [*talk(MOONSHOTS[0]), *talk(MOONSHOTS[1])]
    asked = parse_chat(json.dumps({"model": "a/b", "messages": rows}).encode())
    made = write(asked, longest_id=40)
    sent = json.loads(made.body)["messages"]
    ids = [row["tool_calls"][0]["id"] for row in sent if "tool_calls" in row]
    assert [len(each) for each in ids] == [40, 40]
    assert ids[0] != ids[1]
    assert [row["tool_call_id"] for row in sent if row["role"] == "tool"] == ids
    assert [field for _, field in said(made)] == ["messages.tool_calls.id"]


def test_ids_that_are_not_too_long_keep_their_bytes() -> None:
    asked = parse_chat(json.dumps({"model": "a/b", "messages": talk("a" * 40)}).encode())
    made = write(asked, longest_id=40)
    assert bytes(asked.members["messages"]) in made.body
    assert said(made) == []


def test_long_ids_are_found_in_any_spelling() -> None:
    name = b'"tool_call_id"'
    assert has_long_ids(b'[{"tool_call_id" : "%b"}]' % (b"a" * 41), name, 40)
    assert has_long_ids(b'[{"tool_call_id":"a"},{"tool_call_id":"%b"}]' % (b"a" * 41), name, 40)
    assert not has_long_ids(b'[{"tool_call_id":"%b","content":"b"}]' % (b"a" * 40), name, 40)
    assert not has_long_ids(b'{"content":"\\"tool_call_id\\""}', name, 40)
    assert not has_long_ids(b'"tool_call_id"', name, 40)
