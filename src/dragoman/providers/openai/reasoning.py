"""How a wish to reason is put to a host: as an effort, as OpenRouter's object, or not at all."""

import msgspec
from msgspec import Raw

from dragoman.catalog.efforts import NO_EFFORT, must_reason
from dragoman.catalog.types import Endpoint, Quirks
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.openai.draft import Draft
from dragoman.providers.openai.members import NULL
from dragoman.wire.chat import ChatCall, Reasoning
from dragoman.wire.hub import Members

NAMES = frozenset({"reasoning", "reasoning_effort", "include_reasoning"})

SHARE_OF_OUTPUT = {"low": 0.2, "medium": 0.5, "high": 0.8}
"""Effort -> share of the output that reasoning may take (OpenRouter, reasoning-tokens).

Only the efforts that every host knows take part in choosing one for a number.
"""
DEFAULT_EFFORT = "medium"
EFFORTS = ("max", "xhigh", "high", "medium", "low", "minimal")
"""All that ask for reasoning, strongest first."""

MANDATORY = "Reasoning is mandatory for this endpoint and cannot be disabled."

_UNDERSTOOD = frozenset({"effort", "max_tokens", "enabled", "exclude"})

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode


def ask_for_reasoning(draft: Draft, call: ChatCall, endpoint: Endpoint, quirks: Quirks) -> None:
    """Put the caller's wish into the draft, in the host's way. `exclude` is the relay's."""
    wish = call.reasoning
    if wish is None:
        return
    if quirks.reasoning == "none" or not _can_reason(endpoint):
        if _asks(wish):
            draft.note(Change.DROPPED, "reasoning", "this endpoint takes no wish to reason")
    elif quirks.reasoning == "object":
        for name in sorted(NAMES & call.members.keys()):
            if call.members[name] != NULL:
                draft.offer(name, call.members[name])
    else:
        _ask_for_effort(draft, call, endpoint, wish)


def nearest_effort(max_tokens: int, output: int | None) -> str:
    """Return the effort whose share of `output` is nearest to `max_tokens`, both in tokens.

    An output of unknown length has no shares: the default effort.
    """
    if not output:
        return DEFAULT_EFFORT
    share = max_tokens / output
    return min(SHARE_OF_OUTPUT, key=lambda effort: abs(SHARE_OF_OUTPUT[effort] - share))


def has_switch(call: ChatCall) -> bool:
    """Whether the client's API switches reasoning off at any model, as Anthropic's Messages do.

    Claude Code does so for small tasks, whatever the model that it was given.
    """
    return call.native is not None and call.native.dialect == "messages"


def known_effort(draft: Draft, wanted: str, field: str, *, at_least: bool = False) -> str:
    """Return the nearest effort that the model knows, a weaker one if there is any.

    So it is at OpenRouter (reasoning-tokens). `none` is no effort, and stays. Where the model is
    known to reason in any case it is the weakest effort if `at_least` that will do. Raises
    InvalidRequest, in OpenRouter's words, if not.
    """
    known = [each for each in draft.endpoint.efforts if each in EFFORTS]
    if wanted == NO_EFFORT and must_reason(draft.endpoint.model, draft.endpoint.efforts):
        if not (at_least and known):
            raise InvalidRequest(MANDATORY)
        weakest = max(known, key=EFFORTS.index)
        draft.note(Change.CLAMPED, field, f"sent as {weakest}: this model reasons in any case")
        return weakest
    if not known or wanted in known or wanted not in EFFORTS:
        return wanted
    weaker = [each for each in known if EFFORTS.index(each) > EFFORTS.index(wanted)]
    found = weaker[0] if weaker else known[-1]
    draft.note(Change.CLAMPED, field, f"sent as {found}, the nearest that this model knows")
    return found


def _can_reason(endpoint: Endpoint) -> bool:
    supports = endpoint.supports
    return not supports or "reasoning" in supports or "reasoning_effort" in supports


def _asks(wish: Reasoning) -> bool:
    """Whether the wish says more than what the caller wants to see."""
    return bool(wish.effort or wish.max_tokens or wish.summary or wish.enabled is not None)


def _ask_for_effort(draft: Draft, call: ChatCall, endpoint: Endpoint, wish: Reasoning) -> None:
    _note_strangers(draft, call.members.get("reasoning", NULL))
    effort, source = _effort(wish, call.max_tokens or endpoint.max_output)
    if effort is None:
        return
    field = source or "reasoning.effort"
    effort = known_effort(draft, effort, field, at_least=has_switch(call))
    if source is not None:
        draft.note(Change.RENAMED, source, f"sent as reasoning_effort {effort}")
    draft.offer("reasoning_effort", Raw(_encode(effort)))


def _effort(wish: Reasoning, output: int | None) -> tuple[str | None, str | None]:
    """Return the effort that a wish means, and the member that says so in other words.

    A switch that is off, and a budget of nothing, win over an effort.
    """
    if wish.enabled is False:
        return NO_EFFORT, "reasoning.enabled"
    if wish.max_tokens == 0:
        return NO_EFFORT, "reasoning.max_tokens"
    if wish.max_tokens is not None:
        return nearest_effort(wish.max_tokens, output), "reasoning.max_tokens"
    if wish.effort is None and wish.enabled:
        return DEFAULT_EFFORT, "reasoning.enabled"
    return wish.effort, None


def _note_strangers(draft: Draft, value: Raw) -> None:
    """Name the members of the object for which an effort has no room."""
    if value == NULL:
        return
    for name, inner in _members(value).items():
        if name not in _UNDERSTOOD and inner != NULL:
            draft.note(Change.DROPPED, f"reasoning.{name}", "this provider takes an effort only")
