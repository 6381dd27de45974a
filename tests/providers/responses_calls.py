"""Short ways to have a call put into the words of the Responses API: checked by OpenAI's types."""

import json
from typing import Any

from openai.types.responses import ResponseInputItem, ResponseTextConfig, Tool
from openai.types.shared import Reasoning
from pydantic import TypeAdapter

from dragoman.catalog.types import Endpoint, Quirks
from dragoman.core.notes import Change
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.wire.chat import ChatCall
from tests.providers.openai_calls import endpoint, provider

DIALECT = DIALECTS["responses"]
ITEM: TypeAdapter[Any] = TypeAdapter(ResponseInputItem)
TOOL: TypeAdapter[Any] = TypeAdapter(Tool)
USER = {"role": "user", "content": "hello"}


def write(asked: ChatCall, at: Endpoint | None = None, **quirks: Any) -> Outgoing:
    host = provider(dialect="responses", quirks=Quirks(**quirks))
    return DIALECT.request(asked, at or endpoint(), host)


def sent(outgoing: Outgoing) -> dict[str, Any]:
    """The body, less what every one has, checked by OpenAI's types."""
    body: dict[str, Any] = json.loads(outgoing.body)
    assert body.pop("model") == "turbo-1"
    assert body.pop("store") is False
    for item in body["input"] if isinstance(body["input"], list) else []:
        ITEM.validate_python(item)
    for tool in body.get("tools", []):
        TOOL.validate_python(tool)
    if "text" in body:
        ResponseTextConfig.model_validate(body["text"])
    if "reasoning" in body:
        Reasoning.model_validate(body["reasoning"])
    return body


def notes(outgoing: Outgoing) -> list[tuple[Change, str]]:
    assert all(note.provider == "acme" and note.detail for note in outgoing.notes)
    return [(note.change, note.field) for note in outgoing.notes]
