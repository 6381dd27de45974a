"""A key as the database knows it, and the protocol by which a worker asks the keeper."""

from typing import Protocol

from msgspec import Struct


class Key(Struct, frozen=True, kw_only=True):
    """A row of the table of keys. The key itself is stored nowhere.

    `hash` is its SHA-256 in hex and its public id; `verifier` is its HMAC under
    the pepper, so that write access to the database cannot mint a key. Times are
    Unix seconds, `limit_nanos` nano-USD.
    """

    hash: str
    verifier: str
    name: str
    label: str
    created_at: float
    updated_at: float | None = None
    disabled: bool = False
    revoked_at: float | None = None
    limit_nanos: int | None = None


class Changes(Struct, frozen=True):
    """What changed since an epoch: the new epoch, and the hashes of keys to look up anew."""

    epoch: int
    keys: tuple[str, ...]


class Keeper(Protocol):
    """What a data worker asks of the one process that owns the database.

    In memory when both are one process; the shape stays when they are not.
    """

    async def key(self, hash_: str, verifier: str) -> Key | None:
        """Return a key that may be used, None if the database positively has none."""

    async def changes(self, since: int) -> Changes:
        """Return what changed after epoch `since`."""


class Caller(Struct, frozen=True, kw_only=True):
    """Who makes a request, once the key is known to be good."""

    key_hash: str
    key_name: str
    key_label: str
