"""Both clients behind one face, so that a test says once what must be true of each."""

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Any

from dragoman.client import AsyncClient, Chunk, Client, Completion, Model, Record

HELLO = [{"role": "user", "content": "Hello!"}]


class SyncTwin:
    """The client without an event loop."""

    def __init__(self, base_url: str, **options: Any) -> None:
        self._client = Client(base_url, "sk-test", **options)

    def chat(self, **wishes: Any) -> Completion:
        asked = {"model": "a/b", "messages": HELLO, **wishes}
        answer: Completion = self._client.chat.create(**asked)
        return answer

    def stream(self, **wishes: Any) -> list[Chunk]:
        asked = {"model": "a/b", "messages": HELLO, **wishes}
        with self._client.chat.completions.create(stream=True, **asked) as chunks:
            return list(chunks)

    def first(self, **wishes: Any) -> Chunk:
        asked = {"model": "a/b", "messages": HELLO, **wishes}
        with self._client.chat.create(stream=True, **asked) as chunks:
            return next(chunks)

    def models(self, **wishes: Any) -> Sequence[Model]:
        return self._client.models.list(**wishes)

    def model(self, id_: str) -> Model:
        return self._client.models.get(id_)

    def endpoints(self, id_: str) -> Sequence[Record]:
        return self._client.models.endpoints(id_)

    def key(self) -> Record:
        return self._client.key()

    def generation(self, id_: str) -> Record:
        return self._client.generation(id_)

    def close(self) -> None:
        self._client.close()


class AsyncTwin:
    """The client with one, each call run to its end."""

    def __init__(self, base_url: str, **options: Any) -> None:
        self._runner = asyncio.Runner()
        self._client = AsyncClient(base_url, "sk-test", **options)

    def _run(self, call: Awaitable[Any]) -> Any:
        async def awaited() -> Any:
            return await call

        return self._runner.run(awaited())

    def chat(self, **wishes: Any) -> Completion:
        asked = {"model": "a/b", "messages": HELLO, **wishes}
        answer: Completion = self._run(self._client.chat.create(**asked))
        return answer

    def stream(self, **wishes: Any) -> list[Chunk]:
        async def all_of_it() -> list[Chunk]:
            asked = {"model": "a/b", "messages": HELLO, **wishes}
            stream = await self._client.chat.completions.create(stream=True, **asked)
            async with stream as chunks:
                return [chunk async for chunk in chunks]

        chunks: list[Chunk] = self._run(all_of_it())
        return chunks

    def first(self, **wishes: Any) -> Chunk:
        async def one() -> Chunk:
            asked = {"model": "a/b", "messages": HELLO, **wishes}
            async with await self._client.chat.create(stream=True, **asked) as chunks:
                return await anext(chunks)

        chunk: Chunk = self._run(one())
        return chunk

    def models(self, **wishes: Any) -> Sequence[Model]:
        models: Sequence[Model] = self._run(self._client.models.list(**wishes))
        return models

    def model(self, id_: str) -> Model:
        model: Model = self._run(self._client.models.get(id_))
        return model

    def endpoints(self, id_: str) -> Sequence[Record]:
        endpoints: Sequence[Record] = self._run(self._client.models.endpoints(id_))
        return endpoints

    def key(self) -> Record:
        key: Record = self._run(self._client.key())
        return key

    def generation(self, id_: str) -> Record:
        generation: Record = self._run(self._client.generation(id_))
        return generation

    def close(self) -> None:
        self._run(self._client.aclose())
        self._runner.close()
