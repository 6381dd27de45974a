"""Calls of tools as hosts write them, brought into the form in which clients can join and run them.

Clients join the fragments of a call by `index`, from 0 on, and OpenAI's own join whatever repeats:
an id that is said again is an id twice as long. Hosts leave the index out (Google), number all
calls alike, begin at 1, repeat ids and names, give each fragment an id of its own, two calls
the same, or say nothing where a tool takes nothing. What is as OpenAI has it passes byte by byte.
"""

import hashlib

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from dragoman.providers.openai.members import NULL
from dragoman.wire.hub import Members

ABSENT = Raw()
EMPTY = Raw(b'""')
NONE = Raw(b"[]")
NOTHING = Raw(b'"{}"')
"""The arguments of a call that has none, as OpenAI has them."""
_UNSAID = frozenset({b"", b"null", b'""', b'"null"'})

Text = str | UnsetType | None


class _Function(Struct, gc=False):
    """What is called, and with what: JSON in a text, but an object at some hosts (Mistral)."""

    name: Text = UNSET
    arguments: Raw = ABSENT


class _Call(Struct, gc=False):
    """A call, or a fragment of one, so far as it is read."""

    index: int | None = None
    id: Text = UNSET
    type: Text = UNSET
    function: _Function | None = None

    @property
    def name(self) -> str:
        """The name of the function, empty where it is not said."""
        name = UNSET if self.function is None else self.function.name
        return name or ""

    @property
    def arguments(self) -> bytes:
        """The arguments as they came, nothing where they are not said."""
        return b"" if self.function is None else bytes(self.function.arguments)


class _Begun(Struct, gc=False):
    """A call that has begun: the host's id and name of it, and whether arguments have come."""

    id: str
    name: str
    said: bool = False


_calls = msgspec.json.Decoder(list[_Call]).decode
_rows = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode


class ToolCalls:
    """The calls of one choice of a stream."""

    __slots__ = ("_begun", "_ids", "_numbers")

    def __init__(self) -> None:
        self._begun: list[_Begun] = []
        self._ids: set[str] = set()
        self._numbers: dict[int, int] = {}
        """The host's index of a call -> ours, which is its place among those that have begun."""

    def __bool__(self) -> bool:
        """Whether any was begun."""
        return bool(self._begun)

    def read(self, value: Raw, answer: str | None) -> Raw:
        """Return fragments as clients can join them; what has no such shape as it came."""
        try:
            calls = _calls(value)
        except msgspec.ValidationError:
            return value
        if len(calls) == 1 and self._goes_on(calls[0]):
            return value
        first = len(self._begun)
        numbers = [self._number(call, first) for call in calls]
        fresh = [number >= first and number not in numbers[:n] for n, number in enumerate(numbers)]
        rows: list[Members] = []
        for place, call in enumerate(calls):
            number, new = numbers[place], fresh[place]
            said = call.arguments not in _UNSAID
            if not self._is_as_it_should(call, number, new=new):
                rows = rows or _rows(value)
                self._mend(rows[place], call, number, new=new, answer=answer)
            begun = self._begun[number]
            if new:
                self._ids.add(begun.id)
            begun.said = begun.said or said
        return Raw(_encode(rows)) if rows else value

    def end(self, delta: Members) -> None:
        """Put into the delta that ends the choice what calls without arguments lack."""
        silent = [number for number, call in enumerate(self._begun) if not call.said]
        if not silent:
            return
        rest = b",".join(b'{"index":%d,"function":{"arguments":"{}"}}' % each for each in silent)
        told = bytes(delta.get("tool_calls", NONE))[1:-1].strip()
        delta["tool_calls"] = Raw(b"[%b]" % b",".join(filter(None, (told, rest))))

    def _goes_on(self, call: _Call) -> bool:
        """Say whether a fragment is more arguments, as nearly all are, of a call that has some."""
        function = call.function
        return (
            function is not None
            and call.id is function.name is UNSET
            and call.type is not None
            and call.index is not None
            and self._numbers.get(call.index) == call.index
            and self._begun[call.index].said
            and bytes(memoryview(function.arguments)[:1]) == b'"'
        )

    def _number(self, call: _Call, first: int) -> int:
        """Return the number of the call that a fragment belongs to, which it may begin.

        `first` is that of the first call that its event begins.
        """
        index = call.index
        number = len(self._begun) - 1 if index is None else self._numbers.get(index, -1)
        if number < 0 or self._is_another(call, number, first):
            number = len(self._begun)
            self._begun.append(_Begun(call.id or "", call.name))
        if index is not None:
            self._numbers[index] = number
        return number

    def _is_another(self, call: _Call, number: int, first: int) -> bool:
        """Say whether a fragment begins a call though it is numbered as one that has begun.

        With an index it needs a name for that: some hosts give every fragment another id.
        """
        begun = self._begun[number]
        if call.index is not None:
            return bool(call.id and call.name and begun.id and call.id != begun.id)
        if call.id:
            return call.id != begun.id
        return bool(call.name and begun.name) and (begun.said or number >= first)

    def _is_as_it_should(self, call: _Call, number: int, *, new: bool) -> bool:
        """Say whether a fragment can pass byte by byte."""
        arguments = call.arguments
        if call.index != number or arguments[:1] == b"{":
            return False
        if new:
            is_own = bool(call.id) and call.id not in self._ids
            return is_own and arguments not in {b"null", b'"null"'}
        again = call.id is not UNSET or call.type is None
        function = call.function
        if again or function is None:
            return not again
        silent = arguments == b"null" or (arguments == b'"null"' and not self._begun[number].said)
        return not silent and (function.name is UNSET or not self._repeats(call, number))

    def _repeats(self, call: _Call, number: int) -> bool:
        return call.name in {"", self._begun[number].name}

    def _mend(
        self, row: Members, call: _Call, number: int, *, new: bool, answer: str | None
    ) -> None:
        """Put a fragment right."""
        row["index"] = Raw(b"%d" % number)
        if new and (not call.id or call.id in self._ids):
            row["id"] = made_id(row, answer, number)
        elif not new:
            row.pop("id", None)
            row.pop("type", None)
        if call.function is None:
            return
        function = _members(row["function"])
        arguments = call.arguments
        if arguments[:1] == b"{":
            function["arguments"] = Raw(_encode(arguments.decode()))
        elif arguments == b"null" or (arguments == b'"null"' and not self._begun[number].said):
            function["arguments"] = EMPTY
        if not new and call.function.name is not UNSET and self._repeats(call, number):
            function.pop("name", None)
        row["function"] = Raw(_encode(function))


def read_whole(value: Raw, answer: str | None) -> Raw:
    """Return the calls of a whole answer, each with an id of its own and an object's arguments.

    Without an id no client can say which it has run, and `json.loads` of nothing fails.
    """
    try:
        calls = _calls(value)
    except msgspec.ValidationError:
        return value
    ids: set[str] = set()
    rows: list[Members] = []
    for place, call in enumerate(calls):
        arguments = call.arguments
        is_bare, is_silent = arguments[:1] == b"{", arguments in _UNSAID
        is_own = bool(call.id) and call.id not in ids
        if not is_own or is_bare or (is_silent and call.function is not None):
            rows = rows or _rows(value)
            row = rows[place]
            if not is_own:
                row["id"] = made_id(row, answer, place)
            if call.function is not None and (is_bare or is_silent):
                function = _members(row["function"])
                whole = Raw(_encode(arguments.decode())) if is_bare else NOTHING
                row["function"] = Raw(_encode(function | {"arguments": whole}))
        ids.add(call.id or "")
    return Raw(_encode(rows)) if rows else value


def holds_any(value: Raw) -> bool:
    """Say whether a member `tool_calls` holds anything: some hosts send an empty list."""
    return bool(bytes(value).strip(b"[] \t\r\n"))


def made_id(call: Members, answer: str | None, place: int) -> Raw:
    """Return an id for the call at `place`, the same whenever the same answer is read."""
    source = b"%b %d %b" % ((answer or "").encode(), place, bytes(call.get("function", NULL)))
    return Raw(b'"call_%b"' % hashlib.sha256(source).hexdigest()[:24].encode())
