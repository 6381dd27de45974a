"""A client without sockets: one ASGI request, what came back, and the moment it hangs up."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from dragoman.web.edge import Handler
from dragoman.web.outlet import Message


class Client:
    """One request. It may send its body in parts, and leave at any time."""

    def __init__(
        self,
        body: Any = b"",
        headers: dict[str, str] | None = None,
        *,
        method: str = "POST",
        path: str = "/api/v1/chat/completions",
    ) -> None:
        parts = body if isinstance(body, list) else [as_bytes(body)]
        self.scope: Message = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [
                (name.lower().encode(), value.encode()) for name, value in (headers or {}).items()
            ],
        }
        self.sent: list[Message] = []
        self.on_send: Callable[[Message], None] = lambda _: None
        self.reads = asyncio.Event()
        self.reads.set()
        self._parts: asyncio.Queue[Message] = asyncio.Queue()
        for number, part in enumerate(parts, 1):
            self.say(part, more=number < len(parts))

    async def receive(self) -> Message:
        """Give the next part of the body; after the last, wait until the client leaves."""
        return await self._parts.get()

    async def send(self, message: Message) -> None:
        """Take a message, once the client reads. As with a socket, others run meanwhile."""
        await self.reads.wait()
        await asyncio.sleep(0)
        self.sent.append(message)
        self.on_send(message)

    def say(self, part: bytes, *, more: bool = False) -> None:
        """Send a part of the body."""
        self._parts.put_nowait({"type": "http.request", "body": part, "more_body": more})

    def leave(self) -> None:
        """Hang up."""
        self._parts.put_nowait({"type": "http.disconnect"})

    async def of(self, app: Handler) -> "Client":
        """Have the request served; return this, for what came back."""
        await app(self.scope, self.receive, self.send)
        return self

    @property
    def status(self) -> int:
        """The status; it was sent once, and first."""
        assert [m["type"] for m in self.sent].count("http.response.start") == 1
        status: int = self.sent[0]["status"]
        return status

    @property
    def headers(self) -> dict[str, str]:
        """The headers of the answer; of repeated ones the last."""
        return {name.decode(): value.decode() for name, value in self.sent[0]["headers"]}

    @property
    def body(self) -> bytes:
        """All of the body that came."""
        return b"".join(m["body"] for m in self.sent if m["type"] == "http.response.body")

    @property
    def ended(self) -> bool:
        """Whether the answer came to its end, once."""
        ends = [not m.get("more_body", False) for m in self.sent[1:]]
        assert ends.count(True) <= 1
        return bool(ends) and ends[-1]

    def json(self) -> Any:
        return json.loads(self.body)


def as_bytes(body: Any) -> bytes:
    return body if isinstance(body, bytes) else json.dumps(body).encode()
