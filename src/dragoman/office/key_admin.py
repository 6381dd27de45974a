"""What the management API does with keys. Each use case is one transaction, audit entry included.

A management key sees and changes the inference keys of its account, and nothing else:
keys of another account, management keys and deleted ones do not exist for it. Management
keys are made on the command line.
"""

import hashlib
import secrets
from collections.abc import Callable

import msgspec
from msgspec import Struct, structs
from sqlalchemy import Connection

from dragoman.access import keyring, replays
from dragoman.access.audit import Act
from dragoman.access.replays import Done
from dragoman.access.types import DEFAULT_ACCOUNT, Grant, Key, Role
from dragoman.core import ids
from dragoman.core.errors import (
    Conflict,
    InvalidRequest,
    KeyReused,
    NotFound,
    PermissionDenied,
)
from dragoman.ledger import entries
from dragoman.office.key_bodies import DEFAULT_WORKSPACE, NewKey
from dragoman.office.keys import add, change, check_account, check_grant, checked_name, reimpose
from dragoman.records.reader import KeyUsage
from dragoman.store.custody import Pepper
from dragoman.store.sql import Work

PAGE = 100
NOWHERE = "Resource not found"
LONGEST_REPEAT = 255


class Mint(Struct, frozen=True):
    """What keys are made with: how their text begins, and the secret that verifies them."""

    prefix: str
    pepper: Pepper


class Manager(Struct, frozen=True):
    """For which account something is done, by whom and when; and as which member, if as one."""

    account: str
    act: Act
    member: str | None = None
    role: Role = "owner"

    @property
    def only(self) -> str | None:
        """Whose keys alone may be managed; None: those of the whole account."""
        return self.member if self.role == "member" else None


class Made(Struct, frozen=True):
    """A key with its text, and whether it had been made before."""

    key: Key
    text: str
    replayed: bool = False


def manager_for(manager: Manager, account: str | None) -> Manager:
    """Return who acts for this account, where None is the manager's own. Raises NotFound."""
    if account is None or account == manager.account:
        return manager
    if manager.account != DEFAULT_ACCOUNT or manager.only is not None:
        raise NotFound(NOWHERE)
    return structs.replace(manager, account=account)


def check_workspace(id_: str | None) -> None:
    """Raise NotFound for a workspace other than the one there is."""
    if id_ is not None and id_ != DEFAULT_WORKSPACE:
        raise NotFound(NOWHERE)


def make(
    new: NewKey, grant: Grant, mint: Mint, manager: Manager, repeat: str | None = None
) -> Work[Made]:
    """Make a key of the account. `repeat` is the request's `Idempotency-Key`.

    With one, the key is made once however often the request comes within a day. Its text is
    told each time, and stored nowhere all the same: it follows from the header, a random
    number in the database, and the pepper, which is not in the database.
    Raises InvalidRequest and NotFound at once, KeyReused and Conflict when it runs.
    """
    check_workspace(new.workspace_id)
    name = checked_name(new.name)
    check_grant(grant, manager.act.at)
    grant = _for(manager, grant)

    def minted(text: str) -> Key:
        return Key(
            hash=ids.key_hash(text),
            verifier=mint.pepper.sign(text),
            name=name,
            label=ids.key_label(text, mint.prefix),
            created_at=manager.act.at,
            account=manager.account,
            **structs.asdict(grant),
        )

    def work(connection: Connection) -> Made:
        check_account(connection, manager.account)
        text = ids.new_key(mint.prefix)
        add(connection, minted(text), manager.act)
        return Made(minted(text), text)

    if repeat is None:
        return work
    return _once(checked_repeat(repeat), _digest(new, manager.only), mint, manager, minted)


def _for(manager: Manager, grant: Grant) -> Grant:
    """Return what a new key may do: one that a mere member makes is the member's own.

    Source: OpenRouter's OpenAPI document, `POST /keys`, `creator_user_id`.
    """
    if manager.only is None:
        return grant
    if grant.creator not in {None, manager.only}:
        raise PermissionDenied("creator_user_id: only organization admins make keys for others")
    return structs.replace(grant, creator=manager.only)


def listed(wanted: keyring.Wanted, now: float) -> Work[tuple[Key, ...]]:
    """Read a page of an account's inference keys. Raises NotFound for an account that is none."""

    def work(connection: Connection) -> tuple[Key, ...]:
        if entries.find_account(connection, wanted.account).kind == "house":
            raise NotFound(NOWHERE)
        return keyring.listed(wanted, now)(connection)

    return work


def one(hash_: str, account: str, only: str | None = None) -> Work[Key]:
    """Read an inference key of the account, of one member only if named. Raises NotFound."""

    def work(connection: Connection) -> Key:
        key = keyring.by_hash(hash_)(connection)
        if (
            key is None
            or key.account != account
            or key.kind != "inference"
            or key.revoked_at is not None
            or only not in {None, key.creator}
        ):
            raise NotFound(NOWHERE)
        return key

    return work


def amend(hash_: str, wanted: Callable[[Key], Key], manager: Manager, used: KeyUsage) -> Work[Key]:
    """Change a key, which has `used` so much, as `wanted` says.

    Raises NotFound, and what `wanted` does.
    """

    def work(connection: Connection) -> Key:
        keyring.take_turn(connection)
        key = one(hash_, manager.account, manager.only)(connection)
        after = wanted(key)
        reimpose(connection, key, after, used)
        after = structs.replace(after, name=checked_name(after.name))
        return change(connection, key, after, manager.act)

    return work


def delete(hash_: str, manager: Manager) -> Work[Key]:
    """Switch a key off for good. Raises NotFound, also for one that is gone already."""

    def work(connection: Connection) -> Key:
        keyring.take_turn(connection)
        key = one(hash_, manager.account, manager.only)(connection)
        return change(connection, key, structs.replace(key, revoked_at=manager.act.at), manager.act)

    return work


def checked_repeat(repeat: str) -> str:
    """Return an `Idempotency-Key` as it may be kept. Raises InvalidRequest."""
    if not 0 < len(repeat) <= LONGEST_REPEAT or not all("!" <= each <= "~" for each in repeat):
        raise InvalidRequest(f"Idempotency-Key: give 1 to {LONGEST_REPEAT} visible ASCII letters")
    return repeat


def _once(
    repeat: str, digest: str, mint: Mint, manager: Manager, minted: Callable[[str], Key]
) -> Work[Made]:
    account, now = manager.account, manager.act.at

    def text_of(nonce: str) -> str:
        secret = mint.pepper.sign(f"idempotency {account} {repeat} {nonce}")
        return ids.key_of(mint.prefix, bytes.fromhex(secret))

    def work(connection: Connection) -> Made:
        keyring.take_turn(connection)
        done = replays.recall(connection, account, repeat, now)
        if done is not None:
            return _again(connection, done, digest, text_of(done.nonce), account)
        check_account(connection, account)
        nonce = secrets.token_hex(32)
        text = text_of(nonce)
        key = minted(text)
        add(connection, key, manager.act)
        done = Done(digest=digest, nonce=nonce, subject=key.hash)
        replays.remember(connection, account, repeat, done, now)
        return Made(key, text)

    return work


def _again(connection: Connection, done: Done, digest: str, text: str, account: str) -> Made:
    if done.digest != digest:
        raise KeyReused("Idempotency-Key: it came with another request before; use a new one")
    try:
        key = one(done.subject, account)(connection)
    except NotFound:
        key = None
    if key is None or ids.key_hash(text) != key.hash:
        raise Conflict(
            "Idempotency-Key: the key that this request made can no longer be told, since it"
            " was deleted or the prefix of keys changed; use a new one",
            should_retry=False,
        )
    return Made(key, text, replayed=True)


def _digest(new: NewKey, only: str | None) -> str:
    """Return what tells a request from others: a member's from an administrator's, too."""
    whose = b"" if only is None else only.encode() + b"\n"
    return hashlib.sha256(b"POST /keys\n" + whose + msgspec.json.encode(new)).hexdigest()
