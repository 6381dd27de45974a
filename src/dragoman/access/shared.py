"""A limiter that all nodes share: its counts are in Redis or Valkey, by whose clock they go.

A demand is one script, so that it is met as a whole or not at all. Who does not answer in time
is not waited for: the limiter of this process decides instead, at this node's part of each
limit. After five failures in a row Redis is left alone, and asked once a second whether it is
back. So a request is never refused, and hardly ever late, because Redis is gone.

A place that is held is a member of a sorted set with the time it was last heard of. One that is
not heard of for half a minute is free again, so that a node that died holds none. One that
Redis may have given after nobody waited any more is given back as soon as it answers.
"""

import asyncio
import logging
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from dragoman.access.limiter import Denied, Draw, Item, Limiter, Quota, Slot

TIMEOUT_S = 0.025
MOST_FAILURES = 5
PROBE_S = 1.0
BEAT_S = 10.0
SILENT_US = 30_000_000
"""A place that was not heard of for so long is free."""
QUOTA_S = 172_800
"""How long a count is kept: its window is a day at most, and is part of its name."""
CONNECTIONS = 16
MOST_OWED = 10_000
"""How many corrections and returned places may wait to be sent; the oldest are dropped.
A lost correction is put right by the bucket's refill, a lost return by silence."""

NOW = "local t = redis.call('TIME'); local now = t[1] * 1000000 + t[2]\n"

TAKE = (
    NOW
    + """
-- ARGV: member, silence, quota's life, then for each key: kind, a, b
local after = {}
for i, key in ipairs(KEYS) do
  local kind, a, b = ARGV[3 * i + 1], tonumber(ARGV[3 * i + 2]), tonumber(ARGV[3 * i + 3])
  if kind == 'd' then
    local tat = math.max(tonumber(redis.call('GET', key) or 0), now)
    if tat - now > b then tat = now + b end
    after[i] = tat + a
    if after[i] - now > b then return {i, after[i] - now - b, b - (tat - now)} end
  elseif kind == 's' then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', now - tonumber(ARGV[2]))
    if redis.call('ZCARD', key) >= a then return {i, 0, 0} end
  elseif tonumber(redis.call('GET', key) or 0) >= a then
    return {i, 0, 0}
  end
end
for i, key in ipairs(KEYS) do
  local kind = ARGV[3 * i + 1]
  if kind == 'd' then
    local life = math.ceil((after[i] - now) / 1000) + 1000
    redis.call('SET', key, string.format('%.0f', after[i]), 'PX', life)
  elseif kind == 's' then
    redis.call('ZADD', key, now, ARGV[1])
    redis.call('PEXPIRE', key, 2 * tonumber(ARGV[2]) / 1000)
  else
    redis.call('INCR', key)
    redis.call('EXPIRE', key, ARGV[3])
  end
end
return {0, 0, 0}
"""
)
"""Times are microseconds, which a double holds exactly; a Draw costs `a` of a bucket of `b`."""

CORRECT = (
    NOW
    + """
local tat = redis.call('GET', KEYS[1])
if not tat then return 0 end
tat = math.max(tonumber(tat), now) + tonumber(ARGV[1])
local life = math.max(0, math.ceil((tat - now) / 1000)) + 1000
redis.call('SET', KEYS[1], string.format('%.0f', tat), 'PX', life)
return 1
"""
)

BEAT = (
    NOW
    + """
for i, member in ipairs(ARGV) do
  if i > 1 then redis.call('ZADD', KEYS[1], now, member) end
end
redis.call('PEXPIRE', KEYS[1], 2 * tonumber(ARGV[1]) / 1000)
return 1
"""
)

_log = logging.getLogger(__name__)


class RedisLimiter:
    """A limiter over Redis. Its owner runs `run` while it is in use, and `aclose` at the end.

    `prefix` is how its keys begin: all in one hash slot, so that a cluster takes the scripts.
    `local` decides where Redis does not.
    """

    def __init__(self, url: str, prefix: str, local: Limiter) -> None:
        pool = BlockingConnectionPool.from_url(
            url, max_connections=CONNECTIONS, timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
        )
        self._redis = Redis(connection_pool=pool)
        self._take = self._redis.register_script(TAKE)
        self._correct = self._redis.register_script(CORRECT)
        self._beat = self._redis.register_script(BEAT)
        self._prefix = f"{{{prefix}}}:"
        self._local = local
        self._member = secrets.token_hex(8)
        self._taken = 0
        self._held: dict[str, list[str]] = {}
        self._drawn_here: dict[tuple[str, int], int] = {}
        self._owed: deque[Callable[[], Awaitable[Any]]] = deque(maxlen=MOST_OWED)
        self._unheard: deque[tuple[str, str]] = deque(maxlen=MOST_OWED)
        """Places that Redis may have given, of which no answer came: each with who asked."""
        self._beats: deque[str] = deque()
        """Buckets of which it is yet to be said who holds a place."""
        self._owes = asyncio.Event()
        self._failures = 0

    @property
    def is_away(self) -> bool:
        """Whether Redis is left alone, since it failed too often."""
        return self._failures >= MOST_FAILURES

    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        """Take all of the demand, or nothing: here, where Redis does not answer in time."""
        if not demand:
            return None
        self._taken += 1
        member = f"{self._member}:{self._taken}"
        said = [member, SILENT_US, QUOTA_S, *(each for item in demand for each in _terms(item))]
        answer, asked = None, not self.is_away
        try:
            answer = await self._asked(lambda: self._take(self._keys(demand), said))
        finally:
            if asked and answer is None:  # which may be on its way, also to one that has hung up
                self._disown(demand, member)
        if answer is None:
            return await self._take_here(demand)
        first, wait_us, room_us = map(int, answer)
        if first:
            item = demand[first - 1]
            left = room_us * 1000 // item.rate.unit_ns if isinstance(item, Draw) else 0
            return Denied(item, wait_us * 1000, left)
        for item in demand:
            if isinstance(item, Slot):
                self._held.setdefault(item.bucket, []).append(member)
        return None

    async def used(self, quota: Quota) -> int:
        """Return how much of the quota has been taken: by this node, where Redis is silent."""
        found = await self._asked(lambda: self._redis.get(self._prefix + quota.bucket), absent=b"0")
        return await self._local.used(quota) if found is None else int(found)

    def correct(self, draw: Draw, units: int) -> None:
        """Have the bucket moved by the difference."""
        drawn = draw.bucket, draw.units
        if here := self._drawn_here.pop(drawn, 0):
            if here > 1:
                self._drawn_here[drawn] = here - 1
            self._local.correct(draw, units)
            return
        by_us = (units - draw.units) * draw.rate.unit_ns // 1000
        self._owe(lambda: self._correct([self._prefix + draw.bucket], [by_us]))

    def leave(self, slot: Slot) -> None:
        """Have a place given back. Those of one bucket are alike: the shared ones go first."""
        held = self._held.get(slot.bucket)
        if not held:
            self._local.leave(slot)
            return
        member = held.pop()
        if not held:
            del self._held[slot.bucket]
        self._owe(lambda: self._redis.zrem(self._prefix + slot.bucket, member))

    async def run(self) -> None:
        """Send what is owed, say which places are held, and look whether Redis is back."""
        loop = asyncio.get_running_loop()
        beat_at = loop.time() + BEAT_S
        while True:
            await self._send_owed()
            if self.is_away:
                await asyncio.sleep(PROBE_S)
                await self._probe()
                beat_at = loop.time()
                continue
            if loop.time() >= beat_at:
                beat_at = loop.time() + BEAT_S
                self._beat_all()
                continue
            try:
                async with asyncio.timeout_at(beat_at):
                    await self._owes.wait()
            except TimeoutError:
                continue  # time to say what is held

    async def aclose(self) -> None:
        """Give back what is owed and close every connection."""
        self._beats.clear()
        await self._send_owed()
        await self._redis.aclose(close_connection_pool=True)

    def _disown(self, demand: tuple[Item, ...], member: str) -> None:
        """Have places given back that Redis may have given without anybody hearing of it."""
        for item in demand:
            if isinstance(item, Slot):
                self._unheard.append((self._prefix + item.bucket, member))
                self._owes.set()

    async def _take_here(self, demand: tuple[Item, ...]) -> Denied | None:
        denied = await self._local.take(demand)
        if denied is None:
            for item in demand:
                if isinstance(item, Draw) and len(self._drawn_here) < MOST_OWED:
                    drawn = item.bucket, item.units
                    self._drawn_here[drawn] = self._drawn_here.get(drawn, 0) + 1
        return denied

    async def _asked(self, ask: Callable[[], Awaitable[Any]], absent: Any = None) -> Any:
        """Return what Redis answers, `absent` for nothing; None where it does not in time."""
        if self.is_away:
            return None
        try:
            async with asyncio.timeout(TIMEOUT_S):
                answer = await ask()
        except (TimeoutError, RedisError, OSError) as cause:
            self._failed(cause)
            return None
        self._failures = 0
        return absent if answer is None else answer

    def _failed(self, cause: Exception) -> None:
        self._failures += 1
        if self._failures == MOST_FAILURES:
            _log.warning("access.redis_silent", extra={"cause": repr(cause)})
            self._owes.set()  # `run` begins to look whether it is back

    async def _probe(self) -> None:
        try:
            async with asyncio.timeout(PROBE_S):
                await self._redis.get(self._prefix)
        except (TimeoutError, RedisError, OSError):
            return
        self._failures = 0
        _log.warning("access.redis_answers")

    def _owe(self, call: Callable[[], Awaitable[Any]]) -> None:
        self._owed.append(call)
        self._owes.set()

    async def _send_owed(self) -> None:
        self._owes.clear()
        while (self._owed or self._beats) and not self.is_away:
            # In turn: ten thousand places must neither crowd out what is owed nor wait for it.
            if self._owed:
                await self._asked(self._owed.popleft())
            if self._beats:
                await self._say_held(self._beats.popleft())
        while self._unheard and not self.is_away:
            if await self._asked(partial(self._returned, *self._unheard[0])) is not None:
                self._unheard.popleft()

    async def _returned(self, key: str, member: str) -> int:
        """Give a place back, once Redis has answered: what came before is done by then."""
        await self._redis.get(self._prefix)
        return await self._redis.zrem(key, member)

    def _beat_all(self) -> None:
        self._beats = deque(self._held)

    async def _say_held(self, bucket: str) -> None:
        """Say who holds a place now: one that was given back since must not be taken again."""
        if members := self._held.get(bucket):
            said: list[str | int] = [SILENT_US, *members]
            await self._asked(lambda: self._beat([self._prefix + bucket], said))

    def _keys(self, demand: Sequence[Item]) -> list[str]:
        return [self._prefix + item.bucket for item in demand]


def _terms(item: Item) -> tuple[str | int, ...]:
    """Return what the script is told of an item: its kind, and two numbers."""
    if isinstance(item, Draw):
        return "d", -(-item.units * item.rate.unit_ns // 1000), -(-item.rate.size_ns // 1000)
    return ("s" if isinstance(item, Slot) else "q"), item.most, 0
