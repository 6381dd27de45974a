"""The conversation of a Messages request: turns of blocks, as messages in the hub's form.

Results of tools, which are blocks of a user's turn here, are messages of their own there, and
come before what else the user says. Blocks of reasoning become `reasoning_details`, each with
the name of whoever signed it (`dragoman.wire.anthropic.seal`).
"""

from collections.abc import Iterable

import msgspec
from msgspec import Raw

from dragoman.core.errors import InvalidPrompt
from dragoman.core.notes import Change
from dragoman.wire.anthropic.blocks import (
    Image,
    Redacted,
    Text,
    Thinking,
    ToolResult,
    ToolUse,
    Uploaded,
    given,
    is_object,
)
from dragoman.wire.anthropic.fields import Message
from dragoman.wire.anthropic.foreign import Foreign, cites_others
from dragoman.wire.anthropic.gleanings import Gleanings
from dragoman.wire.anthropic.parts import Part, content_of, parts_of, read_blocks, text_part
from dragoman.wire.anthropic.seal import ANTHROPIC, is_sealed, unseal
from dragoman.wire.details import Detail
from dragoman.wire.order import TEXT_FIRST

Said = dict[str, object]

BILLING = "x-anthropic-billing-header:"
"""How the first system block of Claude Code begins: it is for Anthropic's books."""

_BY_THE_MODEL = b'"direct"'
_encode = msgspec.json.Encoder().encode


class Conversation:
    """A conversation in the hub's form. `foreign` are blocks that Anthropic would refuse.

    `failed` says that a tool did.
    """

    __slots__ = ("_found", "failed", "foreign", "messages")

    def __init__(self, found: Gleanings) -> None:
        self._found = found
        self.messages: list[Said] = []
        self.foreign = Foreign()
        self.failed = False

    def system(self, content: str | list[Raw]) -> None:
        """Take in the instructions. Raises InvalidPrompt."""
        if isinstance(content, str):
            if content:
                self.messages.append({"role": "system", "content": content})
            return
        parts = self._instructions(content, "system")
        if parts and str(parts[0]["text"]).startswith(BILLING):
            del parts[0]
            self._found.dropped("system.0", "it is for Anthropic's own books")
        if parts:
            self.messages.append({"role": "system", "content": content_of(parts)})

    def turn(self, message: Message, place: int) -> None:
        """Take in a turn. Raises InvalidPrompt."""
        content, role = message.content, message.role
        if role not in {"user", "assistant", "system"}:
            raise InvalidPrompt(
                f"messages.{place}.role: Invalid option: "
                'expected one of "user"|"assistant"|"system"'
            )
        if isinstance(content, str):
            self.messages.append({"role": role, "content": content})
        elif role == "user":
            self._user(content, place)
        elif role == "assistant":
            self._assistant(content, place)
        else:
            parts = self._instructions(content, f"messages.{place}.content")
            self.messages.append({"role": role, "content": content_of(parts)})

    def _instructions(self, content: Iterable[Raw], path: str) -> list[Part]:
        parts = []
        for where, block in read_blocks(content, path, self._found):
            if not isinstance(block, Text):
                raise InvalidPrompt(f'{where}.type: Invalid option: expected one of "text"')
            parts.append(text_part(block.text, block.cache_control))
        return parts

    def _user(self, content: list[Raw], place: int) -> None:
        parts: list[Part] = []
        results = 0
        path = f"messages.{place}.content"
        for number, (where, block) in enumerate(read_blocks(content, path, self._found)):
            if isinstance(block, ToolResult):
                results += 1
                id_ = block.tool_use_id
                self.foreign.name(place, number, content[number], "tool_use_id", id_)
                self.messages.append(self._result(block, where))
            else:
                parts += parts_of(block, where, self._found)
        if parts or not results:
            self.messages.append({"role": "user", "content": content_of(parts)})

    def _result(self, block: ToolResult, path: str) -> Said:
        content = block.content
        if isinstance(content, list):
            parts: list[Part] = []
            for where, inner in read_blocks(content, f"{path}.content", self._found):
                parts += parts_of(inner, where, self._found)
        else:
            parts = [text_part(content, Raw())] if content else []
        if parts and given(block.cache_control):
            parts[-1].setdefault("cache_control", block.cache_control)
        said = {"role": "tool", "tool_call_id": block.tool_use_id, "content": content_of(parts)}
        if block.is_error:
            self.failed = True
            said["is_error"] = True
        return said

    def _assistant(self, content: list[Raw], place: int) -> None:
        parts: list[Part] = []
        calls: list[Said] = []
        details: list[Detail] = []
        images: list[Part] = []
        foreign = self.foreign
        path = f"messages.{place}.content"
        for number, (where, block) in enumerate(read_blocks(content, path, self._found)):
            if isinstance(block, ToolUse):
                calls.append(self._call(block, where))
                foreign.name(place, number, content[number], "id", block.id)
            elif isinstance(block, Thinking | Redacted):
                detail, own = _detail(block)
                if not own:
                    foreign.leave_out(place, number)
                if detail:
                    before = len(parts) + len(calls) + len(details)
                    details.append({**detail, "index": before})
            elif isinstance(block, Image) and not isinstance(block.source, Uploaded):
                foreign.leave_out(place, number)
                images += parts_of(block, where, self._found)
            else:
                if isinstance(block, Text):
                    self._text(block, place, number, called=bool(calls))
                parts += parts_of(block, where, self._found)
        said: Said = {"role": "assistant", "content": content_of(parts)}
        if calls:
            said["content"] = content_of(parts) if parts else None
            said["tool_calls"] = calls
        if images:
            said["images"] = images
        self.messages.append(said | _thought(details))

    def _text(self, block: Text, place: int, number: int, *, called: bool) -> None:
        """Find out what Anthropic would refuse of a text, and others have in another place."""
        if called and block.text:
            self._found.changed(Change.RENAMED, "messages.content.text", TEXT_FIRST)
        if not block.text or block.text.isspace():
            self.foreign.leave_out(place, number)
        elif cites_others(block.citations):
            plain = text_part(block.text, block.cache_control)
            self.foreign.leave_out(place, number, plain)

    def _call(self, block: ToolUse, path: str) -> Said:
        if not is_object(block.input):
            raise InvalidPrompt(f"{path}.input: must be an object")
        if given(block.cache_control):
            self._found.dropped("messages.content.tool_use.cache_control")
        if given(block.caller) and bytes(block.caller).find(_BY_THE_MODEL) < 0:
            self._found.dropped("messages.content.caller")
        function = {"name": block.name, "arguments": bytes(block.input).decode()}
        return {"id": block.id, "type": "function", "function": function}


def _thought(details: list[Detail]) -> Said:
    """Return the members of a message that say what the model thought."""
    text = "".join([str(each.get("text") or each.get("summary") or "") for each in details])
    said: Said = {"reasoning": text} if text else {}
    return {**said, "reasoning_details": details} if details else said


def _detail(block: Thinking | Redacted) -> tuple[Detail, bool]:
    """Return a block of reasoning in the hub's form, and whether Anthropic made it."""
    if isinstance(block, Redacted):
        if is_sealed(block.data):
            return unseal(block.data), False
        return {"type": "reasoning.encrypted", "data": block.data, "format": ANTHROPIC}, True
    text, signature = block.thinking, block.signature or ""
    if is_sealed(signature):
        sealed = unseal(signature)
        name = "summary" if sealed.get("type") == "reasoning.summary" else "text"
        return {"type": "reasoning.text", "format": "unknown", **sealed, name: text}, False
    if not signature:
        detail = {"type": "reasoning.text", "text": text, "format": "unknown"}
        return (detail if text else {}), False
    signed = {"type": "reasoning.text", "text": text, "signature": signature, "format": ANTHROPIC}
    return signed, True
