"""A chat request as a demo host reads it: the members it acts on, checked like a real host's.

Shapes are those of OpenAI's API reference, "Create chat completion". Members that
are not listed here are accepted and have no effect.
"""

from itertools import takewhile
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta, Raw, Struct

from dragoman.providers.demo.text import CONTEXT_TOKENS, Media, Words, count_tokens

MODELS = ("parrot", "scholar")
MEDIA_TOKENS = 256
CACHE_FLOOR_TOKENS = 1024
CACHE_BLOCK_TOKENS = 128

Count = Annotated[int, Meta(ge=1)]


class Refusal(Exception):
    """The request is at fault: an HTTP status and OpenAI's error members."""

    def __init__(self, status: int, message: str, code: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.code = code


class Audio(Struct, frozen=True):
    """The `input_audio` member of a content part."""

    data: str = ""
    format: str = "audio"


class File(Struct, frozen=True):
    """The `file` member of a content part."""

    filename: str | None = None


class Link(Struct, frozen=True):
    """The `image_url` or `video_url` member of a content part."""

    url: str = ""


class Part(Struct, frozen=True):
    """One part of a message: text or media."""

    type: str = "text"
    text: str = ""
    image_url: Link | str | None = None
    video_url: Link | str | None = None
    input_audio: Audio | None = None
    file: File | None = None

    def media(self) -> Media | None:
        """Return what the part shows besides text, None when it is text."""
        for kind, link in (("image", self.image_url), ("video", self.video_url)):
            if link is not None:
                return Media(kind, link.url if isinstance(link, Link) else link)
        if self.input_audio is not None:
            sound = self.input_audio
            return Media("audio", f"data:audio/{sound.format};base64,{sound.data}")
        if self.file is not None:
            return Media("file", self.file.filename or "unnamed")
        return None


class Message(Struct, frozen=True):
    """One message of the conversation."""

    role: str
    content: str | tuple[Part, ...] | None = None
    name: str | None = None

    @property
    def text(self) -> str:
        """All that the message says, media described in brackets."""
        if isinstance(self.content, str):
            return self.content
        parts = [(part.media(), part.text) for part in self.content or ()]
        return " ".join(media.described() if media else text for media, text in parts)

    def tokens(self) -> int:
        """Return about how many tokens it takes to read the message."""
        if self.content is None or isinstance(self.content, str):
            return count_tokens(self.content or "")
        return sum(
            MEDIA_TOKENS if part.media() else count_tokens(part.text) for part in self.content
        )


class Function(Struct, frozen=True):
    """What a tool is called, what it is for, what its arguments must look like."""

    name: str
    description: str | None = None
    parameters: dict[str, Any] | None = None


class Tool(Struct, frozen=True):
    """A tool the model may call. Kinds other than functions are not called."""

    type: str = "function"
    function: Function | None = None


class FunctionName(Struct, frozen=True):
    """A function, by name."""

    name: str


class ToolChoice(Struct, frozen=True):
    """A tool that must be called."""

    type: str = "function"
    function: FunctionName | None = None


class JsonSchema(Struct, frozen=True):
    """The schema that an answer must satisfy."""

    name: str = ""
    schema: dict[str, Any] | bool | None = None


class ResponseFormat(Struct, frozen=True):
    """Whether the answer is text or JSON, and which."""

    type: str
    json_schema: JsonSchema | None = None


class Reasoning(Struct, frozen=True):
    """OpenRouter's `reasoning` object."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None


class StreamOptions(Struct, frozen=True):
    """What a stream carries besides the answer."""

    include_usage: bool | None = None


class Ask(Struct, frozen=True, kw_only=True):
    """A request to a demo host."""

    model: Literal["parrot", "scholar"]
    messages: Annotated[tuple[Message, ...], Meta(min_length=1)]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    n: Annotated[int, Meta(ge=1, le=8)] | None = None
    stop: str | tuple[str, ...] | None = None
    max_tokens: Count | None = None
    max_completion_tokens: Count | None = None
    seed: int | None = None
    logprobs: bool | None = None
    top_logprobs: Annotated[int, Meta(ge=0, le=20)] | None = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    tools: tuple[Tool, ...] | None = None
    tool_choice: str | ToolChoice | None = None
    response_format: ResponseFormat | None = None

    @property
    def question(self) -> str:
        """The text of the last user message, of the last message if there is none."""
        spoken = [message for message in self.messages if message.role == "user"]
        return (spoken or self.messages)[-1].text

    @property
    def instructions(self) -> str:
        """The texts that may carry a fault marker: system messages and the question."""
        system = [m.text for m in self.messages if m.role in {"system", "developer"}]
        return "\n".join([*system, self.question])

    def tool_results(self) -> tuple[str, ...]:
        """Return what the tools answered since the last other message, none if nothing."""
        results = takewhile(lambda m: m.role in {"tool", "function"}, reversed(self.messages))
        return tuple(message.text for message in results)[::-1]

    @property
    def effort(self) -> str | None:
        """How much thinking is asked for, None for none."""
        effort, wish = self.reasoning_effort, self.reasoning
        if wish is not None and wish.enabled is not False:
            asked = wish.enabled or wish.max_tokens is not None
            effort = wish.effort or effort or ("medium" if asked else None)
        return None if effort == "none" else effort

    @property
    def most_tokens(self) -> int | None:
        """The caller's limit on what is written, thinking included."""
        return self.max_completion_tokens or self.max_tokens

    @property
    def stops(self) -> tuple[str, ...]:
        """The texts at which the answer ends."""
        stops = (self.stop,) if isinstance(self.stop, str) else self.stop or ()
        return tuple(stop for stop in stops if stop)

    def tool(self) -> Function | None:
        """Return the function to call, None when words are asked for.

        Raises Refusal when the caller demands a function that is not in `tools`.
        """
        functions = [tool.function for tool in self.tools or () if tool.function]
        choice = self.tool_choice
        if not functions or choice == "none" or self.messages[-1].role != "user":
            return None
        if isinstance(choice, ToolChoice) and choice.function is not None:
            named = [each for each in functions if each.name == choice.function.name]
            if not named:
                raise Refusal(400, f"tool_choice names {choice.function.name!r}, not one of tools")
            return named[0]
        words = Words(self.question)
        return max(
            functions, key=lambda each: words.overlap(f"{each.name} {each.description or ''}")
        )

    def prompt_tokens(self) -> int:
        """Return about how many tokens the conversation and its tools take."""
        tools = count_tokens(msgspec.json.encode(self.tools)) if self.tools else 0
        return tools + sum(message.tokens() for message in self.messages)

    def cached_tokens(self) -> int:
        """Return how many of the prompt's tokens a cache would have known.

        As at OpenAI ("Prompt caching"): nothing up to 1,024 tokens, whole blocks of
        128 of what came before the last message beyond that.
        """
        if self.prompt_tokens() <= CACHE_FLOOR_TOKENS:
            return 0
        before = self.prompt_tokens() - self.messages[-1].tokens()
        return before // CACHE_BLOCK_TOKENS * CACHE_BLOCK_TOKENS


class _Named(Struct, frozen=True):
    model: Raw = Raw(b"null")


_decode = msgspec.json.Decoder(Ask).decode
_decode_name = msgspec.json.Decoder(_Named).decode


def read(body: bytes) -> Ask:
    """Read a request. Raises Refusal for what a real host would refuse."""
    try:
        name = msgspec.json.decode(_decode_name(body).model)
        if isinstance(name, str) and name not in MODELS:
            raise Refusal(404, f"The model {name!r} does not exist", "model_not_found")
        ask = _decode(body)
    except (ValueError, RecursionError) as error:
        raise Refusal(400, f"Invalid request: {error}") from None
    if ask.prompt_tokens() > CONTEXT_TOKENS:
        message = f"This model's maximum context length is {CONTEXT_TOKENS} tokens"
        raise Refusal(400, message, "context_length_exceeded")
    return ask
