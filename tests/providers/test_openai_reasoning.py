"""How a wish to reason is put to hosts that take it in different ways."""

import json
from typing import Any

import pytest
from msgspec import structs

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.openai.reasoning import nearest_effort
from dragoman.providers.registry import DIALECTS
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import Reasoning, parse_chat
from tests.providers.openai_calls import call, endpoint, provider, said, sent, write
from tests.wire import responses_calls


@pytest.mark.parametrize(
    ("source", "wish", "expected", "notes"),
    [
        ('"reasoning":{"effort":"high"}', Reasoning(effort="high"), "high", []),
        ('"reasoning_effort":"minimal"', Reasoning(effort="minimal"), "minimal", []),
        ('"reasoning":{"exclude":true}', Reasoning(exclude=True), None, []),
        ('"include_reasoning":true', Reasoning(), None, []),
        (
            '"reasoning":{"enabled":true}',
            Reasoning(enabled=True),
            "medium",
            [(Change.RENAMED, "reasoning.enabled")],
        ),
        (
            '"reasoning":{"enabled":false}',
            Reasoning(enabled=False),
            "none",
            [(Change.RENAMED, "reasoning.enabled")],
        ),
        (
            '"reasoning":{"enabled":false,"effort":"high"}',
            Reasoning(enabled=False, effort="high"),
            "none",
            [(Change.RENAMED, "reasoning.enabled")],
        ),
        (
            '"reasoning":{"enabled":true,"effort":"high"}',
            Reasoning(enabled=True, effort="high"),
            "high",
            [],
        ),
        (
            '"reasoning":{"max_tokens":0}',
            Reasoning(max_tokens=0),
            "none",
            [(Change.RENAMED, "reasoning.max_tokens")],
        ),
        (
            '"reasoning":{"max_tokens":2000}',
            Reasoning(max_tokens=2000),
            "low",
            [(Change.RENAMED, "reasoning.max_tokens")],
        ),
        (
            '"reasoning":{"effort":"low","summary":"auto","mode":null}',
            Reasoning(effort="low", summary="auto"),
            "low",
            [(Change.DROPPED, "reasoning.summary")],
        ),
    ],
)
def test_a_wish_to_reason_becomes_an_effort(
    source: str, wish: Reasoning, expected: str | None, notes: list[Any]
) -> None:
    outgoing = write(call(source, reasoning=wish, max_tokens=10_000), endpoint("reasoning"))
    assert sent(outgoing).get("reasoning_effort") == expected
    assert "reasoning" not in sent(outgoing)
    assert said(outgoing) == notes


@pytest.mark.parametrize(
    ("max_tokens", "output", "expected"),
    [
        (1, 10_000, "low"),
        (3_400, 10_000, "low"),
        (3_600, 10_000, "medium"),
        (6_600, 10_000, "high"),
        (99_999, 10_000, "high"),
        (99_999, None, "medium"),
    ],
)
def test_the_nearest_effort(max_tokens: int, output: int | None, expected: str) -> None:
    assert nearest_effort(max_tokens, output) == expected


def test_a_budget_is_measured_against_the_models_output_where_none_was_asked() -> None:
    asked = call('"reasoning":{"max_tokens":800}', reasoning=Reasoning(max_tokens=800))
    outgoing = write(asked, endpoint(max_output=1000))
    assert sent(outgoing) == {"reasoning_effort": "high"}


def test_hosts_of_the_same_api_get_the_wish_as_it_was_put() -> None:
    source = (
        '"reasoning":{"max_tokens":9,"mode":"pro"},"include_reasoning":true,"reasoning_effort":null'
    )
    outgoing = write(call(source, reasoning=Reasoning(max_tokens=9)), reasoning="object")
    assert sent(outgoing) == {
        "reasoning": {"max_tokens": 9, "mode": "pro"},
        "include_reasoning": True,
    }
    assert outgoing.notes == ()


@pytest.mark.parametrize(
    ("wish", "notes"),
    [
        (Reasoning(effort="low"), [(Change.DROPPED, "reasoning")]),
        (Reasoning(max_tokens=9), [(Change.DROPPED, "reasoning")]),
        (Reasoning(enabled=False), [(Change.DROPPED, "reasoning")]),
        (Reasoning(exclude=True), []),
        (Reasoning(), []),
    ],
)
def test_a_wish_that_cannot_be_put_is_dropped_and_noted(wish: Reasoning, notes: list[Any]) -> None:
    asked = call('"reasoning":{}', reasoning=wish)
    for outgoing in (write(asked, reasoning="none"), write(asked, endpoint("seed"))):
        assert sent(outgoing) == {}
        assert said(outgoing) == notes


@pytest.mark.parametrize(
    ("known", "asked", "expected"),
    [
        (("high", "medium", "low"), "xhigh", "high"),
        (("high", "medium", "low"), "max", "high"),
        (("high", "medium", "low"), "minimal", "low"),
        (("high", "low"), "medium", "low"),
        (("max", "high"), "xhigh", "high"),
        (("max", "high"), "low", "high"),
        (("high", "none"), "low", "high"),
        (("high", "medium", "low"), "low", "low"),
        (("high", "medium", "low"), "none", "none"),
        ((), "xhigh", "xhigh"),
    ],
)
def test_an_effort_that_the_model_does_not_know_becomes_the_nearest(
    known: tuple[str, ...], asked: str, expected: str
) -> None:
    source, wish = f'"reasoning":{{"effort":"{asked}"}}', Reasoning(effort=asked)
    here = structs.replace(endpoint(), efforts=known)
    outgoing = write(call(source, reasoning=wish), here)
    assert sent(outgoing) == {"reasoning_effort": expected}
    clamped = [] if asked == expected else [(Change.CLAMPED, "reasoning.effort")]
    assert said(outgoing) == clamped


def test_what_stands_for_an_effort_is_fitted_too() -> None:
    asked = call('"reasoning":{"enabled":true}', reasoning=Reasoning(enabled=True))
    outgoing = write(asked, structs.replace(endpoint(), efforts=("max", "high")))
    assert sent(outgoing) == {"reasoning_effort": "high"}
    assert [change for change, _ in said(outgoing)] == [Change.CLAMPED, Change.RENAMED]


WITHOUT: list[Any] = [
    {"reasoning": {"effort": "none"}}, {"reasoning": {"enabled": False}},
    {"reasoning": {"max_tokens": 0}}, {"reasoning_effort": "none"},
]  # fmt: skip


@pytest.mark.parametrize("dialect", ["openai", "responses"])
@pytest.mark.parametrize("wish", WITHOUT)
def test_a_model_that_reasons_in_any_case_is_not_told_to_do_without(
    dialect: str, wish: dict[str, Any]
) -> None:
    body = {"model": "openai/o4-mini", "messages": [{"role": "user", "content": "x"}], **wish}
    asked = parse_chat(json.dumps(body).encode())
    here = structs.replace(endpoint("reasoning"), model="openai/o4-mini", efforts=("high", "low"))
    host = provider(dialect=dialect)
    with pytest.raises(InvalidRequest, match=r"^Reasoning is mandatory for this endpoint and"):
        DIALECTS[dialect].request(asked, here, host)
    can = structs.replace(here, efforts=("high", "none"))
    assert b'"none"' in DIALECTS[dialect].request(asked, can, host).body


@pytest.mark.parametrize("dialect", ["openai", "responses"])
def test_clients_of_messages_who_switch_it_off_get_the_least_there_is(dialect: str) -> None:
    body = {
        "model": "openai/gpt-5", "max_tokens": 9, "thinking": {"type": "disabled"},
        "messages": [{"role": "user", "content": "x"}],
    }  # fmt: skip
    asked = MESSAGES.parse(json.dumps(body).encode(), {})
    here = structs.replace(endpoint("reasoning"), model="openai/gpt-5", efforts=("high", "minimal"))
    outgoing = DIALECTS[dialect].request(asked, here, provider(dialect=dialect))
    assert b'"minimal"' in outgoing.body
    assert Change.CLAMPED in {change for change, _ in said(outgoing)}


def test_a_native_wish_to_do_without_reasoning_is_refused_alike() -> None:
    asked = responses_calls.call(reasoning={"effort": "none"})
    here = structs.replace(endpoint("reasoning"), model="openai/o4-mini", efforts=("high", "low"))
    with pytest.raises(InvalidRequest, match="mandatory"):
        DIALECTS["responses"].request(asked, here, provider(dialect="responses"))
