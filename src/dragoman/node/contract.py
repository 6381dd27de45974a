"""What the processes of a node ask of each other. To add a method, write it down here.

`link` makes calls of these: a coroutine is answered, a plain method is a note. Its doers are
`roster.Clerk` for the keeper, `worker.Errands` for a worker.
"""

from typing import Final, Protocol

from msgspec import Struct

from dragoman.access.limiter import Denied, Draw, Item, Quota, Slot
from dragoman.access.pulse import MOST_S
from dragoman.access.types import Admission, Changes
from dragoman.ledger.purses import Taken
from dragoman.link.contract import Contract, patient
from dragoman.records.content import Kept
from dragoman.upstream.health import Tally


class Member(Struct, frozen=True, kw_only=True):
    """What a worker says of itself, once a second. Counts are since its start.

    `catalog` is another for another catalog; `lost` are generations that could not be written down;
    `open` are requests under way.
    """

    name: str
    pid: int
    since: float
    catalog: str
    listening: bool = False
    generations: int = 0
    lost: int = 0
    content_lost: int = 0
    """Of how many what was said could not be kept."""
    open: int = 0
    connections: int = 0
    resident_bytes: int = 0


class ToKeeper(Protocol):
    """What workers ask of the keeper."""

    @patient(MOST_S)
    async def key(self, hash_: str, verifier: str) -> Admission | None:
        """Return a key that may be used, None if the database positively has none."""

    @patient(5.0)
    async def changes(self, since: int, after: str = "") -> Changes:
        """Return what changed after epoch `since`: keys whose hashes are behind `after`."""

    @patient(5.0)
    async def news(self, within_s: float) -> None:
        """Return when something may have changed, at the latest after `within_s`."""

    @patient(5.0)
    async def open_journal(self, incarnation: str) -> None:
        """Make a worker's journal known to the ledger, before its first lease."""

    @patient(2.0)
    async def lease(self, incarnation: str, wanted: dict[str, int]) -> Taken:
        """Lease what is wanted, purse -> amount, all or nothing."""

    @patient(2.0)
    async def give_back(self, incarnation: str, amounts: dict[str, int]) -> None:
        """Return parts of leases."""

    @patient(2.0)
    async def disclaim(self, incarnation: str, purses: tuple[str, ...], written: int) -> bool:
        """Take back all that is leased of purses, once the journal is booked up to `written`."""

    @patient(2.0)
    async def renew(self, incarnation: str) -> None:
        """Learn that the worker lives."""

    @patient(1.0)
    async def purse_changes(self, since: int) -> tuple[int, tuple[str, ...]]:
        """Return purses whose limits changed after epoch `since`, and up to which these are all."""

    @patient(5.0)
    async def take(self, demand: tuple[Item, ...]) -> Denied | None:
        """Take all of a demand on the rate limits, or say what stands in the way."""

    async def used(self, quota: Quota) -> int:
        """Return how much of a quota was taken."""

    def correct(self, draw: Draw, units: int) -> None:
        """Make it as if a draw had been of so many units."""

    def leave(self, slot: Slot) -> None:
        """Give a place back."""

    @patient(5.0)
    async def keep(self, kept: tuple[Kept, ...]) -> None:
        """Store what was said, of accounts that let it be stored."""

    async def report(self, member: Member, tallies: dict[str, Tally]) -> tuple[str, ...]:
        """Say how the worker is, and what it saw of endpoints since it last did.

        Hear what is wrong with the node though it serves.
        """


class ToWorker(Protocol):
    """What the keeper asks of a worker."""

    @patient(2.0)
    async def flush(self) -> None:
        """Have on disk what was written down before now."""


KEEPER: Final = Contract(ToKeeper)
WORKER: Final = Contract(ToWorker)
