"""Schemas of Messages clients: what OpenAI can be made to keep to, and what it would refuse."""

import json
from typing import Any

import msgspec
import pytest
from anthropic.lib._parse._transform import transform_schema
from openai.lib._pydantic import to_strict_json_schema
from pydantic import BaseModel

from dragoman.wire.anthropic.dialect import MESSAGES
from tests.wire.messages_told import HI


class Inner(BaseModel):
    number: int
    others: list["Inner"]


class Strict(BaseModel):
    name: str
    inner: Inner | None


class Loose(BaseModel):
    name: str
    inner: Inner | None = None


CLOSED: dict[str, Any] = {"type": "object", "properties": {}, "additionalProperties": False}


def asked(schema: Any) -> tuple[bool, list[str]]:
    """Return whether a host of OpenAI's API is to enforce a schema, and what is noted."""
    body = {"model": "a/b", "max_tokens": 9, "messages": HI}
    body["output_config"] = {"format": {"type": "json_schema", "schema": schema}}
    call = MESSAGES.parse(json.dumps(body).encode(), {})
    assert call.native is not None
    form = msgspec.json.decode(call.members["response_format"])
    assert form["json_schema"]["schema"] == schema
    return form["json_schema"]["strict"], [note.field for note in call.native.notes]


def test_a_schema_as_openais_own_client_makes_it_is_enforced() -> None:
    assert asked(to_strict_json_schema(Strict)) == (True, [])
    assert asked(transform_schema(Strict.model_json_schema())) == (True, [])


def test_one_with_properties_that_may_be_left_out_is_not() -> None:
    """OpenAI answers it with a 400 where it is strict; Anthropic's client makes such schemas."""
    schema = transform_schema(Loose.model_json_schema())
    assert asked(schema) == (False, ["output_config.format"])


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {"type": ["object", "null"], "properties": {}},
        {"properties": {"a": {}}, "additionalProperties": False},
        {"type": "object", "properties": 1, "additionalProperties": False},
        {**CLOSED, "required": 1},
        {**CLOSED, "$defs": {"a": {"type": "object"}}},
        {"type": "array", "items": {"type": "object"}},
        {"anyOf": [CLOSED, {"type": "object"}]},
        {"allOf": [CLOSED]},
        {"oneOf": [CLOSED]},
    ],
)
def test_others_that_openai_would_refuse(schema: Any) -> None:
    assert asked(schema)[0] is False


@pytest.mark.parametrize(
    "schema", [CLOSED, {"type": "string"}, {"type": "array", "items": CLOSED}, {"anyOf": 1}]
)
def test_others_that_it_takes(schema: Any) -> None:
    assert asked(schema)[0] is True


def test_a_schema_that_is_nested_too_deep_is_not_enforced() -> None:
    schema: dict[str, Any] = {"type": "string"}
    for _ in range(100):
        schema = {"type": "array", "items": schema}
    assert asked(schema)[0] is False
