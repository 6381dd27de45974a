"""A whole node in this process: real databases, the demo hosts, and no socket."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Engine, event

from dragoman.access.types import Grant
from dragoman.app import Background, build
from dragoman.config import Options, Settings
from dragoman.core.clock import Clock
from dragoman.office import keys
from dragoman.office.premises import Premises
from dragoman.web.outlet import Message
from tests.web.asgi import Client

HI = [{"role": "user", "content": "a b"}]
PATIENCE_S = 20


class Node:
    """The application and its first key. Nothing runs in the background unless `running`."""

    def __init__(
        self, premises: Premises, options: Options | None = None, clock: Clock | None = None
    ) -> None:
        settings = Settings(options=options or Options(), file=None, data=Path(), environ={})
        make = keys.create("test", prefix="sk-dm-v1-", pepper=premises.pepper, now=0.0)
        self.key, _ = premises.ledger.run_now(make)
        self.premises = premises
        self.edge = build(settings, premises, clock or Clock())

    @property
    def background(self) -> Background:
        background = getattr(self.edge._running, "__self__", None)
        assert isinstance(background, Background)
        return background

    async def chat(self, **body: Any) -> Client:
        """Serve a chat with the fastest demo model."""
        asked = {"model": "demo/parrot", "messages": HI, "provider": {"only": ["demo-swift"]}}
        headers = {"Authorization": f"Bearer {self.key}"}
        return await Client(asked | body, headers).of(self.edge)

    def mint(self, name: str, **grant: Any) -> str:
        """Make a key with these terms, and return its text."""
        pepper = self.premises.pepper
        work = keys.create(
            name, prefix="sk-dm-v1-", pepper=pepper, now=time.time() - 60, grant=Grant(**grant)
        )
        return self.premises.ledger.run_now(work)[0]

    async def call(self, method: str, path: str, body: Any = b"", **headers: str) -> Client:
        """Serve any request; `key` among the headers is the key it comes with."""
        named = {name.replace("_", "-"): value for name, value in headers.items() if value}
        if key := named.pop("key", ""):
            named["authorization"] = f"Bearer {key}"
        path, _, query = path.partition("?")
        client = Client(body, named, method=method, path=path)
        client.scope["query_string"] = query.encode()
        return await client.of(self.edge)

    async def get(self, path: str, **query: str) -> Client:
        client = Client(headers={"x-api-key": self.key}, method="GET", path=path)
        pairs = [f"{name}={value}" for name, value in query.items()]
        client.scope["query_string"] = "&".join(pairs).encode()
        return await client.of(self.edge)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Start the node as a server does, and stop it."""
        told: asyncio.Queue[Message] = asyncio.Queue()
        said: asyncio.Queue[str] = asyncio.Queue()

        async def send(message: Message) -> None:
            said.put_nowait(message["type"])

        living = asyncio.create_task(self.edge({"type": "lifespan"}, told.get, send))
        told.put_nowait({"type": "lifespan.startup"})
        async with asyncio.timeout(PATIENCE_S):
            assert await said.get() == "lifespan.startup.complete"
        try:
            yield
        finally:
            told.put_nowait({"type": "lifespan.shutdown"})
            async with asyncio.timeout(PATIENCE_S):
                assert await said.get() == "lifespan.shutdown.complete"
                await living


@contextmanager
def statements() -> Iterator[list[str]]:
    """Collect every SQL statement that any database executes."""
    seen: list[str] = []

    def note(*arguments: Any) -> None:
        seen.append(arguments[2])

    event.listen(Engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        event.remove(Engine, "before_cursor_execute", note)


@contextmanager
def tasks() -> Iterator[list[str]]:
    """Collect the names of the coroutines that become tasks."""
    seen: list[str] = []
    loop = asyncio.get_running_loop()

    def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> asyncio.Task[Any]:
        seen.append(work.__qualname__)
        return asyncio.Task(work, loop=loop, **options)

    loop.set_task_factory(make)
    try:
        yield seen
    finally:
        loop.set_task_factory(None)
