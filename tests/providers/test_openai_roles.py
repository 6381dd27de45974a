"""Instructions for hosts that do not know the role `developer`."""

import json
from typing import Any

import pytest

from dragoman.core.notes import Change
from dragoman.wire.chat import parse_chat
from tests.providers.openai_calls import said, write

USER = {"role": "user", "content": "hi"}


def sent(rows: list[dict[str, Any]], **quirks: Any) -> tuple[Any, Any]:
    made = write(parse_chat(json.dumps({"model": "a/b", "messages": rows}).encode()), **quirks)
    return json.loads(made.body)["messages"], said(made)


def test_they_are_the_systems() -> None:
    rows = [{"role": "developer", "content": "Be brief.", "name": "x"}, USER]
    expected = [{"role": "system", "content": "Be brief.", "name": "x"}, USER]
    assert sent(rows, developer=False) == (expected, [(Change.RENAMED, "messages.role")])
    assert sent(rows) == (rows, [])


@pytest.mark.parametrize("content", ["hi", 'say "developer"', '"developer"'])
def test_what_needs_no_change_is_not_noted(content: str) -> None:
    rows = [{"role": "system", "content": content}, USER]
    assert sent(rows, developer=False) == (rows, [])
