"""How a wish to reason is put to each kind of Claude model."""

from typing import Any

import pytest

from tests.providers.anthropic_calls import HI, TOOL, call, endpoint, said, sent, write

OLD, BUDGET, OPUS_45, BOTH = (
    "claude-3-haiku-20240307", "claude-haiku-4-5", "claude-opus-4-5", "claude-opus-4-6",
)  # fmt: skip
ADAPTIVE, DEFAULT_ON = "claude-opus-4-7", "claude-sonnet-5"
BETWEEN, ALWAYS = "claude-sonnet-5-5", "claude-opus-5-5"
SHOWN = {"type": "adaptive", "display": "summarized"}

DROPPED = [("dropped", "reasoning")]


def budget(tokens: int) -> dict[str, Any]:
    return {"type": "enabled", "budget_tokens": tokens}


def wished(model: str, wish: Any, **members: Any) -> tuple[Any, Any, list[tuple[str, str]]]:
    """What is said of thinking and of effort, and what is noted."""
    members = {"max_tokens": 10_000, **members}
    outgoing = write(call(reasoning=wish, **members), model)
    body = sent(outgoing)
    return body.get("thinking"), body.get("output_config", {}).get("effort"), said(outgoing)


@pytest.mark.parametrize(
    ("model", "wish", "thinking", "effort", "noted"),
    [
        (BUDGET, {"effort": "high"}, budget(8000), None, []),
        (BUDGET, {"effort": "minimal"}, budget(1024), None, []),
        (BUDGET, {"enabled": True}, budget(5000), None, []),
        (BUDGET, {"max_tokens": 3000}, budget(3000), None, []),
        (BUDGET, {"max_tokens": 3}, budget(1024), None, [("clamped", "reasoning.max_tokens")]),
        (BUDGET, {"max_tokens": 20_000}, budget(9999), None, [("clamped", "reasoning")]),
        (BUDGET, {"enabled": False}, None, None, []),
        (BUDGET, {"effort": "none"}, None, None, []),
        (BUDGET, {"exclude": True}, None, None, []),
        (OPUS_45, {"effort": "max"}, budget(9500), None, []),
        (BOTH, {"effort": "high"}, SHOWN, "high", []),
        (BOTH, {"effort": "xhigh"}, SHOWN, "high", [("clamped", "reasoning.effort")]),
        (BOTH, {"effort": "minimal"}, SHOWN, "low", [("clamped", "reasoning.effort")]),
        (BOTH, {"max_tokens": 3000}, budget(3000), None, []),
        (ADAPTIVE, {"enabled": True}, SHOWN, None, []),
        (ADAPTIVE, {"effort": "xhigh"}, SHOWN, "xhigh", []),
        (ADAPTIVE, {"max_tokens": 5000}, SHOWN, "medium", [("renamed", "reasoning.max_tokens")]),
        (ADAPTIVE, {"max_tokens": 0}, None, None, []),
        (
            ADAPTIVE,
            {"effort": "low", "exclude": True},
            {"type": "adaptive", "display": "omitted"},
            "low",
            [],
        ),
        (ADAPTIVE, {"enabled": False}, None, None, []),
        (DEFAULT_ON, {"enabled": False}, {"type": "disabled"}, None, []),
        (DEFAULT_ON, {"max_tokens": 0}, {"type": "disabled"}, None, []),
        (DEFAULT_ON, {"exclude": True}, None, None, []),
        (BETWEEN, {"effort": "none"}, {"type": "between_tools"}, None, []),
        (ALWAYS, {"enabled": False}, None, "low", DROPPED),
        (ALWAYS, {"effort": "max"}, SHOWN, "max", []),
        (OLD, {"effort": "high"}, None, None, DROPPED),
        (OLD, {"enabled": False}, None, None, []),
    ],
)
def test_a_wish_to_reason(
    model: str, wish: Any, thinking: Any, effort: str | None, noted: list[tuple[str, str]]
) -> None:
    assert wished(model, wish) == (thinking, effort, noted)


def test_without_a_wish_nothing_is_said() -> None:
    for model in (OLD, BUDGET, BOTH, ADAPTIVE, DEFAULT_ON, BETWEEN, ALWAYS):
        assert wished(model, None) == (None, None, [])


@pytest.mark.parametrize(
    ("model", "members", "effort", "noted"),
    [
        (ADAPTIVE, {"verbosity": "low"}, "low", []),
        (OPUS_45, {"verbosity": "max"}, "high", [("clamped", "verbosity")]),
        (BUDGET, {"verbosity": "low"}, None, [("dropped", "verbosity")]),
    ],
)
def test_verbosity_is_an_effort_that_needs_no_thought(
    model: str, members: dict[str, Any], effort: str | None, noted: list[tuple[str, str]]
) -> None:
    assert wished(model, None, **members) == (None, effort, noted)


def test_verbosity_wins_over_the_effort_to_reason() -> None:
    assert wished(ADAPTIVE, {"effort": "high"}, verbosity="low") == (SHOWN, "low", [])


@pytest.mark.parametrize("verbosity", ["low", "medium", "high"])
def test_a_model_may_be_verbose_without_thinking(verbosity: str) -> None:
    found = wished(DEFAULT_ON, {"enabled": False}, verbosity=verbosity)
    assert found == ({"type": "disabled"}, verbosity, [])


def test_a_model_at_its_utmost_has_to_think() -> None:
    found = wished(DEFAULT_ON, {"enabled": False}, verbosity="max")
    assert found == ({"type": "disabled"}, "high", [("clamped", "verbosity")])


def test_a_budget_makes_room_for_itself_where_no_limit_was_given() -> None:
    outgoing = write(call(reasoning={"max_tokens": 9000}), endpoint(BUDGET, max_output=None))
    body = sent(outgoing)
    assert body["thinking"] == budget(9000)
    assert body["max_tokens"] == 9000 + 4096


def test_without_room_for_the_least_budget_there_is_no_thought() -> None:
    assert wished(BUDGET, {"effort": "high"}, max_tokens=1024) == (None, None, DROPPED)
    noted = [("clamped", "reasoning")]
    assert wished(BUDGET, {"effort": "minimal"}, max_tokens=1025) == (budget(1024), None, [])
    assert wished(BUDGET, {"max_tokens": 2000}, max_tokens=1500) == (budget(1499), None, noted)


def test_a_model_that_is_made_to_call_a_tool_does_not_think() -> None:
    forced = {"tools": [TOOL], "tool_choice": "required"}
    assert wished(BUDGET, {"effort": "high"}, **forced) == (None, None, DROPPED)
    off = {"type": "disabled"}
    assert wished(DEFAULT_ON, {"effort": "high"}, **forced) == (off, None, DROPPED)
    assert wished(DEFAULT_ON, None, **forced) == (off, None, [])
    assert wished(DEFAULT_ON, None, verbosity="max", **forced)[1] == "high"
    assert wished("claude-fable-5", {"effort": "high"}, **forced) == (SHOWN, "high", [])


def test_a_model_that_goes_on_with_given_words_does_not_think() -> None:
    prefilled = call(HI, {"role": "assistant", "content": "{"}, max_tokens=9000,
                     reasoning={"effort": "high"})  # fmt: skip
    outgoing = write(prefilled, BUDGET)
    assert "thinking" not in sent(outgoing)
    assert said(outgoing) == DROPPED


def loop(**answer: Any) -> list[dict[str, Any]]:
    asked = {"id": "c", "type": "function", "function": {"name": "weather", "arguments": "{}"}}
    return [
        HI,
        {"role": "assistant", "content": None, "tool_calls": [asked], **answer},
        {"role": "tool", "tool_call_id": "c", "content": "sunny"},
    ]


def test_a_budget_is_not_given_in_the_midst_of_calls_that_nobody_thought_about() -> None:
    """The API answers 400: a turn with calls must begin with a thought where thinking is on."""
    asked = call(*loop(), max_tokens=9000, tools=[TOOL], reasoning={"max_tokens": 2000})
    outgoing = write(asked, BUDGET)
    assert "thinking" not in sent(outgoing)
    assert said(outgoing) == DROPPED
    assert sent(write(asked, ADAPTIVE))["thinking"] == SHOWN

    signed = {"type": "reasoning.text", "text": "hm", "signature": "s", "index": 0,
              "format": "anthropic-claude-v1"}  # fmt: skip
    thought = call(*loop(reasoning_details=[signed]), max_tokens=9000, tools=[TOOL],
                   reasoning={"max_tokens": 2000})  # fmt: skip
    assert sent(write(thought, BUDGET))["thinking"] == budget(2000)


@pytest.mark.parametrize(
    ("members", "kept"),
    [
        ({"temperature": 0.5}, set()),
        ({"temperature": 1}, {"temperature"}),
        ({"top_k": 3}, set()),
        ({"top_p": 0.5}, set()),
        ({"top_p": 0.95}, {"top_p"}),
    ],
)
def test_sampling_that_thinking_forbids_is_dropped(members: dict[str, Any], kept: set[str]) -> None:
    outgoing = write(call(max_tokens=9000, reasoning={"effort": "low"}, **members), BUDGET)
    assert sent(outgoing).keys() & {"temperature", "top_p", "top_k"} == kept
    assert said(outgoing) == [("dropped", name) for name in members if name not in kept]


def test_members_of_the_wish_without_a_word_here_are_named() -> None:
    wish = {"effort": "low", "context": "auto", "mode": "pro", "summary": "auto"}
    assert [field for _, field in wished(ADAPTIVE, wish)[2]] == [
        "reasoning.context", "reasoning.mode", "reasoning.summary",
    ]  # fmt: skip


def test_an_endpoint_that_takes_no_wish_is_not_told_one() -> None:
    outgoing = write(call(max_tokens=9000, reasoning={"effort": "low"}), endpoint(BUDGET, "tools"))
    assert said(outgoing) == DROPPED
    rejecting = write(
        call(max_tokens=9000, reasoning={"effort": "low"}), BUDGET, rejects=frozenset({"thinking"})
    )
    assert said(rejecting) == DROPPED
