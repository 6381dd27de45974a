"""The client for programs with an event loop. `sync` is its twin for those without one."""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from dragoman.client.answers import Completion, Model, Record, data_of, rows_of
from dragoman.client.calls import Message, calls_to, chat_body
from dragoman.client.errors import ClientError, ConnectionFailed, refusal, whole
from dragoman.client.retry import pause_s, spread
from dragoman.client.stream import AsyncStream
from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.types import NetError, Request, Response

T = TypeVar("T")


class AsyncClient:
    """A gateway, from the tasks of one event loop. Close it, or use it with `async with`.

    The arguments are those of `dragoman.client.Client`. Raises ValueError for an address
    or a key that cannot be used.
    """

    def __init__(
        self,
        base_url: str | None = None,
        api_key: str | None = None,
        *,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = 600.0,
        retries: int = 2,
    ) -> None:
        self.calls = calls_to((base_url, api_key), os.environ, headers or {}, timeout_s, retries)
        self._transport = HttpClient(Clock(), pool=PoolOptions(sweep_s=min(1.0, timeout_s / 4)))
        self._sweeping: asyncio.Task[None] | None = None
        self.chat = AsyncChat(self)
        self.models = AsyncModels(self)

    async def generation(self, id_: str) -> Record:
        """Return what is recorded of an answer: its provider, tokens, cost. Raises ClientError."""
        return data_of(await self.ask(self.calls.get("/generation", {"id": id_})))

    async def key(self) -> Record:
        """Return what the gateway knows of this client's key. Raises ClientError."""
        return data_of(await self.ask(self.calls.get("/key")))

    async def ask(self, request: Request) -> Record:
        """Return the body of the answer to any request. Raises ClientError."""
        return await self._repeated(request, _whole)

    async def stream(self, request: Request) -> AsyncStream:
        """Return the streamed answer to any request. Raises ClientError."""
        return await self._repeated(request, self._streamed)

    async def aclose(self) -> None:
        """Cut all connections, those of streams included."""
        if self._sweeping is not None:
            self._sweeping.cancel()
        await self._transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _repeated(self, request: Request, take: Callable[[Response], Awaitable[T]]) -> T:
        attempt = 0
        while True:
            try:
                return await self._once(request, take)
            except ClientError as error:
                pause = pause_s(error, request.method, attempt, self.calls.retries)
                if pause is None:
                    raise
            await asyncio.sleep(pause * spread())
            attempt += 1

    async def _once(self, request: Request, take: Callable[[Response], Awaitable[T]]) -> T:
        if self._sweeping is None:
            self._sweeping = asyncio.create_task(self._transport.run())
        try:
            answer = await self._transport.send(request, self.calls.limits)
            if 200 <= answer.status < 300:
                return await take(answer)
            with closing(answer):
                raise refusal(answer.status, answer.headers, await answer.read())
        except NetError as error:
            raise ConnectionFailed(self.calls.url, error) from error

    async def _streamed(self, answer: Response) -> AsyncStream:
        return AsyncStream(answer, self.calls.url)


class AsyncChat:
    """Chat requests. `completions` is for those who know it from OpenAI's client."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    @property
    def completions(self) -> Self:
        """Return this."""
        return self

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Sequence[Message],
        stream: Literal[False] = False,
        routing_preference: str | None = None,
        fallback_models: Sequence[str] = (),
        **wishes: Any,
    ) -> Completion: ...

    @overload
    async def create(
        self,
        *,
        model: str,
        messages: Sequence[Message],
        stream: Literal[True],
        routing_preference: str | None = None,
        fallback_models: Sequence[str] = (),
        **wishes: Any,
    ) -> AsyncStream: ...

    async def create(
        self,
        *,
        model: str,
        messages: Sequence[Message],
        stream: bool = False,
        routing_preference: str | None = None,
        fallback_models: Sequence[str] = (),
        **wishes: Any,
    ) -> Completion | AsyncStream:
        """Return the answer, or a stream of it. `wishes` are all other members of a request.

        `routing_preference` is `cost`, `speed` (or `throughput`) or `latency`; the
        `fallback_models` are tried in turn if `model` cannot answer. Raises ClientError.
        """
        body = {"model": model, "messages": messages, "stream": stream, **wishes}
        request = self._client.calls.post(
            "/chat/completions", chat_body(body, routing_preference, fallback_models)
        )
        if stream:
            return await self._client.stream(request)
        return Completion(await self._client.ask(request))


class AsyncModels:
    """What the gateway offers."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client

    async def list(
        self,
        *,
        sort_by: str | None = None,
        capability: str | Iterable[str] = (),
        **filters: Any,
    ) -> Sequence[Model]:
        """Return the models that can be called. `filters` are parameters of `GET /models`.

        `sort_by` is `cost`, `context`, `newest`, `speed`, `latency`, or a `sort` of
        OpenRouter's; `capability` is one or several of `instruct`, `tools`, `vision`,
        `json`, `reasoning`… Raises ClientError.
        """
        return rows_of(
            await self._client.ask(self._client.calls.models(sort_by, capability, filters)), Model
        )

    async def get(self, id_: str) -> Model:
        """Return one model, callable or not. Raises ClientError."""
        return Model(data_of(await self._client.ask(self._client.calls.model(id_))))

    async def endpoints(self, id_: str) -> Sequence[Record]:
        """Return all endpoints of a model. Raises ClientError."""
        answer = data_of(await self._client.ask(self._client.calls.endpoints(id_)))
        return rows_of(answer, Record, "endpoints")


async def _whole(answer: Response) -> Record:
    with closing(answer):
        return whole(await answer.read())
