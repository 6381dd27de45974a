"""How a wish to reason is put to a model: as a budget, as an effort, or not at all.

Sources: Anthropic docs, "Extended thinking" (budgets; what does not go together with thinking),
"Adaptive thinking", "Effort"; OpenRouter docs, reasoning-tokens (shares, bounds) and
model-migrations (`verbosity` wins over an effort, both name the same thing).
"""

from typing import Protocol

import msgspec
from msgspec import Struct

from dragoman.catalog.types import Endpoint
from dragoman.core.notes import Change
from dragoman.providers.anthropic.draft import Draft
from dragoman.providers.openai.reasoning import nearest_effort
from dragoman.wire.chat import ChatCall, Reasoning

NAMES = frozenset({"reasoning", "reasoning_effort", "include_reasoning", "verbosity"})

LEAST_BUDGET = 1024
MOST_BUDGET = 128_000
DEFAULT_OUTPUT = 4096
"""Tokens of output beyond thinking, and at all, where neither caller nor catalog knows a limit."""
SHARES = {"max": 0.95, "xhigh": 0.95, "high": 0.8, "medium": 0.5, "low": 0.2, "minimal": 0.1}
"""Effort -> share of the output that thinking may take."""
DEFAULT_EFFORT = "medium"
_ORDER = ("minimal", "low", "medium", "high", "xhigh", "max")
_UNDERSTOOD = frozenset({"effort", "max_tokens", "enabled", "exclude", "summary"})
_WITH_THINKING_OFF = frozenset({"low", "medium", "high"})
"""Docs, "What's new in Claude Opus 5": the model must think at any other effort."""

_string = msgspec.json.Decoder(str | None).decode
_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode


class Said(Protocol):
    """A conversation, as far as it decides whether a model can think."""

    @property
    def prefilled(self) -> bool:
        """Whether the model is to go on with what it is made to have said."""

    @property
    def calls_without_thought(self) -> bool:
        """Whether tools are answered here that the model called without a thought before it."""


class Thinking(Struct, frozen=True):
    """What was decided: the member `thinking`, the effort, the limit of output."""

    config: dict[str, object] | None
    effort: str | None
    max_tokens: int

    @property
    def on(self) -> bool:
        """Whether the model is told to think."""
        return self.config is not None and self.config["type"] in {"enabled", "adaptive"}


def decide(
    draft: Draft, call: ChatCall, endpoint: Endpoint, said: Said, *, forced: bool
) -> Thinking:
    """Return how the model is to think, noting what of the wish does not go.

    `forced`: it is made to call a tool, about which it cannot think.
    """
    _note_strangers(draft, call)
    verbosity = _string(call.members.get("verbosity", b"null"))
    effort = nearest(draft, verbosity, "verbosity") if verbosity else None
    most = _limit(draft, call, endpoint)
    wish = call.reasoning
    if wish is None or not (wish.asked or _off(wish)):
        if forced and draft.takes.off == "disabled":
            return _without(draft, effort, most)
        return Thinking(None, effort, most)
    if _off(wish):
        if draft.takes.off == "never":
            draft.dropped("reasoning", "this model always thinks")
        return _without(draft, effort, most)
    obstacle = _obstacle(draft, said, forced=forced)
    if obstacle is not None:
        draft.dropped("reasoning", obstacle)
        return _without(draft, effort, most)
    if draft.takes.budget and (wish.max_tokens is not None or not draft.takes.adaptive):
        return _budgeted(draft, call, wish, said, Thinking(None, effort, most))
    return _adaptive(draft, wish, effort, most)


def _off(wish: Reasoning) -> bool:
    return wish.enabled is False or wish.effort == "none" or wish.max_tokens == 0


def _limit(draft: Draft, call: ChatCall, endpoint: Endpoint) -> int:
    """Return the limit of output, which the API wants to be told."""
    if call.max_tokens is not None:
        return call.max_tokens
    most = endpoint.max_output or DEFAULT_OUTPUT
    draft.note(Change.INJECTED, "max_tokens", f"{most}: this provider needs a limit")
    return most


def _obstacle(draft: Draft, said: Said, *, forced: bool) -> str | None:
    """Say what keeps the model from thinking, None for nothing."""
    if not draft.takes.thinks or not draft.supports("reasoning", "reasoning_effort"):
        return "this endpoint takes no wish to reason"
    if draft.rejects("thinking"):
        return "this provider rejects it"
    if forced and draft.takes.off != "never":
        return "a model that is made to call a tool cannot think here"
    if said.prefilled:
        return "a model that goes on with given words cannot think here"
    return None


def _without(draft: Draft, effort: str | None, most: int) -> Thinking:
    """Return what tells the model not to think."""
    off = draft.takes.off
    if off == "absent":
        return Thinking(None, effort, most)
    if off == "never":
        return Thinking(None, effort or "low", most)
    if effort is not None and effort not in _WITH_THINKING_OFF:
        draft.note(Change.CLAMPED, "verbosity", "sent as high: beyond it this model must think")
        effort = "high"
    return Thinking({"type": off}, effort, most)


def _budgeted(
    draft: Draft, call: ChatCall, wish: Reasoning, said: Said, so_far: Thinking
) -> Thinking:
    """Return thinking with a budget, which is less than the limit of output."""
    if said.calls_without_thought:
        draft.dropped("reasoning", "the calls that are answered here came without a signed thought")
        return so_far
    most = so_far.max_tokens
    if wish.max_tokens is not None:
        budget = max(wish.max_tokens, LEAST_BUDGET)
        if budget != wish.max_tokens:
            detail = f"sent as {budget}, the least"
            draft.note(Change.CLAMPED, "reasoning.max_tokens", detail)
        if call.max_tokens is None and most <= budget:
            most = budget + DEFAULT_OUTPUT
    else:
        effort = wish.effort or DEFAULT_EFFORT
        budget = max(min(int(most * SHARES[effort]), MOST_BUDGET), LEAST_BUDGET)
    if budget >= most:
        if most <= LEAST_BUDGET:
            draft.dropped("reasoning", f"max_tokens leaves no room for {LEAST_BUDGET} of thinking")
            return so_far
        budget = most - 1
        draft.note(Change.CLAMPED, "reasoning", f"{budget} tokens: less than max_tokens")
    config: dict[str, object] = {"type": "enabled", "budget_tokens": budget}
    return Thinking(config, so_far.effort, most)


def _adaptive(draft: Draft, wish: Reasoning, effort: str | None, most: int) -> Thinking:
    """Return thinking for as long as the model sees fit, at the effort that was asked for."""
    # Without a word on display the newer models keep their thoughts to themselves.
    shown = "omitted" if wish.exclude else "summarized"
    config: dict[str, object] = {"type": "adaptive", "display": shown}
    if effort is None and wish.effort is not None:
        effort = nearest(draft, wish.effort, "reasoning.effort")
    elif effort is None and wish.max_tokens is not None:
        effort = nearest(draft, nearest_effort(wish.max_tokens, most), "reasoning.max_tokens")
        draft.note(Change.RENAMED, "reasoning.max_tokens", f"sent as the effort {effort}")
    return Thinking(config, effort, most)


def nearest(draft: Draft, wanted: str, field: str) -> str | None:
    """Return the nearest effort that the model knows, None if it knows none."""
    known = draft.takes.efforts
    if not known:
        draft.dropped(field, "this model knows no efforts")
        return None
    place = _ORDER.index(wanted)
    weaker = [each for each in known if _ORDER.index(each) <= place]
    found = weaker[-1] if weaker else known[0]
    if found != wanted:
        draft.note(Change.CLAMPED, field, f"sent as {found}, the nearest that this model knows")
    return found


def _note_strangers(draft: Draft, call: ChatCall) -> None:
    """Name the members of the wish for which there is no room."""
    value = call.members.get("reasoning")
    if value is None or value == msgspec.Raw(b"null"):
        return
    for name, inner in _members(value).items():
        if name not in _UNDERSTOOD and inner != msgspec.Raw(b"null"):
            draft.dropped(f"reasoning.{name}", "this provider's API has no such field")
    if call.reasoning is not None and call.reasoning.summary is not None:
        draft.dropped("reasoning.summary", "this provider's API has no such field")
