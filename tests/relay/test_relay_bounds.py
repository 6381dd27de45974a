"""What binds a request beyond its wishes: the share of free models, the allowlists of its key."""

from typing import Any

import msgspec
import pytest

from dragoman.access.limiter import LocalLimiter
from dragoman.access.options import FreeModels
from dragoman.access.permits import FreeRequests
from dragoman.core.clock import Clock
from dragoman.core.errors import RateLimited
from tests.relay.scene import CALLER, Scene, endpoint
from tests.upstream.hosts import streamed, whole


def scene(*, stream: bool = False) -> Scene:
    """Return a scene whose host a serves for free, once a day, and b for money."""
    says = streamed("Hello") if stream else whole("Hello")
    made = Scene(endpoint("a", free=True), endpoint("b"), a=says, b=says)
    clock = Clock(wall=lambda: 0.0, monotonic=made.clock)
    free = FreeRequests(LocalLimiter(lambda: 0), clock, FreeModels(rpd=1))
    made.desk = msgspec.structs.replace(made.desk, free=free)
    return made


async def serve(scene: Scene, *, stream: bool, **body: Any) -> None:
    if stream:
        await scene.stream(**body)
    else:
        await scene.whole(**body)


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_over_the_quota_a_free_model_is_429_on_record(*, stream: bool) -> None:
    made = scene(stream=stream)
    await serve(made, stream=stream, model="acme/turbo:free")
    with pytest.raises(RateLimited, match="free-models-per-day"):
        await serve(made, stream=stream, model="acme/turbo:free")
    assert [each.status for each in made.made] == [200, 429]


@pytest.mark.parametrize("stream", [True, False], ids=["stream", "whole"])
async def test_over_the_quota_a_paid_fallback_serves(*, stream: bool) -> None:
    made = scene(stream=stream)
    for _ in range(2):
        await serve(made, stream=stream, model="acme/turbo:free", models=["acme/turbo"])
    assert [each.model for each in made.made] == ["acme/turbo:free", "acme/turbo"]


async def test_what_is_paid_for_does_not_count() -> None:
    made = scene()
    for _ in range(3):
        await made.whole(model="acme/turbo")
    assert made.desk.free is not None
    assert await made.desk.free.today(CALLER.account) == (0, 1)
