"""One request of the self-test, timed: what is asked, what came, and how it failed.

Made of the gateway's own HTTP client and SSE parser, as `dragoman chat` is.
"""

import time
from typing import Final

import msgspec
from msgspec import Struct

from dragoman.net.types import Limits, NetError, Request, Transport
from dragoman.wire.sse import SseParser

LIMITS: Final = Limits(head_s=120.0, idle_s=60.0)
TITLE: Final = "dragoman connect"
FIXES: Final = {
    401: "Make a key: dragoman keys create NAME, and give it with --key.",
    402: "Add credit: dragoman credits add, or raise the key's limit: dragoman keys limit.",
    403: "The key may not do this: see dragoman keys list, and the limits of its account.",
    404: "See why: dragoman route explain MODEL.",
    429: "A rate limit: wait, or raise the key's by a management key: PATCH /api/v1/keys/HASH.",
}
PROVIDER_FIX: Final = "See why: dragoman logs, dragoman route explain MODEL and dragoman doctor."
NO_API: Final = "nothing at"
"""What the gateway says of an address that it does not know."""
NO_API_FIX: Final = "This gateway lacks this API: upgrade it, and check --url."
REFUSED_FIX: Final = "Name another model with --model: dragoman models lists them."


class Trouble(Struct, frozen=True):
    """The `error` of an answer, in any dialect."""

    message: str = ""


class ErrorBody(Struct, frozen=True):
    """A body that tells of an error."""

    error: Trouble = Trouble()


class Broken(Exception):
    """A step of the self-test that failed: why, and what to do."""

    def __init__(self, why: str, fix: str = "") -> None:
        super().__init__(why)
        self.fix = fix


class Whole(Struct, frozen=True):
    """An answer, and when its head and its end came, in milliseconds after the request."""

    status: int
    headers: dict[str, str]
    body: bytes


class Streamed(Struct, frozen=True):
    """The data of a stream's events, and when the first of them came."""

    events: tuple[bytes, ...]
    first_ms: float


class Caller:
    """Calls a gateway at `origin` with a key."""

    def __init__(self, transport: Transport, origin: str, key: str) -> None:
        self._transport = transport
        self._origin = origin
        self._key = key

    async def send(self, method: str, path: str, body: object = None) -> Whole:
        """Return the answer, of status 2xx. Raises Broken."""
        try:
            response = await self._transport.send(self._request(method, path, body), LIMITS)
            try:
                whole = Whole(response.status, response.headers, await response.read())
            finally:
                response.close()
        except NetError as error:
            raise Broken(str(error), "Is the gateway still there? dragoman serve") from error
        _check(whole.status, whole.body)
        return whole

    async def stream(self, path: str, body: object) -> Streamed:
        """Return the events of a stream that came to its end. Raises Broken."""
        began, first = time.monotonic(), 0.0
        events: list[bytes] = []
        parser = SseParser()
        try:
            response = await self._transport.send(self._request("POST", path, body), LIMITS)
            try:
                if response.status >= 300:
                    _check(response.status, await response.read())
                async for data in response.chunks():
                    events += parser.feed(data)
                    first = first or (time.monotonic() if events else 0.0)
            finally:
                response.close()
        except NetError as error:
            raise Broken(f"the stream broke off: {error}", PROVIDER_FIX) from error
        except ValueError as error:
            raise Broken(f"no stream of events: {error}", "Check --url.") from error
        if not events:
            raise Broken("the stream was empty", "A proxy in between may buffer: turn that off.")
        return Streamed(tuple(events), (first - began) * 1000)

    def _request(self, method: str, path: str, body: object) -> Request:
        return Request(
            method=method,
            url=self._origin + path,
            headers=(
                ("Authorization", f"Bearer {self._key}"),
                ("Content-Type", "application/json"),
                ("anthropic-version", "2023-06-01"),
                ("X-Title", TITLE),
            ),
            body=b"" if body is None else msgspec.json.encode(body),
        )


def _check(status: int, body: bytes) -> None:
    """Raise Broken, in the gateway's own words, unless the answer is one."""
    if 200 <= status < 300:
        return
    try:
        said = msgspec.json.decode(body, type=ErrorBody).error.message
    except msgspec.DecodeError:
        said = "" if status != 404 else "there is nothing at this address"
    fix = FIXES.get(status, REFUSED_FIX if status < 500 else PROVIDER_FIX)
    if status == 404 and NO_API in said:
        fix = NO_API_FIX
    raise Broken(f"HTTP {status}: {said or 'no reason given'}", fix)
