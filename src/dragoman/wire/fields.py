"""The members of a chat request that have a known shape: types and ranges, declared once.

Sources: OpenRouter docs, api_reference/parameters and overview, the schema
`ChatRequest`; where they differ, the wider of what OpenRouter accepts. What one
member says of another is checked in `chat`. Null means not set.
"""

from typing import Annotated, Any, Literal

from msgspec import Meta, Struct

from dragoman.wire.messages import Content, Message
from dragoman.wire.shapes import (
    AnyObject,
    Count,
    Effort,
    ModelName,
    Name,
    NonEmpty,
    Penalty,
    PositiveCount,
    Share,
)
from dragoman.wire.tools import Tool, ToolChoice


class StreamOptions(Struct, frozen=True, gc=False):
    """Accepted, without effect: usage is always sent."""

    include_usage: bool | None = None


class UsageOptions(Struct, frozen=True, gc=False):
    """Accepted, without effect: usage is always sent."""

    include: bool | None = None


class ReasoningFields(Struct, frozen=True, kw_only=True, gc=False):
    """The `reasoning` object (OpenRouter docs, reasoning-tokens)."""

    effort: Effort | None = None
    max_tokens: Count | None = None
    exclude: bool | None = None
    enabled: bool | None = None
    summary: Literal["auto", "concise", "detailed"] | None = None
    context: Literal["auto", "all_turns", "current_turn"] | None = None
    mode: Literal["standard", "pro"] | None = None


class JsonSchema(Struct, frozen=True):
    """The JSON that an answer must be."""

    name: Name
    schema: AnyObject | None = None
    strict: bool | None = None
    description: str | None = None


class TextFormat(Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """Any text."""


class JsonFormat(Struct, frozen=True, gc=False, tag_field="type", tag="json_object"):
    """Any JSON object."""


class SchemaFormat(Struct, frozen=True, tag_field="type", tag="json_schema"):
    """JSON of a given schema."""

    json_schema: JsonSchema


class GrammarFormat(Struct, frozen=True, gc=False, tag_field="type", tag="grammar"):
    """Text of a given grammar."""

    grammar: NonEmpty


class PythonFormat(Struct, frozen=True, gc=False, tag_field="type", tag="python"):
    """Python code."""


ResponseFormat = TextFormat | JsonFormat | SchemaFormat | GrammarFormat | PythonFormat


class Prediction(Struct, frozen=True):
    """What most of the answer is expected to be."""

    type: Literal["content"]
    content: Content


class AudioOutput(Struct, frozen=True):
    """The voice and the format of a spoken answer."""

    format: NonEmpty
    voice: NonEmpty | AnyObject


class Plugin(Struct, frozen=True, gc=False):
    """Something done to the request or the answer on the way."""

    id: Name
    enabled: bool | None = None


class WebSearchOptions(Struct, frozen=True, gc=False):
    """How much a search may bring into the conversation."""

    search_context_size: Literal["low", "medium", "high"] | None = None


class CacheControl(Struct, frozen=True, gc=False):
    """What a provider is to keep for the next request."""

    type: Literal["ephemeral"]
    ttl: Literal["5m", "1h"] | None = None


class PromptCacheOptions(Struct, frozen=True, gc=False):
    """Who decides what is kept, and for how long: more than OpenRouter's, as OpenAI has it."""

    mode: Literal["implicit", "explicit"] | None = None
    ttl: str | None = None


class StepCount(Struct, frozen=True, gc=False, tag_field="type", tag="step_count_is"):
    """Stop after so many steps."""

    step_count: PositiveCount


class ToolCalled(Struct, frozen=True, gc=False, tag_field="type", tag="has_tool_call"):
    """Stop once a tool was called."""

    tool_name: NonEmpty


class TokensUsed(Struct, frozen=True, gc=False, tag_field="type", tag="max_tokens_used"):
    """Stop once so many tokens were used."""

    max_tokens: PositiveCount


class CostReached(Struct, frozen=True, gc=False, tag_field="type", tag="max_cost"):
    """Stop once so many dollars were spent."""

    max_cost_in_dollars: Annotated[float, Meta(ge=0)]


class FinishReason(Struct, frozen=True, gc=False, tag_field="type", tag="finish_reason_is"):
    """Stop when the model ends in this way."""

    reason: NonEmpty


class Debug(Struct, frozen=True, gc=False):
    """What the caller wants to see of the inside."""

    echo_upstream_body: bool | None = None


Metadata = Annotated[
    dict[Name, Annotated[str, Meta(max_length=512)]],
    Meta(max_length=16),
]


class OrdinaryFields(Struct, frozen=True, kw_only=True, gc=False):
    """Members that say nothing of each other, checked one by one. Most requests have no others."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: ModelName | None = None
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    max_tokens: PositiveCount | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    top_k: Count | None = None
    min_p: Share | None = None
    frequency_penalty: Penalty | None = None
    presence_penalty: Penalty | None = None
    repetition_penalty: Annotated[float, Meta(ge=0, le=2)] | None = None
    seed: Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)] | None = None
    stop: str | Annotated[list[str], Meta(max_length=4)] | None = None


class ChatFields(OrdinaryFields, frozen=True, kw_only=True):
    """Every member of a chat request that we know, checked one by one."""

    models: list[ModelName] | None = None
    fallback_models: list[ModelName] | None = None
    route: Literal["fallback", "sort", "lowest-cost"] | None = None
    provider: AnyObject | None = None
    preset: NonEmpty | None = None

    usage: UsageOptions | None = None
    debug: Debug | None = None

    max_completion_tokens: PositiveCount | None = None
    n: Annotated[int, Meta(ge=1, le=128)] | None = None
    top_a: Share | None = None
    logit_bias: dict[str, Annotated[float, Meta(ge=-100, le=100)]] | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None

    response_format: ResponseFormat | None = None
    structured_outputs: bool | None = None
    verbosity: Literal["low", "medium", "high", "xhigh", "max"] | None = None
    prediction: Prediction | None = None
    modalities: list[Literal["text", "image", "audio"]] | None = None
    audio: AudioOutput | None = None
    image_config: AnyObject | None = None

    tools: list[Tool] | None = None
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    max_tool_calls: Annotated[int, Meta(ge=1, le=30)] | None = None
    stop_server_tools_when: (
        Annotated[
            list[StepCount | ToolCalled | TokensUsed | CostReached | FinishReason],
            Meta(min_length=1),
        ]
        | None
    ) = None

    reasoning: ReasoningFields | None = None
    reasoning_effort: Effort | None = None
    include_reasoning: bool | None = None

    plugins: list[Plugin] | None = None
    transforms: list[Literal["middle-out"]] | None = None
    web_search_options: WebSearchOptions | None = None
    x_search_filter: AnyObject | None = None

    cache_control: CacheControl | None = None
    prompt_cache_key: str | None = None
    prompt_cache_options: PromptCacheOptions | None = None
    service_tier: Literal["auto", "default", "fast", "flex", "priority", "scale"] | None = None

    session_id: Annotated[str, Meta(max_length=256)] | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    metadata: Metadata | None = None
    trace: dict[str, Any] | None = None
