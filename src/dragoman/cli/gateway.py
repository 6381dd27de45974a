"""A client of a running gateway: one chat request, its answer streamed or whole.

Made of the gateway's own HTTP client and SSE parser. What is shown of an answer,
and when, is decided in `dragoman.cli.chat`.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Annotated

import msgspec
import typer
from msgspec import Struct

from dragoman.cli.exits import Failure
from dragoman.config import Settings
from dragoman.core.clock import Clock
from dragoman.net.client import NO_PROXIES, HttpClient
from dragoman.net.proxy import Proxies, proxies
from dragoman.net.types import Limits, NetError, Request, Response
from dragoman.wire.sse import SseParser

LIMITS = Limits(head_s=660.0, idle_s=60.0)
DONE = b"[DONE]"
NO_GATEWAY = "What answers there is no gateway. Check --url; it ends in /api/v1"

UrlOption = Annotated[str, typer.Option("--url", envvar="DRAGOMAN_URL", help="The gateway.")]
KeyOption = Annotated[
    str | None,
    typer.Option("--key", envvar="DRAGOMAN_API_KEY", show_envvar=True, help="A key to it."),
]


class Message(Struct, frozen=True):
    """A turn of the conversation."""

    role: str
    content: str


class Delta(Struct, frozen=True):
    """What a chunk adds. Unknown members are let through."""

    content: str | None = None
    reasoning: str | None = None


class Choice(Struct, frozen=True):
    """One alternative of an answer; we ask for one."""

    delta: Delta = Delta()
    finish_reason: str | None = None


class Usage(Struct, frozen=True):
    """What the answer took, and cost in USD; None: no price is known."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost: float | None = None


class Trouble(Struct, frozen=True):
    """The `error` object, of a whole body or of a stream."""

    message: str = "the gateway did not say why"


class Chunk(Struct, frozen=True):
    """A chunk of a stream, or the body of an error."""

    model: str | None = None
    provider: str | None = None
    choices: tuple[Choice, ...] = ()
    usage: Usage | None = None
    error: Trouble | None = None


class Gateway(Struct, frozen=True):
    """Where a gateway is, up to `/api/v1`, and the key to it."""

    url: str
    key: str


_decode = msgspec.json.Decoder(Chunk).decode


async def stream(
    gateway: Gateway, model: str, messages: tuple[Message, ...]
) -> AsyncIterator[Chunk]:
    """Yield the chunks of the answer. Raises Failure with the gateway's own words."""
    async with _sent(gateway, _body(model, messages, stream=True)) as response:
        if response.status != 200:
            raise Failure(_why(response.status, await response.read()))
        parser = SseParser()
        async for data in response.chunks():
            for event in parser.feed(data):
                if event == DONE:
                    return
                chunk = _read(event)
                if chunk.error:
                    raise Failure(chunk.error.message)
                yield chunk
        raise Failure("The answer broke off before its end.")


async def whole(gateway: Gateway, model: str, messages: tuple[Message, ...]) -> tuple[int, bytes]:
    """Return the status and the body of the answer as they came."""
    async with _sent(gateway, _body(model, messages, stream=False)) as response:
        return response.status, await response.read()


async def get(url: str, limits: Limits) -> tuple[int, bytes]:
    """Return the status and the body at `url`. Raises NetError."""
    async with connected() as client:
        response = await client.send(Request(method="GET", url=url), limits)
        try:
            return response.status, await response.read()
        finally:
            response.close()


@asynccontextmanager
async def connected(
    ca_file: str | None = None, ways: Proxies = NO_PROXIES
) -> AsyncIterator[HttpClient]:
    """Keep an HTTP client for as long as the context lasts."""
    client = HttpClient(Clock(), ca_file=ca_file, proxies=ways)
    sweeping = asyncio.create_task(client.run())
    try:
        yield client
    finally:
        sweeping.cancel()
        await client.aclose()


def outward(chosen: Settings) -> AbstractAsyncContextManager[HttpClient]:
    """Keep an HTTP client that reaches providers as the gateway does."""
    options = chosen.options
    return connected(options.upstream.ca_file, proxies(options.net, chosen.environ))


@asynccontextmanager
async def _sent(gateway: Gateway, body: bytes) -> AsyncIterator[Response]:
    request = Request(
        method="POST",
        url=f"{gateway.url}/chat/completions",
        headers=(
            ("Authorization", f"Bearer {gateway.key}"),
            ("Content-Type", "application/json"),
            ("X-Title", "dragoman chat"),
        ),
        body=body,
    )
    async with connected() as client:
        try:
            response = await client.send(request, LIMITS)
            try:
                yield response
            finally:
                response.close()
        except NetError as error:
            raise Failure(unreachable(gateway.url, error)) from error


def _body(model: str, messages: tuple[Message, ...], *, stream: bool) -> bytes:
    return msgspec.json.encode({"model": model, "messages": messages, "stream": stream})


def _read(data: bytes) -> Chunk:
    try:
        return _decode(data)
    except msgspec.DecodeError as error:
        raise Failure(NO_GATEWAY) from error


def unreachable(url: str, error: NetError) -> str:
    """Return what to tell whom no gateway answered at `url`, and what would help."""
    if error.phase in {"refused", "dns", "connect"}:
        return f"No gateway answers at {url}. Start one: dragoman serve (or name it with --url)"
    broke = f"The connection to {url} broke: {error.detail}"
    if error.phase == "tls" and "CERTIFICATE_VERIFY_FAILED" in error.detail:
        return f"{broke}. An authority of your own is named by SSL_CERT_FILE=its.pem"
    if error.phase in {"eof", "reset"} and url.startswith("http://"):
        return f"{broke}. If it speaks TLS, its address begins with https"
    return broke


def _why(status: int, body: bytes) -> str:
    try:
        error = _decode(body).error
    except msgspec.DecodeError:
        error = None
    if error is None:
        return f"HTTP {status}: {NO_GATEWAY}"
    if status == 401:
        return f"{error.message} Give a key with --key; make one: dragoman keys create NAME"
    return error.message
