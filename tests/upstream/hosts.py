"""Hosts in memory that do what a test wrote down: a `Transport` without sockets.

A host plays one script per call, the last one again and again. A script is a status,
headers, and acts: bytes to send, time to let pass, an event to wait for, a way to break.
"""

import asyncio
import json
from collections.abc import Callable, Sequence
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from msgspec import Struct

from dragoman.net.types import Limits, NetError, Request
from tests.access.fakes import HandClock


class Pass(Struct, frozen=True):
    """So many seconds go by on the clock that the gateway reads."""

    seconds: float


class Rest(Struct, frozen=True):
    """The gateway may do what is ready, and what that makes ready, in so many turns of its loop."""

    turns: int = 100


Act = bytes | Pass | Rest | asyncio.Event | NetError | Literal["hang"]
DONE = b"data: [DONE]\n\n"
CUT = NetError("eof", "cut")


class Script(Struct, frozen=True, kw_only=True):
    """What a host does with one call. `head` happens before the status is out."""

    acts: tuple[Act, ...] = ()
    status: int = 200
    headers: dict[str, str] = {}
    head: tuple[Act, ...] = ()


def plays(*acts: Act) -> Script:
    """Return the script of a success whose body is `acts`."""
    return Script(acts=acts)


def refuses(status: int, **headers: str) -> Script:
    """Return the script of an error with a body of its own."""
    body = json.dumps({"error": {"message": f"scripted {status}"}}).encode()
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Script(status=status, headers=named, acts=(body,))


def breaks(error: NetError) -> Script:
    """Return the script of a call that never gets an answer."""
    return Script(head=(error,))


HANGS = Script(head=("hang",))


class PlayedResponse:
    """A `Response` that plays the acts of its script, and counts how often it was closed."""

    def __init__(self, script: Script, clock: HandClock) -> None:
        self.status = script.status
        self.headers = dict(script.headers)
        self.closed = 0
        self.idle_s = Limits().idle_s
        self._acts = iter(script.acts)
        self._clock = clock

    def chunks(self) -> Self:
        return self

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        for act in self._acts:
            if isinstance(act, bytes):
                return act
            await play(act, self._clock)
        raise StopAsyncIteration

    async def pour(self, take: Callable[[bytes], bool]) -> bool:
        async for part in self:
            if not take(part):
                return False
        return True

    async def read(self) -> bytes:
        return b"".join([part async for part in self])

    def close(self) -> None:
        self.closed += 1

    def release(self) -> None:
        self.closed += 1


class Hosts:
    """The `Transport`. `calls` are the requests that came, as (host, request)."""

    def __init__(self, clock: HandClock, **scripts: Script | Sequence[Script]) -> None:
        self.calls: list[tuple[str, Request]] = []
        self.limits: list[Limits] = []
        self.responses: list[PlayedResponse] = []
        self._clock = clock
        self._scripts = {
            host: [known] if isinstance(known, Script) else list(known)
            for host, known in scripts.items()
        }

    @property
    def called(self) -> list[str]:
        """The hosts that were called, in order."""
        return [host for host, _ in self.calls]

    def bodies(self) -> list[Any]:
        """Return the bodies that came, decoded."""
        return [json.loads(request.body) for _, request in self.calls]

    async def send(self, request: Request, limits: Limits) -> PlayedResponse:
        host = urlsplit(request.url).hostname or ""
        self.calls.append((host, request))
        self.limits.append(limits)
        left = self._scripts[host]
        script = left.pop(0) if len(left) > 1 else left[0]
        for act in script.head:
            await play(act, self._clock)
        response = PlayedResponse(script, self._clock)
        self.responses.append(response)
        return response


async def play(act: Act, clock: HandClock) -> None:
    """Do what an act says, unless it is to send something."""
    if isinstance(act, NetError):
        raise act
    if isinstance(act, Pass):
        clock.now += act.seconds
        return
    if isinstance(act, Rest):
        for _ in range(act.turns):
            await asyncio.sleep(0)
        return
    await (act if isinstance(act, asyncio.Event) else asyncio.Event()).wait()


def event(**members: Any) -> bytes:
    """Return an event of a stream, as an OpenAI-compatible host sends it."""
    return b"data: " + json.dumps({"id": "up-1", "choices": []} | members).encode() + b"\n\n"


def delta(index: int = 0, finish: str | None = None, **members: Any) -> bytes:
    """Return an event that adds to one choice."""
    return event(choices=[{"index": index, "delta": members, "finish_reason": finish}])


def says(text: str, index: int = 0) -> bytes:
    """Return an event with content."""
    return delta(index, content=text)


def ends(reason: str = "stop", index: int = 0) -> bytes:
    """Return an event with a finish reason."""
    return delta(index, reason)


def counts(prompt: int, completion: int) -> bytes:
    """Return an event with usage."""
    return event(usage={"prompt_tokens": prompt, "completion_tokens": completion})


ROLE = delta(role="assistant", content="")


def whole(text: str = "Hello", finish: str | None = "stop", **members: Any) -> Script:
    """Return the script of a whole answer; `members` are those of the message, or `usage`."""
    usage = members.pop("usage", {"prompt_tokens": 10, "completion_tokens": 5})
    message = {"role": "assistant", "content": text} | members
    choice = {"index": 0, "message": message, "finish_reason": finish}
    body = {"id": "up-1", "choices": [choice]} | ({"usage": usage} if usage else {})
    return plays(json.dumps(body).encode())


def streamed(*texts: str) -> Script:
    """Return the script of a stream that goes well: 10 tokens in, 5 out."""
    return plays(ROLE, *map(says, texts or ("Hello",)), ends(), counts(10, 5), DONE)
