"""The client for programs without an event loop. `concurrent` is its twin for those with one."""

import os
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import closing
from types import TracebackType
from typing import Any, Literal, Self, TypeVar, overload

from dragoman.client.answers import Completion, Model, Record, data_of, rows_of
from dragoman.client.blocking import BlockingAnswer, BlockingTransport
from dragoman.client.calls import Message, calls_to, chat_body
from dragoman.client.errors import ClientError, ConnectionFailed, refusal, whole
from dragoman.client.retry import pause_s, spread
from dragoman.client.stream import Stream
from dragoman.net.types import NetError, Request

T = TypeVar("T")


class Client:
    """A gateway, from any number of threads. Close it at the end, or use it with `with`.

    `base_url` is by default DRAGOMAN_URL, or http://127.0.0.1:4000/api/v1; `api_key` is
    DRAGOMAN_API_KEY, or OPENROUTER_API_KEY. `timeout_s` is how long the gateway may be
    silent, `retries` how often a failed call is repeated where that is safe. Raises
    ValueError for an address or a key that cannot be used.
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
        self._transport = BlockingTransport(self.calls.limits)
        self.chat = Chat(self)
        self.models = Models(self)

    def generation(self, id_: str) -> Record:
        """Return what is recorded of an answer: its provider, tokens, cost. Raises ClientError."""
        return data_of(self.ask(self.calls.get("/generation", {"id": id_})))

    def key(self) -> Record:
        """Return what the gateway knows of this client's key. Raises ClientError."""
        return data_of(self.ask(self.calls.get("/key")))

    def ask(self, request: Request) -> Record:
        """Return the body of the answer to any request. Raises ClientError."""
        return self._repeated(request, _whole)

    def stream(self, request: Request) -> Stream:
        """Return the streamed answer to any request. Raises ClientError."""
        return self._repeated(request, lambda answer: Stream(answer, self.calls.url))

    def close(self) -> None:
        """Cut the connections that are kept. Streams go on to their end."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def _repeated(self, request: Request, take: Callable[[BlockingAnswer], T]) -> T:
        attempt = 0
        while True:
            try:
                return self._once(request, take)
            except ClientError as error:
                pause = pause_s(error, request.method, attempt, self.calls.retries)
                if pause is None:
                    raise
            time.sleep(pause * spread())
            attempt += 1

    def _once(self, request: Request, take: Callable[[BlockingAnswer], T]) -> T:
        try:
            answer = self._transport.send(request)
            if 200 <= answer.status < 300:
                return take(answer)
            with closing(answer):
                raise refusal(answer.status, answer.headers, answer.read())
        except NetError as error:
            raise ConnectionFailed(self.calls.url, error) from error


class Chat:
    """Chat requests. `completions` is for those who know it from OpenAI's client."""

    def __init__(self, client: Client) -> None:
        self._client = client

    @property
    def completions(self) -> Self:
        """Return this."""
        return self

    @overload
    def create(
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
    def create(
        self,
        *,
        model: str,
        messages: Sequence[Message],
        stream: Literal[True],
        routing_preference: str | None = None,
        fallback_models: Sequence[str] = (),
        **wishes: Any,
    ) -> Stream: ...

    def create(
        self,
        *,
        model: str,
        messages: Sequence[Message],
        stream: bool = False,
        routing_preference: str | None = None,
        fallback_models: Sequence[str] = (),
        **wishes: Any,
    ) -> Completion | Stream:
        """Return the answer, or a stream of it. `wishes` are all other members of a request.

        `routing_preference` is `cost`, `speed` (or `throughput`) or `latency`; the
        `fallback_models` are tried in turn if `model` cannot answer. Raises ClientError.
        """
        body = {"model": model, "messages": messages, "stream": stream, **wishes}
        request = self._client.calls.post(
            "/chat/completions", chat_body(body, routing_preference, fallback_models)
        )
        return self._client.stream(request) if stream else Completion(self._client.ask(request))


class Models:
    """What the gateway offers."""

    def __init__(self, client: Client) -> None:
        self._client = client

    def list(
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
            self._client.ask(self._client.calls.models(sort_by, capability, filters)), Model
        )

    def get(self, id_: str) -> Model:
        """Return one model, callable or not. Raises ClientError."""
        return Model(data_of(self._client.ask(self._client.calls.model(id_))))

    def endpoints(self, id_: str) -> Sequence[Record]:
        """Return all endpoints of a model. Raises ClientError."""
        answer = data_of(self._client.ask(self._client.calls.endpoints(id_)))
        return rows_of(answer, Record, "endpoints")


def _whole(answer: BlockingAnswer) -> Record:
    with closing(answer):
        return whole(answer.read())
