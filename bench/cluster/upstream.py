"""A provider that waits to be let go: it holds answers back, and writes down what it was asked.

In a process of its own, so that its log is the truth which the gateway's books are held
against, whatever is killed. It speaks OpenAI chat on `POST /v1/chat/completions`: an answer of
`ANSWER_TOKENS` tokens, as soon as the gate is open. `POST /gate/open` and `/gate/close` move the
gate, which is open at first. A line of the log is `began N` when request N has come, `answered N`
when its answer was sent, `left N` when nobody waited for it any more.
Run it as `python -m bench.cluster.upstream PORT LOG`.
"""

import asyncio
import sys
from pathlib import Path
from typing import IO, Final

import msgspec
import uvloop

from bench.process import allow_many_files

PROMPT_TOKENS: Final = 10
ANSWER_TOKENS: Final = 80
BACKLOG: Final = 4096

Reader = asyncio.StreamReader
Writer = asyncio.StreamWriter


def answer() -> bytes:
    """Return the whole answer, head included."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": "word " * ANSWER_TOKENS},
        "finish_reason": "stop",
    }
    usage = {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": ANSWER_TOKENS,
        "total_tokens": PROMPT_TOKENS + ANSWER_TOKENS,
    }
    made = {"id": "chatcmpl-gate", "object": "chat.completion", "created": 1_700_000_000}
    return _reply(msgspec.json.encode({**made, "model": "m", "choices": [choice], "usage": usage}))


def _reply(body: bytes) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    return head.encode() + b"\r\n" + body


ANSWER: Final = answer()


class Host:
    """The server: its gate, and its log."""

    def __init__(self, log: IO[str]) -> None:
        self._log = log
        self._asked = 0
        self._gate = asyncio.Event()
        self._gate.set()

    async def serve(self, reader: Reader, writer: Writer) -> None:
        """Answer the requests of one connection, one after the other."""
        try:
            while head := await _head(reader):
                await self._answer(head, reader, writer)
                if "\r\nconnection: close" in head.lower():
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return
        finally:
            writer.close()

    async def _answer(self, head: str, reader: Reader, writer: Writer) -> None:
        path = head.split(" ", 2)[1]
        await reader.readexactly(_length(head))
        if path.startswith("/gate/"):
            (self._gate.set if path == "/gate/open" else self._gate.clear)()
            writer.write(_reply(b"{}"))
            return
        self._asked += 1
        number = self._asked
        self._note("began", number)
        if not await self._let_go(reader):
            self._note("left", number)
            raise ConnectionResetError
        self._note("answered", number)
        writer.write(ANSWER)
        await writer.drain()

    async def _let_go(self, reader: Reader) -> bool:
        """Wait for the gate; say whether the caller is still there."""
        if self._gate.is_set():
            return True
        gate = asyncio.ensure_future(self._gate.wait())
        gone = asyncio.ensure_future(reader.read(1))  # a caller that waits sends nothing
        await asyncio.wait({gate, gone}, return_when=asyncio.FIRST_COMPLETED)
        gate.cancel()
        there = not gone.done()
        gone.cancel()
        await asyncio.wait({gate, gone})
        return there

    def _note(self, what: str, number: int) -> None:
        self._log.write(f"{what} {number}\n")
        self._log.flush()


async def _head(reader: Reader) -> str:
    """Return the head of a request, nothing when there is no further one."""
    try:
        return (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except asyncio.IncompleteReadError:
        return ""


def _length(head: str) -> int:
    lines = (line.partition(":") for line in head.lower().split("\r\n"))
    return next((int(value) for name, _, value in lines if name == "content-length"), 0)


async def serve(port: int, log: Path) -> None:
    """Answer on a port of the loopback interface until the process ends."""
    with log.open("a", encoding="ascii") as file:
        host = Host(file)
        server = await asyncio.start_server(host.serve, "127.0.0.1", port, backlog=BACKLOG)
        await server.serve_forever()


if __name__ == "__main__":
    allow_many_files()
    uvloop.run(serve(int(sys.argv[1]), Path(sys.argv[2])))
