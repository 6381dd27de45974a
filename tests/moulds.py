"""Databases in today's shape, made once in a run and copied for each test that wants one.

Migrating an empty PostgreSQL takes a third of a second, with which hundreds of tests would begin.
A copy is where `open_premises` is once there are tables, and before it keeps a secret. Tests of
how tables come to be want an empty place instead: the fixture `state` of `tests/conftest.py`.
"""

import asyncio
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import asyncpg

from dragoman.office.premises import close, open_homes, upgrade
from dragoman.store.custody import keep_directory
from dragoman.store.options import DatabaseOptions
from tests import postgres


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
