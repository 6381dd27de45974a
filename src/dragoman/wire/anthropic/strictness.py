"""Whether a schema is one that OpenAI can bind an answer to, or the arguments of a call.

Anthropic binds both to schemas with properties that may be left out; with `strict` OpenAI
answers those with a 400: all objects have to be closed, and all of their properties required
(developers.openai.com, "Structured model outputs", "Supported schemas").
"""

from typing import Any

import msgspec
from msgspec import Raw

DEEPEST = 64

_NEVER = frozenset({
    "allOf", "oneOf", "not", "if", "then", "else", "dependentRequired", "dependentSchemas",
    "patternProperties",
})  # fmt: skip
_NAMED = ("properties", "$defs", "definitions")

_any = msgspec.json.Decoder().decode


def can_be_strict(schema: Raw) -> bool:
    """Whether OpenAI can be asked to hold an answer to a schema."""
    try:
        return _fits(_any(schema), DEEPEST)
    except RecursionError:
        return False


def _fits(schema: Any, depth: int) -> bool:
    if not isinstance(schema, dict):
        return True
    if depth == 0 or not _NEVER.isdisjoint(schema):
        return False
    return _is_closed(schema) and all(_fits(inner, depth - 1) for inner in _within(schema))


def _is_closed(schema: dict[str, Any]) -> bool:
    """Whether an object has the properties that are listed, all of them; true of what is none."""
    kind, properties = schema.get("type"), schema.get("properties")
    is_object = kind == "object" or (isinstance(kind, list) and "object" in kind)
    if not is_object and properties is None:
        return True
    required = schema.get("required", [])
    if not isinstance(required, list) or not isinstance(properties or {}, dict):
        return False
    return schema.get("additionalProperties") is False and all(
        name in required for name in properties or {}
    )


def _within(schema: dict[str, Any]) -> list[Any]:
    """Return the schemas that a schema holds."""
    found = [schema.get("items")]
    alternatives = schema.get("anyOf")
    found += alternatives if isinstance(alternatives, list) else []
    for name in _NAMED:
        inner = schema.get(name)
        found += inner.values() if isinstance(inner, dict) else []
    return found
