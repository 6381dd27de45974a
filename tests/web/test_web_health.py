"""When a process without a control plane says that it is ready, and when it asks who knows."""

import pytest

from dragoman.web.health import SILENT, Health
from dragoman.web.inference import Scope
from dragoman.web.outlet import JSON, Receive, Send, reply
from tests.web.asgi import Client


async def elsewhere(_: Scope, __: Receive, send: Send) -> None:
    await reply(send, 418, b"{}", JSON)


@pytest.mark.parametrize(
    ("problems", "empty", "status"),
    [([], False, 200), ([], True, 418), ([SILENT], False, 503), ([SILENT], True, 503)],
)
async def test_it_is_ready_where_there_is_something_to_serve(
    problems: list[str], status: int, *, empty: bool
) -> None:
    health = Health(lambda: problems, lambda: empty, elsewhere)
    client = await Client(b"", {}, method="GET", path="/readyz").of(health.routes["/readyz"]["GET"])
    assert client.status == status
    assert problems == client.json().get("problems", [])
    up = await Client(b"", {}, method="GET", path="/healthz").of(health.routes["/healthz"]["GET"])
    assert up.status == 200
