"""The yardstick: the least a gateway in Python can do, on the asyncio protocols of both sides.

It parses a request, checks its key, decodes it, draws an endpoint by lot, writes
the body anew for it, sends it on over a kept connection, reads usage from the
answer, prices it, and passes the answer on. No framework, no streams, no limits,
no failover: what it costs is what the machine and the interpreter cost, and by
its cost other machines are compared with the one the limits were set on.

Changing this file changes the yardstick: see `bench.limits`.
Run it as `python -m bench.bare PORT UPSTREAM_PORT KEY`.
"""

import asyncio
import hashlib
import sys
from random import Random
from typing import Any, Final, cast

import httptools
import msgspec
import uvloop

ENDPOINTS: Final = tuple(("plain", 1000 + number) for number in range(20))
"""What each calls the model, and its price."""
HEAD: Final = (
    b"POST /v1/chat/completions HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer none\r\n"
    b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n"
)
ANSWER: Final = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nx-cost: %d\r\ncontent-length: %d\r\n\r\n"
)
REFUSAL: Final = b"HTTP/1.1 401 Unauthorized\r\ncontent-length: 0\r\n\r\n"


class Ask(msgspec.Struct):
    """What is known of a request; the rest stays as it came."""

    model: str
    messages: msgspec.Raw
    stream: bool = False
    max_tokens: int | None = None
    temperature: float | None = None


class Usage(msgspec.Struct):
    """Tokens."""

    prompt_tokens: int = 0
    completion_tokens: int = 0


class Reply(msgspec.Struct):
    """What is known of an answer."""

    usage: Usage


_ask = msgspec.json.Decoder(Ask).decode
_reply = msgspec.json.Decoder(Reply).decode
_encode = msgspec.json.Encoder().encode


class Bare:
    """What all connections share: the keys, the connections kept upstream, the dice."""

    def __init__(self, upstream: int, key: str) -> None:
        self.upstream = upstream
        self.keys = {hashlib.sha256(key.encode()).digest()}
        self.kept: list[Upstream] = []
        self.rng = Random(7)
        self.spent = 0

    def choose(self) -> tuple[str, int]:
        """Draw an endpoint, the cheaper the likelier."""
        draw = self.rng.expovariate
        return min(ENDPOINTS, key=lambda endpoint: draw(1.0) * endpoint[1] ** 2)


class Upstream(asyncio.Protocol):
    """A connection to the upstream, one exchange at a time."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._parser = httptools.HttpResponseParser(self)
        self._body: list[bytes] = []
        self._client: Client
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def send(self, body: bytes, client: "Client") -> None:
        """Ask for `client`."""
        self._client = client
        self._transport.write(HEAD % len(body) + body)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        body = b"".join(self._body)
        self._body.clear()
        self._bare.kept.append(self)
        self._client.answer(body)


class Client(asyncio.Protocol):
    """A connection of a client."""

    def __init__(self, bare: Bare) -> None:
        self._bare = bare
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._key = b""
        self._price = 0
        self._opening: set[asyncio.Task[Any]] = set()
        self._transport: asyncio.Transport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_header(self, name: bytes, value: bytes) -> None:
        if name.lower() == b"authorization":
            self._key = value[7:]

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        raw = b"".join(self._body)
        self._body.clear()
        if hashlib.sha256(self._key).digest() not in self._bare.keys:
            self._transport.write(REFUSAL)
            return
        ask = _ask(raw)
        ask.model, self._price = self._bare.choose()
        body = _encode(ask)
        if kept := self._bare.kept:
            kept.pop().send(body, self)
            return
        task = asyncio.get_running_loop().create_task(self._open(body))
        self._opening.add(task)
        task.add_done_callback(self._opening.discard)

    async def _open(self, body: bytes) -> None:
        loop = asyncio.get_running_loop()
        _, upstream = await loop.create_connection(
            lambda: Upstream(self._bare), "127.0.0.1", self._bare.upstream
        )
        upstream.send(body, self)

    def answer(self, body: bytes) -> None:
        """Pass an answer on, priced."""
        usage = _reply(body).usage
        cost = usage.prompt_tokens * self._price + usage.completion_tokens * self._price * 2
        self._bare.spent += cost
        if not self._transport.is_closing():
            self._transport.write(ANSWER % (cost, len(body)) + body)


async def serve(port: int, upstream: int, key: str) -> None:
    """Answer on a port of the loopback interface until the process ends."""
    bare = Bare(upstream, key)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: Client(bare), "127.0.0.1", port)
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]))
