"""A streamed answer: chunks as they come, in a loop with or without `async`.

A stream has one good end, `[DONE]`. An error that the gateway sends instead is raised
by the loop, after the chunks before it, and so is a connection that ends too early.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Generator, Iterator, Mapping
from types import TracebackType
from typing import Self

from dragoman.client.answers import Chunk, read_object
from dragoman.client.blocking import BlockingAnswer
from dragoman.client.errors import BrokenAnswer, ClientError, ConnectionFailed, failure
from dragoman.net.types import NetError, Response
from dragoman.wire.sse import SseParser

DONE = b"[DONE]"


class ChunkReader:
    """Reads one stream from its bytes. Pure. `done` once `[DONE]` has come."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        self.done = False
        self._headers = headers
        self._parser = SseParser()

    def feed(self, data: bytes) -> Iterator[Chunk]:
        """Yield the chunks that `data` completes. Raises ClientError where the stream is one."""
        try:
            events = self._parser.feed(data)
        except ValueError as error:
            raise BrokenAnswer(f"The stream cannot be read: {error}.") from error
        for event in events:
            if event == DONE:
                self.done = True
                return
            yield self._chunk(event)

    def end(self) -> None:
        """Take note that nothing more comes. Raises BrokenAnswer before `[DONE]`."""
        if not self.done:
            raise BrokenAnswer("The answer broke off before its end.")

    def _chunk(self, data: bytes) -> Chunk:
        try:
            value = read_object(data)
        except ValueError as error:
            raise BrokenAnswer(f"An event of the stream is no chunk: {error}.") from error
        if trouble := value.get("error"):
            code = trouble.get("code") if isinstance(trouble, dict) else None
            raise failure(code if isinstance(code, int) else 500, trouble, self._headers)
        return Chunk(value)


class Stream(Iterator[Chunk]):
    """The chunks of an answer. Close it, or use it with `with`, if you leave it early."""

    def __init__(self, answer: BlockingAnswer, url: str) -> None:
        self._answer = answer
        self._url = url
        self._chunks = self._read()

    def __next__(self) -> Chunk:
        return next(self._chunks)

    def close(self) -> None:
        """End the stream. The gateway then stops the answer where the provider can."""
        self._chunks.close()
        self._answer.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        self.close()

    def _read(self) -> Generator[Chunk, None, None]:
        reader = ChunkReader(self._answer.headers)
        try:
            for data in self._answer.chunks():
                yield from reader.feed(data)
                if reader.done:
                    return
            reader.end()
        except NetError as error:
            raise ConnectionFailed(self._url, error) from error
        finally:
            self._answer.close()


class AsyncStream:
    """The chunks of an answer. Close it, or use it with `async with`, if you leave it early."""

    def __init__(self, answer: Response, url: str) -> None:
        self._answer = answer
        self._url = url
        self._chunks = self._read()
        self._then: Callable[[], Awaitable[object]] | None = None

    def then(self, last: Callable[[], Awaitable[object]]) -> None:
        """Have `last` called when the stream has ended or is closed."""
        self._then = last

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Chunk:
        try:
            return await anext(self._chunks)
        except (StopAsyncIteration, ClientError):
            await self.aclose()
            raise

    async def aclose(self) -> None:
        """End the stream. The gateway then stops the answer where the provider can."""
        await self._chunks.aclose()
        self._answer.close()
        last, self._then = self._then, None
        if last is not None:
            await last()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, _: type[BaseException] | None, __: BaseException | None, ___: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _read(self) -> AsyncGenerator[Chunk, None]:
        reader = ChunkReader(self._answer.headers)
        try:
            async for data in self._answer.chunks():
                for chunk in reader.feed(data):
                    yield chunk
                if reader.done:
                    return
            reader.end()
        except NetError as error:
            raise ConnectionFailed(self._url, error) from error
        finally:
            self._answer.close()
