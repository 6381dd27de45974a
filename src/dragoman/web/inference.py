"""The inference routes: from an ASGI request to a visit, and from the relay to bytes.

A client that hangs up is noticed by a watcher, streamed or not: servers do not
raise from `send` into a closed socket, only `receive` tells. The watcher cancels
the request's own task, and what has to be closed closes on the way out.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import aclosing

from msgspec import Struct

from dragoman.access.gate import Gate
from dragoman.core.errors import GatewayError
from dragoman.core.ids import generation_id
from dragoman.relay.chat import Reply, answer_chat, stream_chat
from dragoman.relay.visit import Desk, Visit
from dragoman.web.errors import error_body, error_headers
from dragoman.web.intake import body, headers_of, text
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import JSON, Headers, Message, Pulse, Receive, Send, reply
from dragoman.wire.answers import ROUTING, ChunkWriter, Stamp, encode
from dragoman.wire.chat import parse_chat
from dragoman.wire.errors import error_object

LONGEST_HEADER = 512
"""Characters of an attribution header that are kept."""

Scope = Message


class Inference(Struct, frozen=True, kw_only=True):
    """What the inference routes work with."""

    desk: Desk
    gate: Gate
    pulse: Pulse
    options: ServerOptions

    async def chat(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve `POST /chat/completions`."""
        arrived = self.desk.clock.monotonic()
        headers = headers_of(scope["headers"])
        raw = await body(headers, receive, self.options)
        caller = await self.gate.admit(text(headers, b"authorization"), text(headers, b"x-api-key"))
        call = parse_chat(raw)
        created = self.desk.clock.wall()
        presence = _Presence()
        visit = Visit(
            id=generation_id(created),
            caller=caller,
            call=call,
            arrived=arrived,
            created=created,
            session_id=call.session_id or _kept(headers, b"x-session-id"),
            referer=_kept(headers, b"http-referer") or _kept(headers, b"referer"),
            title=_kept(headers, b"x-openrouter-title") or _kept(headers, b"x-title"),
            user_agent=_kept(headers, b"user-agent"),
            wants_metadata=_wants_metadata(headers),
            left=presence.has_left,
        )
        work = self._stream(visit, send, presence) if call.stream else self._answer(visit, send)
        await presence.until_left(receive, work)

    async def _answer(self, visit: Visit, send: Send) -> None:
        try:
            answer = await answer_chat(self.desk, visit)
        except GatewayError as error:
            await refuse(send, error, _id_headers(visit))
            return
        await reply(send, 200, answer.body, [*JSON, *_id_headers(visit), *_cost(answer)])

    async def _stream(self, visit: Visit, send: Send, presence: "_Presence") -> None:
        now = self.desk.clock.monotonic
        stream = self.pulse.open(send, _id_headers(visit), presence.leave)
        try:
            async with aclosing(stream_chat(self.desk, visit)) as events:
                async for event in events:
                    await stream.write(event, now())
        except GatewayError as error:
            self.pulse.close(stream)
            if not await stream.committed():
                await refuse(send, error, _id_headers(visit))
                return
            await stream.write(_late_error(visit, error), now())
        finally:
            self.pulse.close(stream)
        await stream.end()


async def refuse(send: Send, error: GatewayError, headers: Headers) -> None:
    """Send an error as a whole answer."""
    await reply(send, error.code, error_body(error), [*JSON, *error_headers(error), *headers])


class _Presence:
    """Whether the client is there; its leaving cancels the task that serves it."""

    __slots__ = ("_left", "_task")

    def __init__(self) -> None:
        task = asyncio.current_task()
        if task is None:
            raise RuntimeError("a request is served by a task")
        self._task = task
        self._left = False

    def has_left(self) -> bool:
        """Say whether the client hung up, or was given up."""
        return self._left

    def leave(self) -> None:
        """Take the client for gone, and stop working for it."""
        if not self._left:
            self._left = True
            self._task.cancel()

    async def until_left(self, receive: Receive, work: Awaitable[None]) -> None:
        """Do the work, but stop as soon as the client hangs up."""
        watcher = asyncio.get_running_loop().create_task(self._watch(receive))
        try:
            await work
        except asyncio.CancelledError:
            if not self._left:
                raise
            self._task.uncancel()
        finally:
            watcher.cancel()

    async def _watch(self, receive: Receive) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass
        self.leave()


def _late_error(visit: Visit, error: GatewayError) -> bytes:
    """Return the event for an error before first content, once the 200 is already out."""
    models = visit.call.models
    stamp = Stamp(
        id=visit.id, created=int(visit.created), model=models[0] if models else "", provider=""
    )
    routing = b"" if error.routing is None else ROUTING + encode(error.routing)
    return ChunkWriter(stamp).error(error_object(error), None, routing)


def _id_headers(visit: Visit) -> Headers:
    id_ = visit.id.encode()
    return [(b"x-generation-id", id_), (b"x-request-id", id_)]


def _cost(answer: Reply) -> Headers:
    if answer.cost_usd is None:
        return []
    return [(b"x-openrouter-cost", format(answer.cost_usd, ".9f").encode())]


def _kept(headers: dict[bytes, bytes], name: bytes) -> str | None:
    value = text(headers, name)
    return value[:LONGEST_HEADER] if value else None


def _wants_metadata(headers: dict[bytes, bytes]) -> bool:
    value = headers.get(b"x-openrouter-metadata")
    if value is None:
        value = headers.get(b"x-openrouter-experimental-metadata", b"")
    return value.strip().lower() == b"enabled"


Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
