"""Rules over real databases, keys that spend, and a node that watches."""

from typing import Any

import msgspec
from msgspec import structs
from sqlalchemy import Connection, select

from dragoman.access import keyring
from dragoman.access.audit import Act
from dragoman.access.types import Grant, Key
from dragoman.core.clock import Clock
from dragoman.core.money import NanoUsd
from dragoman.ledger import leases
from dragoman.ledger.alert_tables import alert_delivery
from dragoman.ledger.alerts import Rule
from dragoman.ledger.purses import key_scope, purse
from dragoman.net.fetch import Permit
from dragoman.net.options import FetchOptions
from dragoman.office import alerts, keys
from dragoman.office.alarms import House
from dragoman.office.alert_bodies import NewAlert
from dragoman.office.alert_options import HouseOptions
from dragoman.office.alert_secrets import Secrets
from dragoman.office.alerts import Alerting
from dragoman.office.key_admin import Manager
from dragoman.office.limits import impose, interval_of
from dragoman.office.watch import Books, Troubles, Watch
from dragoman.records.reader import KeyUsage
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from dragoman.store.custody import Pepper
from dragoman.store.sql import Database
from tests.access.fakes import HandClock
from tests.records.samples import PLAIN

USD = 1_000_000_000
PEPPER = Pepper(bytes(32))
HOOK = "https://hooks.example.com/a"
SECRETS = Secrets(PEPPER, HouseOptions())
ALERTING = Alerting(Permit(FetchOptions()), SECRETS, mails=True)
LIFE = "life"


def manager(account: str = "default", at: float = 1.0) -> Manager:
    return Manager(account, Act(actor="cli", at=at))


class Scene:
    """Two databases, what was booked, and as many nodes as a test wants."""

    def __init__(self, ledger: Database, records: Database) -> None:
        self.ledger = ledger
        self.records = records
        self._unwritten: list[Generation] = []
        self.clock = HandClock()
        self.booked = 0
        self.flushes = 0
        self.refused: dict[str, str] = {}
        self.troubles = Troubles()
        self.made = 0

    def node(self, house: HouseOptions | None = None, name: str = "node") -> Watch:
        books = Books(booked=lambda: self.booked, flush=self._flush, refused=lambda: self.refused)
        clock = Clock(monotonic=self.clock)
        chief = House(house or HouseOptions(), name)
        return Watch(self.ledger, self.records, books, chief, clock, self.troubles)

    async def _flush(self) -> None:
        self.flushes += 1
        made, self._unwritten = self._unwritten, []
        await self.records.run(lambda connection: store(connection, made))

    def key(self, limit: int | None = None, reset: Any = None, account: str = "default") -> Key:
        grant = Grant(limit_nanos=limit, limit_reset=reset)
        make = keys.create(
            f"k{self.made}", prefix="sk-", pepper=PEPPER, now=1.0, grant=grant, account=account
        )
        self.made += 1
        _, key = self.ledger.run_now(make)
        self.ledger.run_now(lambda c: impose(c, key, KeyUsage()))
        return key

    def limit(self, key: Key, limit: int) -> Key:
        """Change the limit of a key."""
        after = structs.replace(key, limit_nanos=limit)

        def work(connection: Connection) -> None:
            keyring.replace(connection, after)
            impose(connection, after, KeyUsage())

        self.ledger.run_now(work)
        return after

    def spend(self, key: Key, nanos: int, ago_s: float = 0.0) -> None:
        """Have a key spend so much of its limit."""

        def work(connection: Connection) -> None:
            now = leases.database_time(connection) - ago_s
            held = purse(key_scope(key.hash), interval_of(key), now)
            leases.ensure(connection, held, key.limit_nanos)
            statement = "UPDATE purse SET spent_nanos = spent_nanos + "
            connection.exec_driver_sql(f"{statement}{nanos} WHERE id = '{held.id}'")

        self.ledger.run_now(work)
        self.booked += 1

    def record(self, key: Key, nanos: int, ago_s: float = 0.0) -> None:
        """Have a generation of a key on record that cost so much."""
        now = self.ledger.run_now(leases.database_time) - ago_s
        self.made += 1
        self._unwritten.append(
            structs.replace(
                PLAIN,
                id=f"gen-{self.made}",
                created_at=now,
                key_hash=key.hash,
                account=key.account,
                cost_nanos=NanoUsd(nanos),
            )
        )
        self.booked += 1

    def rule(self, account: str = "default", at: float = 1.0, **body: Any) -> Rule:
        new = NewAlert(**({"name": "much", "webhooks": (HOOK,)} | body))
        return self.ledger.run_now(alerts.make(new, ALERTING, manager(account, at))).rule

    def sent(self) -> list[Any]:
        """Return the bodies of all messages, in the order they came."""
        query = select(alert_delivery.c.body).order_by(
            alert_delivery.c.created_at, alert_delivery.c.id
        )
        rows = self.ledger.run_now(lambda c: list(c.execute(query).scalars()))
        return [msgspec.json.decode(row) for row in rows]

    def told(self) -> list[float]:
        """Return the thresholds that were told of, rising."""
        return sorted(each["data"]["threshold"] for each in self.sent())
