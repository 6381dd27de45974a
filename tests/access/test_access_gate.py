"""The gate: warm keys cost nothing, silence is never 401, changes act soon."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from dragoman.access import gate as gates
from dragoman.access import pulse
from dragoman.access.credentials import plain_hash
from dragoman.access.gate import Gate
from dragoman.access.options import AccessOptions
from dragoman.access.types import Caller
from dragoman.core import ids
from dragoman.core.clock import Clock
from dragoman.core.errors import InvalidRequest, Overloaded, Unauthenticated, Unavailable
from tests.access.fakes import PEPPER, PREFIX, FakeKeeper, HandClock


async def admit(gate: Gate, key: str) -> Caller:
    return await gate.admit(f"Bearer {key}", None)


def admit_without_waiting(gate: Gate, key: str) -> Caller:
    """Drive one admission by hand: it must come to its end without suspending."""
    admission = admit(gate, key)
    with pytest.raises(StopIteration) as done:
        admission.send(None)
    caller = done.value.value
    assert isinstance(caller, Caller)
    return caller


@asynccontextmanager
async def watching(gate: Gate) -> AsyncIterator[None]:
    task = asyncio.create_task(gate.watch())
    yield
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while True:
            if true():
                return
            await asyncio.sleep(0.001)


@pytest.fixture(autouse=True)
def _quick_polls(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "POLL_S", 0.005)


async def test_a_good_key_says_who_calls(gate: Gate, keeper: FakeKeeper) -> None:
    key = keeper.mint("laptop")
    expected = Caller(key_hash=ids.key_hash(key))
    assert await gate.admit(f"Bearer {key}", None) == expected
    assert await gate.admit(None, key) == expected


async def test_a_warm_key_is_admitted_without_suspending_and_without_a_lookup(
    gate: Gate, keeper: FakeKeeper
) -> None:
    key = keeper.mint()
    first = await admit(gate, key)
    for _ in range(100):
        assert admit_without_waiting(gate, key) is first
    assert keeper.lookups == 1


async def test_a_hundred_requests_with_one_new_key_make_one_lookup(
    gate: Gate, keeper: FakeKeeper
) -> None:
    key = keeper.mint()
    callers = await asyncio.gather(*(admit(gate, key) for _ in range(100)))
    assert len(set(map(id, callers))) == 1
    assert keeper.lookups == 1


async def test_a_caller_who_leaves_does_not_spoil_the_lookup_for_others(
    gate: Gate, keeper: FakeKeeper
) -> None:
    key = keeper.mint()
    keeper.answers.clear()
    first, second = (asyncio.create_task(admit(gate, key)) for _ in range(2))
    await until(lambda: keeper.lookups == 1)
    first.cancel()
    await asyncio.gather(first, return_exceptions=True)
    keeper.answers.set()
    assert (await second).key_hash == ids.key_hash(key)
    assert keeper.lookups == 1


async def test_an_unknown_key_is_401_and_asked_for_once_in_ten_seconds(
    gate: Gate, keeper: FakeKeeper, clock: HandClock
) -> None:
    key = ids.new_key(PREFIX)
    for _ in range(3):
        with pytest.raises(Unauthenticated, match=r"^User not found\.$"):
            await admit(gate, key)
    assert keeper.lookups == 1
    clock.now += 10.1
    with pytest.raises(Unauthenticated):
        await admit(gate, key)
    assert keeper.lookups == 2


async def test_a_malformed_key_is_refused_without_a_lookup(gate: Gate, keeper: FakeKeeper) -> None:
    with pytest.raises(Unauthenticated):
        await admit(gate, PREFIX + "a" * 49)
    assert keeper.lookups == 0


async def test_a_silent_keeper_is_503_and_never_401(gate: Gate, keeper: FakeKeeper) -> None:
    key = keeper.mint()
    keeper.silent = True
    with pytest.raises(Unavailable):
        await admit(gate, key)
    keeper.silent = False
    assert (await admit(gate, key)).key_hash == ids.key_hash(key), "silence is not remembered"


async def test_a_keeper_that_hangs_is_503_with_retry_after(
    gate: Gate, keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "SILENCE_S", 0.01)
    monkeypatch.setattr(pulse, "HASTY_S", 0.01)
    key = keeper.mint()
    keeper.answers.clear()
    with pytest.raises(Unavailable) as caught:
        await admit(gate, key)
    assert caught.value.retry_after_s == 1
    keeper.answers.set()
    await admit(gate, key)


async def test_few_lookups_at_once_some_wait_and_the_rest_are_503(
    gate: Gate, keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pulse, "HASTY_S", 10)
    keeper.answers.clear()
    keys = [keeper.mint() for _ in range(gates.LOOKUPS_AT_ONCE + gates.LOOKUPS_WAITING)]
    tasks = [asyncio.create_task(admit(gate, key)) for key in keys]
    await until(lambda: keeper.at_once == gates.LOOKUPS_AT_ONCE)
    with pytest.raises(Overloaded) as caught:
        await admit(gate, keeper.mint())
    assert caught.value.retry_after_s == 1
    keeper.answers.set()
    assert len(await asyncio.gather(*tasks)) == len(keys)
    assert keeper.most_at_once == gates.LOOKUPS_AT_ONCE


async def test_what_is_remembered_is_bounded(
    gate: Gate, keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gates, "MOST_ADMITTED", 2)
    monkeypatch.setattr(gates, "MOST_REFUSED", 2)
    good = [keeper.mint() for _ in range(3)]
    for key in good:
        await admit(gate, key)
    for _ in range(3):
        with pytest.raises(Unauthenticated):
            await admit(gate, ids.new_key(PREFIX))
    assert list(gate._admitted) == [ids.key_hash(key) for key in good[1:]]
    assert len(gate._refused) == 2


async def test_a_revoked_key_is_refused_after_the_next_poll(gate: Gate, keeper: FakeKeeper) -> None:
    async with watching(gate):
        kept, revoked = keeper.mint(), keeper.mint()
        await until(lambda: keeper.polls > 1)
        await admit(gate, kept)
        await admit(gate, revoked)
        keeper.revoke(revoked)
        polls = keeper.polls
        await until(lambda: keeper.polls > polls + 1)
        with pytest.raises(Unauthenticated):
            await admit(gate, revoked)
        lookups = keeper.lookups
        await admit(gate, kept)
        assert keeper.lookups == lookups, "only what changed is forgotten"


async def test_a_key_made_after_it_was_refused_works_after_the_next_poll(
    gate: Gate, keeper: FakeKeeper
) -> None:
    key = keeper.mint()
    row = keeper.keys.pop(ids.key_hash(key))
    async with watching(gate):
        await until(lambda: keeper.polls > 1)
        with pytest.raises(Unauthenticated):
            await admit(gate, key)
        keeper.keys[row.hash] = row
        keeper.changed.append(row.hash)
        polls = keeper.polls
        await until(lambda: keeper.polls > polls + 1)
        await admit(gate, key)


async def test_an_answer_older_than_a_change_is_not_remembered(
    gate: Gate, keeper: FakeKeeper
) -> None:
    key = keeper.mint()
    async with watching(gate):
        await until(lambda: keeper.polls > 1)
        keeper.answers.clear()
        reading = asyncio.create_task(admit(gate, key))
        await until(lambda: keeper.at_once == 1)
        keeper.revoke(key)
        keeper.answers.set()
        await gate._catch_up()
        assert (await reading).key_hash == ids.key_hash(key), "it was good when it was read"
        with pytest.raises(Unauthenticated):
            await admit(gate, key)


async def test_many_keys_that_change_at_once_are_forgotten_in_parts(
    gate: Gate, keeper: FakeKeeper, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("dragoman.access.gate.FORGOTTEN_AT_ONCE", 2)
    texts = [keeper.mint() for _ in range(7)]
    stays = keeper.mint()
    await gate._catch_up()
    for text in (*texts, stays):
        await admit(gate, text)
    keeper.most_changes = 3
    for text in texts:
        keeper.revoke(text)
    turns: list[int] = []

    async def others() -> None:
        while True:
            turns.append(len(gate._admitted))
            await asyncio.sleep(0)

    busy = asyncio.create_task(others())
    await asyncio.sleep(0)
    await gate._catch_up()
    busy.cancel()
    assert set(gate._admitted) == {ids.key_hash(stays)}
    assert max(before - after for before, after in pairwise(turns)) <= 4
    assert gate._epoch == len(keeper.changed)


async def test_what_was_learnt_before_the_first_poll_is_learnt_anew(
    gate: Gate, keeper: FakeKeeper
) -> None:
    key = keeper.mint()
    await admit(gate, key)
    keeper.revoke(key)
    async with watching(gate):
        await until(lambda: keeper.polls > 1)
        with pytest.raises(Unauthenticated):
            await admit(gate, key)


async def test_an_older_database_put_back_makes_the_gate_forget_everything(
    gate: Gate, keeper: FakeKeeper
) -> None:
    async with watching(gate):
        key = keeper.mint()
        await until(lambda: keeper.polls > 1)
        await admit(gate, key)
        keeper.keys.clear()
        keeper.changed.clear()
        polls = keeper.polls
        await until(lambda: keeper.polls > polls + 1)
        with pytest.raises(Unauthenticated):
            await admit(gate, key)


async def test_while_changes_are_unknown_what_is_known_stays_good_for_five_minutes(
    gate: Gate, keeper: FakeKeeper, clock: HandClock, caplog: pytest.LogCaptureFixture
) -> None:
    key = keeper.mint()
    async with watching(gate):
        await until(lambda: keeper.polls > 1)
        await admit(gate, key)
        keeper.silent = True
        polls = keeper.polls
        await until(lambda: keeper.polls > polls + 2)
        clock.now += 299
        admit_without_waiting(gate, key)
        clock.now += 2
        with pytest.raises(Unavailable):
            await admit(gate, key)
        assert [record.message for record in caplog.records] == ["access.keeper_silent"]
        keeper.silent = False
        polls = keeper.polls
        await until(lambda: keeper.polls > polls + 1)
        await admit(gate, key)
        admit_without_waiting(gate, key)
    said = [record.message for record in caplog.records]
    assert said == ["access.keeper_silent", "access.keeper_answers"]


async def test_a_poll_that_hangs_is_given_up(
    gate: Gate,
    keeper: FakeKeeper,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(gates, "POLL_TIMEOUT_S", 0.01)
    keeper.answers.clear()
    with caplog.at_level(logging.WARNING):
        async with watching(gate):
            await until(lambda: keeper.polls > 2)
    assert len(caplog.records) == 1, "said once"


@given(st.none() | st.text(), st.none() | st.text())
def test_no_garbage_passes_or_raises_anything_but_a_refusal(
    authorization: str | None, api_key: str | None
) -> None:
    async def attempt() -> None:
        clock = Clock(monotonic=lambda: 0.0)
        gate = Gate(FakeKeeper(), PEPPER, clock, AccessOptions())
        with pytest.raises((Unauthenticated, InvalidRequest)):
            await gate.admit(authorization, api_key)

    asyncio.run(attempt())


@pytest.mark.parametrize(
    ("form", "more", "plain"),
    [
        (b"Bearer %b", {}, True),
        (b"bearer %b", {}, False),
        (b"Bearer  %b", {}, False),
        (b"%b", {}, False),
        (b"Bearer %b", {b"x-api-key": b"other"}, False),
    ],
)
async def test_only_the_plain_form_of_a_warm_key_is_known(
    gate: Gate, keeper: FakeKeeper, form: bytes, more: dict[bytes, bytes], *, plain: bool
) -> None:
    key = keeper.mint()
    headers = {b"authorization": form % key.encode(), **more}
    assert gate.known(plain_hash(headers)) is None
    caller = await admit(gate, key)
    assert gate.known(plain_hash(headers)) is (caller if plain else None)
    assert gate.known(plain_hash({})) is None


async def test_a_key_is_known_no_longer_than_it_is_admitted(
    gate: Gate, keeper: FakeKeeper, clock: HandClock
) -> None:
    key = keeper.mint()
    headers = {b"authorization": b"Bearer %b" % key.encode()}
    await admit(gate, key)
    clock.now += gates.STALE_S + 1
    assert gate.known(plain_hash(headers)) is None


async def test_a_key_expires_while_it_is_warm_and_when_it_is_not(
    gate: Gate, keeper: FakeKeeper, clock: HandClock
) -> None:
    key = keeper.mint()
    hash_ = ids.key_hash(key)
    keeper.keys[hash_] = replace(keeper.keys[hash_], expires_at=clock.now + 5)
    await admit(gate, key)
    clock.now += 4.9
    await admit(gate, key)
    clock.now += 0.1
    with pytest.raises(Unauthenticated, match="expired"):
        await admit(gate, key)
    cold = Gate(keeper, PEPPER, Clock(wall=clock, monotonic=clock), AccessOptions())
    with pytest.raises(Unauthenticated, match="expired"):
        await admit(cold, key)
