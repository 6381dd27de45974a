"""How models other than Claude are asked to reason: Nova by an object of its own, GPT by an effort.

Sources: Nova 2 user guide, "Extended thinking" (three efforts; with the highest neither samples
nor a limit may be given); AWS docs, "OpenAI models" (`reasoning_effort`).
"""

import msgspec

from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import NULL
from dragoman.providers.bedrock.draft import Draft
from dragoman.providers.openai.reasoning import DEFAULT_EFFORT, nearest_effort
from dragoman.wire.chat import ChatCall, Reasoning

_NEAREST = {"minimal": "low", "xhigh": "high", "max": "high"}
"""What there is no word for, and the nearest of three."""
_UNDERSTOOD = frozenset({"effort", "max_tokens", "enabled", "exclude"})

_members = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_string = msgspec.json.Decoder(str | None).decode


def ask_for_reasoning(draft: Draft, call: ChatCall, config: dict[str, object]) -> bool:
    """Put the wish among the model's own members; say whether samples go together with it.

    `config` is what there is so far of `inferenceConfig`.
    """
    if _string(call.members.get("verbosity", NULL)) not in {None, "medium"}:
        draft.dropped("verbosity", "this provider's API has no such field")
    wish = call.reasoning
    if wish is None or not (wish.asked or _off(wish)):
        return True
    _note_strangers(draft, call)
    kind = draft.family.reasons
    if kind == "no" or not draft.supports("reasoning", "reasoning_effort"):
        draft.dropped("reasoning", "this endpoint takes no wish to reason")
        return True
    if _off(wish):
        if kind == "nova":
            draft.own["reasoningConfig"] = {"type": "disabled"}
        else:
            draft.own["reasoning_effort"] = "low"
            draft.note(Change.CLAMPED, "reasoning", "sent as low: this model always reasons")
        return True
    effort = _effort(draft, call, wish)
    if kind == "effort":
        draft.own["reasoning_effort"] = effort
        return True
    if effort == "high" and "maxTokens" in config:
        effort = "medium"
        detail = "sent as medium: more does not go together with max_tokens"
        draft.note(Change.CLAMPED, "reasoning.effort", detail)
    draft.own["reasoningConfig"] = {"type": "enabled", "maxReasoningEffort": effort}
    return effort != "high"


def _off(wish: Reasoning) -> bool:
    return wish.enabled is False or wish.effort == "none" or wish.max_tokens == 0


def _effort(draft: Draft, call: ChatCall, wish: Reasoning) -> str:
    """Return the effort that a wish means."""
    if wish.max_tokens is not None:
        effort = nearest_effort(wish.max_tokens, call.max_tokens or draft.endpoint.max_output)
        draft.note(Change.RENAMED, "reasoning.max_tokens", f"sent as the effort {effort}")
        return effort
    wanted = wish.effort or DEFAULT_EFFORT
    effort = _NEAREST.get(wanted, wanted)
    if effort != wanted:
        detail = f"sent as {effort}, the nearest that this model knows"
        draft.note(Change.CLAMPED, "reasoning.effort", detail)
    return effort


def _note_strangers(draft: Draft, call: ChatCall) -> None:
    """Name the members of the wish for which there is no room."""
    value = call.members.get("reasoning", NULL)
    if value == NULL:
        return
    for name, inner in _members(value).items():
        if name not in _UNDERSTOOD and inner != NULL:
            draft.dropped(f"reasoning.{name}", "this provider's API has no such field")
