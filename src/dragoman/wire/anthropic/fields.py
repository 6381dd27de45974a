"""The members of a Messages request that have a known shape.

Sources: Anthropic, "Create a Message" (versions 2023-06-01 and 2026-10-21 alike: what the newer
one refuses, Anthropic refuses by itself), and OpenRouter's schema `MessagesRequest`, in which
`max_tokens` is optional. Tools, thinking and blocks have modules of their own. Null means
not set.
"""

from typing import Annotated

from msgspec import Meta, Raw, Struct

from dragoman.wire.anthropic.blocks import ABSENT
from dragoman.wire.shapes import AnyObject, Count, ModelName, NonEmpty, PositiveCount, Share

MOST_USER = 512
"""As many characters of a user's name are kept."""


class Metadata(Struct, frozen=True, gc=False):
    """Who the request is made for."""

    user_id: Annotated[str, Meta(max_length=MOST_USER)] | None = None


class Fallback(Struct, frozen=True, gc=False, forbid_unknown_fields=True):
    """A model to try next. Nothing else can be changed for it."""

    model: ModelName


class Format(Struct, frozen=True, gc=False, tag_field="type", tag="json_schema"):
    """The JSON that an answer must be."""

    schema: Raw


class OutputConfig(Struct, frozen=True, gc=False):
    """How much the model is to put into an answer, and in what form."""

    effort: str | None = None
    format: Format | None = None
    task_budget: AnyObject | None = None


class Message(Struct, frozen=True, gc=False):
    """One turn. Its content is a text, or blocks."""

    role: NonEmpty
    content: str | list[Raw]


class ExactMessage(Message, frozen=True, gc=False, forbid_unknown_fields=True):
    """A turn that has nothing else: nearly all are."""


class MessagesFields(Struct, frozen=True, kw_only=True):
    """Every member that is read here; the others are checked where the hub's are."""

    messages: Annotated[list[Message], Meta(min_length=1)]
    model: ModelName | None = None
    fallbacks: list[Fallback] | None = None
    system: str | list[Raw] | None = None
    max_tokens: PositiveCount | None = None
    stream: bool | None = None
    temperature: Annotated[float, Meta(ge=0, le=2)] | None = None
    top_p: Share | None = None
    top_k: Count | None = None
    stop_sequences: list[str] | None = None
    metadata: Metadata | None = None
    tools: list[Raw] | None = None
    tool_choice: Raw = ABSENT
    thinking: Raw = ABSENT
    output_config: OutputConfig | None = None
    output_format: Format | None = None
    service_tier: str | None = None
    speed: str | None = None


class ExactFields(MessagesFields, frozen=True, kw_only=True):
    """The same, where no turn has more than it must."""

    messages: Annotated[list[ExactMessage], Meta(min_length=1)]  # type: ignore[assignment]
