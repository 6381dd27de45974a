"""Calls that hang, break off or are cancelled: each says how, and leaves nothing behind."""

import asyncio
import ssl
from typing import Any

import pytest

from dragoman.core.clock import Clock
from dragoman.net.client import HttpClient, PoolOptions
from dragoman.net.connection import Connection
from dragoman.net.dial import Dialer
from dragoman.net.pool import Counts
from dragoman.net.types import Limits, NetError
from tests.net.calls import echo, fetch, post, silence, stall, until
from tests.net.conftest import Serve, nothing_left
from tests.net.upstream import Peer, answer, chunked

LONG_AFTER = 1e12


async def test_an_upstream_that_never_answers_is_cut_off_by_the_sweep(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    upstream = await serve(silence, channel)
    call = asyncio.create_task(fetch(client, upstream))
    await upstream.asked.wait()
    client.sweep(LONG_AFTER)
    with pytest.raises(NetError, match="no answer within 600 s") as raised:
        await call
    assert (raised.value.phase, raised.value.timed_out) == ("head", True)
    await upstream.all_gone.wait()


async def test_an_upstream_that_falls_silent_is_cut_off_by_the_sweep(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    upstream = await serve(stall, channel)
    response = await client.send(post(upstream), Limits())
    assert await anext(response) == b"begun"
    rest = asyncio.create_task(response.read())
    await asyncio.sleep(0)
    client.sweep(LONG_AFTER)
    client.sweep(LONG_AFTER + 60)
    with pytest.raises(NetError, match="no bytes for 60 s") as raised:
        await rest
    response.close()
    assert (raised.value.phase, raised.value.timed_out) == ("idle", True)
    await upstream.all_gone.wait()


async def test_the_client_sweeps_by_itself_while_it_runs(serve: Serve) -> None:
    client = HttpClient(Clock(), pool=PoolOptions(sweep_s=0.01))
    upstream = await serve(silence)
    running = asyncio.create_task(client.run())
    with pytest.raises(NetError, match="head"):
        await client.send(post(upstream), Limits(head_s=0.02))
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    await nothing_left(client)


@pytest.mark.parametrize(
    ("sent", "manner", "phase"),
    [
        (b"", "close", "eof"),
        (b"", "reset", "reset"),
        (b"HTTP/1.1 200 OK\r\n", "close", "eof"),
        (answer(b"hello")[:-1], "close", "eof"),
        (answer(b"hello")[:-1], "reset", "reset"),
        (chunked(b"hello")[:-5], "close", "eof"),
        (chunked(b"hello")[:-5], "reset", "reset"),
        (b"HTTP/1.1 200 OK\r\n\r\nhello", "reset", "reset"),
        (b"nonsense\r\n\r\n", "close", "protocol"),
    ],
)
async def test_an_answer_that_breaks_off_says_how(
    serve: Serve,
    client: HttpClient,
    channel: ssl.SSLContext | None,
    sent: bytes,
    manner: str,
    phase: str,
) -> None:
    heard = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.request()
        await peer.send(sent)
        if b"\r\n\r\n" in sent and manner == "reset":
            await heard.wait()
        if manner == "reset":
            peer.reset()

    upstream = await serve(script, channel)

    async def call() -> None:
        response = await client.send(post(upstream), Limits())
        try:
            async for _ in response.chunks():
                heard.set()
        finally:
            response.close()

    with pytest.raises(NetError) as raised:
        await call()
    assert (raised.value.phase, raised.value.reused) == (phase, False)


async def test_an_upstream_that_goes_while_the_request_is_still_leaving_is_told(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    async def script(peer: Peer) -> None:
        await peer._reader.read(1)
        peer.reset()

    upstream = await serve(script, channel)
    with pytest.raises(NetError) as raised:
        await fetch(client, upstream, bytes(20_000_000))
    assert raised.value.phase == "reset"


async def test_a_request_that_was_answered_before_it_had_left_costs_the_connection(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    async def script(peer: Peer) -> None:
        await peer._reader.readuntil(b"\r\n\r\n")
        await peer.send(answer(b"no", status="413 Content Too Large"))
        await peer._writer.wait_closed()

    upstream = await serve(script, channel)
    response = await client.send(post(upstream, bytes(20_000_000)), Limits())
    assert (response.status, await response.read()) == (413, b"no")
    response.close()
    await until(lambda: client.counts == Counts())


async def test_a_connection_that_closes_as_it_opens_is_not_written_to(
    serve: Serve, client: HttpClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def dial_and_lose(dialer: Dialer, *details: Any) -> Connection:
        connection: Connection = await dial(dialer, *details)
        connection.cut()
        return connection

    dial = Dialer.dial
    monkeypatch.setattr(Dialer, "dial", dial_and_lose)
    upstream = await serve(echo)
    with pytest.raises(NetError, match="as soon as it was open") as raised:
        await fetch(client, upstream)
    assert (raised.value.phase, client.counts.busy) == ("eof", 0)


async def test_cancelling_a_call_that_waits_for_its_answer_closes_its_connection(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    upstream = await serve(silence, channel)
    call = asyncio.create_task(client.send(post(upstream), Limits()))
    await upstream.asked.wait()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await upstream.all_gone.wait()
    assert client.counts.busy == 0


async def test_cancelling_a_reader_closes_its_connection(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    upstream = await serve(stall, channel)
    response = await client.send(post(upstream), Limits())
    assert await anext(response) == b"begun"
    rest = asyncio.create_task(response.read())
    await asyncio.sleep(0)
    rest.cancel()
    with pytest.raises(asyncio.CancelledError):
        await rest
    await upstream.all_gone.wait()
    assert client.counts.busy == 0


async def test_what_takes_a_pouring_body_may_fail_without_leaving_anybody_to_wait(
    serve: Serve, client: HttpClient, channel: ssl.SSLContext | None
) -> None:
    poured, told = asyncio.Event(), []

    async def slow(peer: Peer) -> None:
        await peer.request()
        head, body = chunked(b"begun").split(b"\r\n\r\n", 1)
        await peer.send(head + b"\r\n\r\n")
        await poured.wait()
        await peer.send(body[:-5])
        await peer.gone()

    def fail(_: bytes) -> bool:
        raise ZeroDivisionError

    asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
    upstream = await serve(slow, channel)
    response = await client.send(post(upstream), Limits())
    pouring = asyncio.create_task(response.pour(fail))
    await asyncio.sleep(0)
    poured.set()
    with pytest.raises(NetError):
        await pouring
    response.close()
    assert any(isinstance(context.get("exception"), ZeroDivisionError) for context in told)
