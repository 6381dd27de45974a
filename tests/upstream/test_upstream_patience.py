"""A time limit is a TimeoutError, and everybody else's cancellation stays one."""

import asyncio

import pytest

from dragoman.upstream.patience import REST_S, Patience, Timekeeper

LONG_S = 60.0


async def test_what_is_done_in_time_is_done() -> None:
    with Patience(Timekeeper(), LONG_S):
        await asyncio.sleep(0)
    await asyncio.sleep(0)


@pytest.mark.parametrize("seconds", [0.0, -1.0, 0.001])
async def test_what_takes_too_long_is_a_timeout(seconds: float) -> None:
    with pytest.raises(TimeoutError), Patience(Timekeeper(), seconds):
        await asyncio.sleep(LONG_S)
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_an_error_inside_stays_what_it_is() -> None:
    with pytest.raises(LookupError), Patience(Timekeeper(), LONG_S):
        raise LookupError


async def test_a_cancellation_from_outside_is_no_timeout() -> None:
    async def work() -> None:
        with Patience(Timekeeper(), LONG_S):
            await asyncio.sleep(LONG_S)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_at_the_moment_of_the_timeout_wins() -> None:
    async def work() -> None:
        with Patience(Timekeeper(), 0.0):
            await asyncio.sleep(LONG_S)

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    asyncio.get_running_loop().call_soon(task.cancel)
    with pytest.raises((asyncio.CancelledError, TimeoutError)):
        await task
    assert task.done()


async def test_the_inner_of_two_limits_is_the_one_that_raises() -> None:
    with Patience(Timekeeper(), LONG_S):
        with pytest.raises(TimeoutError), Patience(Timekeeper(), 0.0):
            await asyncio.sleep(LONG_S)
        await asyncio.sleep(0)


async def test_limits_that_run_out_one_after_the_other_do_so_together() -> None:
    keeper, loop = Timekeeper(), asyncio.get_running_loop()

    async def hang(seconds: float) -> None:
        with Patience(keeper, seconds):
            await asyncio.sleep(LONG_S)

    first, second = (asyncio.create_task(hang(each)) for each in (0.0, 0.005))
    rings = loop.time()
    await asyncio.wait([first])
    assert keeper.wakes >= rings + REST_S
    ended = await asyncio.gather(first, second, return_exceptions=True)
    assert [*map(type, ended)] == [TimeoutError, TimeoutError]


async def test_limits_that_share_a_timer_run_out_each_in_its_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    loop = asyncio.get_running_loop()
    now = loop.time()
    monkeypatch.setattr(loop, "time", lambda: now)
    keeper = Timekeeper()
    ended: list[str] = []

    async def work(name: str, seconds: float) -> None:
        try:
            with Patience(keeper, seconds):
                await asyncio.sleep(LONG_S)
        except TimeoutError:
            ended.append(name)

    limits = (("b", 2 * REST_S), ("c", 4 * REST_S), ("a", 0.0))
    tasks = [asyncio.create_task(work(*each)) for each in limits]
    for _ in range(3):
        with Patience(keeper, 3 * REST_S):
            await asyncio.sleep(0)
    for expected in ("a", "a", "ab", "abc"):
        for _ in range(10):
            await asyncio.sleep(0)
        assert "".join(ended) == expected
        now += 1.5 * REST_S
    await asyncio.gather(*tasks)


def test_only_a_task_can_be_cancelled() -> None:
    async def run() -> None:
        raised: list[str] = []

        def outside() -> None:
            try:
                Patience(Timekeeper(), LONG_S)
            except RuntimeError as error:
                raised.append(str(error))

        asyncio.get_running_loop().call_soon(outside)
        await asyncio.sleep(0)
        assert raised == ["only a task can be cancelled"]

    asyncio.run(run())
