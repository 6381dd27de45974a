"""What Anthropic's `GET /models` says that a model can do, in the catalog's words. Pure.

Source: Anthropic API reference, "List Models"; its SDK's types `ModelInfo` and
`ModelCapabilities`. What is not about parameters or media is left alone.
"""

from collections.abc import Mapping
from typing import Any

Row = Mapping[str, Any]

_ALWAYS = frozenset({
    "max_completion_tokens", "max_tokens", "parallel_tool_calls", "stop", "tool_choice", "tools",
})  # fmt: skip
_SAMPLING = frozenset({"temperature", "top_k", "top_p"})
_REASONING = frozenset({"include_reasoning", "reasoning", "reasoning_effort"})
_SCHEMAS = frozenset({"response_format", "structured_outputs"})


def is_told(row: Row) -> bool:
    """Whether a row of a list has capabilities in this form."""
    return isinstance(_object(row, "capabilities").get("thinking"), dict)


def supports(row: Row) -> frozenset[str]:
    """Return the request parameters that a model takes.

    Sampling is not told: models that think only as they see fit came without it (docs, "What's
    new in Claude Opus 4.7").
    """
    told = _object(row, "capabilities")
    thinking = _object(told, "thinking")
    names = set(_ALWAYS)
    if _is_able(thinking):
        names |= _REASONING
    if not _is_able(thinking) or _is_able(_object(_object(thinking, "types"), "enabled")):
        names |= _SAMPLING
    if _is_able(_object(told, "structured_outputs")):
        names |= _SCHEMAS
    if _is_able(_object(told, "effort")):
        names.add("verbosity")
    return frozenset(names)


def inputs(row: Row) -> frozenset[str]:
    """Return the media that a model takes beside text."""
    told = _object(row, "capabilities")
    media = {"image_input": "image", "pdf_input": "file"}
    return frozenset(word for name, word in media.items() if _is_able(_object(told, name)))


def _is_able(told: Row) -> bool:
    return told.get("supported") is True


def _object(row: Row, name: str) -> Row:
    value = row.get(name)
    return value if isinstance(value, dict) else {}
