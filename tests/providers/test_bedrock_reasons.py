"""How models other than Claude are asked to reason at Bedrock, and what is noted about it."""

from typing import Any

import pytest

from tests.providers.bedrock_calls import call, endpoint, said, sent, write

NOVA, GPT, LLAMA = "amazon.nova-2-lite-v1:0", "openai.gpt-oss-120b-1:0", "meta.llama3-70b-v1:0"
OFF = {"reasoningConfig": {"type": "disabled"}}


def nova(effort: str) -> dict[str, Any]:
    return {"reasoningConfig": {"type": "enabled", "maxReasoningEffort": effort}}


@pytest.mark.parametrize(
    ("model", "members", "own", "notes"),
    [
        (NOVA, {"reasoning": {"enabled": False}}, OFF, []),
        (NOVA, {"reasoning": {"effort": "none"}}, OFF, []),
        (NOVA, {"reasoning": {"max_tokens": 0}}, OFF, []),
        (NOVA, {"reasoning": {"enabled": True}}, nova("medium"), []),
        (NOVA, {"reasoning": {"effort": "high"}}, nova("high"), []),
        (NOVA, {"reasoning": {"effort": "low"}, "max_tokens": 9}, nova("low"), []),
        (
            NOVA,
            {"reasoning": {"effort": "high"}, "max_tokens": 9},
            nova("medium"),
            [("clamped", "reasoning.effort")],
        ),
        (
            NOVA,
            {"reasoning": {"max_tokens": 64}, "max_tokens": 320},
            nova("low"),
            [("renamed", "reasoning.max_tokens")],
        ),
        (
            NOVA,
            {"reasoning": {"max_tokens": 160}, "max_tokens": 320},
            nova("medium"),
            [("renamed", "reasoning.max_tokens")],
        ),
        (GPT, {"reasoning": {"effort": "high"}, "max_tokens": 9}, {"reasoning_effort": "high"}, []),
        (
            GPT,
            {"reasoning": {"enabled": False}},
            {"reasoning_effort": "low"},
            [("clamped", "reasoning")],
        ),
        (
            GPT,
            {"reasoning": {"effort": "xhigh"}},
            {"reasoning_effort": "high"},
            [("clamped", "reasoning.effort")],
        ),
        (
            GPT,
            {"reasoning": {"effort": "low", "exclude": True, "new": 1, "newer": None}},
            {"reasoning_effort": "low"},
            [("dropped", "reasoning.new")],
        ),
        (GPT, {"reasoning": {"exclude": True}}, None, []),
        (LLAMA, {"reasoning": {"effort": "low"}}, None, [("dropped", "reasoning")]),
        (GPT, {"verbosity": "low"}, None, [("dropped", "verbosity")]),
        (GPT, {"verbosity": "medium"}, None, []),
    ],
)
def test_a_wish_to_reason_reaches_a_model_in_its_own_words(
    model: str, members: dict[str, Any], own: dict[str, Any] | None, notes: list[tuple[str, str]]
) -> None:
    made = write(call(**members), endpoint(model, "reasoning", "reasoning_effort"))
    assert sent(made).get("additionalModelRequestFields") == own
    assert said(made) == notes


def test_an_endpoint_that_lists_no_reasoning_is_not_asked_to() -> None:
    made = write(call(reasoning={"effort": "low"}), endpoint(GPT, "tools"))
    assert "additionalModelRequestFields" not in sent(made)
    assert said(made) == [("dropped", "reasoning")]


def test_a_budget_is_measured_by_all_that_a_model_can_say_where_no_limit_is_given() -> None:
    made = write(call(reasoning={"max_tokens": 60_000}), endpoint(NOVA, "reasoning"))
    assert sent(made)["additionalModelRequestFields"] == nova("high")
