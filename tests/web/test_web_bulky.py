"""Large requests: read and translated in a thread, so that they hold up nobody."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from dragoman.wire.hub import BULKY_BYTES
from tests.relay.scene import Scene, endpoint
from tests.upstream.hosts import streamed, whole
from tests.web.front import Front


def tools(size: int) -> list[Any]:
    function = {"name": "f", "description": "a" * size, "parameters": {"type": "object"}}
    return [{"type": "function", "function": function}]


@pytest.fixture
def aside(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was done in threads."""
    done: list[str] = []
    really = asyncio.to_thread

    async def to_thread(work: Callable[..., Any], *arguments: Any) -> Any:
        done.append(work.__name__)
        return await really(work, *arguments)

    monkeypatch.setattr(asyncio, "to_thread", to_thread)
    return done


@pytest.mark.parametrize(("size", "expected"), [(1000, 0), (BULKY_BYTES, 2)])
@pytest.mark.parametrize("stream", [False, True])
async def test_what_takes_milliseconds_to_read_and_to_translate_is_done_aside(
    aside: list[str], size: int, expected: int, *, stream: bool
) -> None:
    able = endpoint("a", supports=frozenset({"tools"}))
    front = Front(Scene(able, a=streamed("one") if stream else whole()))
    client = await front.chat(stream=stream, tools=tools(size))
    assert client.status == 200
    assert len(aside) == expected


async def test_what_is_wrong_with_a_large_request_is_told_as_of_any(aside: list[str]) -> None:
    client = await Front(Scene(a=whole())).chat(tools=tools(BULKY_BYTES), n="many")
    assert (client.status, len(aside)) == (400, 1)
    assert "n" in client.json()["error"]["message"]
