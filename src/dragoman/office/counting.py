"""The counting house: a worker's journal and cashier, and what brings its journal to the books.

All of it in one process. What a worker has beside the requests it serves is `journal` and
`cashier`; the rest is the keeper's.
"""

from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.ledger.cashier import Bank, Cashier
from dragoman.office.alarms import House
from dragoman.office.bookkeeper import Bookkeeper
from dragoman.office.premises import Premises
from dragoman.store.journal.applier import Applier
from dragoman.store.journal.writer import Journal


class CountingHouse:
    """Where requests are written down, and money is set aside for them."""

    def __init__(
        self, premises: Premises, bank: Bank, clock: Clock, house: House | None = None
    ) -> None:
        node = premises.node()
        self.journal = Journal.create(premises.journals, node)
        self.cashier = Cashier(bank, self.journal.incarnation, clock, lambda: self.journal.end)
        self.bookkeeper = Bookkeeper(premises.ledger, premises.records, node, clock, house)
        self.applier = Applier(
            premises.journals, node, self.bookkeeper, own=self.journal, clock=clock
        )

    @property
    def loops(self) -> tuple[Callable[[], Awaitable[None]], ...]:
        """What runs until it is cancelled."""
        books, applier = self.bookkeeper, self.applier
        reap = partial(books.reap, lambda: applier.living)
        return (self.journal.run, applier.run, self.cashier.run, reap, books.sum_up)

    async def begin(self) -> None:
        """Make the worker known to the ledger. Raises Unavailable."""
        await self.bookkeeper.begin(self.journal.incarnation)

    async def flush(self) -> None:
        """Have all that was written down before now booked and recorded, or raise Unavailable."""
        await self.applier.catch_up()
        await self.bookkeeper.flush()

    async def close(self) -> None:
        """Book what is written, end the journal, and free what was leased.

        Where the ledger does not answer it is done at the next start.
        """
        with suppress(Unavailable):
            await self.cashier.close()
            await self.flush()
        self.journal.close()
        self.applier.close()
        with suppress(Unavailable):
            await self.applier.catch_up()  # finds a journal without a writer, and ends it
        self.applier.close()
