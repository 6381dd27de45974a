"""Make, find and change keys. Each use case is one transaction, with its entry in the audit log.

A use case is returned as a unit of work, which a server gives to `Database.run`
and a command to `Database.run_now`. A change acts on running servers within a
second: they are told by its epoch. What the management API makes of these is in
`dragoman.office.key_admin`.
"""

from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from msgspec.structs import asdict, replace
from sqlalchemy import Connection

from dragoman.access import audit, keyring, members
from dragoman.access.audit import Act
from dragoman.access.types import DEFAULT_ACCOUNT, Grant, Key, Reset
from dragoman.core import ids
from dragoman.core.errors import InvalidRequest, NotFound
from dragoman.ledger import entries
from dragoman.office.limits import impose, tell_users
from dragoman.records.reader import KeyUsage
from dragoman.store.custody import Pepper
from dragoman.store.sql import Work

NAME_LENGTH = 100
SHORTEST_START = 6
SHOWN_HASH = 12
SHOWN_WANTED = 16
CLI = "cli"


LIMITS = ("limit_nanos", "limit_reset", "include_byok_in_limit")
USER_LIMITS = ("user_limit_nanos", "user_limit_reset")


class Limit(Struct, frozen=True, kw_only=True):
    """What somebody may spend in each window, in nano-USD; None for no limit."""

    nanos: int | None
    reset: Reset | None = None


class Limits(Struct, frozen=True, kw_only=True):
    """Which limits of a key to change; those that are None stay."""

    key: Limit | None = None
    users: Limit | None = None
    """For each end user."""
    include_byok: bool | None = None
    """Whether what providers bill the account itself counts."""


def create(
    name: str,
    *,
    prefix: str,
    pepper: Pepper,
    now: float,
    grant: Grant = Grant(),  # noqa: B008 - frozen
    account: str = DEFAULT_ACCOUNT,
) -> Work[tuple[str, Key]]:
    """Make a key called `name`: its text, which is stored nowhere, and its row.

    Raises InvalidRequest at once for an empty, long or unprintable name, and for what
    `grant` cannot be; for an account that has no keys when it runs, or NotFound.
    """
    name = checked_name(name)
    check_grant(grant, now)

    def work(connection: Connection) -> tuple[str, Key]:
        check_account(connection, account)
        text = ids.new_key(prefix)
        key = Key(
            name=name,
            created_at=now,
            hash=ids.key_hash(text),
            verifier=pepper.sign(text),
            label=ids.key_label(text, prefix),
            account=account,
            **asdict(grant),
        )
        add(connection, key, Act(actor=CLI, at=now))
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
    return _switch(wanted, now, disabled=True)


def enable(wanted: str, now: float) -> Work[Key]:
    """Switch a disabled key on again. Raises InvalidRequest for a revoked one."""
    return _switch(wanted, now, disabled=False)


def revoke(wanted: str, now: float) -> Work[Key]:
    """Switch a key off for good. Its row stays, for the records that name it."""

    def work(connection: Connection) -> Key:
        keyring.take_turn(connection)
        key = find(wanted)(connection)
        if key.revoked_at is not None:
            return key
        return change(connection, key, replace(key, revoked_at=now), Act(actor=CLI, at=now))

    return work


def limit(wanted: str, to: Limits, used: KeyUsage, now: float) -> Work[Key]:
    """Change what a key and its end users may spend. What the key has `used` counts for it."""

    def work(connection: Connection) -> Key:
        keyring.take_turn(connection)
        key = after = _unrevoked(find(wanted)(connection))
        if to.key is not None:
            after = replace(after, limit_nanos=to.key.nanos, limit_reset=to.key.reset)
        if to.users is not None:
            users = to.users
            after = replace(after, user_limit_nanos=users.nanos, user_limit_reset=users.reset)
        if to.include_byok is not None:
            after = replace(after, include_byok_in_limit=to.include_byok)
        reimpose(connection, key, after, used)
        return change(connection, key, after, Act(actor=CLI, at=now))

    return work


def reimpose(connection: Connection, before: Key, after: Key, used: KeyUsage) -> None:
    """Bring a key's purse to limits that changed. What the key has `used` counts."""
    if any(getattr(before, name) != getattr(after, name) for name in LIMITS):
        impose(connection, after, used, before)


def add(connection: Connection, key: Key, act: Act) -> None:
    """Insert a new key, and tell the audit log what it may do. Raises InvalidRequest."""
    if key.creator is not None and members.live(connection, key.account, key.creator) is None:
        raise InvalidRequest(f"creator_user_id: {key.creator[:100]!r} is no member of the account")
    keyring.add(connection, key)
    plain = asdict(Grant()) | {"account": DEFAULT_ACCOUNT}
    said = {name: getattr(key, name) for name in plain if getattr(key, name) != plain[name]}
    audit.append(connection, act, "key.create", _subject(key), {"name": key.name, **said})


def change(connection: Connection, before: Key, after: Key, act: Act) -> Key:
    """Write what became of a key, if anything did, and tell the audit log what."""
    values, new = asdict(before), asdict(after)
    said: dict[str, Any] = {name: [values[name], new[name]] for name in new}
    said = {name: pair for name, pair in said.items() if pair[0] != pair[1]}
    if not said:
        return before
    after = replace(after, updated_at=act.at)
    keyring.replace(connection, after)
    if said.keys() & set(USER_LIMITS):
        tell_users(connection)
    action = "key.delete" if "revoked_at" in said else "key.update"
    audit.append(connection, act, action, _subject(after), said)
    return after


def checked_name(name: str) -> str:
    """Return the name without spaces around it. Raises InvalidRequest."""
    name = name.strip()
    if not 0 < len(name) <= NAME_LENGTH or not name.isprintable():
        raise InvalidRequest(f"A key's name has 1 to {NAME_LENGTH} printable characters")
    return name


def check_grant(grant: Grant, now: float) -> None:
    """Raise InvalidRequest for an expiry that is past."""
    if grant.expires_at is not None and grant.expires_at <= now:
        raise InvalidRequest("expires_at: lies in the past")


def check_account(connection: Connection, account: str) -> None:
    """Raise InvalidRequest for an account that has no keys, NotFound for one that is not there."""
    owner = entries.find_account(connection, account)
    if owner.kind == "house" or owner.closed_at is not None:
        why = "is closed" if owner.closed_at is not None else "is one of the house"
        raise InvalidRequest(f"The account {account} {why}, and has no keys")


def _switch(wanted: str, now: float, *, disabled: bool) -> Work[Key]:
    def work(connection: Connection) -> Key:
        keyring.take_turn(connection)
        key = _unrevoked(find(wanted)(connection))
        return change(connection, key, replace(key, disabled=disabled), Act(actor=CLI, at=now))

    return work


def _subject(key: Key) -> str:
    return f"key:{key.hash}"


def _unrevoked(key: Key) -> Key:
    if key.revoked_at is not None:
        raise InvalidRequest(f"Key {key.name!r} is revoked, which is final")
    return key


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
