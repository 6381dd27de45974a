"""Keep accounts' own credentials at providers (BYOK). Each use case is one transaction.

The audit entry is part of it. A credential of another account, and one that was deleted,
does not exist for an account. The secret comes in, is sealed, and never comes out but in
requests to the provider; of deleted credentials it is wiped.
"""

import secrets
import uuid
from typing import Any

import msgspec
from msgspec import UNSET, Struct, structs
from sqlalchemy import Connection

from dragoman.access import audit, keyring, members, own_credentials, replays
from dragoman.access.audit import Act
from dragoman.access.replays import Done
from dragoman.access.types import OwnCredential
from dragoman.access.vault import Vault
from dragoman.catalog.byok import origin_of
from dragoman.catalog.names import nearest, provider_slug
from dragoman.catalog.types import Catalog, Provider
from dragoman.core.errors import Conflict, InvalidRequest, KeyReused, NotFound
from dragoman.core.secret import Secret
from dragoman.office import own_secrets
from dragoman.office.byok_bodies import ByokChange, NewByok
from dragoman.office.key_admin import NOWHERE, Manager, check_workspace, checked_repeat
from dragoman.office.key_bodies import model_ids
from dragoman.store.custody import Pepper
from dragoman.store.kek import Kek
from dragoman.store.sql import Work

MOST_PER_ACCOUNT = 200
FLAGS = (
    "disabled",
    "is_fallback",
    "is_required",
    "is_byok_only",
    "declared_zdr",
    "allowed_models",
    "allowed_keys",
    "allowed_users",
)
"""What the audit log tells of a new credential where it is set."""
NO_JSON = "Give the API key alone, as one line of text"
INSTEAD_OF_JSON = {"azure": f"{NO_JSON}; the resource is the one that is set up here."}
"""OpenRouter takes JSON for it (guides/overview/auth/byok); what does here in its place."""
UNSAID = frozenset({"sealed", "version", "updated_at"})
"""What the audit log need not tell: that a secret was replaced is told by its label."""


class Safe(Struct, frozen=True):
    """With what credentials are kept: what seals them, and what signs repeated requests."""

    vault: Vault
    pepper: Pepper


class Kept(Struct, frozen=True):
    """A credential, and whether this very request had added it before."""

    credential: OwnCredential
    replayed: bool = False


class Lost(Struct, frozen=True):
    """Accounts whose data key cannot be opened, and their credentials, deleted ones aside."""

    accounts: tuple[str, ...]
    credentials: tuple[OwnCredential, ...]


def add(
    new: NewByok, catalog: Catalog, safe: Safe, manager: Manager, repeat: str | None = None
) -> Work[Kept]:
    """Add a credential to the account. `repeat` is the request's `Idempotency-Key`.

    Raises InvalidRequest and NotFound at once, those again, KeyReused, Conflict and
    CustodyError when it runs.
    """
    check_workspace(new.workspace_id)
    provider = provider_of(new.provider, catalog)
    secret = _secret(new.key, provider)
    models = model_ids(new.allowed_models or (), catalog)
    key = None if repeat is None else checked_repeat(repeat)
    digest = safe.pepper.sign(f"POST /byok\n{msgspec.json.encode(new).decode()}")

    def work(connection: Connection) -> Kept:
        keyring.take_turn(connection)
        if key is not None:
            done = replays.recall(connection, manager.account, key, manager.act.at)
            if done is not None:
                return _again(connection, done, digest, manager.account)
        made = _made(connection, new, provider, manager)
        made = structs.replace(made, allowed_models=models, label=label_of(secret))
        _check(connection, made)
        made = safe.vault.sealed(connection, made, secret)
        own_credentials.add(connection, made)
        audit.append(connection, manager.act, "byok.create", _subject(made), _told(made))
        if key is not None:
            nonce = secrets.token_hex(8)
            done = Done(digest=digest, nonce=nonce, subject=made.id)
            replays.remember(connection, manager.account, key, done, manager.act.at)
        return Kept(made)

    return work


def one(id_: str, account: str) -> Work[OwnCredential]:
    """Read a credential of the account. Raises NotFound."""

    def work(connection: Connection) -> OwnCredential:
        found = own_credentials.by_id(connection, account, id_)
        if found is None:
            raise NotFound(NOWHERE)
        return found

    return work


def amend(
    id_: str, change: ByokChange, catalog: Catalog, vault: Vault, manager: Manager
) -> Work[OwnCredential]:
    """Change a credential of the account. A new secret is for the provider's address of now.

    Raises InvalidRequest at once, that again, NotFound and CustodyError when it runs.
    """
    said = {name: value for name, value in structs.asdict(change).items() if value is not UNSET}
    said.pop("declared_region", None)
    given = said.pop("key", None)
    if "allowed_models" in said:
        said["allowed_models"] = model_ids(said["allowed_models"] or (), catalog)
    if "allowed_api_key_hashes" in said:
        said["allowed_keys"] = said.pop("allowed_api_key_hashes") or ()
    if "allowed_user_ids" in said:
        said["allowed_users"] = said.pop("allowed_user_ids") or ()
    if "name" in said:
        said["name"] = _name(said["name"])

    def work(connection: Connection) -> OwnCredential:
        keyring.take_turn(connection)
        before = one(id_, manager.account)(connection)
        after = structs.replace(before, **said)
        secret = None
        if given is not None:
            provider = provider_of(before.provider, catalog)
            secret = _secret(given, provider)
            after = structs.replace(
                after,
                origin=_origin(provider),
                label=label_of(secret),
                version=before.version + 1,
            )
        _check(connection, after, before)
        if after == before:
            return before
        if secret is not None:
            after = vault.sealed(connection, after, secret)
        return _changed(connection, before, after, manager)

    return work


def delete(id_: str, manager: Manager) -> Work[OwnCredential]:
    """Remove a credential of the account and wipe its secret. Raises NotFound."""

    def work(connection: Connection) -> OwnCredential:
        keyring.take_turn(connection)
        before = one(id_, manager.account)(connection)
        after = structs.replace(before, deleted_at=manager.act.at, sealed="")
        return _changed(connection, before, after, manager, "byok.delete")

    return work


def find(wanted: str) -> Work[OwnCredential]:
    """Find a credential of any account by how its id begins. Raises NotFound, InvalidRequest."""

    def work(connection: Connection) -> OwnCredential:
        found = [e for e in own_credentials.accounts(connection) if e.id.startswith(wanted)]
        if not wanted or not found:
            raise NotFound(f"No credential has an id that begins with {wanted!r}")
        if len(found) > 1:
            raise InvalidRequest(f"{wanted!r} may be any of {len(found)} credentials: give more")
        return found[0]

    return work


def lost(vault: Vault) -> Work[Lost]:
    """Read which accounts' data keys cannot be opened, and their credentials.

    Raises CustodyError.
    """

    def work(connection: Connection) -> Lost:
        gone = vault.lost(connection)
        every = own_credentials.accounts(connection)
        return Lost(gone, tuple(each for each in every if each.account in gone))

    return work


def forget_lost(vault: Vault, act: Act) -> Work[Lost]:
    """Forget the secrets that cannot be opened, and return whose they were.

    The credentials stay without one: what the installation's were kept from is still kept from
    them, until the secret is entered again. Raises CustodyError.
    """

    def work(connection: Connection) -> Lost:
        keyring.take_turn(connection)
        found = lost(vault)(connection)
        for each in found.credentials:
            after = structs.replace(each, sealed="")
            _changed(connection, each, after, Manager(each.account, act), "byok.forget")
        for account in found.accounts:
            own_credentials.drop_key(connection, account)
        return found

    return work


def rotate(vault: Vault) -> Work[tuple[Kek | None, int]]:
    """Seal all data keys under a new key-encryption key; see `Vault.rotated`.

    Once it is committed, `vault.keks.keep` drops the keys before. Raises CustodyError.
    """
    return vault.rotated


def label_of(secret: Secret) -> str:
    """Return what is shown of a secret, for its owner to know it by: `sk-...AbCd`.

    Of a credential that is JSON it is the address, or of an id the ends.
    """
    text = secret.reveal()
    return own_secrets.label(secret) if text.startswith("{") else own_secrets.ends(text)


def _made(
    connection: Connection, new: NewByok, provider: Provider, manager: Manager
) -> OwnCredential:
    place = new.sort_order
    if place is None:
        place = own_credentials.next_place(connection, manager.account, provider.slug)
    return OwnCredential(
        id=str(uuid.uuid4()),
        account=manager.account,
        provider=provider.slug,
        origin=_origin(provider),
        label="",
        name=_name(new.name),
        disabled=new.disabled,
        is_fallback=new.is_fallback,
        is_required=new.is_required,
        is_byok_only=new.is_byok_only,
        declared_zdr=new.declared_zdr,
        sort_order=place,
        allowed_keys=new.allowed_api_key_hashes or (),
        allowed_users=new.allowed_user_ids or (),
        created_at=manager.act.at,
    )


def _again(connection: Connection, done: Done, digest: str, account: str) -> Kept:
    if done.digest != digest:
        raise KeyReused("Idempotency-Key: it came with another request before; use a new one")
    found = own_credentials.by_id(connection, account, done.subject)
    if found is None:
        raise Conflict(
            "Idempotency-Key: the credential that this request made was deleted; use a new one",
            should_retry=False,
        )
    return Kept(found, replayed=True)


def _changed(
    connection: Connection,
    before: OwnCredential,
    after: OwnCredential,
    manager: Manager,
    action: str = "byok.update",
) -> OwnCredential:
    values, new = structs.asdict(before), structs.asdict(after)
    said: dict[str, Any] = {name: [values[name], new[name]] for name in new if name not in UNSAID}
    said = {name: pair for name, pair in said.items() if pair[0] != pair[1]}
    if after.version != before.version:
        said["key"] = "replaced"
    after = structs.replace(after, updated_at=manager.act.at)
    own_credentials.replace(connection, after)
    audit.append(connection, manager.act, action, _subject(after), said)
    return after


def _check(
    connection: Connection, made: OwnCredential, before: OwnCredential | None = None
) -> None:
    """Raise InvalidRequest for what a credential cannot be.

    Whoever it was for `before` may be gone since: that keeps nobody from changing the rest.
    """
    if made.is_byok_only and made.is_fallback:
        raise InvalidRequest("is_byok_only: cannot be combined with is_fallback")
    for hash_ in set(made.allowed_keys).difference(before.allowed_keys if before else ()):
        key = keyring.by_hash(hash_)(connection)
        if key is None or key.account != made.account or key.revoked_at is not None:
            raise InvalidRequest(f"allowed_api_key_hashes: the account has no key {hash_}")
    for id_ in set(made.allowed_users).difference(before.allowed_users if before else ()):
        if members.live(connection, made.account, id_) is None:
            raise InvalidRequest(f"allowed_user_ids: the account has no member {id_}")
    if before is None:
        wanted = own_credentials.Wanted(account=made.account, limit=1)
        _, count = own_credentials.listed(wanted)(connection)
        if count >= MOST_PER_ACCOUNT:
            raise InvalidRequest(f"An account has at most {MOST_PER_ACCOUNT} credentials")


def provider_of(name: str, catalog: Catalog) -> Provider:
    """Return the provider that a name means, if a secret is of use there. Raises InvalidRequest."""
    slug = provider_slug(catalog, name)
    provider = None if slug is None else catalog.providers.get(slug)
    if provider is None:
        near = ", ".join(nearest(name, catalog.provider_names))
        raise InvalidRequest(f"provider: {name!r} is no provider. Did you mean {near}?")
    if provider.auth == "none":
        raise InvalidRequest(f"provider: {provider.name} asks for no credential")
    _origin(provider)
    return provider


def _origin(provider: Provider) -> str:
    origin = origin_of(provider.base_url)
    if not origin:
        raise InvalidRequest(
            f"provider: the address of {provider.name} is not set up here: {provider.base_url}"
        )
    return origin


def _secret(text: str, provider: Provider) -> Secret:
    text = text.strip()
    form = own_secrets.FORMS.get(provider.auth)
    is_json = text[:1] in {"{", "["}
    if form is not None and (is_json or provider.auth != "sigv4"):
        return own_secrets.in_form(text, form)
    if not text or not text.isascii() or not text.isprintable():
        raise InvalidRequest("key: give one line of printable ASCII characters")
    if is_json:
        hint = INSTEAD_OF_JSON.get(provider.slug, f"{NO_JSON}.")
        raise InvalidRequest(f"key: {provider.name} takes no credential that is JSON. {hint}")
    return Secret(text)


def _name(name: str | None) -> str | None:
    name = (name or "").strip()
    if not name.isprintable():
        raise InvalidRequest("name: give printable characters")
    return name or None


def _subject(made: OwnCredential) -> str:
    return f"byok:{made.id}"


def _told(made: OwnCredential) -> dict[str, Any]:
    names = ("provider", "origin", "label", "name", "account")
    told = {name: getattr(made, name) for name in names}
    for name in FLAGS:
        value = getattr(made, name)
        if value:
            told[name] = value
    return told
