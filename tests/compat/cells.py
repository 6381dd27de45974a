"""The cells of the matrix: one feature, asked by one client of one provider, and what has to come.

Each cell looks at both ends: what the client was answered, and what the provider was asked.
"""

import json
from collections.abc import Callable
from http import HTTPStatus
from typing import Final

from msgspec import Struct

from tests.compat import asks
from tests.compat.asks import Ask, Got, Sent
from tests.compat.clients import CLIENTS, Client
from tests.compat.events import events
from tests.compat.lab import SECRET, Lab
from tests.compat.upstreams import HOSTS, Host
from tests.e2e.gateway import Reply


class Cell(Struct, frozen=True):
    """Where client, provider and feature meet."""

    client: Client
    host: Host
    feature: str

    def __str__(self) -> str:
        return f"{self.client.name}-{self.host.dialect}-{self.feature.replace(' ', '-')}"


def check(cell: Cell, lab: Lab) -> None:
    """Raise AssertionError where a cell does not hold."""
    FEATURES[cell.feature](cell, lab)


def _plain(cell: Cell, lab: Lab) -> None:
    got, sent = _ask(cell, lab, Ask(word="text"))
    assert (got.text, got.finish) == (asks.TEXT, cell.client.stop)
    assert not sent.stream
    assert not sent.thinks


def _stream(cell: Cell, lab: Lab) -> None:
    got, sent = _ask(cell, lab, Ask(word="text", stream=True))
    assert (got.text, got.finish) == (asks.TEXT, cell.client.stop)
    assert got.pieces > 1
    assert sent.stream


def _tools(cell: Cell, lab: Lab) -> None:
    _called(cell, *_ask(cell, lab, Ask(word="tools", tools=True)))


def _streamed_tools(cell: Cell, lab: Lab) -> None:
    _called(cell, *_ask(cell, lab, Ask(word="tools", tools=True, stream=True)))


def _called(cell: Cell, got: Got, sent: Sent) -> None:
    assert [(call.name, call.arguments) for call in got.calls] == list(asks.CALLS)
    assert len({call.id for call in got.calls} - {""}) == len(asks.CALLS)
    assert got.finish == cell.client.calls
    (schema,) = sent.tools.values()
    assert list(sent.tools) == ["get_weather"]
    assert schema["properties"]["city"]["description"] == "Where."
    assert schema["required"] == ["city"]


def _results(cell: Cell, lab: Lab) -> None:
    got, sent = _ask(cell, lab, Ask(word="results", results=True))
    assert got.text == asks.TEXT
    (call,) = sent.calls
    assert (call.name, call.arguments) == asks.CALLS[0]
    ((of, told),) = sent.results.items()
    assert of in {call.id, call.name}
    assert asks.WEATHER in told


def _schema(cell: Cell, lab: Lab) -> None:
    got, sent = _ask(cell, lab, Ask(word="schema", schema=True))
    assert json.loads(got.text) == json.loads(asks.PERSON)
    assert set(sent.schema["properties"]) == {"name", "age"}
    assert sorted(sent.schema["required"]) == ["age", "name"]


def _image(cell: Cell, lab: Lab) -> None:
    got, sent = _ask(cell, lab, Ask(word="image", image=True))
    assert got.text == asks.TEXT
    assert sent.image == asks.PIXEL


def _reasoning(cell: Cell, lab: Lab) -> None:
    _thought(*_ask(cell, lab, Ask(word="thinking", thinks=True)))


def _streamed_reasoning(cell: Cell, lab: Lab) -> None:
    _thought(*_ask(cell, lab, Ask(word="thinking", thinks=True, stream=True)))


def _thought(got: Got, sent: Sent) -> None:
    assert (got.text, got.thought) == (asks.TEXT, asks.THOUGHT)
    assert sent.thinks


def _error(cell: Cell, lab: Lab) -> None:
    _refused(cell, _post(cell, lab, Ask(word="refused")))


def _streamed_error(cell: Cell, lab: Lab) -> None:
    _refused(cell, _post(cell, lab, Ask(word="refused", stream=True)))


def _refused(cell: Cell, reply: Reply) -> None:
    """A refusal before the first content has an honest status, also where a stream was wanted."""
    assert reply.status == HTTPStatus.TOO_MANY_REQUESTS, reply.body
    assert reply.headers["content-type"].startswith("application/json")
    assert reply.headers["retry-after"] == "3"
    cell.client.refusal(reply.json())
    assert asks.REFUSAL in reply.body.decode()


def _late_error(cell: Cell, lab: Lab) -> None:
    got = _broken(cell, lab, "late")
    assert asks.LATE in got.error or "overloaded" in got.error, got.error


def _cut(cell: Cell, lab: Lab) -> None:
    _broken(cell, lab, "cut")


def _broken(cell: Cell, lab: Lab, word: str) -> Got:
    """Ask for a stream that breaks; all that came before has to arrive, then one error."""
    reply = _post(cell, lab, Ask(word=word, stream=True))
    assert reply.status == HTTPStatus.OK, reply.body
    got = cell.client.stream(events(reply.body))
    assert got.text
    assert asks.TEXT.startswith(got.text)
    assert got.text != asks.TEXT
    assert (bool(got.error), got.ends) == (True, 1)
    return got


def _post(cell: Cell, lab: Lab, ask: Ask) -> Reply:
    body = cell.client.body(ask) | {"model": lab.model(cell)}
    return lab.gateway.post(cell.client.path, body)


def _ask(cell: Cell, lab: Lab, ask: Ask) -> tuple[Got, Sent]:
    """Ask, check what holds in every cell, and return what both ends saw."""
    tap = lab.taps[cell.host.name]
    tap.heard.clear()
    reply = _post(cell, lab, ask)
    assert reply.status == HTTPStatus.OK, reply.body
    got = cell.client.stream(events(reply.body)) if ask.stream else cell.client.whole(reply.json())
    assert (got.prompt_tokens, got.completion_tokens) == (
        asks.PROMPT_TOKENS,
        asks.COMPLETION_TOKENS,
    )
    assert got.cost > 0
    assert got.model == lab.model(cell)
    assert reply.headers["x-generation-id"].startswith("gen-")
    assert (got.error, got.ends) == ("", int(ask.stream))
    (heard,) = tap.heard
    assert SECRET in heard.headers[cell.host.secret]
    sent = cell.host.read(heard.body())
    asked = (cell.host.model, cell.client.system, ask.text)
    assert (sent.model, sent.system, sent.text) == asked
    return got, sent


FEATURES: Final[dict[str, Callable[[Cell, Lab], None]]] = {
    "plain": _plain,
    "stream": _stream,
    "tools": _tools,
    "streamed tools": _streamed_tools,
    "tool results": _results,
    "JSON schema": _schema,
    "image": _image,
    "reasoning": _reasoning,
    "streamed reasoning": _streamed_reasoning,
    "error": _error,
    "streamed error": _streamed_error,
    "error mid-stream": _late_error,
    "cut mid-stream": _cut,
}
"""What is checked, in the order of the matrix."""

OURS: Final = frozenset({"error mid-stream", "cut mid-stream"})
"""Features whose answer the mock server begins, and a script of ours ends."""


def features_of(client: Client) -> list[str]:
    """Return what is checked of a client dialect, in the order of the matrix."""
    return [name for name in FEATURES if client.only is None or name in client.only]


def all_cells() -> list[Cell]:
    """Return every cell there is."""
    return [
        Cell(client, host, name)
        for client in CLIENTS
        for host in HOSTS
        for name in features_of(client)
    ]
