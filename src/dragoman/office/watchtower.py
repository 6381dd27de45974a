"""The watchtower: the watch over alerts and the courier that delivers them, put together."""

from collections.abc import Awaitable, Callable
from random import Random

from dragoman.core.clock import Clock
from dragoman.net.fetch import Permit, SafeFetch
from dragoman.office.alarms import House
from dragoman.office.alert_options import AlertsOptions
from dragoman.office.alert_secrets import Secrets
from dragoman.office.alerts import Alerting
from dragoman.office.counting import CountingHouse
from dragoman.office.courier import Courier, Ways
from dragoman.office.premises import Premises
from dragoman.office.watch import Books, Troubles, Watch
from dragoman.store.custody import Pepper


def alerting_of(options: AlertsOptions, pepper: Pepper) -> Alerting:
    """Return with what rules are kept."""
    secrets = Secrets(pepper, options.house)
    return Alerting(Permit(options.fetch), secrets, mails=options.smtp is not None)


class Watchtower:
    """Watches and delivers. Its owner runs the loops, and `aclose` at the end."""

    def __init__(
        self,
        premises: Premises,
        options: AlertsOptions,
        clock: Clock,
        troubles: Troubles,
        ca_file: str | None = None,
    ) -> None:
        self._premises = premises
        self._options = options
        self._clock = clock
        self._troubles = troubles
        self._fetch = SafeFetch(clock, options.fetch, ca_file=ca_file)
        self.house = House(options.house, premises.node())
        self.alerting = alerting_of(options, premises.pepper)

    def loops(self, counting: CountingHouse) -> tuple[Callable[[], Awaitable[None]], ...]:
        """Return what runs until it is cancelled, over the books of this node."""
        books = Books(
            booked=lambda: counting.bookkeeper.booked,
            flush=counting.bookkeeper.flush,
            refused=lambda: counting.applier.refused,
        )
        premises, clock = self._premises, self._clock
        watch = Watch(premises.ledger, premises.records, books, self.house, clock, self._troubles)
        ways = Ways(fetch=self._fetch, secrets=self.alerting.secrets, smtp=self._options.smtp)
        rng = Random()  # noqa: S311 - spreads attempts, and is no secret
        courier = Courier(premises.ledger, ways, clock, rng, watch.told)
        return (watch.run, courier.run, self._fetch.run)

    async def aclose(self) -> None:
        """Cut every connection. What was not delivered is delivered after the next start."""
        await self._fetch.aclose()
