"""How much a model is to think: one wish, whichever of three spellings it came in.

Source: OpenRouter docs, reasoning-tokens. `reasoning_effort` is OpenAI's spelling,
`include_reasoning` OpenRouter's first.
"""

from msgspec import Struct

from dragoman.core.errors import InvalidRequest
from dragoman.wire.fields import ChatFields, ReasoningFields


class Reasoning(Struct, frozen=True, kw_only=True):
    """The `reasoning` object, with its legacy spellings folded in. Absent stays None."""

    effort: str | None = None
    max_tokens: int | None = None
    exclude: bool = False
    enabled: bool | None = None
    summary: str | None = None

    @property
    def asked(self) -> bool:
        """Whether the model is to think, rather than not, or only not to show it."""
        if self.enabled is False or self.effort == "none":
            return False
        return bool(self.enabled or self.effort or self.max_tokens or self.summary)


def fold(fields: ChatFields) -> Reasoning | None:
    """Return the one wish, None when there is none. Raises InvalidRequest on contradictions."""
    wish, effort, include = fields.reasoning, fields.reasoning_effort, fields.include_reasoning
    if wish is None and effort is None and include is None:
        return None
    wish = wish or ReasoningFields()
    if wish.effort is not None and effort is not None and wish.effort != effort:
        raise InvalidRequest("reasoning_effort: contradicts reasoning.effort")
    if wish.exclude is not None and include is wish.exclude:
        raise InvalidRequest("include_reasoning: contradicts reasoning.exclude")
    effort = wish.effort or effort
    if effort is not None and wish.max_tokens is not None:
        raise InvalidRequest("reasoning.max_tokens: is an alternative to effort; give one of them")
    return Reasoning(
        effort=effort,
        max_tokens=wish.max_tokens,
        exclude=wish.exclude is True or include is False,
        enabled=wish.enabled,
        summary=wish.summary,
    )
