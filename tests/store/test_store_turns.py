"""Long lists on a busy event loop."""

import asyncio
import weakref

from dragoman.store.turns import AT_ONCE, FREED_AT_ONCE, in_parts, let_go


class Others:
    """What else runs on the loop, and how often it had its turn."""

    def __init__(self) -> None:
        self.turns = 0
        self._task = asyncio.create_task(self._run())

    async def _run(self) -> None:
        while True:
            self.turns += 1
            await asyncio.sleep(0)

    def stop(self) -> None:
        self._task.cancel()


class Thing:
    """What can be watched while it goes."""


async def test_a_long_list_leaves_others_their_turns() -> None:
    others = Others()
    parts = [part async for part in in_parts(range(5 * AT_ONCE + 1))]
    others.stop()
    assert [each for part in parts for each in part] == [*range(5 * AT_ONCE + 1)]
    assert (len(parts), max(map(len, parts))) == (6, AT_ONCE)
    assert others.turns >= 5


async def test_what_is_let_go_of_goes_a_few_at_a_time() -> None:
    things = [Thing() for _ in range(3 * FREED_AT_ONCE + 1)]
    gone: list[int] = []
    others = Others()
    watched = [weakref.ref(thing, lambda _: gone.append(others.turns)) for thing in things]
    await let_go(things)
    others.stop()
    assert things == []
    assert len(gone) == len(watched)
    assert max(map(gone.count, gone)) == FREED_AT_ONCE
