"""The outermost layer: every request comes in here, and every failure leaves through here.

Inference is routed by path with nothing in between; all else goes to the control
plane. Clients use three bases for one API: `/api/v1` (OpenRouter's), `/v1`
(OpenAI's) and `/api` with `/v1` appended (Anthropic's), so the `/api` is optional
and a slash at the end does not matter.
"""

import logging
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

from msgspec import Struct

from dragoman.core.errors import GatewayError, Internal, NotFound, Unreadable
from dragoman.web.absent import absent
from dragoman.web.inference import Scope, refuse
from dragoman.web.intake import ClientLeft
from dragoman.web.lanes import Lane, Tier
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import CORS, EVENTS, Headers, Message, Receive, Send, reply
from dragoman.web.voices import IN_CHAT, Voice, voice_of

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Running = Callable[[], AbstractAsyncContextManager[None]]
"""Within it, what goes on behind the requests does."""
Routes = Mapping[str, Mapping[str, Handler]]
"""Path without `/api` -> method -> who serves it."""

ALLOWED_HEADERS = (
    b"Authorization",
    b"Content-Type",
    b"HTTP-Referer",
    b"X-Api-Key",
    b"Idempotency-Key",
    b"OpenAI-Beta",
    b"OpenAI-Organization",
    b"OpenAI-Project",
    b"X-Title",
    b"X-OpenRouter-Title",
    b"X-OpenRouter-Categories",
    b"X-OpenRouter-Metadata",
    b"X-OpenRouter-Experimental-Metadata",
    b"X-OpenRouter-Cache",
    b"X-OpenRouter-Cache-TTL",
    b"X-OpenRouter-Cache-Clear",
    b"x-session-id",
    b"anthropic-version",
    b"anthropic-beta",
    b"anthropic-dangerous-direct-browser-access",
    b"x-anthropic-beta",
    b"X-Stainless-Arch",
    b"X-Stainless-Async",
    b"X-Stainless-Custom-Poll-Interval",
    b"X-Stainless-Helper",
    b"X-Stainless-Helper-Method",
    b"X-Stainless-Lang",
    b"X-Stainless-OS",
    b"X-Stainless-Package-Version",
    b"X-Stainless-Poll-Helper",
    b"X-Stainless-Retry-Count",
    b"X-Stainless-Runtime",
    b"X-Stainless-Runtime-Version",
    b"X-Stainless-Timeout",
    b"User-Agent",
    b"*",
)
"""What browsers may send: the API's own headers, those of the official SDKs, and any other.

No cookie is ever asked for, so `*` counts, for all but Authorization; browsers too old for it
have the names.
"""

PREFLIGHT: Headers = [
    *CORS,
    (b"access-control-allow-methods", b"GET,OPTIONS,PATCH,DELETE,POST,PUT"),
    (b"access-control-allow-headers", b", ".join(ALLOWED_HEADERS)),
    (b"access-control-max-age", b"86400"),
]

MANAGEMENT = frozenset({
    "accounts", "activity", "alerts", "analytics", "byok", "generations", "keys", "ledger", "node",
    "organization",
})  # fmt: skip
"""What pages of other origins may not call, by the first name below `/v1`: its keys do not belong
into a browser, and a page that has got one must not reach a gateway that its author cannot."""

PROBED = frozenset({"/", "/api", "/v1", "/v1/messages", "/v1/messages/count_tokens"})
"""Where clients of Anthropic's API look whether somebody is there, by HEAD and without a key."""

HEALTH = {"/healthz": Tier.HEALTH, "/readyz": Tier.READINESS}
"""Who asks here wants to know how a gateway is that may have too much to do."""

_log = logging.getLogger(__name__)


class Edge:
    """The ASGI application."""

    def __init__(
        self,
        routes: Routes,
        control: Handler,
        running: Running,
        options: ServerOptions = ServerOptions(),  # noqa: B008 - frozen
    ) -> None:
        self._routes = _spelled(routes)
        self._control = control
        self._running = running
        self._small = small = options.management_body_bytes
        self._lanes = {
            path: Lane(Tier.INFERENCE, options.body_bytes, voice_of(canonical(path)))
            for path in self._routes
        }
        self._lanes |= {
            spelled: Lane(tier, small)
            for path, tier in HEALTH.items()
            for spelled in (path, f"/api{path}")
        }

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Coroutine[Any, Any, None]:
        """Serve one HTTP request, or the server's start and stop."""
        if scope["type"] == "http":
            return self._http(scope, receive, send)
        return self._other_than_http(scope, receive, send)

    def lane(self, path: str) -> Lane:
        """Say what a request for this path may be, before it is read."""
        lane = self._lanes.get(path)
        if lane is None:
            path = canonical(path)
            lane = self._lanes.get(path) or Lane(Tier.CONTROL, self._small, voice_of(path))
        return lane

    async def _other_than_http(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        await send({"type": "websocket.close", "code": 1003})

    async def _live(self, receive: Receive, send: Send) -> None:
        """Start with the server, stop with it (ASGI, "Lifespan Protocol")."""
        await receive()
        async with self._running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        out = _Watched(send)
        try:
            await self._route(scope, receive, out)
        except ClientLeft:
            return
        except GatewayError as error:
            await refuse(out, error, [], voice_of(canonical(scope["path"])).dialect)
        except Exception:  # noqa: BLE001 - the last net: nothing of ours may reach a client raw
            _log.exception("request.failed")
            await _excuse(out, voice_of(canonical(scope["path"])))

    def _route(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        method, path = scope["method"], scope["path"]
        handlers = self._routes.get(path)
        handler = handlers and handlers.get(method)
        if handler:  # as nearly always
            return handler(scope, receive, send)
        if method == "OPTIONS":
            return _preflight(send, canonical(path))
        path = canonical(path)
        if method == "HEAD" and path in PROBED:
            return reply(send, 200, b"", [])
        if handlers is None:
            handlers = self._routes.get(path)
        if handlers is None and voice_of(path) is not IN_CHAT:
            raise not_found(scope)  # the control plane has no other voice
        if handlers is None:
            return self._control({**scope, "path": path}, receive, send)
        handler = handlers.get(method)
        if handler is None:
            return _wrong_method(scope, send, handlers)
        return handler(scope, receive, send)


class _Watched(Struct):
    """Passes messages on, and knows whether an answer has begun, and whether it is a stream."""

    send: Send
    began: bool = False
    streams: bool = False

    def __call__(self, message: Message) -> Awaitable[None]:
        if not self.began:
            self.began = True
            self.streams = EVENTS[0] in message["headers"]
        return self.send(message)


def _spelled(routes: Routes) -> Routes:
    """Return the routes by both paths that clients use, so that those need not be looked at."""
    return {**routes, **{f"/api{path}": handlers for path, handlers in routes.items()}}


def canonical(path: str) -> str:
    """Return the path by which routes are known: without `/api`, without a slash at the end."""
    if path.startswith("/api/"):
        path = path[4:]
    return path.rstrip("/") or "/"


def asked_path(scope: Scope) -> str:
    """Return the path as its caller wrote it, to be told of it by that name."""
    raw: bytes = scope["raw_path"]
    return raw[:200].decode("ascii", "replace")


def not_found(scope: Scope) -> NotFound:
    """Return the error for a path that leads nowhere. Who is under our API need not hear where."""
    path = asked_path(scope)
    known = canonical(path)
    where = absent(known) or ("" if known.startswith("/v1/") else " The API is under /api/v1.")
    if twice := _repeated(path.split("/")[1:]):
        where = f" It has {twice} twice: the client adds that itself, so its base URL ends before."
    return NotFound(f"There is nothing at {path}.{where}")


def _repeated(names: Sequence[str]) -> str:
    """Return the part of a path that follows itself, empty if none does.

    It does where a base URL goes further than its client expects.
    """
    for size in (1, 2):
        for start in range(len(names) - 2 * size + 1):
            part = names[start : start + size]
            if all(part) and part == names[start + size : start + 2 * size]:
                return "/" + "/".join(part)
    return ""


async def _excuse(out: _Watched, voice: Voice) -> None:
    """Answer for a defect of ours. A stream that has begun still ends with an event."""
    error = Internal("an exception that nobody expected")
    if not out.began:
        await refuse(out, error, [], voice.dialect)
    elif out.streams:
        await out({"type": "http.response.body", "body": voice.late(error)})


async def _preflight(send: Send, path: str) -> None:
    """Answer a browser. `path` is canonical."""
    headers = [] if MANAGEMENT.intersection(path.split("/")[2:3]) else PREFLIGHT
    await send({"type": "http.response.start", "status": 204, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


async def _wrong_method(scope: Scope, send: Send, handlers: Mapping[str, Handler]) -> None:
    allowed = ", ".join([*handlers, "OPTIONS"])
    message = f"{scope['method']} is not allowed for {asked_path(scope)}. Use {allowed}."
    dialect = voice_of(canonical(scope["path"])).dialect
    await refuse(send, Unreadable(message, 405), [(b"allow", allowed.encode())], dialect)
