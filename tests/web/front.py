"""The real edge before hosts in memory, with one good key."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from dragoman.access.gate import Gate
from dragoman.access.limiter import LocalLimiter
from dragoman.access.options import AccessOptions
from dragoman.access.permits import Permits
from dragoman.core.clock import Clock
from dragoman.web.counting import Counting
from dragoman.web.edge import Edge, Routes
from dragoman.web.inference import Inference, Scope
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import Pulse, Receive, Send, reply
from dragoman.wire.anthropic.dialect import MESSAGES
from tests.access.fakes import PEPPER, FakeKeeper
from tests.relay.scene import Scene
from tests.web.asgi import Client

HI = [{"role": "user", "content": "hi"}]
CHAT = {"model": "acme/turbo", "messages": HI, "provider": {"order": ["a", "b"]}}


class Front:
    """An edge, and what is behind it. The control plane answers with the path it was asked for."""

    def __init__(self, scene: Scene, options: ServerOptions | None = None) -> None:
        self.scene = scene
        self.keeper = FakeKeeper()
        self.key = self.keeper.mint()
        clock = Clock(monotonic=scene.clock)
        chosen = options or ServerOptions()
        self.pulse = Pulse(clock, chosen)
        self.gate = Gate(self.keeper, PEPPER, clock, AccessOptions())
        inference = Inference(
            desk=scene.desk,
            gate=self.gate,
            pulse=self.pulse,
            options=chosen,
            permits=Permits(LocalLimiter(lambda: 0), clock),
        )
        routes: Routes = {
            "/v1/chat/completions": {"POST": inference.chat},
            "/v1/messages": {"POST": inference.speaking(MESSAGES)},
            "/v1/messages/count_tokens": {"POST": Counting(self.gate, chosen).serve},
        }
        self.edge = Edge(routes, control, running)

    def client(self, headers: dict[str, str] | None = None, **body: Any) -> Client:
        """Return a client with a good key that asks for a chat."""
        return Client(CHAT | body, {"Authorization": f"Bearer {self.key}", **(headers or {})})

    async def chat(self, headers: dict[str, str] | None = None, **body: Any) -> Client:
        """Serve a chat, from its request to its last byte."""
        return await self.client(headers, **body).of(self.edge)


async def control(scope: Scope, _: Receive, send: Send) -> None:
    """Stand in for the control plane: any path but `/broken` is echoed."""
    if scope["path"] == "/broken":
        raise ZeroDivisionError("the secret of this house")
    if scope["path"] == "/broken-late":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise ZeroDivisionError("the secret of this house")
    await reply(send, 200, scope["path"].encode(), [])


@asynccontextmanager
async def running() -> AsyncIterator[None]:
    """Stand in for what goes on behind the requests of a node."""
    yield
