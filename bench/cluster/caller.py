"""Callers who know nothing of each other: each request over a connection of its own."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

PATIENCE_S: Final = 60.0
PAUSE_S: Final = 0.1
CHAT: Final = "/api/v1/chat/completions"
MOST_TOKENS: Final = 100


class Reply(msgspec.Struct, frozen=True):
    """An answer. Status 0 is for one that did not come whole."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """Return the body, decoded."""
        return msgspec.json.decode(self.body)

    @property
    def reason(self) -> str:
        """Which limit refused, in the words of the wire; empty for what is no refusal."""
        error = self.json().get("error", {}) if self.body[:1] == b"{" else {}
        source: str = (error.get("metadata") or {}).get("limit_source", "")
        return source

    @property
    def is_to_come_again(self) -> bool:
        """Whether the node cannot say yet, which says nothing of the key or its money."""
        return self.status == 503 and "retry-after" in self.headers

    @property
    def is_for_want_of_time(self) -> bool:
        """Whether the node was asked more than it can do, whatever its database is like."""
        return self.status == 503 and b'"gateway_overloaded"' in self.body


NOTHING: Final = Reply(0, {}, b"")


class Caller(msgspec.Struct, frozen=True):
    """Where to call, and with which key."""

    port: int
    key: str

    async def call(self, method: str, path: str, body: Any = None) -> Reply:
        """Call, and return the answer. A connection that breaks is status 0."""
        data = b"" if body is None else msgspec.json.encode(body)
        head = (
            f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
            f"Authorization: Bearer {self.key}\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(data)}\r\nConnection: close\r\n\r\n"
        )
        try:
            async with asyncio.timeout(PATIENCE_S):
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
                try:
                    writer.write(head.encode() + data)
                    return _read(await reader.read(-1))
                finally:
                    writer.close()
        except (OSError, TimeoutError):
            return NOTHING

    async def manage(self, method: str, path: str, body: Any = None) -> Reply:
        """Call, and again while told to: a busy node turns those away first who manage it."""
        return await _patiently(lambda: self.call(method, path, body))

    async def served(self, model: str) -> Reply:
        """Ask as `chat` does, and again while told to."""
        return await _patiently(lambda: self.chat(model))

    async def chat(self, model: str) -> Reply:
        """Ask a model for an answer of `MOST_TOKENS` at most."""
        messages = [{"role": "user", "content": "hello"}]
        body = {"model": model, "messages": messages, "max_tokens": MOST_TOKENS}
        return await self.call("POST", CHAT, body)


async def _patiently(ask: Callable[[], Awaitable[Reply]]) -> Reply:
    end = time.monotonic() + PATIENCE_S
    while (reply := await ask()).is_to_come_again and time.monotonic() < end:  # noqa: ASYNC110
        await asyncio.sleep(PAUSE_S)
    return reply


def _read(raw: bytes) -> Reply:
    head, found, body = raw.partition(b"\r\n\r\n")
    if not found:
        return NOTHING
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines)}
    if fields.get("transfer-encoding") == "chunked":
        body = _joined(body)
    elif len(body) != int(fields.get("content-length", len(body))):
        return NOTHING
    return Reply(int(first.split(" ")[1]), fields, body)


def _joined(body: bytes) -> bytes:
    """Return what the chunks hold."""
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole += body[:length]
        body = body[length + 2 :]
    return whole
