"""A conversation in the hub's words, as Converse's: instructions apart, and turns that alternate.

The user begins, and results of tools are the user's. What Claude thought goes back as it signed
it, in its old place among the blocks; no other model has its thoughts back.

Source: Bedrock Runtime API reference, `Message`, `ToolUseBlock`, `ToolResultBlock`.
"""

import hashlib
import re

import msgspec
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import EMPTY, NOTHING, NULL, says
from dragoman.providers.anthropic.thoughts import Thought, in_places, thoughts
from dragoman.providers.bedrock.content import blocks, cache_point, text_block
from dragoman.providers.bedrock.draft import Draft
from dragoman.providers.openai.ids import short_id
from dragoman.providers.strangers import CALL, CALLED
from dragoman.wire.hub import Members

LONGEST_ID = 64

_SYSTEM = frozenset({"system", "developer"})
_KNOWN = {
    "user": frozenset({"role", "content", "cache_control"}),
    "tool": frozenset({"role", "content", "tool_call_id", "is_error", "cache_control"}),
    "assistant": frozenset({
        "role", "content", "cache_control", "tool_calls", "function_call", "refusal",
        "reasoning", "reasoning_content", "reasoning_details",
    }),
}  # fmt: skip
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_.:-]")
_TEXT = b'{"text":'
_DOCUMENT = b'{"document":'
_IN_SYSTEM = (_TEXT, b'{"cachePoint":')
_TOLD = ("reasoning", "reasoning_content", "reasoning_details")
_FIRST = b'{"text":"."}'
"""What somebody is made to say where the API wants a text."""

_rows = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode


class Turn:
    """What one side says, as blocks."""

    __slots__ = ("blocks", "results", "role", "thought_first")

    def __init__(self, role: str) -> None:
        self.role = role
        self.blocks: list[bytes] = []
        self.results = False
        """Whether it holds results of tools."""
        self.thought_first = False
        """Whether it begins with what the model thought."""

    def json(self) -> Raw:
        """Return the turn as the API takes it."""
        return Raw(b'{"role":"%b","content":[%b]}' % (self.role.encode(), b",".join(self.blocks)))


class Conversation:
    """A conversation as it is sent: `system` ahead, `turns` after it."""

    __slots__ = ("_draft", "called", "system", "turns")

    def __init__(self, messages: Raw, draft: Draft) -> None:
        """Read a checked conversation. Raises InvalidRequest for what cannot be said here."""
        self._draft = draft
        self.system: list[bytes] = []
        self.turns: list[Turn] = []
        self.called: dict[bytes, None] = {}
        """The names of the tools that were called, as JSON."""
        for place, row in enumerate(_rows(messages)):
            self._say(_text(row["role"]), row, f"messages.{place}")
        self._begin()

    @property
    def prefilled(self) -> bool:
        """Whether the model is to go on with what it is made to have said."""
        return self.turns[-1].role == "assistant"

    @property
    def calls_without_thought(self) -> bool:
        """Whether tools are answered here that the model called without a thought before it."""
        last = self.turns[-1]
        return last.results and len(self.turns) > 1 and not self.turns[-2].thought_first

    @property
    def uses_tools(self) -> bool:
        """Whether tools were called, or answered."""
        return bool(self.called) or any(turn.results for turn in self.turns)

    def mark_end(self, marker: Raw) -> None:
        """Let the cache reach up to the end of what is said."""
        point = cache_point(marker, self._draft)
        if point and not self.turns[-1].blocks[-1].startswith(b'{"cachePoint":'):
            self.turns[-1].blocks.append(point)

    def _turn(self, role: str) -> Turn:
        """Return the turn that goes on, or a new one."""
        if not self.turns or self.turns[-1].role != role:
            self.turns.append(Turn(role))
        return self.turns[-1]

    def _say(self, role: str, row: Members, path: str) -> None:
        draft = self._draft
        point = cache_point(row.get("cache_control", NULL), draft)
        if role in _SYSTEM:
            draft.strangers(row, _KNOWN["user"])
            self._instruct(row, path)
            goes_to = self.system
        else:
            draft.strangers(row, _KNOWN.get(role, _KNOWN["user"]))
            turn = self._turn("assistant" if role == "assistant" else "user")
            goes_to = turn.blocks
            if role == "user":
                goes_to += _with_text(blocks(row["content"], f"{path}.content", draft), draft)
            elif role == "tool":
                goes_to.append(_result(row, path, draft))
                turn.results = True
            else:
                self._answer(turn, row, path)
        if point and goes_to:
            goes_to.append(point)

    def _instruct(self, row: Members, path: str) -> None:
        """Take in instructions, which all stand ahead of the conversation."""
        draft = self._draft
        made = blocks(row["content"], f"{path}.content", draft)
        if not all(block.startswith(_IN_SYSTEM) for block in made):
            raise InvalidRequest(
                f"{path}.content: {draft.provider.name} takes instructions as text"
            )
        if self.turns and made:
            draft.note(Change.RENAMED, path, "sent ahead of the conversation")
        self.system += made

    def _answer(self, turn: Turn, row: Members, path: str) -> None:
        """Add what the assistant said: text and calls, and between them what it thought."""
        draft = self._draft
        made = blocks(row.get("content", NULL), f"{path}.content", draft)
        said = [block for block in made if block.startswith(_IN_SYSTEM)]
        if len(said) < len(made):
            draft.dropped("messages.content", "this provider takes no media back in an answer")
        if row.get("refusal", NULL) != NULL and says(row["refusal"]):
            said.append(text_block(row["refusal"]))
            draft.note(Change.RENAMED, "messages.refusal", "sent as text")
        if row.get("tool_calls", NULL) != NULL:
            said += [self._call(call) for call in _rows(row["tool_calls"])]
        if row.get("function_call", NULL) != NULL:
            draft.dropped("messages.function_call", "this provider's API has no such field")
        thought = self._thoughts(row)
        if not turn.blocks and thought:
            turn.thought_first = not said or (thought[0].index or 0) <= 0
        turn.blocks += in_places(said, thought)

    def _thoughts(self, row: Members) -> list[Thought]:
        """Return what the model thought, with the places that it had among the blocks."""
        if self._draft.family.reasons != "claude":
            if any(row.get(name, NULL) not in (*NOTHING, Raw(b"[]")) for name in _TOLD):
                self._draft.dropped("messages.reasoning", "this model has no thoughts back")
            return []
        return [Thought(_thought(each.block), each.index) for each in thoughts(row, self._draft)]

    def _call(self, call: Members) -> bytes:
        """Return a call of a tool."""
        function = _members(call["function"])
        self._draft.strangers(call, CALL, "messages.tool_calls")
        self._draft.strangers(function, CALLED, "messages.tool_calls.function")
        self.called[bytes(function["name"])] = None
        return b'{"toolUse":{"toolUseId":%b,"name":%b,"input":%b}}' % (
            _id(call["id"], self._draft),
            function["name"],
            self._draft.input(function["arguments"]),
        )

    def _begin(self) -> None:
        """Leave out turns that say nothing, and see to it that the user begins."""
        draft = self._draft
        kept: list[Turn] = []
        for turn in self.turns:
            if not turn.blocks:
                draft.dropped("messages", "a message without content")
            elif kept and kept[-1].role == turn.role:
                kept[-1].blocks += turn.blocks
                kept[-1].results = kept[-1].results or turn.results
            else:
                kept.append(turn)
        self.turns = kept
        if not kept and self.system:
            first = self._turn("user")
            first.blocks, self.system = self.system, []
            draft.note(Change.RENAMED, "messages.0", "sent as the user's: somebody must speak")
        elif not kept:
            raise InvalidRequest(f"messages: {draft.provider.name} needs one that is not empty")
        elif kept[0].role != "user":
            first = Turn("user")
            first.blocks.append(_FIRST)
            kept.insert(0, first)
            draft.note(Change.INJECTED, "messages", "this provider lets the user begin")


def _with_text(made: list[bytes], draft: Draft) -> list[bytes]:
    """Return blocks, with a text among them where there is a document: the API wants both."""
    documents = any(block.startswith(_DOCUMENT) for block in made)
    if documents and not any(block.startswith(_TEXT) for block in made):
        draft.note(Change.INJECTED, "messages.content", "a text, which goes with a document here")
        return [*made, _FIRST]
    return made


def _result(row: Members, path: str, draft: Draft) -> bytes:
    """Return what a tool answered. Where a cache is to reach is no part of it."""
    made = blocks(row["content"], f"{path}.content", draft)
    points = [block for block in made if block.startswith(b'{"cachePoint":')]
    if points:
        draft.dropped("messages.content.cache_control", "no part of what a tool answered is marked")
        made = [block for block in made if block not in points]
    if any(block.startswith(b'{"audio":') for block in made):
        raise InvalidRequest(f"{path}.content: {draft.provider.name} takes no sound from a tool")
    failed = b',"status":"error"' if row.get("is_error") == Raw(b"true") else b""
    return b'{"toolResult":{"toolUseId":%b,"content":[%b]%b}}' % (
        _id(row["tool_call_id"], draft),
        b",".join(made),
        failed,
    )


def _thought(block: bytes) -> bytes:
    """Return a thought, which is in Anthropic's words, in Converse's."""
    members = _members(block)
    if "data" in members:
        return b'{"reasoningContent":{"redactedContent":%b}}' % members["data"]
    return b'{"reasoningContent":{"reasoningText":{"text":%b,"signature":%b}}}' % (
        members.get("thinking", EMPTY),
        members["signature"],
    )


def _id(id_: Raw, draft: Draft) -> bytes:
    """Return the id of a call, in letters that the API takes; one id stays one."""
    text = _text(id_)
    if draft.family.short_ids:
        return _short(id_, text, draft)
    made = _NOT_IN_IDS.sub("_", text)
    if made == text and len(text) <= LONGEST_ID:
        return bytes(id_)
    draft.note(Change.RENAMED, "messages.tool_calls.id", "put into letters that are allowed here")
    proof = hashlib.sha256(text.encode()).hexdigest()[:8]
    return b'"%b_%b"' % (made[: LONGEST_ID - 9].encode(), proof.encode())


def _short(id_: Raw, text: str, draft: Draft) -> bytes:
    """Return the id of a call in nine letters and digits, the same for the same one."""
    made = short_id(text)
    if made == text:
        return bytes(id_)
    draft.note(Change.RENAMED, "messages.tool_calls.id", "put into nine letters and digits")
    return b'"%b"' % made.encode()
