"""A node whose accounts bring credentials of their own, before a scripted upstream."""

import asyncio
import json
from typing import Any

from msgspec.structs import replace
from sqlalchemy import Connection, select

from dragoman.access import keyring
from dragoman.access.options import AccessOptions
from dragoman.catalog.options import ModelOptions, PriceOptions, ProviderOptions
from dragoman.config import Options
from dragoman.core.ids import key_hash
from dragoman.ledger import entries, leases
from dragoman.ledger.byok import ByokOptions
from dragoman.ledger.proof import prove
from dragoman.ledger.purses import Balance
from dragoman.ledger.tables import purse
from dragoman.ledger.types import Account
from dragoman.office.premises import Premises
from tests.app.node import HI, Node
from tests.e2e.scripted import ScriptedUpstream

BYOK = "/api/v1/byok"
HOUSE, OWN = "house-secret-of-acme", "own-secret-AbCdEfGh"
PRICE = PriceOptions(prompt="0.000001", completion="0.000002")
MODEL = {
    "acme/turbo": ModelOptions(upstream="keyed", price=PRICE),
    "acme/gratis": ModelOptions(upstream="keyed", free=True),
}
LIST_PRICE = 0.00002


class Desk(Node):
    """A node with two hosts of its own, a management key, and the scripted upstream behind it.

    The house has a credential for `acme` and none for `bolt`.
    """

    def __init__(
        self,
        premises: Premises,
        upstream: ScriptedUpstream,
        house: str = HOUSE,
        byok: ByokOptions = ByokOptions(),  # noqa: B008 - frozen
        access: AccessOptions = AccessOptions(),  # noqa: B008 - frozen
    ) -> None:
        hosts = {
            "acme": ProviderOptions(base_url=upstream.url, api_key=house, models=MODEL),
            "bolt": ProviderOptions(base_url=upstream.url, auth="bearer", models=MODEL),
        }
        options = Options(providers=hosts, byok=byok, access=access)
        super().__init__(premises, options)
        self.upstream = upstream
        self.boss = self.mint("boss", kind="management")

    async def manage(self, method: str, path: str = BYOK, body: Any = b"", **headers: str) -> Any:
        return await self.call(method, path, body, **{"key": self.boss, **headers})

    async def bring(self, key: str = OWN, provider: str = "acme", **body: Any) -> Any:
        client = await self.manage("POST", body={"provider": provider, "key": key, **body})
        assert client.status == 201, client.body
        self.forget()
        return client.json()["data"]

    def forget(self) -> None:
        """Do what the watch does within a second: have all keys looked up anew."""
        gate = self.background.serving.gate
        gate._admitted.clear()

    def purses(self, scope: str) -> dict[str, Balance]:
        """Return the purses whose scopes begin so, by id."""
        found = select(purse.c.id).where(purse.c.scope.startswith(scope)).order_by(purse.c.id)

        def work(connection: Connection) -> dict[str, Balance]:
            ids = connection.execute(found).scalars().all()
            balances = {id_: leases.balance(connection, id_) for id_ in ids}
            return {id_: each for id_, each in balances.items() if each is not None}

        return self.premises.ledger.run_now(work)

    async def booked(self) -> None:
        """Have all booked that ended, give back what is idle, and prove that the books add up."""
        counting = self.background.counting
        await counting.cashier.close()
        await counting.flush()
        assert self.premises.ledger.run_now(prove).violations == ()

    async def ask(self, key: str = "", **body: Any) -> Any:
        self.upstream.forget()
        asked = {"model": "acme/turbo", "messages": HI} | body
        return await self.call("POST", "/v1/chat/completions", asked, key=key or self.key)

    @property
    def sent(self) -> list[str]:
        """The credentials that went upstream, in order."""
        return [each["authorization"].removeprefix("Bearer ") for each in self.upstream.headers]

    def move(self, key: str, account: str) -> None:
        """Give a key to another account, which is made if there is none."""
        ledger = self.premises.ledger
        if account not in {each.id for each in ledger.run_now(entries.every_account)}:
            made = Account(id=account, kind="postpaid", name=account, created_at=0.0)
            ledger.run_now(lambda connection: entries.add_account(connection, made))
        row = ledger.run_now(keyring.by_hash(key_hash(key)))
        assert row is not None
        ledger.run_now(
            lambda connection: keyring.replace(connection, replace(row, account=account))
        )


async def recorded(desk: Desk, client: Any) -> Any:
    """Return the record of an answer. Only the applier of journals runs meanwhile."""
    running = asyncio.create_task(desk.background.counting.applier.run())
    try:
        return (await found(desk, client)).json()["data"]
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def found(desk: Desk, client: Any) -> Any:
    id_ = client.headers["x-generation-id"]
    return await desk.call("GET", f"/api/v1/generation?id={id_}", key=desk.key)


async def until(desk: Desk, credential: str) -> None:
    """Return once requests are sent with this credential."""
    async with asyncio.timeout(30):
        while True:
            await desk.ask()
            if desk.sent == [credential]:
                return
            await asyncio.sleep(0.02)


def usage_of(client: Any, *, stream: bool) -> Any:
    if not stream:
        return client.json()["usage"]
    events = [line[6:] for line in client.body.decode().splitlines() if line.startswith("data: {")]
    return json.loads(events[-1])["usage"]
