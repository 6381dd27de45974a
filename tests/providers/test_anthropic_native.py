"""Requests whose clients speak the dialect: bytes that pass, and the few that change."""

import json
from typing import Any

import pytest
from msgspec.structs import replace

from dragoman.core.notes import Change
from dragoman.providers.anthropic.vertex import write_vertex
from dragoman.providers.openai.request import opaque
from tests.providers.anthropic_calls import MODEL, endpoint, native, provider, said, sent, write

BODY = {
    "model": "anthropic/claude",
    "max_tokens": 9,
    "messages": [{"role": "user", "content": "h"}],
}


def test_bytes_pass_as_they_came() -> None:
    source = (
        '{"model":"anthropic/claude","max_tokens" : 9,"system":[ {"type":"text", "text":"\\u00e9"}]'
        ',"messages":[{"role":"user","content":"h"}],"context_management" : {"edits": []}'
        ',"temperature":0.70,"metadata":{"user_id": "{\\"a\\":1}"},"foo":1e400}'
    )
    outgoing = write(native(source, max_tokens=9))
    assert outgoing.body == (
        b'{"model":"claude-opus-4-5","max_tokens":9,"system":[ {"type":"text", "text":"\\u00e9"}],'
        b'"messages":[{"role":"user","content":"h"}],"context_management":{"edits": []},'
        b'"temperature":0.70,"metadata":{"user_id": "{\\"a\\":1}"},"foo":1e400}'
    )
    assert outgoing.notes == ()
    assert outgoing.path == "/messages"


def test_what_is_the_gateways_stays_here() -> None:
    own = {
        "models": ["a/b"], "fallbacks": [], "provider": {}, "plugins": [], "route": "fallback",
        "session_id": "s", "trace": {}, "preset": "p", "transforms": [], "debug": {},
        "stop_server_tools_when": [], "usage": {}, "user": "u",
    }  # fmt: skip
    outgoing = write(native({**BODY, **own}, max_tokens=9))
    assert sent(outgoing).keys() == BODY.keys()
    assert outgoing.notes == ()


def test_more_than_one_choice_is_not_asked_for() -> None:
    outgoing = write(native({**BODY, "n": 2}, max_tokens=9))
    assert sent(outgoing).keys() == BODY.keys()
    assert [note.field for note in outgoing.notes] == ["n"]


def test_what_was_decided_of_the_call_wins() -> None:
    body = sent(write(native(BODY, max_tokens=7, stream=True)))
    assert (body["max_tokens"], body["stream"]) == (7, True)
    assert "stream" not in sent(write(native({**BODY, "stream": True}, max_tokens=9)))
    lacking = {"model": "m", "messages": BODY["messages"]}
    outgoing = write(native(lacking))
    assert sent(outgoing)["max_tokens"] == 64_000
    assert said(outgoing) == [("injected", "max_tokens")]


@pytest.mark.parametrize(("limit", "budget"), [(9_000, 8_000), (8_000, 4_000), (1_000, None)])
def test_a_budget_stays_below_a_limit_that_was_lowered(limit: int, budget: int | None) -> None:
    asked = {"thinking": {"type": "enabled", "budget_tokens": 8_000}, "max_tokens": 64_000}
    outgoing = write(native({**BODY, **asked}, max_tokens=limit))
    found = sent(outgoing).get("thinking", {}).get("budget_tokens")
    assert (found, sent(outgoing)["max_tokens"]) == (budget, limit)
    assert bool(said(outgoing)) == (budget != 8_000)


def test_who_asks_is_told_unless_the_client_says_so() -> None:
    outgoing = write(native(BODY, max_tokens=9, user="Eve"))
    assert sent(outgoing)["metadata"] == {"user_id": opaque("Eve")}
    kept = write(native({**BODY, "metadata": {"user_id": "x"}}, max_tokens=9, user="Eve"))
    assert sent(kept)["metadata"] == {"user_id": "x"}


def test_version_and_betas_are_the_clients() -> None:
    outgoing = write(
        native(
            BODY,
            ("anthropic-version", "2026-10-21"),
            ("anthropic-beta", "effort-2025-11-24, context-1m-2025-08-07,,no beta"),
            ("x-anthropic-beta", "context-1m-2025-08-07,interleaved-thinking-2025-05-14"),
            max_tokens=9,
        )
    )
    assert outgoing.headers[2:] == (
        ("anthropic-version", "2026-10-21"),
        (
            "anthropic-beta",
            "effort-2025-11-24,context-1m-2025-08-07,interleaved-thinking-2025-05-14",
        ),
    )
    assert said(outgoing) == [("dropped", "anthropic-beta")]
    assert "'no beta'" in outgoing.notes[0].detail


def test_a_version_that_is_none_is_not_passed_on() -> None:
    outgoing = write(native(BODY, ("anthropic-version", "x\r\ny: z"), max_tokens=9))
    assert outgoing.headers[2:] == (("anthropic-version", "2023-06-01"),)


def test_a_host_gets_the_betas_that_it_knows() -> None:
    asked = native(
        BODY,
        ("anthropic-version", "2026-10-21"),
        ("anthropic-beta", "context-1m-2025-08-07,prompt-caching-scope-2026-01-05"),
        max_tokens=9,
    )
    outgoing = write_vertex(asked, endpoint(), provider(slug="google-vertex"))
    assert outgoing.headers[2:] == (("anthropic-beta", "context-1m-2025-08-07"),)
    assert [(n.change, n.field) for n in outgoing.notes] == [(Change.DROPPED, "anthropic-beta")]
    assert json.loads(outgoing.body)["anthropic_version"] == "vertex-2023-10-16"


@pytest.mark.parametrize(
    ("model", "members", "body", "noted"),
    [
        (
            "claude-opus-4-7",
            {"thinking": {"type": "enabled", "budget_tokens": 5}, "temperature": 0.5, "top_k": 1},
            {"thinking": {"type": "adaptive", "display": "summarized"}},
            [("renamed", "thinking"), ("dropped", "temperature"), ("dropped", "top_k")],
        ),
        (
            "claude-haiku-4-5",
            {"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}},
            {"thinking": {"type": "enabled", "budget_tokens": 4500}},
            [("renamed", "thinking"), ("dropped", "output_config.effort")],
        ),
        ("claude-3-haiku-20240307", {"thinking": {"type": "adaptive"}}, {},
         [("dropped", "thinking")]),
        ("claude-3-haiku-20240307", {"thinking": {"type": "enabled", "budget_tokens": 2000}}, {},
         [("dropped", "thinking")]),
        (
            "claude-opus-4-6",
            {"output_config": {"effort": "xhigh", "format": None}},
            {"output_config": {"effort": "high", "format": None}},
            [("clamped", "output_config.effort")],
        ),
        ("claude-opus-5-5", {"thinking": {"type": "disabled"}}, {}, [("dropped", "thinking")]),
        (
            "claude-sonnet-5-5",
            {"thinking": {"type": "disabled"}},
            {"thinking": {"type": "between_tools"}},
            [("renamed", "thinking")],
        ),
        (
            "claude-opus-5",
            {"thinking": {"type": "between_tools"}},
            {"thinking": {"type": "disabled"}},
            [("renamed", "thinking")],
        ),
        (
            "claude-opus-5-5",
            {"tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True}},
            {"tool_choice": {"type": "auto", "disable_parallel_tool_use": True}},
            [("clamped", "tool_choice")],
        ),
    ],
)  # fmt: skip
def test_what_a_model_answers_with_an_error_is_put_in_its_words(
    model: str, members: dict[str, Any], body: dict[str, Any], noted: list[tuple[str, str]]
) -> None:
    asked = native({**BODY, "max_tokens": 9000, **members}, max_tokens=9000)
    outgoing = write(asked, model)
    found = sent(outgoing)
    assert {k: v for k, v in found.items() if k not in BODY} == body
    assert said(outgoing) == noted


@pytest.mark.parametrize(
    ("model", "members"),
    [
        ("claude-opus-4-5", {"thinking": {"type": "enabled", "budget_tokens": 2000}}),
        ("claude-opus-4-6", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "max"}}),
        ("claude-opus-4-6", {"thinking": {"type": "disabled"}, "temperature": 1}),
        ("claude-sonnet-5-5", {"thinking": {"type": "between_tools"}}),
        ("claude-opus-5", {"tool_choice": {"type": "any"}}),
        ("somebody-elses", {"thinking": {"type": "adaptive"}, "output_config": {"effort": "odd"}}),
        ("claude-opus-4-6", {"output_config": {"effort": "odd"}}),
    ],
)
def test_what_a_model_takes_is_left_alone(model: str, members: dict[str, Any]) -> None:
    asked = native({**BODY, "max_tokens": 9000, **members}, max_tokens=9000)
    outgoing = write(asked, model)
    assert {k: v for k, v in json.loads(outgoing.body).items() if k not in BODY} == members
    assert outgoing.notes == ()


MID = [
    {"role": "user", "content": "h"},
    {"role": "system", "content": [{"type": "text", "text": "b"}]},
]


def test_the_systems_messages_move_ahead_where_a_model_knows_no_others() -> None:
    asked = native({**BODY, "system": "a", "messages": MID}, max_tokens=9)
    assert sent(write(asked, "claude-opus-5"))["messages"] == MID
    outgoing = write(asked, "claude-haiku-4-5")
    body = sent(outgoing)
    assert body["system"] == [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]
    assert body["messages"] == MID[:1]
    assert said(outgoing) == [("renamed", "messages")]


def test_thoughts_that_nobody_signed_stay_here() -> None:
    unsigned = {"type": "thinking", "thinking": "hm", "signature": ""}
    signed = {"type": "thinking", "thinking": "aha", "signature": "s"}
    text = {"type": "text", "text": 'say "signature":""'}
    conversation = [
        {"role": "user", "content": "h"},
        {"role": "assistant", "content": [unsigned, signed, text]},
        {"role": "user", "content": [text]},
        {"role": "assistant", "content": [unsigned]},
        {"role": "user", "content": "h"},
    ]
    outgoing = write(native({**BODY, "messages": conversation}, max_tokens=9))
    assert sent(outgoing)["messages"] == [
        conversation[0],
        {"role": "assistant", "content": [signed, text]},
        conversation[2],
        conversation[4],
    ]
    assert said(outgoing) == [("dropped", "messages.content")]


def test_words_that_look_like_it_change_nothing() -> None:
    tricky = '"signature":"" and "role":"system"'
    conversation = [{"role": "user", "content": [{"type": "text", "text": tricky}]}]
    source = json.dumps({**BODY, "messages": conversation}).replace("\\", "\\")
    outgoing = write(native(source, max_tokens=9), MODEL)
    assert sent(outgoing)["messages"] == conversation
    assert outgoing.notes == ()


def test_a_call_of_another_dialect_is_translated() -> None:
    asked = native(BODY, max_tokens=9)
    assert asked.native is not None
    other = replace(asked, native=replace(asked.native, dialect="responses"))
    assert sent(write(other))["messages"] == [{"role": "user", "content": "hi"}]


def test_quirks_hold_for_natives_too() -> None:
    asked = native({**BODY, "service_tier": "auto"}, max_tokens=9)
    outgoing = write(asked, rejects=frozenset({"service_tier"}))
    assert "service_tier" not in sent(outgoing)
    assert said(outgoing) == [("dropped", "service_tier")]


CALLED: dict[str, Any] = {"type": "tool_use", "id": "t1", "name": "f", "input": {}}
ANSWERED: dict[str, Any] = {"type": "tool_result", "tool_use_id": "t1", "content": "15"}
REDACTED: dict[str, Any] = {"type": "redacted_thinking", "data": "x"}
THOUGHT: dict[str, Any] = {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"}


@pytest.mark.parametrize(
    "thinking", [{"type": "adaptive"}, {"type": "enabled", "budget_tokens": 9}]
)
@pytest.mark.parametrize(
    ("model", "blocks", "result", "thinks"),
    [
        ("claude-haiku-4-5", [CALLED], [ANSWERED], False),
        ("claude-haiku-4-5", [{**THOUGHT, "signature": ""}, CALLED], [ANSWERED], False),
        ("claude-haiku-4-5", [THOUGHT, CALLED], [ANSWERED], True),
        ("claude-haiku-4-5", [REDACTED, CALLED], [ANSWERED], True),
        ("claude-haiku-4-5", [CALLED], "a tool_result in words", True),
        ("claude-opus-4-7", [CALLED], [ANSWERED], True),
    ],
)  # fmt: skip
def test_a_model_with_budgets_does_not_think_after_calls_without_a_thought(
    model: str, thinking: dict[str, Any], blocks: list[Any], result: Any, *, thinks: bool
) -> None:
    turns = [
        {"role": "user", "content": "h"},
        {"role": "assistant", "content": blocks},
        {"role": "user", "content": result},
    ]
    asked = {**BODY, "max_tokens": 9000, "thinking": thinking, "messages": turns}
    outgoing = write(native(asked, max_tokens=9000), model)
    assert ("thinking" in sent(outgoing)) is thinks
    assert (("dropped", "thinking") in said(outgoing)) is not thinks
