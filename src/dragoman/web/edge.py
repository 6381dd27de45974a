"""The outermost layer: every request comes in here, and every failure leaves through here.

Inference is routed by path with nothing in between; all else goes to the control
plane. Clients use three bases for one API: `/api/v1` (OpenRouter's), `/v1`
(OpenAI's) and `/api` with `/v1` appended (Anthropic's), so the `/api` is optional
and a slash at the end does not matter.
"""

import logging
from collections.abc import Awaitable, Callable, Mapping

from dragoman.core.errors import GatewayError, Internal, NotFound
from dragoman.web.errors import error_body
from dragoman.web.inference import Scope, refuse
from dragoman.web.intake import ClientLeft
from dragoman.web.outlet import CORS, EVENTS, JSON, Headers, Message, Receive, Send, reply
from dragoman.wire.sse import data_event

Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
Routes = Mapping[str, Mapping[str, Handler]]
"""Path without `/api` -> method -> who serves it."""

ALLOWED_HEADERS = (
    b"Authorization",
    b"Content-Type",
    b"HTTP-Referer",
    b"X-Api-Key",
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
    b"X-Stainless-Helper-Method",
    b"X-Stainless-Lang",
    b"X-Stainless-OS",
    b"X-Stainless-Package-Version",
    b"X-Stainless-Retry-Count",
    b"X-Stainless-Runtime",
    b"X-Stainless-Runtime-Version",
    b"X-Stainless-Timeout",
)
"""What browsers may send: the API's own headers and those of the official SDKs."""

PREFLIGHT: Headers = [
    *CORS,
    (b"access-control-allow-methods", b"GET,OPTIONS,PATCH,DELETE,POST,PUT"),
    (b"access-control-allow-headers", b", ".join(ALLOWED_HEADERS)),
    (b"access-control-max-age", b"86400"),
]

_log = logging.getLogger(__name__)


class Edge:
    """The ASGI application."""

    def __init__(self, routes: Routes, control: Handler, lifespan: Handler) -> None:
        self._routes = routes
        self._control = control
        self._lifespan = lifespan

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one HTTP request, or the server's start and stop."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1003})
            return
        await self._http(scope, receive, send)

    async def _http(self, scope: Scope, receive: Receive, send: Send) -> None:
        out = _Watched(send)
        try:
            await self._route(scope, receive, out)
        except ClientLeft:
            return
        except GatewayError as error:
            await refuse(out, error, [])
        except Exception:  # noqa: BLE001 - the last net: nothing of ours may reach a client raw
            _log.exception("request.failed")
            await _excuse(out)

    async def _route(self, scope: Scope, receive: Receive, send: Send) -> None:
        method = scope["method"]
        if method == "OPTIONS":
            await _preflight(send)
            return
        path = canonical(scope["path"])
        handlers = self._routes.get(path)
        if handlers is None:
            await self._control({**scope, "path": path}, receive, send)
            return
        handler = handlers.get(method)
        if handler is None:
            await _wrong_method(send, method, path, handlers)
            return
        await handler(scope, receive, send)


class _Watched:
    """Passes messages on, and knows whether an answer has begun, and whether it is a stream."""

    __slots__ = ("_send", "began", "streams")

    def __init__(self, send: Send) -> None:
        self._send = send
        self.began = False
        self.streams = False

    async def __call__(self, message: Message) -> None:
        if not self.began:
            self.began = True
            self.streams = EVENTS[0] in message["headers"]
        await self._send(message)


def canonical(path: str) -> str:
    """Return the path by which routes are known: without `/api`, without a slash at the end."""
    if path.startswith("/api/"):
        path = path[4:]
    return path.rstrip("/") or "/"


def not_found(path: str) -> NotFound:
    """Return the error for a path that leads nowhere."""
    return NotFound(f"There is nothing at {path[:200]}. The API is under /api/v1.")


async def _excuse(out: _Watched) -> None:
    """Answer for a defect of ours. A stream that has begun still ends with an event."""
    error = Internal("an exception that nobody expected")
    if not out.began:
        await refuse(out, error, [])
    elif out.streams:
        await out({"type": "http.response.body", "body": data_event(error_body(error))})


async def _preflight(send: Send) -> None:
    await send({"type": "http.response.start", "status": 204, "headers": PREFLIGHT})
    await send({"type": "http.response.body", "body": b""})


async def _wrong_method(
    send: Send, method: str, path: str, handlers: Mapping[str, Handler]
) -> None:
    allowed = ", ".join([*handlers, "OPTIONS"])
    body = (
        b'{"error":{"code":405,"message":"%b is not allowed for %b. Use %b.",'
        b'"metadata":{"error_type":"invalid_request"}}}'
        % (method.encode(), path.encode(), allowed.encode())
    )
    await reply(send, 405, body, [*JSON, (b"allow", allowed.encode())])
