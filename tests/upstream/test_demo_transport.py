"""The demo transport keeps the contract of real ones: pauses, limits, breaks."""

import asyncio
import json
from math import inf
from typing import Any

import pytest

from dragoman.core.clock import Clock
from dragoman.net.types import Limits, NetError, Request, Transport
from dragoman.upstream.demo import DemoResponse, DemoTransport

LIMITS = Limits(head_s=30.0, idle_s=20.0)


class Naps:
    """A sleep that takes no time, and remembers."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    async def __call__(self, pause_s: float) -> None:
        assert pause_s < inf
        self.taken.append(round(pause_s, 3))


def request(text: str, host: str = "demo-steady", **members: Any) -> Request:
    content = {"model": "parrot", "messages": [{"role": "user", "content": text}]} | members
    url = f"demo://{host}/v1/chat/completions"
    return Request(method="POST", url=url, body=json.dumps(content).encode())


async def send(call: Request, naps: Naps | None = None) -> DemoResponse:
    clock = Clock(wall=lambda: 1_760_000_000.0)
    return await DemoTransport(clock, naps or Naps()).send(call, LIMITS)


async def test_an_answer_comes_after_the_first_token_delay() -> None:
    naps = Naps()
    response = await send(request("Hello"), naps)
    assert naps.taken == [0.12]
    assert (response.status, response.headers["content-type"]) == (200, "application/json")
    answer = json.loads(await response.read())
    assert answer["choices"][0]["message"]["content"] == "Hello"
    assert answer["created"] == 1_760_000_000
    response.close()
    response.close()


async def test_a_stream_comes_at_the_pace_of_its_host() -> None:
    naps = Naps()
    response = await send(request("a b c", stream=True), naps)
    frames = [frame async for frame in response.chunks()]
    assert frames[-1] == b"data: [DONE]\n\n"
    assert len(frames) == 6
    assert naps.taken == [0.12, 0.013, 0.013]


async def test_equal_requests_get_different_ids() -> None:
    ids = {json.loads(await (await send(request("a"))).read())["id"] for _ in range(2)}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("text", "members", "phase", "waited"),
    [
        ("[[fault:hang]]", {}, "head", 30.0),
        ("[[fault:slow 40]]", {}, "head", 30.0),
        ("a b [[fault:hang 1]]", {"stream": True}, "idle", 20.0),
        ("a b [[fault:cut 1]]", {"stream": True}, "eof", 0.12),
        ("[[fault:cut]]", {}, "eof", 0.12),
    ],
)
async def test_faults_break_off_like_real_ones(
    text: str, members: dict[str, Any], phase: str, waited: float
) -> None:
    naps = Naps()
    with pytest.raises(NetError) as failure:
        await (await send(request(text, **members), naps)).read()
    assert failure.value.phase == phase
    assert naps.taken[-1] == waited


async def test_what_came_before_a_cut_is_delivered() -> None:
    response = await send(request("a b [[fault:cut 1]]", stream=True))
    frames: list[bytes] = []
    with pytest.raises(NetError, match="eof"):
        frames.extend([frame async for frame in response.chunks()])
    response = await send(request("a b [[fault:cut 1]]", stream=True))
    frames = [await anext(response.chunks()), await anext(response.chunks())]
    assert b'"content":"a"' in frames[1]


async def test_a_closed_answer_ends() -> None:
    response = await send(request("a b c", stream=True))
    await anext(response.chunks())
    response.close()
    with pytest.raises(NetError, match="closed"):
        await anext(response.chunks())


async def test_a_body_over_the_limit_is_not_read() -> None:
    call = request("a " * 1000)
    response = await DemoTransport(sleep=Naps()).send(call, Limits(body_bytes=1000))
    with pytest.raises(NetError) as failure:
        await response.read()
    assert failure.value.phase == "too_large"


async def test_the_status_on_request_is_the_status() -> None:
    response = await send(request("[[fault:retry-after 7 @demo-steady]]"))
    assert (response.status, response.headers["retry-after"]) == (429, "7")
    untouched = await send(request("[[fault:retry-after 7 @demo-swift]]"))
    assert untouched.status == 200


@pytest.mark.parametrize("url", ["demo://nowhere/v1/x", "https://demo-swift/v1/x", "demo:///v1"])
async def test_other_hosts_do_not_exist(url: str) -> None:
    with pytest.raises(NetError) as failure:
        await send(Request(method="POST", url=url))
    assert failure.value.phase == "dns"


@pytest.mark.parametrize(("method", "path"), [("GET", "/v1/chat/completions"), ("POST", "/v1/x")])
async def test_other_paths_are_not_found(method: str, path: str) -> None:
    response = await send(Request(method=method, url=f"demo://demo-swift{path}"))
    assert response.status == 404


async def test_a_reader_that_is_cancelled_leaves_at_once() -> None:
    transport: Transport = DemoTransport()
    waiting = asyncio.create_task(transport.send(request("[[fault:hang]]"), Limits()))
    await asyncio.sleep(0)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
