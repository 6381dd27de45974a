"""The keeper as a worker's gate knows it: its silence is always Unavailable, or just patience."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from dragoman.access.types import Admission, Changes
from dragoman.core.errors import OwnError, Unavailable
from dragoman.ledger.purses import Taken
from dragoman.node.contract import ToKeeper
from dragoman.records.content import Kept


class AskingKeeper:
    """A `dragoman.access.types.Keeper` and a `dragoman.ledger.cashier.Bank` in another process."""

    def __init__(self, keeper: ToKeeper) -> None:
        self._keeper = keeper

    async def key(self, hash_: str, verifier: str) -> Admission | None:
        """Return the key, None if the keeper positively knows none. Raises Unavailable."""
        try:
            return await self._keeper.key(hash_, verifier)
        except OwnError as error:
            raise Unavailable("The key could not be looked up.", retry_after_s=1) from error

    async def changes(self, since: int, after: str = "") -> Changes:
        """Return what changed. Raises Unavailable."""
        try:
            return await self._keeper.changes(since, after)
        except OwnError as error:
            raise Unavailable(error.message, retry_after_s=1) from error

    async def news(self, within_s: float) -> None:
        """Return when something may have changed; also when nobody can tell, after `within_s`."""
        try:
            await self._keeper.news(within_s)
        except OwnError:
            await asyncio.sleep(within_s)

    async def take(self, incarnation: str, wanted: Mapping[str, int]) -> Taken:
        """Lease what is wanted. Raises Unavailable, though it may have been leased."""
        with _unavailable():
            return await self._keeper.lease(incarnation, dict(wanted))

    async def give_back(self, incarnation: str, amounts: Mapping[str, int]) -> None:
        """Return parts of leases. Raises Unavailable."""
        with _unavailable():
            await self._keeper.give_back(incarnation, dict(amounts))

    async def disclaim(self, incarnation: str, purses: tuple[str, ...], written: int) -> bool:
        """Return all that is leased of purses. Raises Unavailable."""
        with _unavailable():
            return await self._keeper.disclaim(incarnation, purses, written)

    async def renew(self, incarnation: str) -> None:
        """Say that we live. Raises Unavailable."""
        with _unavailable():
            await self._keeper.renew(incarnation)

    async def purse_changes(self, since: int) -> tuple[int, tuple[str, ...]]:
        """Return which purses changed. Raises Unavailable."""
        with _unavailable():
            return await self._keeper.purse_changes(since)

    async def keep(self, kept: tuple[Kept, ...]) -> None:
        """Have what was said stored. Raises Unavailable; then it may be stored nevertheless."""
        with _unavailable():
            await self._keeper.keep(kept)


@contextmanager
def _unavailable() -> Iterator[None]:
    """Turn whatever keeps the keeper from answering into Unavailable."""
    try:
        yield
    except OwnError as error:
        raise Unavailable(error.message, retry_after_s=1) from error
