"""Hosts that refuse Anthropic's marks for caches are not sent them."""

import json
from typing import Any

import msgspec
import pytest

from dragoman.catalog import shipped
from dragoman.catalog.types import Quirks
from dragoman.core.notes import Change
from dragoman.providers.openai.cache_marks import fit_marks
from dragoman.providers.openai.draft import Draft
from dragoman.providers.registry import DIALECTS
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import ChatCall
from dragoman.wire.responses.dialect import RESPONSES
from tests.providers.openai_calls import call, endpoint, provider, said, write

MARK: dict[str, Any] = {"cache_control": {"type": "ephemeral", "ttl": "1h"}}
TEXT: dict[str, Any] = {"type": "text", "text": 'say "cache_control"'}
HERE: dict[str, Any] = {"prompt_cache_breakpoint": {"mode": "explicit"}}
NEWER = Quirks(rejects=frozenset({"cache_control"}), breakpoints=("turbo-*",))
OLDER = Quirks(rejects=frozenset({"cache_control"}), breakpoints=("other-*",))


def asked() -> ChatCall:
    """What Claude Code asks, in short."""
    tool = {"name": "f", "input_schema": {"type": "object"}}
    body = {
        "model": "acme/turbo",
        "max_tokens": 9,
        "system": [TEXT | MARK],
        "messages": [{"role": "user", "content": [TEXT, TEXT | MARK]}],
        "tools": [tool | MARK],
    }
    return MESSAGES.parse(json.dumps(body).encode(), {})


def test_a_host_that_refuses_them() -> None:
    outgoing = write(asked(), rejects=frozenset({"cache_control"}))
    body = json.loads(outgoing.body)
    assert b'"cache_control":' not in outgoing.body
    assert [part["text"] for part in body["messages"][1]["content"]] == [TEXT["text"]] * 2
    assert said(outgoing) == [
        (Change.DROPPED, "messages.cache_control"),
        (Change.DROPPED, "tools.cache_control"),
    ]


def test_who_marks_nothing_is_told_nothing() -> None:
    outgoing = write(call(""), rejects=frozenset({"cache_control"}))
    assert outgoing.notes == ()


@pytest.mark.parametrize("quirks", [Quirks(), Quirks(breakpoints=("other-*",))])
def test_all_others_get_them(quirks: Quirks) -> None:
    outgoing = write(asked(), host=provider(quirks=quirks))
    assert outgoing.body.count(b'"cache_control":') == 3
    assert outgoing.notes == ()


@pytest.mark.parametrize(
    ("row", "kept"),
    [
        ({"role": "user", "content": "x"} | MARK, {"role": "user", "content": "x"}),
        (
            {"type": "function", "function": {"name": "f"} | MARK},
            {"type": "function", "function": {"name": "f"}},
        ),
    ],
)
def test_where_they_may_stand(row: dict[str, Any], kept: dict[str, Any]) -> None:
    assert fitted([row], OLDER) == ([kept], [(Change.DROPPED, "messages.cache_control")])


def test_what_only_speaks_of_them_keeps_its_bytes() -> None:
    draft = Draft(endpoint(), provider(quirks=OLDER))
    for raw in (
        b'[ {"role":"user","content":[{"type":"text","text":"cache_control"}]} ]',
        b'[ {"role":"user","content":[{"cache_control":null,"type":"text","text":"x"}]} ]',
        b'[ {"role":"user","content":["\\"cache_control\\"", {"cache_control":1}]} ]',
    ):
        rows = msgspec.Raw(raw)
        assert fit_marks(draft, "messages", rows) is rows
    assert draft.notes == []


def fitted(rows: list[dict[str, Any]], quirks: Quirks) -> tuple[Any, Any]:
    """Messages and what was said of them."""
    draft = Draft(endpoint(), provider(quirks=quirks))
    made = fit_marks(draft, "messages", msgspec.Raw(json.dumps(rows).encode()))
    return json.loads(bytes(made)), [(note.change, note.field) for note in draft.notes]


def test_a_model_that_takes_them_by_openais_name() -> None:
    outgoing = write(asked(), host=provider(quirks=NEWER))
    body = json.loads(outgoing.body)
    system, user = body["messages"]
    assert system["content"] == [TEXT | HERE]
    assert user["content"] == [TEXT, TEXT | HERE]
    assert "cache_control" not in body["tools"][0]
    assert said(outgoing) == [
        (Change.RENAMED, "messages.cache_control"),
        (Change.DROPPED, "tools.cache_control"),
    ]


@pytest.mark.parametrize(
    ("row", "kept", "noted"),
    [
        (
            {"role": "user", "content": "x"} | MARK,
            {"role": "user", "content": [{"type": "text", "text": "x"} | HERE]},
            [(Change.RENAMED, "messages.cache_control")],
        ),
        (
            {"role": "tool", "content": [TEXT, TEXT]} | MARK,
            {"role": "tool", "content": [TEXT, TEXT | HERE]},
            [(Change.RENAMED, "messages.cache_control")],
        ),
        (
            {"role": "assistant", "content": [TEXT | MARK, TEXT | HERE]},
            {"role": "assistant", "content": [TEXT, TEXT]},
            [
                (Change.DROPPED, "messages.cache_control"),
                (Change.DROPPED, "messages.prompt_cache_breakpoint"),
            ],
        ),
    ],
)
def test_where_openai_takes_them(row: dict[str, Any], kept: dict[str, Any], noted: Any) -> None:
    assert fitted([row], NEWER) == ([kept], noted)


def test_openais_own_marks_reach_models_that_know_them_only() -> None:
    said_so = json.dumps([{"role": "user", "content": [TEXT | HERE]}])
    own = call(f'"messages":{said_so},"prompt_cache_options":{{"ttl":"30m"}}')
    kept = write(own, host=provider(quirks=NEWER))
    assert b'"prompt_cache_breakpoint"' in kept.body
    assert b'"prompt_cache_options"' in kept.body
    assert kept.notes == ()
    outgoing = write(own, host=provider(quirks=OLDER))
    assert b'"prompt_cache_breakpoint"' not in outgoing.body
    assert b'"prompt_cache_options"' not in outgoing.body
    assert said(outgoing) == [
        (Change.DROPPED, "messages.prompt_cache_breakpoint"),
        (Change.DROPPED, "prompt_cache_options"),
    ]


@pytest.mark.parametrize(("quirks", "kept"), [(NEWER, True), (OLDER, False)])
def test_the_responses_api_takes_them_as_well(quirks: Quirks, *, kept: bool) -> None:
    host = provider(quirks=quirks, dialect="responses")
    outgoing = DIALECTS["responses"].request(asked(), endpoint(), host)
    assert (outgoing.body.count(b'"prompt_cache_breakpoint":') == 2) is kept
    assert b'"cache_control":' not in outgoing.body
    change = Change.RENAMED if kept else Change.DROPPED
    assert (change, "messages.cache_control") in said(outgoing)


@pytest.mark.parametrize(("quirks", "kept"), [(NEWER, True), (OLDER, False)])
def test_what_a_client_of_the_responses_api_sent(quirks: Quirks, *, kept: bool) -> None:
    part = {"type": "input_text", "text": "x"} | HERE
    body = {
        "model": "acme/turbo",
        "input": [{"type": "message", "role": "user", "content": [part]}],
        "prompt_cache_options": {"mode": "explicit"},
    }
    own = RESPONSES.parse(json.dumps(body).encode(), {})
    host = provider(quirks=quirks, dialect="responses")
    outgoing = DIALECTS["responses"].request(own, endpoint(), host)
    assert (b'"prompt_cache_breakpoint":' in outgoing.body) is kept
    assert (b'"prompt_cache_options":' in outgoing.body) is kept
    assert len(outgoing.notes) == (0 if kept else 2)


@pytest.mark.parametrize(
    ("name", "takes"),
    [("gpt-5.6-sol", True), ("gpt-5.10", True), ("gpt-6-mini", True), ("gpt-5.5", False)],
)
def test_which_models_of_openai_take_them(name: str, *, takes: bool) -> None:
    rows = shipped.read_providers((shipped.DATA / "providers.yaml").read_bytes())
    at = msgspec.structs.replace(endpoint(), upstream=name)
    body = write(asked(), at, provider(quirks=rows["openai"].quirks)).body
    assert (b'"prompt_cache_breakpoint":' in body) is takes


@pytest.mark.parametrize("slug", ["openai", "azure", "groq", "cerebras", "mistral"])
def test_rows_of_hosts_that_refuse_what_they_do_not_know(slug: str) -> None:
    rows = shipped.read_providers((shipped.DATA / "providers.yaml").read_bytes())
    assert "cache_control" in rows[slug].quirks.rejects
