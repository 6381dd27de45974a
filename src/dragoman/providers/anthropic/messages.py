"""A conversation in the hub's words, as turns: the system's apart, and each other's in turn.

The API wants turns that begin with the user's and alternate; results of tools are the user's
(docs, "Using the Messages API", "Handle tool calls"). What the model thought goes back as it
signed it, in its old place among the blocks, and to nobody else.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence

import msgspec
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import NULL, blocks, is_text, marked, says, text_block
from dragoman.providers.anthropic.draft import Draft
from dragoman.providers.anthropic.thoughts import in_places, thoughts
from dragoman.providers.strangers import CALL, CALLED
from dragoman.wire.hub import Members

FIRST = Raw(b'"."')
"""What the user is made to say where a conversation begins with the assistant."""

_SYSTEM = frozenset({"system", "developer"})
_KNOWN = {
    "system": frozenset({"role", "content", "cache_control"}),
    "user": frozenset({"role", "content", "cache_control"}),
    "tool": frozenset({"role", "content", "tool_call_id", "is_error", "cache_control"}),
    "assistant": frozenset({
        "role", "content", "cache_control", "tool_calls", "function_call", "refusal",
        "reasoning", "reasoning_content", "reasoning_details",
    }),
}  # fmt: skip
_OF_CALLS = CALL | {"cache_control"}
_NOT_IN_IDS = re.compile(r"[^a-zA-Z0-9_-]")

_rows = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


class Turn:
    """What one side says. `text` stands for the only block while that is a mere text."""

    __slots__ = ("blocks", "results", "role", "text", "thought_first")

    def __init__(self, role: str) -> None:
        self.role = role
        self.text: Raw | None = None
        self.blocks: list[bytes] = []
        self.results = False
        """Whether it holds results of tools."""
        self.thought_first = False
        """Whether it begins with what the model thought."""

    def say(self, text: Raw) -> None:
        """Add a mere text."""
        if self.text is None and not self.blocks:
            self.text = text
        else:
            self.add([text_block(text)])

    def add(self, more: Iterable[bytes]) -> None:
        """Add blocks."""
        if self.text is not None:
            self.blocks.append(text_block(self.text))
            self.text = None
        self.blocks += more

    @property
    def empty(self) -> bool:
        """Whether nothing is said."""
        return self.text is None and not self.blocks

    def json(self) -> Raw:
        """Return the turn as the API takes it."""
        content = self.text if self.text is not None else b"[%b]" % b",".join(self.blocks)
        return Raw(b'{"role":"%b","content":%b}' % (self.role.encode(), content))


class Conversation:
    """A conversation as it is sent: `system` ahead, `turns` after it."""

    __slots__ = ("_draft", "system", "turns")

    def __init__(self, messages: Raw, draft: Draft) -> None:
        """Read a checked conversation. Raises InvalidRequest for what cannot be said here."""
        self._draft = draft
        self.system = Turn("system")
        self.turns: list[Turn] = []
        rows = _rows(messages)
        place = 0
        while place < len(rows):
            role = _text(rows[place]["role"])
            if role in _SYSTEM:
                place = self._instruct(rows, place)
            else:
                self._say(role, rows[place], place)
                place += 1
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

    def mark_end(self, marker: Raw) -> None:
        """Let the cache reach up to the end of what is said."""
        last = self.turns[-1]
        last.add(())
        if last.blocks and b'"cache_control":' not in last.blocks[-1][-64:]:
            last.blocks[-1] = last.blocks[-1][:-1] + marked(marker) + b"}"

    def _turn(self, role: str) -> Turn:
        """Return the turn that goes on, or a new one."""
        if not self.turns or self.turns[-1].role != role:
            self.turns.append(Turn(role))
        return self.turns[-1]

    def _instruct(self, rows: Sequence[Members], place: int) -> int:
        """Take in instructions up to the next message of another kind; return its place.

        After the beginning they stand where they are if the model knows that: between a
        turn of the user's and one of the assistant's, or the end.
        """
        end = place
        while end < len(rows) and _text(rows[end]["role"]) in _SYSTEM:
            end += 1
        turn = self.system
        if self.turns:
            answered = end == len(rows) or _text(rows[end]["role"]) == "assistant"
            if self._draft.takes.system_turns and answered and self.turns[-1].role == "user":
                turn = Turn("system")
                self.turns.append(turn)
            else:
                detail = "sent ahead of the conversation, with the first instructions"
                self._draft.note(Change.RENAMED, f"messages.{place}", detail)
        for at in range(place, end):
            self._draft.strangers(rows[at], _KNOWN["system"])
            _add(turn, rows[at], f"messages.{at}", self._draft)
        if turn is not self.system and turn.empty:
            self.turns.pop()
        return end

    def _say(self, role: str, row: Members, place: int) -> None:
        self._draft.strangers(row, _KNOWN.get(role, _KNOWN["user"]))
        if role == "user":
            _add(self._turn("user"), row, f"messages.{place}", self._draft)
        elif role == "tool":
            turn = self._turn("user")
            turn.add([_result(row, f"messages.{place}", self._draft)])
            turn.results = True
        else:
            _answer(self._turn("assistant"), row, f"messages.{place}", self._draft)

    def _begin(self) -> None:
        """Leave out turns that say nothing, and see to it that the user begins."""
        draft = self._draft
        kept: list[Turn] = []
        for turn in self.turns:
            if turn.empty:
                draft.dropped("messages", "a message without content")
            elif kept and kept[-1].role == turn.role:
                kept[-1].add(turn.blocks if turn.text is None else [text_block(turn.text)])
                kept[-1].results = kept[-1].results or turn.results
            else:
                kept.append(turn)
        self.turns = kept
        if not kept and not self.system.empty:
            self.system.role = "user"
            self.turns = [self.system]
            self.system = Turn("system")
            draft.note(Change.RENAMED, "messages.0", "sent as the user's: somebody must speak")
        elif not kept:
            raise InvalidRequest(f"messages: {draft.provider.name} needs one that is not empty")
        elif kept[0].role != "user":
            first = Turn("user")
            first.say(FIRST)
            kept.insert(0, first)
            draft.note(Change.INJECTED, "messages", "this provider lets the user begin")


def _add(turn: Turn, row: Members, path: str, draft: Draft) -> None:
    """Add what a message of the user's or the system's says."""
    content = row["content"]
    marker = row.get("cache_control", NULL)
    if is_text(content) and marker == NULL:
        if says(content):
            turn.say(content)
        return
    made = blocks(content, f"{path}.content", draft)
    if turn.role == "system" and not all(block.startswith(b'{"type":"text"') for block in made):
        raise InvalidRequest(f"{path}.content: {draft.provider.name} takes instructions as text")
    turn.add(_marked_last(made, marker))


def _marked_last(made: list[bytes], marker: Raw) -> list[bytes]:
    """Return blocks, the last with a marker that stood at the message."""
    if made and marker != NULL:
        made[-1] = made[-1][:-1] + marked(marker) + b"}"
    return made


def _result(row: Members, path: str, draft: Draft) -> bytes:
    """Return what a tool answered."""
    content = row["content"]
    if not is_text(content):
        content = Raw(b"[%b]" % b",".join(blocks(content, f"{path}.content", draft)))
    failed = b',"is_error":true' if row.get("is_error") == Raw(b"true") else b""
    return b'{"type":"tool_result","tool_use_id":%b,"content":%b%b%b}' % (
        _id(row["tool_call_id"], draft),
        content,
        failed,
        marked(row.get("cache_control", NULL)),
    )


def _answer(turn: Turn, row: Members, path: str, draft: Draft) -> None:
    """Add what the assistant said: text and calls, and between them what it thought."""
    content = row.get("content", NULL)
    calls = row.get("tool_calls", NULL)
    thought = thoughts(row, draft)
    marker = row.get("cache_control", NULL)
    refused = row.get("refusal", NULL) != NULL and says(row["refusal"])
    plain = calls == NULL and marker == NULL and not (thought or refused)
    if plain and content != NULL and is_text(content):
        if says(content):
            turn.say(content)
        return
    said = _said(content, f"{path}.content", draft)
    if refused:
        said.append(text_block(row["refusal"]))
        draft.note(Change.RENAMED, "messages.refusal", "sent as text")
    if calls != NULL:
        said += [_call(call, draft) for call in _rows(calls)]
    if row.get("function_call", NULL) != NULL:
        draft.dropped("messages.function_call", "this provider's API has no such field")
    if turn.empty and thought:
        turn.thought_first = not said or thought[0].index is None or thought[0].index <= 0
    turn.add(_marked_last(in_places(said, thought), marker))


def _said(content: Raw, path: str, draft: Draft) -> list[bytes]:
    """Return the texts of an answer: the API takes no image or document back from the model."""
    made = blocks(content, path, draft)
    texts = [block for block in made if block.startswith(b'{"type":"text"')]
    if len(texts) < len(made):
        draft.dropped("messages.content", "this provider takes no media back in an answer")
    return texts


def _call(call: Members, draft: Draft) -> bytes:
    """Return a call of a tool."""
    function = _members(call["function"])
    draft.strangers(call, _OF_CALLS, "messages.tool_calls")
    draft.strangers(function, CALLED, "messages.tool_calls.function")
    return b'{"type":"tool_use","id":%b,"name":%b,"input":%b%b}' % (
        _id(call["id"], draft),
        function["name"],
        draft.input(function["arguments"]),
        marked(call.get("cache_control", NULL)),
    )


def _id(id_: Raw, draft: Draft) -> bytes:
    """Return the id of a call, in letters that the API takes; one id stays one."""
    text = _text(id_)
    plain = _NOT_IN_IDS.sub("_", text)
    if plain == text:
        return bytes(id_)
    draft.note(Change.RENAMED, "messages.tool_calls.id", "put into letters that are allowed here")
    return b'"%b_%b"' % (plain.encode(), hashlib.sha256(text.encode()).hexdigest()[:8].encode())
