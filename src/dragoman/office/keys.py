"""Make, find and change keys. Each use case is one transaction.

A use case is returned as a unit of work, which a server gives to `Database.run`
and a command to `Database.run_now`. A change acts on running servers within a
second: they are told by its epoch.
"""

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import Connection

from dragoman.access import keyring
from dragoman.access.types import Key
from dragoman.core import ids
from dragoman.core.errors import InvalidRequest, NotFound
from dragoman.store.custody import Pepper
from dragoman.store.sql import Work

NAME_LENGTH = 100
SHORTEST_START = 6
SHOWN_HASH = 12
SHOWN_WANTED = 16


def create(name: str, *, prefix: str, pepper: Pepper, now: float) -> Work[tuple[str, Key]]:
    """Make a key called `name`: its text, which is stored nowhere, and its row.

    Raises InvalidRequest at once for an empty, long or unprintable name.
    """
    name = _checked(name)

    def work(connection: Connection) -> tuple[str, Key]:
        text = ids.new_key(prefix)
        key = Key(
            hash=ids.key_hash(text),
            verifier=pepper.sign(text),
            name=name,
            label=ids.key_label(text, prefix),
            created_at=now,
        )
        keyring.add(connection, key)
        return text, key

    return work


def every(connection: Connection) -> tuple[Key, ...]:
    """Return all keys, newest first, disabled and revoked ones too."""
    return keyring.every_key(connection)


def find(wanted: str) -> Work[Key]:
    """Find one key by its hash, its name, the start of its hash or label, or the key itself.

    Raises NotFound, and InvalidRequest naming the candidates when there are several.
    A revoked key is found by its whole hash or its text only.
    """

    def work(connection: Connection) -> Key:
        keys = keyring.every_key(connection)
        exact = {wanted, ids.key_hash(wanted)} if wanted.isascii() else {wanted}
        for key in keys:
            if key.hash in exact:
                return key
        live = [key for key in keys if key.revoked_at is None]
        named = [key for key in live if key.name == wanted]
        return _only(wanted, named or [key for key in live if _begins(key, wanted)])

    return work


def disable(wanted: str, now: float) -> Work[Key]:
    """Switch off the key that `find(wanted)` finds, until it is enabled again."""

    def work(connection: Connection) -> Key:
        key = _unrevoked(find(wanted)(connection))
        return _changed(connection, key, replace(key, disabled=True, updated_at=now))

    return work


def enable(wanted: str, now: float) -> Work[Key]:
    """Switch a disabled key on again. Raises InvalidRequest for a revoked one."""

    def work(connection: Connection) -> Key:
        key = _unrevoked(find(wanted)(connection))
        return _changed(connection, key, replace(key, disabled=False, updated_at=now))

    return work


def revoke(wanted: str, now: float) -> Work[Key]:
    """Switch a key off for good. Its row stays, for the records that name it."""

    def work(connection: Connection) -> Key:
        key = find(wanted)(connection)
        if key.revoked_at is not None:
            return key
        return _changed(connection, key, replace(key, revoked_at=now, updated_at=now))

    return work


def _changed(connection: Connection, before: Key, after: Key) -> Key:
    if replace(after, updated_at=before.updated_at) == before:
        return before
    keyring.replace(connection, after)
    return after


def _unrevoked(key: Key) -> Key:
    if key.revoked_at is not None:
        raise InvalidRequest(f"Key {key.name!r} is revoked, which is final")
    return key


def _checked(name: str) -> str:
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InvalidRequest(f"A key's name has 1 to {NAME_LENGTH} printable characters")
    return name


def _begins(key: Key, wanted: str) -> bool:
    if len(wanted) < SHORTEST_START:
        return False
    return key.hash.startswith(wanted) or key.label.startswith(wanted)


def _only(wanted: str, found: Sequence[Key]) -> Key:
    if len(found) == 1:
        return found[0]
    wanted = wanted[:SHOWN_WANTED]  # it may be a key, pasted by mistake
    if not found:
        raise NotFound(f"No key has a hash, label or name like {wanted!r}")
    listed = ", ".join(f"{key.name!r} ({key.hash[:SHOWN_HASH]}, {key.label})" for key in found)
    raise InvalidRequest(f"{wanted!r} may be any of {len(found)} keys: {listed}. Give the hash")
