"""A provider in a process of its own, which keeps the true list of what it was asked.

Each request has a number in its last message. Before it answers it appends the number to a file.
It prints its port, and runs until it is killed.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from random import Random
from typing import Any

PROMPT_TOKENS = 10
LONG = 0.1
"""How many streams outlast a second, so that what came of them is noted on the way."""


def number_of(body: dict[str, Any]) -> int:
    """Return the number of a request."""
    return int(body["messages"][-1]["content"].split()[-1])


def usage(words: int) -> dict[str, int]:
    return {
        "prompt_tokens": PROMPT_TOKENS,
        "completion_tokens": words,
        "total_tokens": PROMPT_TOKENS + words,
    }


def chunk(number: int, **members: Any) -> bytes:
    event = {"id": f"up-{number}", "object": "chat.completion.chunk", "model": "m"} | members
    return b"data: %s\n\n" % json.dumps(event).encode()


class Provider:
    """Answers requests at its own pace."""

    def __init__(self, log: Path) -> None:
        self._log = os.open(log, os.O_CREAT | os.O_WRONLY | os.O_APPEND)
        self._random = Random(1)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer what comes on a connection, until it breaks."""
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                length = int(head.partition(b"content-length:")[2].split()[0])
                body = json.loads(await reader.readexactly(length))
                number = number_of(body)
                os.write(self._log, b"%d\n" % number)
                await (self._stream if body.get("stream") else self._whole)(writer, number)
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _whole(self, writer: asyncio.StreamWriter, number: int) -> None:
        words = self._random.randint(1, 50)
        await asyncio.sleep(self._random.random() / 10)
        choice = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": "word " * words},
        }
        answer = {"id": f"up-{number}", "choices": [choice], "usage": usage(words)}
        data = json.dumps(answer).encode()
        head = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\n\r\n"
        writer.write(head % len(data) + data)
        await writer.drain()

    async def _stream(self, writer: asyncio.StreamWriter, number: int) -> None:
        lasts_s = 2.0 if self._random.random() < LONG else self._random.random() / 2
        words = self._random.randint(2, 40)
        head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked"
        writer.write(head + b"\r\n\r\n")
        for _ in range(words):
            delta = {"index": 0, "delta": {"content": "word "}, "finish_reason": None}
            self._send(writer, chunk(number, choices=[delta]))
            await writer.drain()
            await asyncio.sleep(lasts_s / words)
        end = {"index": 0, "delta": {}, "finish_reason": "stop"}
        last = chunk(number, choices=[end]) + chunk(number, choices=[], usage=usage(words))
        self._send(writer, last + b"data: [DONE]\n\n")
        writer.write(b"0\r\n\r\n")
        await writer.drain()

    def _send(self, writer: asyncio.StreamWriter, data: bytes) -> None:
        writer.write(b"%x\r\n%s\r\n" % (len(data), data))


async def main(log: Path) -> None:
    """Serve, and say where."""
    server = await asyncio.start_server(Provider(log).serve, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
