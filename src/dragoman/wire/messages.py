"""The conversation of a chat request: what a message may look like, and what is in it.

Only the members that decide whether a message can be understood are declared;
all others are forwarded unread. Source: OpenRouter's schemas `Chat…Message` and
`ChatContentItems`.
"""

from collections.abc import Iterable
from typing import Literal

from msgspec import Struct

from dragoman.core.errors import InvalidPrompt
from dragoman.wire.shapes import AnyObject, NonEmpty


class Text(Struct, frozen=True, gc=False, tag_field="type", tag="text"):
    """A passage of text."""

    text: str


class Refusal(Struct, frozen=True, gc=False, tag_field="type", tag="refusal"):
    """What an assistant said in place of an answer, sent back with the conversation."""

    refusal: str


class ImageUrl(Struct, frozen=True, gc=False):
    """Where an image is: an address or a `data:` URL."""

    url: NonEmpty
    detail: Literal["auto", "low", "high", "original"] | None = None


class Image(Struct, frozen=True, gc=False, tag_field="type", tag="image_url"):
    """An image."""

    image_url: ImageUrl


class Sound(Struct, frozen=True, gc=False):
    """Sound in base64, and its format, such as `wav`."""

    data: NonEmpty
    format: NonEmpty


class Audio(Struct, frozen=True, gc=False, tag_field="type", tag="input_audio"):
    """A recording."""

    input_audio: Sound


class VideoUrl(Struct, frozen=True, gc=False):
    """Where a video is: an address or a `data:` URL."""

    url: NonEmpty


class Video(Struct, frozen=True, gc=False, tag_field="type", tag="video_url"):
    """A video."""

    video_url: VideoUrl


class InputVideo(Struct, frozen=True, gc=False, tag_field="type", tag="input_video"):
    """A video, as it was written before `video_url`."""

    video_url: VideoUrl


class Document(Struct, frozen=True, gc=False):
    """A document: its bytes as a URL, or the id of one uploaded before."""

    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class File(Struct, frozen=True, gc=False, tag_field="type", tag="file"):
    """A document to be read."""

    file: Document


Part = Text | Image | Audio | Video | InputVideo | File | Refusal
Content = str | list[Part]


class System(Struct, frozen=True, gc=False, tag_field="role", tag="system"):
    """Instructions."""

    content: Content
    name: str | None = None


class Developer(Struct, frozen=True, gc=False, tag_field="role", tag="developer"):
    """Instructions, by their newer name."""

    content: Content
    name: str | None = None


class User(Struct, frozen=True, gc=False, tag_field="role", tag="user"):
    """What the user says."""

    content: Content
    name: str | None = None


class Function(Struct, frozen=True, gc=False):
    """A function, and its arguments as JSON text."""

    name: NonEmpty
    arguments: str


class ToolCall(Struct, frozen=True, gc=False):
    """A call that the model made."""

    id: NonEmpty
    function: Function
    type: Literal["function"] = "function"


class Assistant(Struct, frozen=True, gc=False, tag_field="role", tag="assistant"):
    """What the model said. It may have said nothing but called tools."""

    content: Content | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    function_call: Function | None = None
    refusal: str | None = None
    reasoning: str | None = None
    reasoning_content: str | None = None
    reasoning_details: list[AnyObject] | None = None
    images: list[AnyObject] | None = None
    audio: AnyObject | None = None

    @property
    def says_nothing(self) -> bool:
        """Whether neither content nor anything that may stand in its place is there."""
        return self.content is None and not (
            self.tool_calls
            or self.function_call
            or self.refusal
            or self.reasoning
            or self.reasoning_content
            or self.reasoning_details
            or self.images
            or self.audio
        )


class ToolResult(Struct, frozen=True, gc=False, tag_field="role", tag="tool"):
    """What a tool answered."""

    content: Content
    tool_call_id: NonEmpty


Message = System | Developer | User | Assistant | ToolResult

_MEDIA: dict[type, str] = {
    Image: "image",
    Audio: "audio",
    Video: "video",
    InputVideo: "video",
    File: "file",
}


TEXT_ONLY = frozenset({"text"})


class Survey(Struct, frozen=True, gc=False):
    """What a conversation holds: the kinds of input, and how many bytes its text has in UTF-8."""

    inputs: frozenset[str]
    text_bytes: int


def survey(messages: list[Message]) -> Survey:
    """Return what a conversation holds. Raises InvalidPrompt for a message that says nothing."""
    inputs = TEXT_ONLY
    size = 0
    for place, message in enumerate(messages):
        content = message.content
        if isinstance(content, str):
            size += len(content) if content.isascii() else len(content.encode())
        elif content is not None:
            media: set[str] = set()
            size += _survey_parts(content, f"messages.{place}.content", media)
            inputs |= media
        if type(message) is Assistant:
            size += _survey_answer(message, place)
    return Survey(inputs, size)


def _survey_parts(parts: Iterable[Part], path: str, media: set[str]) -> int:
    """Add the kinds of `parts` other than text to `media`, and return the size of their text."""
    size = 0
    for place, part in enumerate(parts):
        if isinstance(part, Text):
            size += _size(part.text)
            continue
        if isinstance(part, Refusal):
            size += _size(part.refusal)
            continue
        media.add(_MEDIA[type(part)])
        if isinstance(part, File) and not (part.file.file_data or part.file.file_id):
            raise InvalidPrompt(f"{path}.{place}.file: needs 'file_data' or 'file_id'")
    return size


def _survey_answer(message: Assistant, place: int) -> int:
    """Return the size of what an assistant message holds beside its content."""
    if message.says_nothing:
        raise InvalidPrompt(
            f"messages.{place}.content: is required unless the assistant called tools"
        )
    thought = message.reasoning or message.reasoning_content
    size = _size(thought) if thought else 0
    if message.tool_calls:
        size += sum(_size(call.function.arguments) for call in message.tool_calls)
    return size


def _size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())
