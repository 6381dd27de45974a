"""How much a model is to think, and in what form it is to answer, as the hub says it.

Sources: Anthropic, "Extended thinking", "Adaptive thinking", "Effort" and "Structured outputs";
OpenRouter, reasoning-tokens.
"""

from typing import Annotated, Any, Literal, get_args

import msgspec
from msgspec import Meta, Raw, Struct, inspect

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.wire.anthropic.blocks import given, is_object
from dragoman.wire.anthropic.fields import Format, MessagesFields
from dragoman.wire.anthropic.gleanings import Gleanings
from dragoman.wire.anthropic.strictness import can_be_strict
from dragoman.wire.explain import explain
from dragoman.wire.shapes import Effort

LEAST_BUDGET = 1024
SCHEMA_NAME = "answer"
"""Schemas have no name here, and need one in the hub."""

LOOSE = "hosts of OpenAI's API are not made to keep to it: it is not closed, or not all is required"

_EFFORTS = frozenset(get_args(Effort)) - {"none"}


class Thinking(Struct, frozen=True, gc=False):
    """The wish to think, of any type."""

    type: str
    budget_tokens: Annotated[int, Meta(ge=LEAST_BUDGET, le=10_000_000)] | None = None
    display: Literal["summarized", "omitted"] | None = None


_thinking = msgspec.json.Decoder(Thinking).decode


def reasoning_of(fields: MessagesFields, found: Gleanings) -> dict[str, Any] | None:
    """Return the hub's `reasoning`, None for no wish. Raises InvalidRequest."""
    wish = _wish(fields.thinking, found)
    effort = None if fields.output_config is None else fields.output_config.effort
    if effort is None:
        return wish
    if effort not in _EFFORTS:
        options = "|".join(f'"{each}"' for each in get_args(Effort) if each in _EFFORTS)
        raise InvalidRequest(f"output_config.effort: Invalid option: expected one of {options}")
    if wish is not None and ("max_tokens" in wish or wish.get("enabled") is False):
        found.dropped("output_config.effort", "thinking says how much already")
        return wish
    return {**(wish or {}), "effort": effort}


def _wish(raw: Raw, found: Gleanings) -> dict[str, Any] | None:
    if not given(raw):
        return None
    try:
        thinking = _thinking(raw)
    except msgspec.ValidationError as error:
        where, reason = explain(error, inspect.type_info(Thinking))
        raise InvalidRequest(f"{'.'.join(filter(None, ('thinking', where)))}: {reason}") from None
    if thinking.type == "disabled":
        return {"enabled": False}
    wish: dict[str, Any] = {"enabled": True}
    if thinking.type == "enabled":
        if thinking.budget_tokens is None:
            raise InvalidRequest("thinking.budget_tokens: is required")
        wish["max_tokens"] = thinking.budget_tokens
    elif thinking.type != "adaptive":
        found.dropped("thinking.type")
    if thinking.display == "omitted":
        wish["exclude"] = True
    return wish


def format_of(fields: MessagesFields, found: Gleanings) -> dict[str, Any] | None:
    """Return the hub's `response_format`, None if any text will do. Raises InvalidRequest."""
    config = fields.output_config
    nested = None if config is None else config.format
    wanted: Format | None = nested or fields.output_format
    if wanted is None:
        return None
    if not is_object(wanted.schema):
        path = "output_format" if nested is None else "output_config.format"
        raise InvalidRequest(f"{path}.schema: must be an object")
    strict = can_be_strict(wanted.schema)
    if not strict:
        found.changed(Change.CLAMPED, "output_config.format", LOOSE)
    schema = {"name": SCHEMA_NAME, "strict": strict, "schema": wanted.schema}
    return {"type": "json_schema", "json_schema": schema}
