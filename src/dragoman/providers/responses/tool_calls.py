"""The calls that a stream has begun, as the hub's fragments (OpenAI, "Streaming: tool calls")."""

import msgspec
from msgspec import Raw, Struct

from dragoman.providers.responses.event import Item, text_in
from dragoman.providers.responses.message import EMPTY, NO_ARGUMENTS, given_arguments
from dragoman.wire.responses import calls
from dragoman.wire.responses.raw import is_string

_INPUT_BEGINS = '{"input":"'
_INPUT_ENDS = '"}'

_encode = msgspec.json.Encoder().encode


class _Call(Struct):
    """One call: its number in the hub, its kind, and whether its arguments have come, and all."""

    number: int
    kind: calls.Kind
    said: bool = False
    ended: bool = False


class ToolCalls:
    """Calls by their place in the output."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[int, _Call] = {}

    def __len__(self) -> int:
        """Return how many were begun."""
        return len(self._calls)

    def begin(self, place: int, item: Item) -> Raw | None:
        """Return the fragment that begins a call; None for a kind that comes whole, or again."""
        kind = calls.CALLS[item.type]
        if place in self._calls or kind in calls.WHOLE:
            return None
        call = self._calls[place] = _Call(len(self._calls), kind)
        return self._first(call, item, _INPUT_BEGINS if kind == "custom" else "")

    def more(self, place: int, delta: Raw) -> Raw | None:
        """Return the fragment for more of the arguments, None for nothing. Raises ValueError."""
        call = self._calls.get(place)
        if call is None:
            raise ValueError("arguments of a call that was not begun")
        if call.ended or not text_in(delta):
            return None
        call.said = True
        return _fragment(call, _inside(delta) if call.kind == "custom" else bytes(delta))

    def all(self, place: int, arguments: Raw) -> Raw | None:
        """Return the fragment for arguments that are whole, so far as they have not come yet."""
        call = self._calls.get(place)
        if call is None or call.ended:
            return None
        rest = b"" if call.said or not is_string(arguments) else bytes(arguments)
        if call.kind == "function" and not call.said and len(rest) <= len(EMPTY):
            return None
        call.said = call.ended = True
        if call.kind == "custom":
            inside = _encode(rest[1:-1].decode() + _INPUT_ENDS)
            return _fragment(call, inside)
        return _fragment(call, rest) if len(rest) > 2 else None

    def whole(self, place: int, item: Item) -> Raw | None:
        """Return the fragment for what has not come of a call that is whole. Raises ValueError."""
        call = self._calls.get(place)
        if call is not None:
            if call.kind == "custom":
                return self.all(place, Raw(_encode(item.input or "")))
            if told := self.all(place, item.arguments):
                return told
            return None if call.said else self._none(call)
        kind = calls.CALLS[item.type]
        call = self._calls[place] = _Call(len(self._calls), kind, said=True, ended=True)
        return self._first(call, item, given_arguments(item))

    def _none(self, call: _Call) -> Raw:
        """Return the fragment for a call that has no arguments."""
        call.said = call.ended = True
        return _fragment(call, bytes(NO_ARGUMENTS))

    def _first(self, call: _Call, item: Item, arguments: str | Raw) -> Raw:
        call_id = item.call_id or item.id
        if not call_id:
            raise ValueError("a call without an id")
        return Raw(
            _encode(
                [
                    {
                        "index": call.number,
                        "id": call_id,
                        "type": "function",
                        "function": {
                            "name": calls.flat_name(calls.tool_of(item)),
                            "arguments": arguments,
                        },
                    }
                ]
            )
        )


def _fragment(call: _Call, arguments: bytes) -> Raw:
    return Raw(b'[{"index":%d,"function":{"arguments":%b}}]' % (call.number, arguments))


def _inside(delta: Raw) -> bytes:
    """Return a piece of a freeform text as a piece of the JSON that has it as a string."""
    return _encode(bytes(delta)[1:-1].decode())
