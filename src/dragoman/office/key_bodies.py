"""The bodies of the management API for keys: what may be sent, read and checked; what is sent back.

Members, types and meanings are OpenRouter's (OpenAPI document, `/keys`); the allowlists,
rates and limits of end users are ours, added to them. A member that nobody knows is refused: a
restriction that was meant and is not kept would leave a key that may do more than its maker
thinks.
"""

import re
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs

from dragoman.access.rates import Count
from dragoman.access.types import Grant, Key, Reset
from dragoman.catalog.lookup import look_up
from dragoman.catalog.names import nearest, provider_slug
from dragoman.catalog.types import Catalog
from dragoman.core.errors import InvalidRequest
from dragoman.core.money import NANO, usd
from dragoman.office.key_info import iso, limit_usd, remaining_usd, user_limit_usd
from dragoman.office.reading import read
from dragoman.records.reader import KeyUsage

DEFAULT_WORKSPACE = "0d7a60ad-0000-4000-8000-000000000001"
"""The id of the one workspace there is: clients require one."""

MOST_USD = 1_000_000_000
MOST_LISTED = 1000
UTC_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)")

Name = Annotated[str, Meta(min_length=1)]
Names = Annotated[
    tuple[Annotated[str, Meta(min_length=1, max_length=200)], ...],
    Meta(min_length=1, max_length=MOST_LISTED),
]
Usd = Annotated[float, Meta(ge=0, le=MOST_USD)]


class NewKey(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /keys`."""

    name: Name
    limit: Usd | None = None
    limit_reset: Reset | None = None
    include_byok_in_limit: bool = False
    user_limit: Usd | None = None
    user_limit_reset: Reset | None = None
    expires_at: str | None = None
    creator_user_id: str | None = None
    workspace_id: str | None = None
    allowed_models: Names | None = None
    allowed_providers: Names | None = None
    rpm: Count | None = None
    tpm: Count | None = None
    concurrency: Count | None = None
    account: Name | None = None
    """Whose key it is: another account than one's own is for the operator to name."""


class KeyChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /keys/{hash}`. What is absent stays; null clears; lists are replaced."""

    name: Name | UnsetType = UNSET
    disabled: bool | UnsetType = UNSET
    limit: Usd | UnsetType | None = UNSET
    limit_reset: Reset | UnsetType | None = UNSET
    include_byok_in_limit: bool | UnsetType = UNSET
    user_limit: Usd | UnsetType | None = UNSET
    user_limit_reset: Reset | UnsetType | None = UNSET
    expires_at: str | UnsetType | None = UNSET
    allowed_models: Names | UnsetType | None = UNSET
    allowed_providers: Names | UnsetType | None = UNSET
    rpm: Count | UnsetType | None = UNSET
    tpm: Count | UnsetType | None = UNSET
    concurrency: Count | UnsetType | None = UNSET


class KeyRow(Struct, frozen=True, kw_only=True):
    """A key as the API shows it. Sums are USD; usage with a provider's own credential is apart."""

    hash: str
    label: str
    name: str
    disabled: bool
    limit: float | None
    limit_remaining: float | None
    limit_reset: Reset | None
    include_byok_in_limit: bool
    user_limit: float | None
    user_limit_reset: Reset | None
    usage: float
    usage_daily: float
    usage_weekly: float
    usage_monthly: float
    byok_usage: float = 0.0
    byok_usage_daily: float = 0.0
    byok_usage_weekly: float = 0.0
    byok_usage_monthly: float = 0.0
    created_at: str
    updated_at: str | None
    expires_at: str | None
    last_used_at: str | None
    creator_user_id: str | None = None
    external_user: None = None
    workspace_id: str = DEFAULT_WORKSPACE
    allowed_models: tuple[str, ...] | None
    allowed_providers: tuple[str, ...] | None
    rpm: int | None
    tpm: int | None
    concurrency: int | None


class MadeRow(KeyRow, frozen=True, kw_only=True):
    """A key with its text, which is shown this once."""

    key: str


class KeyBody(Struct, frozen=True):
    """One key."""

    data: KeyRow


class KeysBody(Struct, frozen=True):
    """A page of keys."""

    data: tuple[KeyRow, ...]


class MadeBody(Struct, frozen=True):
    """A new key. Its text stands in both places where clients look for it."""

    data: MadeRow
    key: str


class Deleted(Struct, frozen=True):
    """A key is gone."""

    deleted: Literal[True] = True


def read_new(body: bytes) -> NewKey:
    """Read the body of `POST /keys`. Raises InvalidRequest."""
    return read(body, NewKey)


def read_change(body: bytes) -> KeyChange:
    """Read the body of `PATCH /keys/{hash}`. Raises InvalidRequest."""
    return read(body, KeyChange)


def grant_of(new: NewKey, catalog: Catalog) -> Grant:
    """Return what a new key may do, in the words of the catalog. Raises InvalidRequest."""
    return Grant(
        limit_nanos=nanos_of(new.limit),
        limit_reset=new.limit_reset,
        include_byok_in_limit=new.include_byok_in_limit,
        user_limit_nanos=nanos_of(new.user_limit, "user_limit"),
        user_limit_reset=new.user_limit_reset,
        expires_at=None if new.expires_at is None else utc_time(new.expires_at),
        allowed_models=model_ids(new.allowed_models or (), catalog),
        allowed_providers=provider_slugs(new.allowed_providers or (), catalog),
        rpm=new.rpm,
        tpm=new.tpm,
        concurrency=new.concurrency,
        creator=new.creator_user_id,
    )


def amended(key: Key, change: KeyChange, catalog: Catalog) -> Key:
    """Return the key as `change` wants it. Raises InvalidRequest."""
    said = {name: value for name, value in structs.asdict(change).items() if value is not UNSET}
    if "expires_at" in said:
        expires_at = said.pop("expires_at")
        if (None if expires_at is None else utc_time(expires_at)) != key.expires_at:
            raise InvalidRequest("expires_at: the expiry of a key cannot be changed; make another")
    if "limit" in said:
        said["limit_nanos"] = nanos_of(said.pop("limit"))
    if "user_limit" in said:
        said["user_limit_nanos"] = nanos_of(said.pop("user_limit"), "user_limit")
    if "allowed_models" in said:
        said["allowed_models"] = model_ids(said["allowed_models"] or (), catalog)
    if "allowed_providers" in said:
        said["allowed_providers"] = provider_slugs(said["allowed_providers"] or (), catalog)
    return structs.replace(key, **said)


def key_row(key: Key, used: KeyUsage) -> KeyRow:
    """Return the row of a key that has been used so much."""
    return KeyRow(
        hash=key.hash,
        label=key.label,
        name=key.name,
        disabled=key.disabled,
        limit=limit_usd(key),
        limit_remaining=remaining_usd(key, used),
        limit_reset=key.limit_reset,
        include_byok_in_limit=key.include_byok_in_limit,
        user_limit=user_limit_usd(key),
        user_limit_reset=key.user_limit_reset,
        usage=usd(used.total),
        usage_daily=usd(used.day),
        usage_weekly=usd(used.week),
        usage_monthly=usd(used.month),
        byok_usage=usd(used.byok),
        byok_usage_daily=usd(used.byok_day),
        byok_usage_weekly=usd(used.byok_week),
        byok_usage_monthly=usd(used.byok_month),
        created_at=iso(key.created_at),
        updated_at=None if key.updated_at is None else iso(key.updated_at),
        expires_at=None if key.expires_at is None else iso(key.expires_at),
        last_used_at=None if used.last is None else iso(used.last),
        creator_user_id=key.creator,
        allowed_models=key.allowed_models or None,
        allowed_providers=key.allowed_providers or None,
        rpm=key.rpm,
        tpm=key.tpm,
        concurrency=key.concurrency,
    )


def made_body(key: Key, text: str) -> MadeBody:
    """Return the body for a new key."""
    return MadeBody(MadeRow(**structs.asdict(key_row(key, KeyUsage())), key=text), text)


def utc_time(text: str, where: str = "expires_at") -> float:
    """Read an ISO 8601 time in UTC, down to seconds at least. Raises InvalidRequest."""
    try:
        if UTC_TIME.fullmatch(text):
            return datetime.fromisoformat(text).timestamp()
    except ValueError:
        pass
    raise InvalidRequest(
        f"{where}: {text[:40]!r} is not a time in UTC, such as 2027-12-31T23:59:59Z"
    )


def model_ids(names: Sequence[str], catalog: Catalog) -> tuple[str, ...]:
    """Return the ids of the models that `names` mean. Raises InvalidRequest."""
    return tuple(sorted({_model_id(name, catalog) for name in names}))


def provider_slugs(names: Sequence[str], catalog: Catalog) -> tuple[str, ...]:
    """Return the slugs of the providers that `names` mean. Raises InvalidRequest."""
    return tuple(sorted({_provider_slug(name, catalog) for name in names}))


def _model_id(name: str, catalog: Catalog) -> str:
    named = look_up(name, catalog)
    if named is None or named.known not in catalog.models:
        near = ", ".join(nearest(name, catalog.models, known=catalog.letters))
        raise InvalidRequest(f"allowed_models: {name!r} is not a model. Did you mean {near}?")
    if named.variants:
        raise InvalidRequest(
            f"allowed_models: name {named.known} without a variant; it allows all of them"
        )
    return named.known


def _provider_slug(name: str, catalog: Catalog) -> str:
    slug = provider_slug(catalog, name)
    if slug is None:
        near = ", ".join(nearest(name, catalog.provider_names))
        raise InvalidRequest(f"allowed_providers: {name!r} is no provider. Did you mean {near}?")
    return slug


def nanos_of(limit: float | None, where: str = "limit") -> int | None:
    """Return an amount of USD in nano-USD. Raises InvalidRequest for one that is finer."""
    if limit is None:
        return None
    nanos = Decimal(str(limit)) * NANO
    if nanos != nanos.to_integral_value():
        raise InvalidRequest(f"{where}: finer than 0.000000001 USD")
    return int(nanos)
