"""Answers that are to be JSON: bound to a schema where the model can be, else by instruction.

What a schema may hold here is less than JSON Schema: objects are closed, and what is not in the
grammar of the answer (bounds of numbers and lengths) is a 400 (Anthropic docs, "Structured
outputs", "JSON Schema limitations"; SDK, `lib/_parse/_transform.py`).
"""

from collections.abc import Mapping
from typing import Any

import msgspec
from msgspec import Raw

from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import NULL
from dragoman.providers.anthropic.draft import Draft
from dragoman.wire.chat import ChatCall

DEEPEST = 64

_KNOWN_OF: Mapping[str, tuple[object, ...]] = {
    "format": (
        "date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid",
    ),
    "minItems": (0, 1),
}  # fmt: skip
_UNKNOWN = frozenset({
    "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf", "minLength",
    "maxLength", "maxItems", "uniqueItems", "minProperties", "maxProperties", "contains",
    "minContains", "maxContains", "patternProperties", "propertyNames",
})  # fmt: skip
_INNER = ("items", "not")
_LISTS = ("anyOf", "allOf")
_NAMED = ("properties", "$defs", "definitions")

_format = msgspec.json.Decoder(dict[str, Any]).decode
_encode = msgspec.json.Encoder().encode


def ask_for_json(draft: Draft, call: ChatCall) -> Raw | None:
    """Return what binds the answer, `output_config.format`, None where nothing does.

    Where the model cannot be bound, it is to be told: see `instruction`.
    """
    value = call.members.get("response_format", NULL)
    if value == NULL:
        return None
    wanted = _format(value)
    kind = wanted["type"]
    if kind == "json_schema":
        schema = wanted["json_schema"].get("schema")
        if isinstance(schema, dict) and _binds(draft):
            closed = closed_schema(schema, "response_format", draft)
            return Raw(_encode({"type": "json_schema", "schema": closed}))
    elif kind not in {"json_object", "text"}:
        draft.dropped("response_format", "this provider's API has no such format")
    return None


def instruction(draft: Draft, call: ChatCall) -> str | None:
    """Return what the model is told where nothing binds its answer to be the JSON asked for."""
    value = call.members.get("response_format", NULL)
    if not call.json_output or value == NULL:
        return None
    wanted = _format(value)
    schema = wanted.get("json_schema", {}).get("schema")
    if isinstance(schema, dict) and _binds(draft):
        return None
    draft.note(Change.RENAMED, "response_format", "sent as an instruction: nothing enforces it")
    told = "Answer with one JSON value and nothing else: no words around it, no code fence."
    if said := described(call):
        told += f" It is this: {said}"
    if isinstance(schema, dict):
        return f"{told} It must match this JSON Schema:\n{_encode(schema).decode()}"
    return told.replace("JSON value", "JSON object")


def described(call: ChatCall) -> str:
    """Return what the caller says that the JSON is, nothing if that is not said."""
    form = _format(call.members["response_format"])
    said = form.get("json_schema", {}).get("description")
    return said if isinstance(said, str) else ""


def _binds(draft: Draft) -> bool:
    able = draft.lists("structured_outputs", otherwise=draft.takes.structured)
    return able and not draft.rejects("output_config")


def closed_schema(schema: dict[str, Any], field: str, draft: Draft) -> dict[str, Any]:
    """Return a schema with objects closed and without unknown words; the same if it was so.

    What was changed is noted of `field`.
    """
    changed: dict[str, None] = {}
    closed: dict[str, Any] = _walk(schema, changed, DEEPEST)
    if not changed:
        return schema
    detail = f"the schema without what this provider does not know: {', '.join(changed)}"
    draft.note(Change.CLAMPED, field, detail)
    return closed


def _walk(schema: Any, changed: dict[str, None], depth: int) -> Any:
    if not isinstance(schema, dict) or depth == 0:
        return schema
    made: dict[str, Any] = {}
    for name, value in schema.items():
        if name in _UNKNOWN or (name in _KNOWN_OF and value not in _KNOWN_OF[name]):
            changed[name] = None
        elif name in _INNER:
            made[name] = _walk(value, changed, depth - 1)
        elif name in _LISTS or name == "oneOf":
            made["anyOf" if name == "oneOf" else name] = _each(value, changed, depth)
        elif name in _NAMED and isinstance(value, dict):
            made[name] = {k: _walk(v, changed, depth - 1) for k, v in value.items()}
        else:
            made[name] = value
    if made.get("type") == "object" and made.get("additionalProperties") is not False:
        made["additionalProperties"] = False
        changed["additionalProperties"] = None
    return made


def _each(value: Any, changed: dict[str, None], depth: int) -> Any:
    return [_walk(v, changed, depth - 1) for v in value] if isinstance(value, list) else value
