"""How a wish to reason is put to Gemini: as a level, or as a budget of tokens.

Sources: ai.google.dev/gemini-api/docs/thinking; for the shares of the output that an effort
means, OpenRouter, reasoning-tokens; where the output has no limit, Google's own table for
`reasoning_effort` (ai.google.dev/gemini-api/docs/openai, "Thinking").
"""

from typing import Any

import msgspec

from dragoman.core.notes import Change
from dragoman.providers.gemini.draft import Draft
from dragoman.providers.gemini.values import NULL
from dragoman.wire.chat import ChatCall, Reasoning
from dragoman.wire.hub import Members

LEVELS = {
    "minimal": "MINIMAL",
    "low": "LOW",
    "medium": "MEDIUM",
    "high": "HIGH",
    "xhigh": "HIGH",
    "max": "HIGH",
}
SHARES = {"max": 0.95, "xhigh": 0.95, "high": 0.8, "medium": 0.5, "low": 0.2, "minimal": 0.1}
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24_576}
DYNAMIC = -1

_UNDERSTOOD = frozenset({"effort", "max_tokens", "enabled", "exclude", "summary"})
_members = msgspec.json.Decoder(Members).decode


def think(draft: Draft, call: ChatCall) -> None:
    """Put the caller's wish into the draft."""
    wish = call.reasoning
    if wish is None:
        return
    supports = draft.endpoint.supports
    can = not supports or "reasoning" in supports or "reasoning_effort" in supports
    can = can and draft.provider.quirks.reasoning != "none"
    if not can or not (draft.family.levels or draft.family.most):
        if wish.effort or wish.max_tokens or wish.summary or wish.enabled is not None:
            draft.drop("reasoning", "this endpoint takes no wish to reason")
        return
    _note_strangers(draft, call.members.get("reasoning", NULL))
    if wish.enabled is False or wish.effort == "none" or wish.max_tokens == 0:
        config = _off(draft)
    else:
        config = _amount(draft, wish, call.max_tokens)
        if not wish.exclude:
            config["includeThoughts"] = True
    if config:
        draft.config["thinkingConfig"] = config


def _off(draft: Draft) -> dict[str, Any]:
    """Return how a model is told not to think, or as little as it can."""
    family = draft.family
    if family.stops:
        return {"thinkingBudget": 0}
    draft.note(Change.CLAMPED, "reasoning", "this model cannot be told not to think at all")
    if family.levels:
        return {"thinkingLevel": family.least_level}
    return {"thinkingBudget": family.least}


def _amount(draft: Draft, wish: Reasoning, output: int | None) -> dict[str, Any]:
    if wish.max_tokens is not None:
        return {"thinkingBudget": _budget(draft, wish.max_tokens)}
    effort = wish.effort
    if effort is None:
        return {"thinkingBudget": DYNAMIC} if wish.enabled and not draft.family.levels else {}
    if draft.family.levels:
        return {"thinkingLevel": _level(draft, effort)}
    most = draft.family.most
    wanted = int(SHARES[effort] * output) if output else BUDGETS.get(effort, most)
    tokens = max(draft.family.least, min(wanted, most))
    draft.note(Change.RENAMED, "reasoning.effort", f"sent as a thinkingBudget of {tokens}")
    return {"thinkingBudget": tokens}


def _budget(draft: Draft, tokens: int) -> int:
    """Return a number of tokens that the model can be given. Newer models say no limits."""
    if draft.family.levels:
        return tokens
    allowed = max(draft.family.least, min(tokens, draft.family.most))
    if allowed != tokens:
        draft.note(Change.CLAMPED, "reasoning.max_tokens", f"sent as {allowed}, which is allowed")
    return allowed


def _level(draft: Draft, effort: str) -> str:
    level = LEVELS[effort]
    if level == "MINIMAL" and draft.family.least_level != "MINIMAL":
        level = draft.family.least_level
    if level != effort.upper():
        draft.note(Change.CLAMPED, "reasoning.effort", f"sent as {level}, the nearest there is")
    return level


def _note_strangers(draft: Draft, value: msgspec.Raw) -> None:
    """Name the members of the object for which there is no room."""
    if value == NULL:
        return
    for name, inner in _members(value).items():
        if name not in _UNDERSTOOD and inner != NULL:
            draft.drop(f"reasoning.{name}", "this provider's API has no such field")
