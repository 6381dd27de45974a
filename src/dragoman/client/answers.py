"""What the gateway answers, as values whose members are attributes.

They are dictionaries: nothing that came is lost, whether this version knows it or not,
and `json.dumps` gives it back. A member with the name of a method of dictionaries, such
as `items`, is reached as `answer["items"]`.
"""

import json
from typing import Any, TypeVar


class Record(dict[str, Any]):
    """A JSON object. `record.name` is `record["name"]`; `record.get("name")` may be absent."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"there is no {name!r} here, only {', '.join(self)}") from None


R = TypeVar("R", bound=Record)


class Completion(Record):
    """The answer to a chat request."""

    __slots__ = ()

    id: str
    model: str
    choices: list[Record]
    usage: Record

    @property
    def text(self) -> str:
        """The content of the first choice; empty where it has none, as with tool calls."""
        return _content(self, "message")


class Chunk(Record):
    """A piece of a streamed answer. The last one has `usage`."""

    __slots__ = ()

    id: str
    model: str
    choices: list[Record]

    @property
    def text(self) -> str:
        """What this piece adds to the content of the first choice."""
        return _content(self, "delta")


class Model(Record):
    """A row of `GET /models`. Prices are USD per token, as text; `-1` is an unknown one."""

    __slots__ = ()

    id: str
    name: str
    context_length: int | None
    pricing: Record
    supported_parameters: list[str]


def read_object(body: bytes) -> Record:
    """Return the JSON object that `body` is. Raises ValueError."""
    try:
        value = json.loads(body, object_hook=Record)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(value, Record):
        raise ValueError("not an object")  # noqa: TRY004 - it is a value that cannot be read
    return value


def data_of(answer: Record) -> Record:
    """Return the object in `data`, or `answer` itself where there is none."""
    data = answer.get("data")
    return data if isinstance(data, Record) else answer


def rows_of(answer: Record, kind: type[R], name: str = "data") -> list[R]:
    """Return the objects of the list `name`."""
    return [kind(row) for row in answer.get(name) or () if isinstance(row, Record)]


def _content(answer: Record, part: str) -> str:
    for choice in answer.get("choices") or ():
        content = choice.get(part, {}).get("content")
        return content if isinstance(content, str) else ""
    return ""
