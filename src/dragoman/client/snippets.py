"""The calls of snippets that need no client of their own, each over a client of its own.

Whoever makes many calls should hold a `Client`, which keeps its connections.
"""

from collections.abc import Iterable, Sequence
from contextlib import AsyncExitStack
from typing import Any, Literal, overload

from dragoman.client.answers import Completion, Model
from dragoman.client.calls import Message
from dragoman.client.concurrent import AsyncClient
from dragoman.client.stream import AsyncStream, Stream
from dragoman.client.sync import Client


class ChatCompletion:
    """Chat requests to the gateway that the environment names."""

    @overload
    @staticmethod
    def create(
        *,
        model: str,
        messages: Sequence[Message],
        stream: Literal[False] = False,
        **wishes: Any,
    ) -> Completion: ...

    @overload
    @staticmethod
    def create(
        *, model: str, messages: Sequence[Message], stream: Literal[True], **wishes: Any
    ) -> Stream: ...

    @staticmethod
    def create(
        *, model: str, messages: Sequence[Message], stream: bool = False, **wishes: Any
    ) -> Completion | Stream:
        """Do what `Client.chat.create` does."""
        asked = {"model": model, "messages": messages, **wishes}
        with Client() as client:
            if not stream:
                answer: Completion = client.chat.create(**asked)
                return answer
            chunks: Stream = client.chat.create(stream=True, **asked)
            return chunks

    @overload
    @staticmethod
    async def acreate(
        *,
        model: str,
        messages: Sequence[Message],
        stream: Literal[False] = False,
        **wishes: Any,
    ) -> Completion: ...

    @overload
    @staticmethod
    async def acreate(
        *, model: str, messages: Sequence[Message], stream: Literal[True], **wishes: Any
    ) -> AsyncStream: ...

    @staticmethod
    async def acreate(
        *, model: str, messages: Sequence[Message], stream: bool = False, **wishes: Any
    ) -> Completion | AsyncStream:
        """Do what `AsyncClient.chat.create` does."""
        asked = {"model": model, "messages": messages, **wishes}
        async with AsyncExitStack() as stack:
            client = await stack.enter_async_context(AsyncClient())
            if not stream:
                answer: Completion = await client.chat.create(**asked)
                return answer
            chunks: AsyncStream = await client.chat.create(stream=True, **asked)
            chunks.then(stack.pop_all().aclose)
            return chunks


def list_models(
    *, sort_by: str | None = None, capability: str | Iterable[str] = (), **filters: Any
) -> Sequence[Model]:
    """Do what `Client.models.list` does."""
    with Client() as client:
        return client.models.list(sort_by=sort_by, capability=capability, **filters)


async def alist_models(
    *, sort_by: str | None = None, capability: str | Iterable[str] = (), **filters: Any
) -> Sequence[Model]:
    """Do what `AsyncClient.models.list` does."""
    async with AsyncClient() as client:
        return await client.models.list(sort_by=sort_by, capability=capability, **filters)
