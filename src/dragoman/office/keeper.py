"""The keeper within this process: answers workers straight from the ledger database."""

import hmac

from dragoman.access import keyring
from dragoman.access.types import Changes, Key
from dragoman.store.sql import Database


class LocalKeeper:
    """A `dragoman.access.types.Keeper` beside the database."""

    def __init__(self, ledger: Database) -> None:
        self._ledger = ledger

    async def key(self, hash_: str, verifier: str) -> Key | None:
        """Return the key if it exists, is neither disabled nor revoked, and is verified.

        Raises Unavailable when the database cannot tell.
        """
        key = await self._ledger.read(keyring.by_hash(hash_))
        if key is None or key.disabled or key.revoked_at is not None:
            return None
        genuine = hmac.compare_digest(key.verifier.encode(), verifier.encode())
        return key if genuine else None

    async def changes(self, since: int) -> Changes:
        """Return the present epoch, and the keys that changed after epoch `since`."""
        return await self._ledger.read(keyring.changes(since))
