"""The vault: seals accounts' own credentials, and opens them for the requests of the account.

Each account has a data key, which seals its credentials and is itself sealed under the
key-encryption key that lies outside the database. A credential is bound to its account, id,
provider, address and version: none can be moved to another row, and one whose row was made
to name another host opens no more, so that it cannot be sent there.
"""

import secrets

from msgspec import structs
from sqlalchemy import Connection

from dragoman.access import keyring
from dragoman.access.opener import Opener, bound_key, bound_to
from dragoman.access.own_credentials import (
    add_key,
    replace_key,
    wrapped_key,
    wrapped_keys,
)
from dragoman.access.types import OwnCredential
from dragoman.core.secret import Secret
from dragoman.store.cipher import KEY_BYTES, seal
from dragoman.store.custody import CustodyError
from dragoman.store.kek import Kek, Wrapped


class Vault(Opener):
    """Seals and opens. What it returns cannot be printed."""

    def sealed(
        self, connection: Connection, credential: OwnCredential, secret: Secret
    ) -> OwnCredential:
        """Return the row with its secret sealed; an account's first one makes its data key.

        Raises CustodyError when the key-encryption key is not there.
        """
        account = credential.account
        wrapped = wrapped_key(connection, account)
        if wrapped is None:
            key, kek = secrets.token_bytes(KEY_BYTES), self.keks.newest()
            add_key(connection, account, _wrapped(key, account, kek))
        else:
            key = self.data_key(account, wrapped)
        text = seal(key, secret.reveal().encode(), bound_to(credential))
        return structs.replace(credential, sealed=text)

    def check(self, connection: Connection) -> None:
        """Raise CustodyError unless every data key can be opened."""
        for account, wrapped in wrapped_keys(connection).items():
            self.data_key(account, wrapped)

    def lost(self, connection: Connection) -> tuple[str, ...]:
        """Return the accounts whose data key cannot be opened with the keys there are.

        Raises CustodyError when the file of the keys is there and cannot be read: it may hold them.
        """
        if self.keks.path.exists():
            self.keks.text()
        return tuple(
            account
            for account, wrapped in wrapped_keys(connection).items()
            if not self._opens(account, wrapped)
        )

    def rotated(self, connection: Connection) -> tuple[Kek | None, int]:
        """Seal every data key under a new key; return it, and how many there were.

        A key that was put in force beforehand, and has sealed nothing yet, is the new one.
        Nothing is done where nothing was ever sealed. Needs a write transaction; once it is
        committed, the keys before may be dropped. Raises CustodyError.
        """
        keyring.take_epoch(connection)  # of two rotations one waits here, and sees the other's
        found = wrapped_keys(connection)
        if not found:
            return None, 0
        keys = {account: self.data_key(account, wrapped) for account, wrapped in found.items()}
        kek = self.keks.newest()
        if any(wrapped.kek == kek.id for wrapped in found.values()):
            kek = self.keks.add()
        for account, key in keys.items():
            replace_key(connection, account, _wrapped(key, account, kek))
        return kek, len(keys)

    def _opens(self, account: str, wrapped: Wrapped) -> bool:
        try:
            self.data_key(account, wrapped)
        except CustodyError:
            return False
        return True


def _wrapped(key: bytes, account: str, kek: Kek) -> Wrapped:
    return Wrapped(kek.id, seal(kek.secret, key, bound_key(account)))
