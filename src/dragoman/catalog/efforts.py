"""What follows from the reasoning efforts that a model knows. Pure."""

from collections.abc import Collection

NO_EFFORT = "none"

_SAY_ALL = ("openai/",)
"""Makers whose lists of efforts have `none` where a model can go without reasoning, which
refuses the word elsewhere (OpenAI, "Reasoning models"). Others have switches beside efforts."""


def must_reason(model: str, efforts: Collection[str]) -> bool:
    """Whether a model is known to reason whatever it is told. `efforts`: empty is unknown."""
    return bool(efforts) and NO_EFFORT not in efforts and model.startswith(_SAY_ALL)
