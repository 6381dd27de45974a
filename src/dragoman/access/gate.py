"""The gate: admits a request if its key is good, without asking anyone twice.

A key that was admitted stays in a snapshot, by its whole SHA-256, until the
keeper says that it changed; `watch` asks several times a second, or when told to. A
key is refused only when the database positively does not know it: silence is
503 and never 401, since clients throw keys away that are refused. What is silence and what is
just a busy moment, `pulse` decides.
"""

import asyncio
import logging
from collections.abc import Sequence
from typing import TypeVar

from dragoman.access.callers import caller_of
from dragoman.access.credentials import EXPIRED, UNKNOWN, check_form, presented
from dragoman.access.opener import Opener
from dragoman.access.options import AccessOptions
from dragoman.access.patience import Patience
from dragoman.access.pulse import SILENCE_S
from dragoman.access.types import Caller, Changes, Keeper, Terms
from dragoman.core.clock import Clock
from dragoman.core.errors import Overloaded, Unauthenticated, Unavailable
from dragoman.core.ids import key_hash
from dragoman.core.room import make_room
from dragoman.store.custody import Pepper

T = TypeVar("T")

LOOKUPS_AT_ONCE = 8
LOOKUPS_WAITING = 100
REFUSED_S = 10.0
MOST_REFUSED = 10_000
MOST_ADMITTED = 100_000
FORGOTTEN_AT_ONCE = 1000
"""How many keys are forgotten in one turn of the event loop: some 0.2 ms."""
POLL_S = 0.25
POLL_TIMEOUT_S = SILENCE_S
"""An answer that is just slow must still come in time to end the silence."""
STALE_S = 300.0
END_OF_TIME = 2**63 - 1

_log = logging.getLogger(__name__)


class Gate:
    """Turns the two headers that may carry a key into a caller."""

    def __init__(
        self,
        keeper: Keeper,
        pepper: Pepper,
        clock: Clock,
        options: AccessOptions,
        vault: Opener | None = None,
    ) -> None:
        self._keeper = keeper
        self._pepper = pepper
        self._clock = clock
        self._options = options
        self._vault = vault
        self._admitted: dict[str, Caller] = {}
        self._refused: dict[str, float] = {}  # until when, by the monotonic clock
        self._lookups: dict[str, asyncio.Task[Caller | None]] = {}
        self._places = asyncio.Semaphore(LOOKUPS_AT_ONCE)
        self._patience = Patience()
        self._epoch = END_OF_TIME
        self._stale_at = clock.monotonic() + STALE_S

    def known(self, hash_: str | None) -> Caller | None:
        """Return who calls, if that is plain: a key seen before, by what `plain_hash` returned.

        One with terms is not plain. None says nothing: `admit` decides.
        """
        if hash_ is None or self._clock.monotonic() >= self._stale_at:
            return None
        caller = self._admitted.get(hash_)
        return caller if caller is None or caller.terms is None else None

    @property
    def is_stale(self) -> bool:
        """Whether the keeper was silent for so long that nobody is admitted from memory."""
        return self._clock.monotonic() >= self._stale_at

    async def admit(self, authorization: str | None, api_key: str | None) -> Caller:
        """Say who calls. A key seen before is admitted without suspending.

        Raises Unauthenticated (401), InvalidRequest (400), and Unavailable or
        Overloaded (503) when the keeper cannot tell.
        """
        key = presented(authorization, api_key)
        hash_ = key_hash(key)
        caller = self._admitted.get(hash_)
        now = self._clock.monotonic()
        if caller is not None and now < self._stale_at:
            if caller.terms is None:
                return caller
            if not self._window_ended(caller.terms):
                self._check_expiry(caller.terms)
                return caller
        check_form(key, self._options.key_prefix)
        if self._refused.get(hash_, 0.0) > now:
            raise Unauthenticated(UNKNOWN)
        caller = await asyncio.shield(self._lookup(hash_, key))
        if caller is None:
            raise Unauthenticated(UNKNOWN)
        if caller.terms is not None:
            self._check_expiry(caller.terms)
        return caller

    async def watch(self) -> None:
        """Forget keys soon after they change, until cancelled.

        While the keeper is silent what is known stays good, for five minutes.
        """
        silent = False
        while True:
            try:
                await self._catch_up()
            except (TimeoutError, Unavailable) as cause:
                if not silent:
                    _log.warning("access.keeper_silent", extra={"cause": repr(cause)})
                silent = True
            else:
                if silent:
                    _log.warning("access.keeper_answers")
                silent = False
            await self._keeper.news(POLL_S)

    async def _catch_up(self) -> None:
        """Forget what changed since the last time. Raises TimeoutError and Unavailable.

        What changes meanwhile is of a later epoch than the first answer's, and told next time.
        """
        since = self._epoch
        first = changes = await self._changes(since)
        if first.epoch < since:  # the first answer, or an older database was restored
            await self._forget((*self._admitted, *self._refused, *self._lookups))
        await self._forget(changes.keys)
        while changes.more:
            changes = await self._changes(since, changes.keys[-1])
            await self._forget(changes.keys)
        self._epoch = first.epoch
        self._stale_at = self._clock.monotonic() + STALE_S

    async def _changes(self, since: int, after: str = "") -> Changes:
        async with asyncio.timeout(POLL_TIMEOUT_S):
            with self._patience.asking():
                return await self._keeper.changes(since, after)

    async def _forget(self, changed: Sequence[str]) -> None:
        """Look keys up anew from now on. Many are forgotten in parts: requests wait for this."""
        for begin in range(0, len(changed), FORGOTTEN_AT_ONCE):
            if begin:
                await asyncio.sleep(0)
            for hash_ in changed[begin : begin + FORGOTTEN_AT_ONCE]:
                self._admitted.pop(hash_, None)
                self._refused.pop(hash_, None)
                self._lookups.pop(hash_, None)  # its answer may be older than the change

    def _check_expiry(self, terms: Terms) -> None:
        if terms.expires_at is not None and self._clock.wall() >= terms.expires_at:
            raise Unauthenticated(EXPIRED)

    def _window_ended(self, terms: Terms) -> bool:
        """Say whether a limit of the key begins anew, in a purse that is to be looked up."""
        funds = terms.funds
        return funds is not None and funds.until is not None and self._clock.wall() >= funds.until

    def _lookup(self, hash_: str, key: str) -> asyncio.Task[Caller | None]:
        """Return the one lookup of this key, starting it if there is none."""
        if task := self._lookups.get(hash_):
            return task
        if len(self._lookups) >= LOOKUPS_AT_ONCE + LOOKUPS_WAITING:
            raise Overloaded("Too many keys are being looked up.", retry_after_s=1)
        task = asyncio.create_task(self._ask(hash_, key))
        self._lookups[hash_] = task
        task.add_done_callback(lambda done: self._learn(hash_, done))
        return task

    async def _ask(self, hash_: str, key: str) -> Caller | None:
        try:
            async with self._patience.waiting(), self._places:
                with self._patience.asking():
                    found = await self._keeper.key(hash_, self._pepper.sign(key))
        except TimeoutError as silence:
            raise Unavailable("The key could not be looked up.", retry_after_s=1) from silence
        if found is None:
            return None
        own = found.key.own
        byok = self._vault.opened(found.key) if self._vault is not None and own else ()
        return caller_of(found, hash_, self._options, byok)

    def _learn(self, hash_: str, lookup: asyncio.Task[Caller | None]) -> None:
        """Remember what a lookup found, unless the key changed meanwhile."""
        failed = lookup.cancelled() or lookup.exception() is not None
        if self._lookups.get(hash_) is not lookup:
            return
        del self._lookups[hash_]
        if failed:
            return
        if caller := lookup.result():
            _remember(self._admitted, hash_, caller, MOST_ADMITTED)
        else:
            _remember(self._refused, hash_, self._clock.monotonic() + REFUSED_S, MOST_REFUSED)


def _remember(known: dict[str, T], hash_: str, value: T, most: int) -> None:
    """Add to `known`, dropping some of what was added first when it is full."""
    known.pop(hash_, None)
    make_room(known, most)
    known[hash_] = value
