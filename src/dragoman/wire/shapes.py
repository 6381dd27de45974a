"""The small types that request fields are made of; what they refuse is worded in `explain`."""

from typing import Annotated, Literal

from msgspec import Meta, Struct


class AnyObject(Struct, frozen=True, gc=False):
    """An object whose members are forwarded without being read."""


NonEmpty = Annotated[str, Meta(min_length=1)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]
FunctionName = Annotated[str, Meta(min_length=1, max_length=128, pattern=r"\A[A-Za-z0-9_-]*\Z")]
"""As long as Anthropic takes it; OpenAI takes half, and says so itself."""
ModelName = Annotated[str, Meta(min_length=1, max_length=256)]

Count = Annotated[int, Meta(ge=0, le=10_000_000)]
PositiveCount = Annotated[int, Meta(ge=1, le=10_000_000)]
Share = Annotated[float, Meta(ge=0, le=1)]
Penalty = Annotated[float, Meta(ge=-2, le=2)]

Effort = Literal["max", "xhigh", "high", "medium", "low", "minimal", "none"]
"""How hard a model is to think (OpenRouter docs, reasoning-tokens)."""
