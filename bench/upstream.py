"""A mock upstream that costs next to nothing: what is measured is the gateway before it.

It speaks OpenAI chat on `POST /v1/chat/completions`. The model's name says what
to answer: `plain` an answer of 1.5 KB, `stream-50` 50 chunks as fast as they go,
`paced-50` 50 chunks, one each 10 ms, `hold` one chunk and then silence, `flood`
chunks of 16 KB without end, one each 20 ms, as long as they are read. Every byte is made before
the first request. Run it as `python -m bench.upstream PORT [CERTIFICATE KEY]`.
"""

import asyncio
import ssl
import sys
from collections.abc import Iterator, Sequence
from functools import cache
from typing import Final, cast

import httptools
import msgspec
import uvloop

from bench.process import allow_many_files

PACE_S: Final = 0.010
FLOOD_S: Final = 0.020
PROMPT_TOKENS: Final = 400
ANSWER_TOKENS: Final = 200
BACKLOG: Final = 4096


class Asked(msgspec.Struct):
    """The one member of a request that decides about the answer."""

    model: str


_asked = msgspec.json.Decoder(Asked).decode


def _head(*lines: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", *lines, "", ""]).encode()


def _usage(completion: int) -> dict[str, int]:
    total = PROMPT_TOKENS + completion
    return {"prompt_tokens": PROMPT_TOKENS, "completion_tokens": completion, "total_tokens": total}


def _chunk(event: bytes) -> bytes:
    """Return one server-sent event as one chunk of HTTP."""
    data = b"data: " + event + b"\n\n"
    return b"%x\r\n%b\r\n" % (len(data), data)


def plain() -> bytes:
    """Return a whole answer, head included, with a body of about 1.5 KB."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "All work and no play. " * 56},
        "finish_reason": "stop",
    }
    body = msgspec.json.encode(
        {
            "id": "chatcmpl-bench",
            "object": "chat.completion",
            "created": 1_700_000_000,
            "model": "plain",
            "choices": [choice],
            "usage": _usage(ANSWER_TOKENS),
        }
    )
    return _head("Content-Type: application/json", f"Content-Length: {len(body)}") + body


@cache
def stream(chunks: int) -> tuple[bytes, ...]:
    """Return the writes that make a streamed answer: the head, the chunks, the end."""
    head = _head("Content-Type: text/event-stream", "Transfer-Encoding: chunked")
    return (head, *(_chunk(event) for event in _events(chunks)), _chunk(b"[DONE]") + b"0\r\n\r\n")


def _events(chunks: int) -> Iterator[bytes]:
    base = {
        "id": "chatcmpl-bench",
        "object": "chat.completion.chunk",
        "created": 1_700_000_000,
        "model": "stream",
    }
    for number in range(chunks):
        delta = {"role": "assistant", "content": ""} if number == 0 else {"content": " word"}
        choice = {"index": 0, "delta": delta, "finish_reason": None}
        yield msgspec.json.encode({**base, "choices": [choice]})
    last = {"index": 0, "delta": {}, "finish_reason": "stop"}
    yield msgspec.json.encode({**base, "choices": [last], "usage": _usage(chunks)})


def flood() -> bytes:
    """Return one event of 16 KB, as a chunk of HTTP."""
    choice = {"index": 0, "delta": {"content": "All work and no play. " * 745}}
    event = {"id": "chatcmpl-bench", "object": "chat.completion.chunk", "choices": [choice]}
    return _chunk(msgspec.json.encode(event))


PLAIN: Final = plain()
FLOOD: Final = flood()


class Upstream(asyncio.Protocol):
    """One connection. Answers each request as soon as its body is complete."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._body: list[bytes] = []
        self._transport: asyncio.Transport
        self._floods = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's is none by class

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        kind, _, chunks = _asked(b"".join(self._body)).model.partition("-")
        self._body.clear()
        if kind == "plain":
            self._transport.write(PLAIN)
        elif kind == "stream":
            self._transport.write(b"".join(stream(int(chunks))))
        elif kind == "hold":
            self._transport.write(b"".join(stream(2)[:3]))
        elif kind == "flood":
            self._floods = True
            self._transport.write(stream(1)[0])
            self._pour()
        else:
            self._pace(iter(stream(int(chunks))))

    def pause_writing(self) -> None:
        self._floods = False

    def resume_writing(self) -> None:
        """Write on, now that the reader has caught up."""
        self._floods = True

    def _pour(self) -> None:
        if self._transport.is_closing():
            return
        if self._floods:
            self._transport.write(FLOOD)
        asyncio.get_running_loop().call_later(FLOOD_S, self._pour)

    def _pace(self, writes: Iterator[bytes]) -> None:
        if self._transport.is_closing() or (piece := next(writes, None)) is None:
            return
        self._transport.write(piece)
        asyncio.get_running_loop().call_later(PACE_S, self._pace, writes)


async def serve(port: int, certificate: Sequence[str] = ()) -> None:
    """Answer on a port of the loopback interface until the process ends.

    `certificate` is the chain and its key, as files; without it there is no TLS.
    """
    context = None
    if certificate:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(*certificate)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Upstream, "127.0.0.1", port, ssl=context, backlog=BACKLOG)
    await server.serve_forever()


if __name__ == "__main__":
    allow_many_files()
    uvloop.run(serve(int(sys.argv[1]), sys.argv[2:]))
