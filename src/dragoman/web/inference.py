"""The inference routes: from an ASGI request to a visit, and from the relay to bytes.

A client that hangs up is noticed, streamed or not: our own server tells, for another one
a watcher waits, since servers do not raise from `send` into a closed socket. The request's
own task is cancelled then, and what has to be closed closes on the way out; unless the relay
says that the request goes on without its client, for some time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from dragoman.access.callers import check_inference
from dragoman.access.gate import Gate
from dragoman.access.permits import Permits
from dragoman.access.types import Caller
from dragoman.core.errors import GatewayError
from dragoman.core.ids import generation_id
from dragoman.relay.chat import Reply, answer_chat, stream_chat
from dragoman.relay.linger import Stays
from dragoman.relay.visit import Desk, Visit
from dragoman.web.errors import error_headers
from dragoman.web.intake import body, headers_of, text
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import CORS, JSON, Headers, Message, Pulse, Receive, Send, reply
from dragoman.web.said import Said, said_by
from dragoman.web.server.answer import lines
from dragoman.web.server.exchange import EXCHANGE, Exchange
from dragoman.wire.answers import ROUTING, Stamp, encode
from dragoman.wire.chat import ChatCall
from dragoman.wire.chat_dialect import CHAT
from dragoman.wire.dialect import ClientDialect, Told
from dragoman.wire.hub import BULKY_BYTES

ANSWERED: Final = (
    b"%bcontent-length: %%d\r\n%bx-generation-id: %%b\r\nx-request-id: %%b\r\nrequest-id: %%b\r\n"
) % (lines(CORS), lines(JSON))
"""The fields of a whole answer, with places for its length and, three times, its id: the SDKs
of OpenRouter, OpenAI and Anthropic each know it by another name."""
ANSWERED_AT_COST: Final = ANSWERED + b"x-openrouter-cost: %.9f\r\n"
BYTES_PER_TOKEN = 4
"""English text under the tokenizers in use; put right once the answer says what it took."""

Scope = Message


class Inference(Struct, frozen=True, kw_only=True):
    """What the inference routes work with."""

    desk: Desk
    gate: Gate
    pulse: Pulse
    options: ServerOptions
    permits: Permits

    def chat(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Serve `POST /chat/completions`."""
        return self._serve(CHAT, scope, receive, send)

    def speaking(self, dialect: ClientDialect) -> "Handler":
        """Return what serves requests in a dialect, all of whose errors are in it as well."""

        async def handle(scope: Scope, receive: Receive, send: Send) -> None:
            try:
                await self._serve(dialect, scope, receive, send)
            except GatewayError as error:
                await refuse(send, error, [], dialect)

        return handle

    async def _serve(
        self, dialect: ClientDialect, scope: Scope, receive: Receive, send: Send
    ) -> None:
        desk, clock = self.desk, self.desk.clock
        arrived = clock.monotonic()
        extensions = scope.get("extensions")
        exchange: Exchange | None = extensions and extensions.get(EXCHANGE)
        if exchange is None:
            headers, raw = headers_of(scope["headers"]), None
            said = said_by(headers)
        else:
            head, raw = exchange.head, exchange.whole()
            headers = head.fields
            if head.said is None:
                head.said = said_by(headers)
            said = head.said
        if raw is None:
            raw = await self._body(headers, said, receive)
        caller = self.gate.known(said.key_hash) or await self._caller(headers)
        terms = caller.terms
        if terms is not None:
            check_inference(terms)
        bulky, parse = len(raw) >= BULKY_BYTES, dialect.parse
        call = await asyncio.to_thread(parse, raw, headers) if bulky else parse(raw, headers)
        permit = None
        if terms is not None:
            permit = await self.permits.permit(caller, _address(scope), _estimate(call))
        created = clock.wall()
        presence = _Presence(exchange, receive)
        visit = Visit(
            id=generation_id(created, desk.rng),
            caller=caller,
            call=call,
            dialect=dialect,
            arrived=arrived,
            created=created,
            session_id=call.session_id or said.session_id,
            referer=said.referer,
            title=said.title,
            user_agent=said.user_agent,
            wants_metadata=said.wants_metadata,
            wants_cache=said.wants_cache,
            wants_replay=said.wants_replay,
            left=presence.has_left,
            on_leave=presence.ask,
            permit=permit,
        )
        try:
            presence.begin()
            if call.stream:
                await self._stream(visit, send, presence)
            else:
                await self._answer(visit, send, presence)
        except asyncio.CancelledError:
            if not presence.ended():
                raise
        finally:
            presence.end()
            if permit is not None:
                permit.close()

    async def _body(self, headers: dict[bytes, bytes], said: Said, receive: Receive) -> bytes:
        """Return the body as it comes. What a stranger would send is not taken, let alone held."""
        if self.gate.known(said.key_hash) is None:
            await self._caller(headers)
        return await body(headers, receive, self.options)

    async def _caller(self, headers: dict[bytes, bytes]) -> Caller:
        return await self.gate.admit(text(headers, b"authorization"), text(headers, b"x-api-key"))

    async def _answer(self, visit: Visit, send: Send, presence: "_Presence") -> None:
        exchange = presence.exchange
        try:
            answer = await answer_chat(self.desk, visit)
        except GatewayError as error:
            if not presence.has_left():
                await refuse(send, error, _id_headers(visit), visit.dialect, _told(visit))
            return
        if presence.has_left():
            return
        if exchange is None:
            await reply(send, 200, answer.body, [*JSON, *_id_headers(visit), *_cost(answer)])
        else:
            exchange.reply(200, _fields(visit, answer), answer.body)

    async def _stream(self, visit: Visit, send: Send, presence: "_Presence") -> None:
        stream = self.pulse.open(send, _id_headers(visit), presence.give_up)
        stream.line = presence.exchange
        try:
            await stream_chat(self.desk, visit, stream)
        except GatewayError as error:
            self.pulse.close(stream)
            if presence.has_left():
                return
            # What is no failure in the client's dialect is told in its own events all the same.
            status, _ = visit.dialect.refusal(error, _told(visit))
            if not await stream.committed() and status != 200:
                await refuse(send, error, _id_headers(visit), visit.dialect, _told(visit))
                return
            stream.finish(_late_error(visit, error))
        finally:
            self.pulse.close(stream)
        if not presence.has_left():
            await stream.end()


async def refuse(
    send: Send,
    error: GatewayError,
    headers: Headers,
    dialect: ClientDialect = CHAT,
    told: Told | None = None,
) -> None:
    """Send an error as a whole answer."""
    status, content = dialect.refusal(error, told)
    await reply(send, status, content, [*JSON, *error_headers(error), *headers])


class _Presence:
    """Whether the client is there; its leaving cancels the task that serves it, or may."""

    __slots__ = ("_left", "_receive", "_stays", "_task", "_watcher", "exchange")

    def __init__(self, exchange: Exchange | None, receive: Receive) -> None:
        # Only our own server knows the task; to find out costs a system call.
        task = asyncio.current_task() if exchange is None else exchange.task
        if task is None:
            raise RuntimeError("a request is served by a task")
        self.exchange = exchange
        self._receive = receive
        self._task = task
        self._left = False
        self._stays: Stays | None = None
        self._watcher: asyncio.Task[None] | None = None

    def has_left(self) -> bool:
        """Say whether the client hung up, or was given up."""
        return self._left

    def ask(self, stays: Stays) -> None:
        """From here on ask this, when the client leaves, whether the work goes on."""
        self._stays = stays

    def leave(self) -> None:
        """Take the client for gone; stop working for it, unless the work has to go on."""
        if not self._left:
            self._left = True
            if self._stays is None or not self._stays(self._stop):
                self._stop()

    def give_up(self) -> None:
        """Take a client that does not read for gone, and stop working for it."""
        if not self._left:
            self._left = True
            self._stop()

    def begin(self) -> None:
        """From here on stop as soon as the client hangs up."""
        if self.exchange is None:
            self._watcher = self._task.get_loop().create_task(self._watch())
        else:
            self.exchange.watch(self.leave)

    def ended(self) -> bool:
        """Say whether the work was cancelled because the client left, which ends here."""
        if self._left:
            self._task.uncancel()
        return self._left

    def end(self) -> None:
        """Watch no longer."""
        self._stays = None  # which holds on to the request, as the request does to this
        if self.exchange is not None:
            self.exchange.watch(None)
        elif self._watcher is not None:
            self._watcher.cancel()

    def _stop(self) -> None:
        self._task.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self.leave()


def _late_error(visit: Visit, error: GatewayError) -> bytes:
    """Return the event for an error before first content, once the 200 is already out."""
    routing = b"" if error.routing is None else ROUTING + encode(error.routing)
    return visit.dialect.writer(_told(visit)).error(error, None, routing)


def _told(visit: Visit) -> Told:
    """Return what an error is written with: the model asked for first, and no provider."""
    models = visit.call.models
    stamp = Stamp(
        id=visit.id, created=int(visit.created), model=models[0] if models else "", provider=""
    )
    return Told(stamp=stamp, call=visit.call, native=False)


def _id_headers(visit: Visit) -> Headers:
    id_ = visit.id.encode()
    return [(b"x-generation-id", id_), (b"x-request-id", id_), (b"request-id", id_)]


def _cost(answer: Reply) -> Headers:
    if answer.cost_usd is None:
        return []
    return [(b"x-openrouter-cost", b"%.9f" % answer.cost_usd)]


def _fields(visit: Visit, answer: Reply) -> bytes:
    """Return what `reply` is told of a whole answer, as our own server wants it."""
    id_ = visit.id.encode()
    size, cost = len(answer.body), answer.cost_usd
    if cost is None:
        return ANSWERED % (size, id_, id_, id_)
    return ANSWERED_AT_COST % (size, id_, id_, id_, cost)


def _address(scope: Scope) -> str:
    client = scope.get("client")
    return client[0] if client else ""


def _estimate(call: ChatCall) -> int:
    """Return how many tokens a request may take, for its rate limit: its text, and its answer."""
    return call.text_bytes // BYTES_PER_TOKEN + (call.max_tokens or 0)


Handler = Callable[[Scope, Receive, Send], Awaitable[None]]
