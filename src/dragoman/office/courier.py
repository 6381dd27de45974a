"""The courier: delivers what waits in the outbox of alerts, and tries again what failed.

Webhooks go out signed, by the fetch that reaches no inner network; e-mails by the mail server of
the settings. A receiver gets a message at least once, each time with the same `webhook-id`.
What cannot be delivered is given up after some attempts, or a day, and stays to be seen.
"""

import asyncio
import logging
from collections.abc import Callable
from random import Random
from typing import Final

from msgspec import Struct, structs
from sqlalchemy import Connection

from dragoman.core.clock import Clock
from dragoman.core.errors import Unavailable
from dragoman.ledger import alert_rows, leases, outbox
from dragoman.ledger.alert_rows import HOUSE
from dragoman.ledger.outbox import Delivery
from dragoman.net.fetch import FetchRefused, SafeFetch
from dragoman.net.signing import signed_headers
from dragoman.office import mail
from dragoman.office.alert_options import SmtpOptions
from dragoman.office.alert_secrets import Secrets
from dragoman.store.sql import Database, Work

LOOK_S: Final = 5.0
CLAIM_S: Final = 60.0
"""For how long a message is somebody's: much longer than an attempt takes."""
AT_ONCE: Final = 16
SWEEP_S: Final = 3600.0
GONE: Final = 410
"""A receiver that wants no more (Standard Webhooks, "Deliverability and reliability")."""

_log = logging.getLogger(__name__)


class Failed(Exception):
    """An attempt that brought nothing: in words for the owner of the alert, and for the log."""

    def __init__(self, said: str, detail: str = "", *, final: bool = False) -> None:
        super().__init__(said)
        self.said = said
        self.detail = detail or said
        self.final = final


class Ways(Struct, frozen=True, kw_only=True):
    """By what messages are delivered."""

    fetch: SafeFetch
    secrets: Secrets
    smtp: SmtpOptions | None = None


class Courier:
    """Delivers. Its owner runs the loop, and that of the fetch."""

    def __init__(
        self, ledger: Database, ways: Ways, clock: Clock, rng: Random, told: asyncio.Event
    ) -> None:
        self._ledger = ledger
        self._ways = ways
        self._wall = clock.wall
        self._now = clock.monotonic
        self._lot: Callable[[], float] = rng.random
        self._told = told
        self._sweep_at = float("-inf")

    async def run(self) -> None:
        """Deliver what is due, until cancelled."""
        while True:
            self._told.clear()
            try:
                while await self.deliver():
                    pass
                await self._sweep()
            except Unavailable as reason:
                _log.info("alerts.deliver_later reason=%s", reason)
            try:
                async with asyncio.timeout(LOOK_S):
                    await self._told.wait()
            except TimeoutError:
                continue

    async def deliver(self) -> int:
        """Attempt what is due now, a few at once; return how many. Raises Unavailable."""
        now = await self._ledger.read(leases.database_time)
        found = await self._ledger.read(outbox.due(now, AT_ONCE))
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(self._attempt(message, now)) for message in found]
        return sum(task.result() for task in tasks)

    async def _attempt(self, message: Delivery, now: float) -> bool:
        """Attempt a delivery, unless somebody else does; say whether it was."""
        try:
            if not await self._ledger.run(outbox.claim(message, now + CLAIM_S)):
                return False
            claimed = structs.replace(message, attempts=message.attempts + 1)
            if message.attempts >= outbox.MOST_ATTEMPTS:  # each ended with its process
                await self._ledger.run(outbox.end(claimed, "dead", now, "no attempt ever ended"))
                return True
            await self._ledger.run(await self._outcome(claimed))
        except Unavailable as reason:  # the claim runs out, and it is attempted again
            _log.info("alerts.deliver_later reason=%s", reason)
            return False
        return True

    async def _outcome(self, message: Delivery) -> Work[None]:
        """Attempt a delivery; return the work that notes what came of it."""
        try:
            await self._send(message)
        except Failed as why:
            _log.warning(
                "alerts.not_delivered",
                extra={"delivery": message.id, "attempt": message.attempts, "why": why.detail},
            )
            return self._failure(message, why)
        return lambda c: outbox.end(message, "sent", leases.database_time(c))(c)

    def _failure(self, message: Delivery, why: Failed) -> Work[None]:
        pause_s = outbox.pause_s(message.attempts, self._lot())

        def work(connection: Connection) -> None:
            now = leases.database_time(connection)
            if why.final or outbox.is_hopeless(message.attempts, message.created_at, now):
                outbox.end(message, "dead", now, why.said)(connection)
            else:
                outbox.again(message, now + pause_s, why.said)(connection)

        return work

    async def _send(self, message: Delivery) -> None:
        if message.kind == "email":
            await self._mail(message)
        else:
            await self._post(message)

    async def _post(self, message: Delivery) -> None:
        now, body = self._wall(), message.body.encode()
        secrets = await self._ledger.read(self._ways.secrets.of(message.rule, now))
        if not secrets:
            raise Failed("there is nothing to sign it with", final=True)
        headers = (
            ("content-type", "application/json"),
            ("user-agent", "Dragoman"),
            *signed_headers(secrets, message.event, int(now), body),
        )
        try:
            status = await self._ways.fetch.post(message.target, headers, body)
        except FetchRefused as why:
            said = "did not answer in time" if why.reason == "time" else "could not be reached"
            raise Failed(said, str(why)) from why
        if not 200 <= status < 300:
            raise Failed(f"answered {status}", final=status == GONE)

    async def _mail(self, message: Delivery) -> None:
        smtp = self._ways.smtp
        if smtp is None:
            raise Failed("there is no mail server to send it by", final=True)
        to = (message.target, message.id)
        try:
            written = mail.letter(smtp.sender, *to, message.body, self._wall())
        except ValueError as why:
            raise Failed("it cannot be written to that address", str(why), final=True) from why
        try:
            await mail.send(smtp, written)
        except mail.NotSent as why:
            raise Failed("the mail server did not take it", str(why)) from why

    async def _sweep(self) -> None:
        if self._now() >= self._sweep_at:
            self._sweep_at = self._now() + SWEEP_S
            await self._ledger.run(_swept)


def _swept(connection: Connection) -> None:
    now = leases.database_time(connection)
    outbox.sweep(now)(connection)
    alert_rows.forget(connection, HOUSE, before=int(now - outbox.KEEP_SENT_S))
