"""What is dear to make, made once in a run: databases in today's shape, and catalogs of nodes.

Migrating an empty PostgreSQL takes a third of a second, with which hundreds of tests would begin.
A copy is where `open_premises` is once there are tables, and before it keeps a secret. Tests of
how tables come to be want an empty place instead: the fixture `state` of `tests/conftest.py`.
"""

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from math import inf
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from dragoman.catalog.assemble import Shipped
from dragoman.catalog.changes import endpoints
from dragoman.catalog.hosts import Hosts
from dragoman.catalog.options import Declared
from dragoman.catalog.types import Catalog, Model
from dragoman.office.premises import close, open_homes, upgrade
from dragoman.store.custody import keep_directory
from dragoman.store.options import DatabaseOptions
from tests import postgres


def remembering(assemble: Callable[..., Catalog]) -> Callable[..., Catalog]:
    """Return `assemble` with a memory of the last few catalogs, each while its prices hold."""
    made: deque[tuple[Shipped, object, float, float, Catalog]] = deque(maxlen=8)

    def remembered(
        shipped: Shipped,
        hosts: Hosts,
        declared: Declared,
        *,
        discovered: Iterable[Model] = (),
        dialects: frozenset[str] | None = None,
        now: int = 0,
    ) -> Catalog:
        found = tuple(discovered)
        of = (hosts.providers, hosts.configured, declared, dialects, found)
        for rows, same, since, until, catalog in made:
            if rows is shipped and since <= now < until and same == of:
                return catalog
        new = assemble(shipped, hosts, declared, discovered=found, dialects=dialects, now=now)
        later = (each.upcoming for each in endpoints(new.models.values()) if each.upcoming)
        made.append((shipped, of, now, min((dated[0].since for dated in later), default=inf), new))
        return new

    return remembered


def furnish(data: Path, options: DatabaseOptions) -> None:
    """Make every table of an installation, in files of `data` or where `options` say."""
    if options.server is None:
        keep_directory(data)
    homes = open_homes(data, options)
    try:
        for home in homes:
            upgrade(home, 0.0)
    finally:
        close(homes)


class Mould:
    """A database of a server, which is copied, and the connection that does it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._loop = asyncio.new_event_loop()
        self._connection: Any = self._loop.run_until_complete(asyncpg.connect(url))
        self._name = _new_name()
        self._may_copy = True
        try:
            self._say(f"CREATE DATABASE {self._name}")
        except asyncpg.InsufficientPrivilegeError:
            self._may_copy = False
        else:
            furnish(Path(), self._within(self._name))

    @contextmanager
    def copy(self) -> Iterator[DatabaseOptions]:
        """Have a database for oneself; it is gone afterwards.

        Who may make none in this server has a schema instead.
        """
        if not self._may_copy:
            with postgres.schema(self._url) as options:
                furnish(Path(), options)
                yield options
            return
        name = _new_name()
        self._say(f"CREATE DATABASE {name} TEMPLATE {self._name}")
        try:
            yield self._within(name)
        finally:
            self._say(f"DROP DATABASE {name} WITH (FORCE)")

    def close(self) -> None:
        """Leave nothing behind: the server may be one that stays."""
        if self._may_copy:
            self._say(f"DROP DATABASE {self._name} WITH (FORCE)")
        self._loop.run_until_complete(self._connection.close())
        self._loop.close()

    def _say(self, statement: str) -> None:
        self._loop.run_until_complete(self._connection.execute(statement))

    def _within(self, name: str) -> DatabaseOptions:
        return DatabaseOptions(url=urlsplit(self._url)._replace(path=f"/{name}").geturl())


def _new_name() -> str:
    return f"test_{secrets.token_hex(6)}"
