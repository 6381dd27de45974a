"""The members of a Responses request that the hub calls by another name, or does not have.

Types and ranges only; members that both have are checked by the hub (`dragoman.wire.fields`).
Sources: `openai.types.responses.response_create_params`, OpenRouter's `ResponsesRequest`.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Raw, Struct

from dragoman.wire.shapes import AnyObject, NonEmpty, PositiveCount

SHARED = frozenset({
    "model", "models", "fallback_models", "provider", "plugins", "route", "preset", "session_id",
    "trace", "debug", "image_config", "modalities", "stop_server_tools_when", "x_search_filter",
    "temperature", "top_p", "top_k", "min_p", "top_a", "seed", "stop", "repetition_penalty",
    "frequency_penalty", "presence_penalty", "logit_bias", "metadata", "parallel_tool_calls",
    "max_tool_calls", "prompt_cache_key", "prompt_cache_options", "prompt_cache_retention",
    "cache_control", "service_tier", "stream", "user", "transforms", "web_search_options",
})  # fmt: skip
"""Members that are the hub's as they are."""

UNTOLD = frozenset({
    "store", "previous_response_id", "conversation", "background", "prompt", "stream_options",
    "input", "instructions", "max_output_tokens", "text", "reasoning", "include", "tools",
    "tool_choice", "top_logprobs", "truncation", "safety_identifier",
})  # fmt: skip
"""Members that are told to the hub in other words, or say nothing that has to be told."""


class TextFormat(Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """Any text."""


class JsonFormat(Struct, frozen=True, gc=False, tag_field="type", tag="json_object"):
    """Any JSON object."""


class SchemaFormat(Struct, frozen=True, gc=False, tag_field="type", tag="json_schema"):
    """JSON of a given schema."""

    name: NonEmpty
    schema: Raw = Raw()
    strict: bool | None = None
    description: str | None = None


class TextConfig(Struct, frozen=True, gc=False):
    """What the text of an answer must be."""

    format: TextFormat | JsonFormat | SchemaFormat | None = None
    verbosity: Literal["low", "medium", "high", "xhigh", "max"] | None = None


class ToolChoice(Struct, frozen=True, gc=False):
    """The tool that must be called, or those of which one may be."""

    type: str
    name: str | None = None
    namespace: str | None = None
    mode: Literal["auto", "required"] = "auto"
    tools: list["ToolChoice"] | None = None


class ResponsesFields(Struct, frozen=True, kw_only=True, gc=False):
    """Members with a name or a meaning of their own."""

    input: Raw = Raw()
    instructions: str | None = None
    max_output_tokens: PositiveCount | None = None
    previous_response_id: Any = None
    conversation: Any = None
    prompt: Any = None
    store: bool | None = None
    background: bool | None = None
    text: TextConfig | None = None
    reasoning: AnyObject | None = None
    include: list[str] | None = None
    tools: list[Raw] | None = None
    tool_choice: str | ToolChoice | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    truncation: Literal["auto", "disabled"] | None = None
    safety_identifier: Annotated[str, Meta(max_length=512)] | None = None
