"""What a model says at once, said one after the other: a message has one open block at a time.

Text, reasoning and each call of a tool have a lane. The open lane's fragments go out as they
come. Another lane may follow once the open one has said all that it must: a call whose
arguments are no JSON yet would be cut for good. Till then others wait; most providers never
make them.
"""

import msgspec
from msgspec import Raw

from dragoman.wire.anthropic.content import (
    Call,
    argument_text,
    redacted_of,
    signature_of,
)
from dragoman.wire.anthropic.open_block import OpenBlock
from dragoman.wire.details import Detail, ReasoningDetail
from dragoman.wire.gather import PIECE_BYTES
from dragoman.wire.hub import Members

TEXT, THINKING, CALL, WHOLE = "text", "thinking", "call", "whole"

MOST_LOOKS = 64
"""So often the arguments of a call are looked at for whether they are complete."""

MOST_WAITING = 1024 * 1024
"""So many bytes may wait: nobody waits for a provider that goes on beside a call it never ends."""
MOST_UNNAMED = 64
"""So many calls may be without a name, and so many fragments of one."""

Lane = tuple[str, object]
"""A kind, and which one of it."""
Said = bytes | ReasoningDetail | Call

_encode = msgspec.json.Encoder().encode
_string = msgspec.json.Decoder(str).decode
_object = msgspec.json.Decoder(Members).decode


class Lanes:
    """Writes the blocks of one stream. `called` says whether a tool was called."""

    __slots__ = (
        "_arguments", "_at", "_block", "_closed", "_detail", "_id_stem", "_lane", "_looks",
        "_unnamed", "_waiting", "_waiting_bytes", "_wholes", "called",
    )  # fmt: skip

    def __init__(self, block: OpenBlock, id_stem: str) -> None:
        self.called = False
        self._block = block
        self._id_stem = id_stem
        self._lane: Lane | None = None
        self._at: int | None = None
        self._arguments: list[bytes] = []
        self._looks = 0
        self._detail: Detail = {}
        self._waiting: dict[Lane, list[Said]] = {}
        self._waiting_bytes = 0
        self._unnamed: dict[int, list[Call]] = {}
        self._closed: set[Lane] = set()
        self._wholes = 0

    def text(self, delta: bytes) -> bytes:
        """Return the events for what is added to the text."""
        return self._put((TEXT, 0), delta)

    def whole(self, block: bytes) -> bytes:
        """Return the events for a block that comes whole."""
        self._wholes += 1
        return self._put((WHOLE, self._wholes), block)

    def reasoning(self, detail: ReasoningDetail) -> bytes:
        """Return the events for reasoning, or a fragment of it."""
        if detail.type == "reasoning.encrypted":
            block = {"type": "redacted_thinking", "data": redacted_of(detail.members())}
            return self.whole(_encode(block))
        if not (detail.text or detail.summary or detail.signature):
            return b""
        return self._put((THINKING, (detail.type, detail.index)), detail)

    def call(self, place: int, call: Call) -> bytes:
        """Return the events for a fragment of a call, which is the one at `place` if unnumbered.

        Nothing is said of a call before its name is known.
        """
        number = place if call.index is None else call.index
        lane = (CALL, number)
        if lane == self._lane or lane in self._waiting:
            return self._put(lane, call)
        if lane in self._closed:
            return b""
        before = self._unnamed.pop(number, [])
        if not call.function.name:
            if len(before) < MOST_UNNAMED and len(self._unnamed) < MOST_UNNAMED:
                self._unnamed[number] = [*before, call]
            return b""
        name = msgspec.structs.replace(call.function, arguments=Raw(b'""'))
        begun = msgspec.structs.replace(call, function=name)
        return b"".join([self._put(lane, each) for each in (begun, *before, call)])

    def end(self) -> bytes:
        """Return the events for all that waits, and the end of the open block."""
        return self._drain(force=True) + self.close()

    def close(self) -> bytes:
        """Return the events that end the open block."""
        lane, self._lane = self._lane, None
        before = b""
        if lane is not None and lane[0] == THINKING:
            if signature := signature_of(self._detail):
                before = self._block.delta(
                    b'{"type":"signature_delta","signature":%b}' % _encode(signature)
                )
            self._detail = {}
        elif lane is not None and lane[0] == CALL:
            self._closed.add(lane)
            self._arguments, self._looks = [], 0
        return before + self._block.end()

    def _put(self, lane: Lane, said: Said) -> bytes:
        """Say it, or have it wait."""
        if self._block.index != self._at:
            self._lane = None  # a provider's own block has begun, or ended, since
        if lane == self._lane:
            added = self._add(said)
            return added + self._drain() if self._waiting else added
        if self._waiting or not self._may_close():
            self._waiting.setdefault(lane, []).append(said)
            self._waiting_bytes += _size(said)
            return self._drain(force=self._waiting_bytes > MOST_WAITING)
        return self._open(lane, said) + self._add(said)

    def _drain(self, *, force: bool = False) -> bytes:
        """Return the events for what need not wait any longer."""
        events = []
        while self._waiting and (force or self._may_close()):
            lane = next(iter(self._waiting))
            waiting = self._waiting.pop(lane)
            events.append(self._open(lane, waiting[0]))
            events += [self._add(said) for said in waiting]
        if not self._waiting:
            self._waiting_bytes = 0
        return b"".join(events)

    def _may_close(self) -> bool:
        """Whether the open lane has said all that it must."""
        if self._lane is None or self._lane[0] != CALL:
            return True
        if not self._arguments or not self._arguments[-1].rstrip(b'" ').endswith(b"}"):
            return False
        self._looks += 1
        return self._looks <= MOST_LOOKS and _is_object(self._arguments)

    def _open(self, lane: Lane, said: Said) -> bytes:
        """Return the events that end the open block and begin the lane's."""
        end = self.close()
        begun = self._begun(lane, said)
        self._lane, self._at = lane, self._block.index
        return end + begun

    def _begun(self, lane: Lane, said: Said) -> bytes:
        """Return the event that begins a lane's block."""
        if isinstance(said, ReasoningDetail):
            return self._block.begin(b'{"type":"thinking","thinking":"","signature":""}')
        if isinstance(said, Call):
            self.called = True
            block: dict[str, object] = {
                "type": "tool_use",
                "id": said.id or f"toolu_{self._id_stem}_{lane[1]}",
                "name": said.function.name,
                "input": {},
            }
            return self._block.begin(_encode(block))
        if lane[0] == WHOLE:
            return self._block.begin(said)
        return self._block.begin(b'{"type":"text","text":""}', text=True)

    def _add(self, said: Said) -> bytes:
        """Return the event for what the open lane says."""
        if isinstance(said, ReasoningDetail):
            return self._think(said)
        if isinstance(said, Call):
            return self._argue(said)
        lane = self._lane
        return b"" if lane is not None and lane[0] == WHOLE else self._block.delta(said)

    def _think(self, detail: ReasoningDetail) -> bytes:
        for name, value in detail.members().items():
            if name not in {"text", "summary"} and value != "":
                self._detail[name] = value
        text = detail.text or detail.summary
        if not text:
            return b""
        return self._block.delta(b'{"type":"thinking_delta","thinking":%b}' % _encode(text))

    def _argue(self, call: Call) -> bytes:
        text = argument_text(call.function.arguments)
        if text == b'""':
            return b""
        self._arguments.append(text)
        return self._block.delta(b'{"type":"input_json_delta","partial_json":%b}' % text)


def _size(said: Said) -> int:
    """Return about how many bytes something takes that waits."""
    if isinstance(said, Call):
        return PIECE_BYTES + len(said.function.arguments)
    if isinstance(said, ReasoningDetail):
        return PIECE_BYTES + len(said.text or said.summary or "")
    return PIECE_BYTES + len(said)


def _is_object(fragments: list[bytes]) -> bool:
    """Whether fragments of a JSON string hold, together, a JSON object."""
    try:
        _object(_string(b'"%b"' % b"".join([each[1:-1] for each in fragments])))
    except (ValueError, RecursionError):
        return False
    return True
