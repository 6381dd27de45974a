"""In which order a whole answer says what it says.

A message of the hub has one member for all that was thought, one for all text, one for all calls.
A client that is told blocks or items (Messages, Responses) is told them as they came: Claude and
GPT think between what they do, and take their thoughts back only in their places. So a choice
says how much of which member came when (`Choice.steps`), if not each came in one go, thoughts
first and calls last, as it is understood without.
"""

from collections.abc import Iterable, Iterator, Sequence

import msgspec
from msgspec import Raw

from dragoman.wire.hub import Answer, Choice, Chunk, Members, Piece, Step

RANKS = {"reasoning_details": 0, "content": 1, "images": 2, "tool_calls": 3}
"""The members that have an order, and which they are told in where nothing else is said."""

TEXT_FIRST = "a text that followed a call of a tool is sent before it"
"""What is noted of a conversation whose client has places for texts among calls: the hub's messages
have none, and providers that are sent its form get all text of an answer, then all calls."""

_text = msgspec.json.Decoder(str).decode
_rows = msgspec.json.Decoder(list[Raw]).decode
_encode = msgspec.json.Encoder().encode


class Course:
    """Takes down what comes after what."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: list[tuple[str, int | Raw]] = []

    def text(self, text: Raw) -> None:
        """Take down a text: a JSON string."""
        self._told.append(("content", text))

    def rows(self, name: str, count: int = 1) -> None:
        """Take down some more of a list."""
        if count:
            self._told.append((name, count))

    def steps(self) -> tuple[Step, ...]:
        """Return what was taken down, nothing where all is in the usual order."""
        if is_usual(name for name, _ in self._told):
            return ()
        return tuple([(name, _amount(told)) for name, told in self._told])


def _amount(told: int | Raw) -> int:
    return told if isinstance(told, int) else len(_text(told))


def is_usual(names: Iterable[str]) -> bool:
    """Whether members that come one after the other are in the usual order."""
    ranks = [RANKS[name] for name in names]
    return ranks == sorted(ranks)


def parts_of(choice: Choice) -> Sequence[Members]:
    """Return a message as parts which, told one after the other, tell it in its order.

    It is one part where it has the usual order, or where it is not what the steps speak of.
    Members without an order are told with the last of the text, thoughts as one text with the
    first of their details.
    """
    message = choice.message
    if not choice.steps or choice.logprobs is not None:
        return (message,)
    steps = [step for step in choice.steps if step[0] in message]
    try:
        told = {name: _values(name, message[name]) for name in dict(steps)}
    except msgspec.MsgspecError:
        return (message,)
    if any(sum(n for each, n in steps if each == name) != len(told[name]) for name in told):
        return (message,)
    parts = _split(steps, told)
    if not parts:
        return (message,)
    for name, value in message.items():
        if name not in told:
            parts[_place(name, parts)][name] = value
    return parts


def _place(name: str, parts: Sequence[Members]) -> int:
    """Return which part a member is told with that has no order."""
    beside = "reasoning_details" if name == "reasoning" else "content"
    places = [place for place, part in enumerate(parts) if beside in part]
    if name == "reasoning":
        return places[0] if places else 0
    return places[-1] if places else -1


def _values(name: str, value: Raw) -> str | list[Raw]:
    return _text(value) if name == "content" else _rows(value)


def _split(steps: Iterable[Step], told: dict[str, str | list[Raw]]) -> list[Members]:
    parts: list[dict[str, str | list[Raw]]] = []
    taken = dict.fromkeys(told, 0)
    last = len(RANKS)
    for name, amount in steps:
        if RANKS[name] < last:
            parts.append({})
        last = RANKS[name]
        begin = taken[name]
        taken[name] = begin + amount
        more = told[name][begin : taken[name]]
        before = parts[-1].get(name)
        parts[-1][name] = more if before is None else before + more  # type: ignore[operator]
    return [{name: Raw(_encode(value)) for name, value in part.items()} for part in parts]


def at_once(answer: Answer) -> Chunk:
    """Return a whole answer as all of a stream: some hosts answer so though one was asked for."""
    return Chunk(
        pieces=tuple([piece for choice in answer.choices for piece in pieces_of(choice)]),
        usage=answer.usage,
        fault=answer.fault,
        upstream_id=answer.upstream_id,
        service_tier=answer.service_tier,
        ended=True,
    )


def pieces_of(choice: Choice) -> Iterator[Piece]:
    """Return a choice as the pieces of a stream, of which the last says how it ended."""
    *before, last = (
        {name: value for name, value in part.items() if name != "role"} for part in parts_of(choice)
    )
    for part in before:
        yield Piece(index=choice.index, delta=part)
    yield Piece(
        index=choice.index,
        delta=last,
        finish_reason=choice.finish_reason,
        native_finish_reason=choice.native_finish_reason,
        logprobs=choice.logprobs,
    )
