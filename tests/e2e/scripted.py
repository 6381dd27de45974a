"""An upstream that does what the model's name says, down to the packet.

It runs in a thread of its own, speaks just enough HTTP/1.1, and keeps a log of what
it was asked: the ground truth that the gateway's own records are held against. The
name of a script is the upstream model's name, such as `status-503` or `cut-2`.
"""

import asyncio
import contextlib
import json
import socket
import struct
import threading
from collections.abc import Awaitable, Callable
from typing import Any, Self

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter
Script = Callable[["Call"], Awaitable[None]]
WORDS = ("one", "two", "three", "four", "five")
USAGE = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}


class Call:
    """One request, and the ways to answer it."""

    def __init__(
        self, reader: Reader, writer: Writer, headers: dict[str, str], body: dict[str, Any]
    ) -> None:
        self.reader = reader
        self.writer = writer
        self.headers = headers
        self.body = body
        self.script: str = body.get("model", "")

    @property
    def gone(self) -> bool:
        return self.reader.at_eof() or self.writer.transport.is_closing()

    @property
    def argument(self) -> str:
        return self.script.partition("-")[2]

    @property
    def streams(self) -> bool:
        return bool(self.body.get("stream"))

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def answer(
        self, status: int, body: bytes, *, kind: str = "application/json", extra: str = ""
    ) -> None:
        head = (
            f"HTTP/1.1 {status} X\r\nContent-Type: {kind}\r\n"
            f"Content-Length: {len(body)}\r\n{extra}\r\n"
        )
        await self.send(head.encode() + body)

    async def error(self, status: int, extra: str = "", **error: Any) -> None:
        body = {"error": {"message": f"scripted {status}", **error}}
        await self.answer(status, json.dumps(body).encode(), extra=extra)

    async def open_stream(self) -> None:
        await self.send(
            b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
            b"Transfer-Encoding: chunked\r\n\r\n"
        )

    async def event(self, payload: Any) -> None:
        data = payload if isinstance(payload, bytes) else json.dumps(payload).encode()
        await self.piece(b"data: " + data + b"\n\n")

    async def piece(self, data: bytes) -> None:
        await self.send(b"%x\r\n%b\r\n" % (len(data), data))

    async def word(self, text: str) -> None:
        await self.event(chunk({"content": text + " "}))

    async def words(self, count: int) -> None:
        for word in WORDS[:count]:
            await self.word(word)

    async def close_stream(self, finish: str = "stop") -> None:
        await self.event(chunk({}, finish))
        await self.event({**chunk({}), "choices": [], "usage": USAGE})
        await self.event(b"[DONE]")
        await self.send(b"0\r\n\r\n")

    def reset(self) -> None:
        """Cut the connection with an RST instead of a FIN."""
        sock = self.writer.get_extra_info("socket")
        linger = struct.pack("ii", 1, 0)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        self.writer.transport.abort()


def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
    return {
        "id": "chatcmpl-scripted",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }


def completion(text: str) -> bytes:
    message = {"role": "assistant", "content": text}
    body = {
        "id": "chatcmpl-scripted",
        "object": "chat.completion",
        "created": 1,
        "model": "scripted",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": USAGE,
    }
    return json.dumps(body).encode()


async def good(call: Call) -> None:
    if not call.streams:
        await call.answer(200, completion(" ".join(WORDS)))
        return
    await call.open_stream()
    await call.words(5)
    await call.close_stream()


async def status(call: Call) -> None:
    await call.error(int(call.argument))


async def limited(call: Call) -> None:
    await call.error(429, f"Retry-After: {call.argument}\r\n")


async def quota(call: Call) -> None:
    await call.error(429, code="insufficient_quota", type="insufficient_quota")


async def too_long(call: Call) -> None:
    await call.error(400, code="context_length_exceeded", type="invalid_request_error")


async def html(call: Call) -> None:
    await call.answer(200, b"<html><body>Welcome to nginx</body></html>", kind="text/html")


async def empty(call: Call) -> None:
    await call.answer(200, b"")


async def bad_json(call: Call) -> None:
    await call.answer(200, completion("half")[:60])


async def bad_sse(call: Call) -> None:
    if not call.streams:
        await bad_json(call)
        return
    await call.open_stream()
    await call.event(b'{"choices": [{"delta"')
    await call.close_stream()


async def sse_error(call: Call) -> None:
    if not call.streams:
        error = {"error": {"message": "scripted overload", "code": 503}}
        await call.answer(200, json.dumps(error).encode())
        return
    await call.open_stream()
    await call.event({"error": {"message": "scripted overload", "code": 503}})
    await call.send(b"0\r\n\r\n")


async def reset(call: Call) -> None:
    call.reset()


async def close(call: Call) -> None:
    call.writer.close()


async def hang_head(call: Call) -> None:
    await _until_gone(call)


async def hang_body(call: Call) -> None:
    if call.streams:
        await call.open_stream()
        await call.event(chunk({"role": "assistant", "content": ""}))
    else:
        await call.send(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{")
    await _until_gone(call)


async def drip(call: Call) -> None:
    """Send a comment now and then, and never any content."""
    await call.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n")
    for _ in range(200):
        await call.send(b": still thinking\n\n")
        await asyncio.sleep(0.1)


async def slow(call: Call) -> None:
    """Answer well, but only after a while."""
    await asyncio.sleep(float(call.argument))
    await good(call)


async def cut(call: Call) -> None:
    """End after so many words as if all were well, which it is not."""
    await call.open_stream()
    await call.words(int(call.argument))
    await call.send(b"0\r\n\r\n")


async def eof(call: Call) -> None:
    await call.open_stream()
    await call.words(int(call.argument))
    call.writer.close()


async def rst(call: Call) -> None:
    await call.open_stream()
    await call.words(int(call.argument))
    await asyncio.sleep(0.05)
    call.reset()


async def garbage(call: Call) -> None:
    await call.open_stream()
    await call.words(int(call.argument))
    await call.event(b"{not json")
    await call.close_stream()


async def late_error(call: Call) -> None:
    await call.open_stream()
    await call.words(int(call.argument))
    await call.event({"error": {"message": "scripted overload", "code": 429}})
    await call.send(b"0\r\n\r\n")


async def stall(call: Call) -> None:
    await call.open_stream()
    await call.words(int(call.argument))
    await _until_gone(call)


async def no_finish(call: Call) -> None:
    await call.open_stream()
    await call.words(2)
    await call.event(b"[DONE]")
    await call.send(b"0\r\n\r\n")


async def no_done(call: Call) -> None:
    await call.open_stream()
    await call.words(2)
    await call.event(chunk({}, "stop"))
    await call.send(b"0\r\n\r\n")


async def paced(call: Call) -> None:
    """Send a word every so many seconds, for as long as somebody listens."""
    await call.open_stream()
    for _ in range(1000):
        await call.word("tick")
        await asyncio.sleep(float(call.argument))


async def flood(call: Call) -> None:
    """Send more than anybody reads, for as long as somebody listens."""
    await call.open_stream()
    while not call.gone:
        await call.word("much" * 250)


async def after_finish(call: Call) -> None:
    await call.open_stream()
    await call.words(1)
    await call.event(chunk({}, "stop"))
    await call.word("ghost")
    await call.event(b"[DONE]")
    await call.send(b"0\r\n\r\n")


async def echo(call: Call) -> None:
    """Answer with the request itself, so that a test sees what went upstream."""
    await call.answer(200, completion(json.dumps(call.body)))


async def keyed(call: Call) -> None:
    """Answer as the end of the credential says: `…-401` is refused, any other word is let in."""
    ending = call.headers.get("authorization", "").rpartition("-")[2]
    if not ending.isdigit():
        await good(call)
        return
    await call.error(int(ending), code=f"no {call.headers['authorization']}")


SCRIPTS: dict[str, Script] = {
    "good": good, "status": status, "limited": limited, "quota": quota, "too_long": too_long,
    "html": html, "empty": empty, "bad_json": bad_json, "bad_sse": bad_sse,
    "sse_error": sse_error, "reset": reset, "close": close, "hang_head": hang_head,
    "hang_body": hang_body, "drip": drip, "slow": slow, "cut": cut, "eof": eof, "rst": rst,
    "garbage": garbage, "late_error": late_error, "stall": stall, "no_finish": no_finish,
    "no_done": no_done, "paced": paced, "after_finish": after_finish, "echo": echo,
    "keyed": keyed, "flood": flood,
}  # fmt: skip


async def _until_gone(call: Call) -> None:
    """Wait until the gateway closes the connection, for a while."""
    for _ in range(600):
        if call.gone:
            return
        await asyncio.sleep(0.05)


class ScriptedUpstream:
    """The server. `calls` lists the scripts it was asked for, `left` those that were cut off."""

    def __init__(self) -> None:
        self.port = 0
        self.calls: list[str] = []
        self.bodies: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.left: list[str] = []
        self._loop = asyncio.new_event_loop()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(30)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/v1"

    def forget(self) -> None:
        for log in (self.calls, self.bodies, self.headers, self.left):
            log.clear()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(
            asyncio.start_server(self._serve, "127.0.0.1", 0, backlog=512)
        )
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        self._loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(self._loop):
            task.cancel()
        self._loop.run_until_complete(asyncio.sleep(0.05))
        self._loop.close()

    async def _serve(self, reader: Reader, writer: Writer) -> None:
        gone = (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError)
        with contextlib.closing(writer), contextlib.suppress(*gone):
            while not writer.is_closing():
                await self._one(reader, writer)

    async def _one(self, reader: Reader, writer: Writer) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        line, *rows = head.split("\r\n")
        headers = {
            name.strip().lower(): value.strip()
            for name, _, value in (row.partition(":") for row in rows if row)
        }
        raw = await reader.readexactly(int(headers.get("content-length", "0")))
        if line.startswith("GET"):
            models = {"object": "list", "data": [{"id": "found-model", "max_model_len": 4096}]}
            await Call(reader, writer, headers, {}).answer(200, json.dumps(models).encode())
            return
        body = json.loads(raw)
        call = Call(reader, writer, headers, body)
        self.calls.append(call.script)
        self.bodies.append(body)
        self.headers.append(headers)
        try:
            await SCRIPTS[call.script.partition("-")[0]](call)
        except (ConnectionError, asyncio.CancelledError):
            self.left.append(call.script)
            raise
        if call.gone:
            self.left.append(call.script)
