"""A control plane over real databases; tests may change its catalog and what it has seen."""

from functools import partial
from typing import Any

from msgspec.structs import replace

from dragoman.access import keyring, members
from dragoman.access.gate import Gate
from dragoman.access.options import AccessOptions
from dragoman.access.types import Key, Member
from dragoman.core.clock import Clock
from dragoman.office.key_admin import Mint
from dragoman.office.premises import Premises
from dragoman.records.content_rows import ContentReader
from dragoman.records.reader import Reader, nothing_pending
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from dragoman.upstream.health import HealthBoard
from dragoman.web.control import control_plane
from dragoman.web.outlet import Receive, Send
from dragoman.web.plane import Control
from tests.access.fakes import PEPPER, FakeKeeper
from tests.relay.scene import catalog, endpoint
from tests.web.asgi import Client


class Plane:
    """A control plane over real databases, with one model and one good key."""

    def __init__(self, premises: Premises) -> None:
        self.catalog = catalog(endpoint("a"), endpoint("b"))
        self.health = HealthBoard()
        self.keeper = FakeKeeper()
        self.key = self.keeper.mint()
        self.problems: list[str] = []
        self._records = premises.records
        self.control = Control(
            catalog=lambda: self.catalog,
            gate=Gate(self.keeper, PEPPER, Clock(), AccessOptions()),
            ledger=premises.ledger,
            mint=Mint("sk-dm-v1-", premises.pepper),
            reader=Reader(premises.records),
            contents=ContentReader(premises.records, nothing_pending),
            vault=premises.vault,
            clock=Clock(),
            problems=self._why_not_ready,
            measure=lambda id_: self.health.measured(id_, 0.0),
        )
        self._app = control_plane(self.control)

    async def record(self, *made: Generation) -> None:
        """Have generations on record."""
        await self._records.run(lambda connection: store(connection, made))

    async def join(self, id_: str, account: str, *hashes: str) -> None:
        """Have a member of an account, whose keys are these."""
        made = Member(id=id_, account=account, name="n", email=f"{id_}@example.com", created_at=1.0)
        await self.control.ledger.run(lambda connection: members.add(connection, made))
        for hash_ in hashes:
            key = Key(hash=hash_, verifier="", name="k", label="k", created_at=1.0, creator=id_)
            await self.control.ledger.run(partial(keyring.add, key=replace(key, account=account)))

    async def _why_not_ready(self) -> list[str]:
        return self.problems

    async def serve(self, scope: Any, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)

    def request(self, path: str, *, method: str = "GET", **headers: str) -> Client:
        """Return a request that is yet to be served. `path` may hold a query."""
        path, _, query = path.partition("?")
        client = Client(b"", headers, method=method, path=path)
        client.scope["query_string"] = query.encode()
        return client

    async def get(self, path: str, *, method: str = "GET", **headers: str) -> Client:
        return await self.request(path, method=method, **headers).of(self.serve)

    async def get_keyed(self, path: str) -> Client:
        return await self.get(path, authorization=f"Bearer {self.key}")
