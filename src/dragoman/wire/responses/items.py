"""The conversation of a request: items of the Responses API to the hub's messages.

What a model said comes in several items, reasoning, text and calls, and is one message in the
hub. Items that tell of what OpenAI's servers did by themselves have no counterpart and are left
out; where a conversation cannot be understood without an item, only a provider of the same API
can be asked (`needs`). Source: `openai.types.responses.response_input_item_param`.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct, inspect

from dragoman.core.errors import InvalidPrompt, InvalidRequest
from dragoman.wire.details import Detail
from dragoman.wire.explain import explain
from dragoman.wire.hub import Members
from dragoman.wire.responses import calls, content
from dragoman.wire.responses.raw import is_list, is_string, says, strangers
from dragoman.wire.responses.thoughts import Passage, Thought, details_of, words_of
from dragoman.wire.responses.toolbox import Toolbox

BRING_TOOLS = frozenset({"additional_tools", "tool_search_output"})
"""Items that add to the tools."""

LEFT_OUT = frozenset({
    "web_search_call", "file_search_call", "code_interpreter_call", "mcp_list_tools", "mcp_call",
    "additional_tools", "compaction_trigger",
})  # fmt: skip
"""Items that a conversation is understood without."""

REFERENCE = "item_reference"

_IMAGES = {"iVBORw0KGgo": "png", "/9j/": "jpeg", "UklGR": "webp", "R0lGOD": "gif"}
"""How a format begins, in base64."""

ROLES = {"user": "user", "system": "system", "developer": "system", "assistant": "assistant"}
"""To OpenAI `developer` is `system` by its newer name, and other providers know only that."""


class Item(calls.Item):
    """Any item."""

    type: str = "message"
    role: str | None = None
    content: Raw = Raw()
    output: Raw = Raw()
    summary: list[Passage] | None = None
    encrypted_content: str | None = None
    format: str | None = None
    signature: str | None = None
    tools: list[Raw] | None = None
    phase: str | None = None
    status: str | None = None
    result: str | None = None
    output_format: str | None = None


class _Exact(Item, forbid_unknown_fields=True):
    """An item that has nothing else: nearly all are."""


_SHAPE = inspect.type_info(list[Item])
_decode = msgspec.json.Decoder(list[Item]).decode
_exact = msgspec.json.Decoder(list[_Exact]).decode
_rows = msgspec.json.Decoder(list[Members]).decode
_encode = msgspec.json.Encoder().encode
_text = msgspec.json.Decoder(str).decode

Message = dict[str, Any]


MOVED = "input.message"
"""What is not lost but in another place: a text that was told behind a call."""


class _Turn(Struct):
    """What the assistant said, item by item."""

    texts: list[Raw] = []
    refusals: list[Raw] = []
    calls: list[dict[str, Any]] = []
    details: list[Detail] = []
    images: list[Message] = []

    @property
    def says(self) -> bool:
        """Whether there is an answer in it, and not thoughts alone."""
        return bool(self.texts or self.refusals or self.calls or self.images)


def read_items(value: Raw, lost: list[str]) -> list[Item]:
    """Return the items of `input`; what nobody knows of them is named in `lost`.

    Raises InvalidRequest or InvalidPrompt.
    """
    if is_string(value):
        return [Item(role="user", content=value)]
    if not is_list(value):
        raise InvalidRequest("input: must be a string or an array")
    try:
        return [*_exact(value)]
    except msgspec.ValidationError:
        items = _lenient(value)
    for row, item in zip(_rows(value), items, strict=True):
        if item.type in _TAKES:
            lost += strangers(row, Item, "input")
    return items


def _lenient(value: Raw) -> list[Item]:
    try:
        return _decode(value)
    except msgspec.ValidationError as error:
        path, reason = explain(error, _SHAPE)
        raise InvalidPrompt(f"input.{path}: {reason}" if path else f"input: {reason}") from None


class Conversation:
    """Messages being made of items."""

    __slots__ = ("_ids", "_open", "_thoughts", "_toolbox", "_turn", "lost", "messages", "needs")

    def __init__(self, toolbox: Toolbox) -> None:
        self.messages: list[Message] = []
        self.lost: list[str] = []
        """Kinds of items that were left out."""
        self.needs: str | None = None
        """Where an item is without which the conversation makes no sense."""
        self._toolbox = toolbox
        self._turn: _Turn | None = None
        self._thoughts: list[Detail] = []
        """What was thought, while it is open to which turn that belongs."""
        self._open: set[str] = set()
        """Ids of calls that nothing came back for yet."""
        self._ids: dict[str, str] = {}
        """Id of a shell's item -> id of its call: its output names the item."""

    def system(self, text: str) -> None:
        """Take in instructions."""
        self.messages.append({"role": "system", "content": text})

    def add(self, item: Item, path: str) -> None:
        """Take in an item that stands at `path`. Raises InvalidRequest or InvalidPrompt."""
        take = _TAKES.get(item.type)
        if take is not None:
            take(self, item, path)
        elif item.type in LEFT_OUT or item.type.startswith("openrouter:"):
            self.lost.append(f"input.{item.type}")
        elif item.type == REFERENCE:
            self._refer(item, path)
        else:
            self.needs = self.needs or f"{path} ({item.type})"

    def end(self) -> list[Message]:
        """Return the messages."""
        self._close()
        return self.messages

    def _message(self, item: Item, path: str) -> None:
        role = ROLES.get(item.role or "")
        if role is None:
            expected = "|".join(f'"{each}"' for each in sorted(ROLES))
            raise InvalidPrompt(f"{path}.role: Invalid option: expected one of {expected}")
        if item.phase is not None:
            self.lost.append("input.phase")
        if role == "assistant":
            self._said(item, path)
            return
        self._close()
        if not says(item.content):
            raise InvalidPrompt(f"{path}.content: is required")
        text = content.content_of(item.content, f"{path}.content", self.lost)
        self.messages.append({"role": role, "content": text})

    def _said(self, item: Item, path: str) -> None:
        turn = self._turn
        spoken = turn is not None and (turn.texts or turn.refusals or turn.calls)
        if spoken and not self._open:
            turn = None
        if turn is None:
            turn = self._begin()
        self._think(turn)
        if says(item.content):
            text, refusal = content.said(item.content, f"{path}.content", self.lost)
            if turn.calls and (text is not None or refusal is not None):
                self.lost.append(MOVED)
            turn.texts += [] if text is None else [text]
            turn.refusals += [] if refusal is None else [refusal]

    def _refer(self, item: Item, path: str) -> None:
        """Leave out a thought that is referred to by its id: the conversation is the same without.

        So Vercel's `@ai-sdk/openai` sends thoughts back unless it is told `store: false`.
        """
        if not (item.id or "").startswith("rs_"):
            raise InvalidRequest(
                f"{path}: nothing is kept that could be referred to; send the item"
                " (clients do with 'store': false)"
            )
        self.lost.append(f"input.{REFERENCE}")

    def _reasoning(self, item: Item, path: str) -> None:
        passages = None
        if says(item.content):
            parts = content.read_parts(item.content, f"{path}.content", self.lost)
            passages = [
                Passage(_text(content.string(part.text, f"{path}.content.{n}.text")))
                for n, part in enumerate(parts)
            ]
        thought = Thought(
            id=item.id,
            summary=item.summary,
            content=passages,
            encrypted_content=item.encrypted_content,
            format=item.format,
            signature=item.signature,
        )
        try:
            found = details_of(thought)
        except ValueError as error:
            raise InvalidPrompt(f"{path}.encrypted_content: {error}") from None
        turn = self._turn or self._begin()
        self._thoughts += found
        if self._open or not (turn.texts or turn.refusals):
            self._think(turn)

    def _think(self, turn: _Turn) -> None:
        """Add what was thought before the next item, each at its place among the blocks.

        Behind a text it waits for what comes: a call is of the same turn, a text begins another.
        """
        said = (1 if turn.texts else 0) + len(turn.calls) + len(turn.details)
        turn.details += [{**each, "index": said + n} for n, each in enumerate(self._thoughts)]
        self._thoughts = []

    def _call(self, item: Item, path: str) -> None:
        if not item.call_id:
            raise InvalidPrompt(f"{path}.call_id: is required")
        if item.type in {"function_call", "custom_tool_call"} and not item.name:
            raise InvalidPrompt(f"{path}.name: is required")
        try:
            arguments = calls.arguments_of(item)
        except ValueError as error:
            raise InvalidPrompt(f"{path}.{error}") from None
        if item.id:
            self._ids[item.id] = item.call_id
        self._open.add(item.call_id)
        name = self._toolbox.name(calls.tool_of(item))
        turn = self._turn or self._begin()
        self._think(turn)
        turn.calls.append({
            "id": item.call_id,
            "type": "function",
            "function": {"name": name, "arguments": arguments},
        })  # fmt: skip

    def _image(self, item: Item, _path: str) -> None:
        """Take in an image that the model made."""
        if not item.result:
            self.lost.append("input.image_generation_call")
            return
        turn = self._turn or self._begin()
        self._think(turn)
        url = _address(item.result, item.output_format)
        turn.images.append({"type": "image_url", "image_url": {"url": url}})

    def _output(self, item: Item, path: str) -> None:
        call_id = item.call_id or self._ids.get(item.id or "", item.id)
        if not call_id:
            raise InvalidPrompt(f"{path}.call_id: is required")
        self._close()
        self._open.discard(call_id)
        text = _put_out(item, f"{path}.output", self.lost)
        self.messages.append({"role": "tool", "tool_call_id": call_id, "content": text})

    def _begin(self) -> _Turn:
        thoughts, self._thoughts = self._thoughts, []
        self._close()
        self._thoughts = thoughts
        turn = self._turn = _Turn()
        return turn

    def _close(self) -> None:
        turn, self._turn = self._turn, None
        if turn is None:
            return
        self._think(turn)
        if not turn.says:
            self.lost.append("input.reasoning")
            return
        message: Message = {"role": "assistant"}
        text, refusal = content.joined(turn.texts), content.joined(turn.refusals)
        message["content"] = text
        if refusal is not None:
            message["refusal"] = refusal
        if turn.details:
            if words := words_of(turn.details):
                message["reasoning"] = words
            message["reasoning_details"] = turn.details
        if turn.calls:
            message["tool_calls"] = turn.calls
        elif turn.images:
            message["content"] = text or Raw(b'""')
        if turn.images:
            message["images"] = turn.images
        self.messages.append(message)


def _address(result: str, told: str | None) -> str:
    """Return where an image is that comes as an address, or in base64, which tells its format."""
    if result.startswith(("https://", "http://", "data:")):
        return result
    found = next((name for begin, name in _IMAGES.items() if result.startswith(begin)), told)
    return f"data:image/{found or 'png'};base64,{result}"


def _put_out(item: Item, path: str, lost: list[str]) -> Raw:
    """Return what a tool put out, in the hub's form."""
    output = item.output
    if item.type in {"function_call_output", "custom_tool_call_output"}:
        return content.content_of(output, path, lost)
    if item.type == "tool_search_output":
        return Raw(_encode(_encode(item.tools or []).decode()))
    if is_string(output):
        return output
    if not says(output):
        return Raw(_encode(item.status or "completed"))
    return Raw(_encode(bytes(output).decode()))


_TAKES: Mapping[str, Callable[[Conversation, Item, str], None]] = {
    "message": Conversation._message,  # noqa: SLF001 - its own table
    "reasoning": Conversation._reasoning,  # noqa: SLF001 - its own table
    "image_generation_call": Conversation._image,  # noqa: SLF001 - its own table
    **dict.fromkeys(calls.CALLS, Conversation._call),  # noqa: SLF001 - its own table
    **dict.fromkeys(
        (
            "function_call_output",
            "custom_tool_call_output",
            "local_shell_call_output",
            "shell_call_output",
            "apply_patch_call_output",
            "tool_search_output",
        ),
        Conversation._output,  # noqa: SLF001 - its own table
    ),
}
