"""Opens accounts' own credentials, for requests with a key of the account. Knows no database.

How they are sealed, and to what each is bound, is told in `dragoman.access.vault`.
"""

import logging

from dragoman.access.types import Known, OwnCredential
from dragoman.catalog.byok import Byok
from dragoman.catalog.hosts import Credential
from dragoman.core.secret import Secret
from dragoman.store.cipher import Unsealable, bound, unseal
from dragoman.store.custody import CustodyError
from dragoman.store.kek import KekFile, Wrapped

FORM = 1
NOTHING = Secret("")

_log = logging.getLogger(__name__)


class Opener:
    """Opens. What it returns cannot be printed."""

    def __init__(self, keks: KekFile) -> None:
        self.keks = keks

    def opened(self, known: Known) -> tuple[Byok, ...]:
        """Return what the account brings along for requests with this key.

        A credential that cannot be opened stays, without address and secret: where it says
        that the installation's are not to be used, they are not.
        """
        if not known.own:
            return ()
        key = self._key_of(known.account, known.data_key)
        return tuple(
            _opened(each, key)
            for each in known.own
            if (not each.allowed_keys or known.hash in each.allowed_keys)
            and (not each.allowed_users or known.creator in each.allowed_users)
        )

    def _key_of(self, account: str, wrapped: Wrapped | None) -> bytes:
        """Return the key of an account; nothing, which opens nothing, where there is none."""
        if wrapped is None:  # it was forgotten, and the secrets that it sealed with it
            return b""
        try:
            return self.data_key(account, wrapped)
        except CustodyError as error:
            _log.error("byok.locked account=%s cause=%s", account, error)
            return b""

    def data_key(self, account: str, wrapped: Wrapped) -> bytes:
        """Open the key that seals an account's credentials. Raises CustodyError."""
        kek = self.keks.find(wrapped.kek)
        if kek is None:
            raise CustodyError(
                f"{self.keks.path} does not hold the key {wrapped.kek}, which the providers' "
                "credentials in the database are sealed with. Put it back from a backup, or copy "
                "it from another node. If nobody has it any more: dragoman byok forget"
            )
        try:
            return unseal(kek.secret, wrapped.sealed, bound_key(account))
        except Unsealable as error:
            raise CustodyError(f"The data key of account {account} is damaged: {error}") from error


def bound_key(account: str) -> bytes:
    """Return what the data key of an account is bound to."""
    return bound("data_key", FORM, account)


def bound_to(row: OwnCredential) -> bytes:
    """Return what a credential is bound to."""
    return bound("byok", FORM, row.account, row.id, row.provider, row.origin, row.version)


def _opened(row: OwnCredential, key: bytes) -> Byok:
    try:
        secret = Secret(unseal(key, row.sealed, bound_to(row)).decode())
        origin = row.origin
    except (Unsealable, UnicodeDecodeError):
        _log.error("byok.unreadable id=%s provider=%s", row.id, row.provider)
        secret, origin = NOTHING, ""
    return Byok(
        credential=Credential(
            id=f"byok:{row.id}:{row.version}",
            provider=row.provider,
            secret=secret,
            source=f"byok {row.label}",
        ),
        origin=origin,
        fallback=row.is_fallback,
        required=row.is_required,
        only=row.is_byok_only,
        zdr=row.declared_zdr,
        models=frozenset(row.allowed_models),
    )
