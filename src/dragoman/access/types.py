"""A key as the database knows it, and the protocol by which a worker asks the keeper."""

from typing import Literal, Protocol

from msgspec import Struct

from dragoman.access.rates import Bound
from dragoman.catalog.byok import Byok
from dragoman.store.kek import Wrapped

Kind = Literal["inference", "management"]
Reset = Literal["daily", "weekly", "monthly"]
Role = Literal["owner", "admin", "member"]
"""What a member may do by a management key: all; all but to make owners; only the own keys."""

DEFAULT_ACCOUNT = "default"


class Grant(Struct, frozen=True, kw_only=True):
    """What a key may do, and until when. Nothing set: everything that inference is, for good.

    A spending limit is in nano-USD, for each window that `limit_reset` names, else for the
    key's life. Allowlists hold ids of the catalog; an empty one allows all. Rates are requests
    and tokens a minute, and requests at once.
    """

    kind: Kind = "inference"
    limit_nanos: int | None = None
    limit_reset: Reset | None = None
    include_byok_in_limit: bool = False
    user_limit_nanos: int | None = None
    """What each end user of the key may spend; None: what the account says of its keys' users."""
    user_limit_reset: Reset | None = None
    expires_at: float | None = None
    allowed_models: tuple[str, ...] = ()
    allowed_providers: tuple[str, ...] = ()
    rpm: int | None = None
    tpm: int | None = None
    concurrency: int | None = None
    creator: str | None = None
    """The member of the account whose key it is, None for one of the account itself."""


class Key(Grant, frozen=True, kw_only=True):
    """A row of the table of keys. The key itself is stored nowhere.

    `hash` is its SHA-256 in hex and its public id; `verifier` is its HMAC under
    the pepper, so that write access to the database cannot mint a key. Times are
    Unix seconds.
    """

    hash: str
    verifier: str
    name: str
    label: str
    created_at: float
    updated_at: float | None = None
    disabled: bool = False
    revoked_at: float | None = None
    account: str = DEFAULT_ACCOUNT


class Funds(Struct, frozen=True, kw_only=True, gc=False):
    """Whose money a key spends: ids of the purses that limit it, in the present windows.

    `until` is when one of the windows ends (Unix time), None for never. `fee_ppm` is what
    the account pays on top of usage, in millionths. Those in `inclusive` count what a provider
    bills the account itself, too; `users` may be among them.
    """

    purses: tuple[str, ...] = ()
    inclusive: tuple[str, ...] = ()
    users: str | None = None
    """Where what an end user may spend is limited: of what the ids of their purses are made."""
    allowance: str | None = None
    """The purse of requests that cost no fee where the account's own credential serves."""
    until: float | None = None
    fee_ppm: int = 0


class OwnCredential(Struct, frozen=True, kw_only=True):
    """A row of the table of accounts' own credentials at providers (BYOK). The secret is sealed.

    `origin` is the address it may be sent to. `version` counts its secrets. `allowed_models`
    are ids of the catalog, `allowed_keys` hashes of keys, `allowed_users` ids of members whose
    keys may use it; an empty list allows all. Those of one provider are tried by rising
    `sort_order`. Times are Unix seconds.
    """

    id: str
    account: str
    provider: str
    origin: str
    label: str
    name: str | None = None
    disabled: bool = False
    is_fallback: bool = False
    is_required: bool = False
    is_byok_only: bool = False
    declared_zdr: bool | None = None
    sort_order: int = 0
    allowed_models: tuple[str, ...] = ()
    allowed_keys: tuple[str, ...] = ()
    allowed_users: tuple[str, ...] = ()
    version: int = 1
    sealed: str = ""
    created_at: float
    updated_at: float | None = None
    deleted_at: float | None = None


class Member(Struct, frozen=True, kw_only=True):
    """A person of an account. The limit is a budget for all keys of the member together.

    In nano-USD, for each window that `limit_reset` names, else for good. Times are Unix seconds.
    """

    id: str
    account: str
    name: str
    email: str
    role: Role = "member"
    limit_nanos: int | None = None
    limit_reset: Reset | None = None
    created_at: float
    removed_at: float | None = None


class Known(Key, frozen=True, kw_only=True):
    """A key as it is looked up: with what its account brings along, still sealed.

    `store_content` is whether the account lets be stored what is said; `member` whose key it is.
    """

    own: tuple[OwnCredential, ...] = ()
    data_key: Wrapped | None = None
    store_content: bool = False
    member: Member | None = None


class Admission(Struct, frozen=True, kw_only=True):
    """A key that may be used, and what of money binds it."""

    key: Known
    funds: Funds | None = None
    bought: int = 0
    """What its account paid for credit in all, in nano-USD."""


class Changes(Struct, frozen=True):
    """What changed since an epoch: the new epoch, and the hashes of keys to look up anew.

    With `more` there are others behind the last of them.
    """

    epoch: int
    keys: tuple[str, ...]
    more: bool = False


class Keeper(Protocol):
    """What a data worker asks of the one process that owns the database.

    In memory when both are one process; the shape stays when they are not.
    """

    async def key(self, hash_: str, verifier: str) -> Admission | None:
        """Return a key that may be used, None if the database positively has none."""

    async def changes(self, since: int, after: str = "") -> Changes:
        """Return what changed after epoch `since`: keys whose hashes are behind `after`."""

    async def news(self, within_s: float) -> None:
        """Return when something may have changed, at the latest after `within_s`."""


class Terms(Struct, frozen=True, kw_only=True):
    """What binds a caller beyond having a good key. Few callers have any."""

    management: bool = False
    expires_at: float | None = None
    """Unix time."""
    allowed_models: frozenset[str] = frozenset()
    allowed_providers: frozenset[str] = frozenset()
    bounds: tuple[Bound, ...] = ()
    """The rates of the key and of its account."""
    funds: Funds | None = None
    limits_addresses: bool = False
    store_content: bool = False
    """Whether what is said is stored, unless a request wants otherwise."""
    member: str | None = None
    """Of a management key: the id of the member that it belongs to."""
    role: Role | None = None
    """The role of that member."""
    high_balance: bool = False
    """Whether the account bought enough for the larger quota of free requests."""


class Caller(Struct, frozen=True, kw_only=True, gc=False):
    """Who makes a request, once the key is known to be good: small, since many are remembered.

    `terms` is None for most.
    """

    key_hash: str
    account: str = DEFAULT_ACCOUNT
    terms: Terms | None = None
    byok: tuple[Byok, ...] = ()
    """The account's own credentials that requests with this key may use, in their order."""
