"""The bodies of the management API for accounts' own credentials: what may be sent, what is shown.

Members, types and meanings are OpenRouter's (OpenAPI document, `/byok`, and its
official Python client); a `sort_order` that can be set is ours. The secret is read and never
shown. There are no regions here, so none can be declared but `global`.
"""

from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType

from dragoman.access.types import OwnCredential
from dragoman.office.key_bodies import DEFAULT_WORKSPACE, Names
from dragoman.office.key_info import iso
from dragoman.office.reading import read

MOST_HASHES = 100
LAST_PLACE = 1_000_000

Secret = Annotated[str, Meta(min_length=1, max_length=16_384)]
Name = Annotated[str, Meta(max_length=255)]
Hashes = Annotated[
    tuple[Annotated[str, Meta(pattern="^[a-f0-9]{64}$")], ...],
    Meta(min_length=1, max_length=MOST_HASHES),
]
Users = Annotated[tuple[str, ...], Meta(min_length=1, max_length=MOST_HASHES)]
Place = Annotated[int, Meta(ge=0, le=LAST_PLACE)]


class NewByok(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /byok`."""

    provider: Annotated[str, Meta(min_length=1, max_length=100)]
    key: Secret
    name: Name | None = None
    disabled: bool = False
    is_fallback: bool = False
    is_required: bool = False
    is_byok_only: bool = False
    declared_zdr: bool | None = None
    declared_region: Literal["global"] | None = None
    sort_order: Place | None = None
    allowed_models: Names | None = None
    allowed_api_key_hashes: Hashes | None = None
    allowed_user_ids: Users | None = None
    workspace_id: str | None = None

    def __repr__(self) -> str:
        return f"NewByok(provider={self.provider!r}, …)"


class ByokChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /byok/{id}`. What is absent stays; null clears; lists are replaced."""

    key: Secret | UnsetType = UNSET
    name: Name | UnsetType | None = UNSET
    disabled: bool | UnsetType = UNSET
    is_fallback: bool | UnsetType = UNSET
    is_required: bool | UnsetType = UNSET
    is_byok_only: bool | UnsetType = UNSET
    declared_zdr: bool | UnsetType | None = UNSET
    declared_region: Literal["global"] | UnsetType | None = UNSET
    sort_order: Place | UnsetType = UNSET
    allowed_models: Names | UnsetType | None = UNSET
    allowed_api_key_hashes: Hashes | UnsetType | None = UNSET
    allowed_user_ids: Users | UnsetType | None = UNSET

    def __repr__(self) -> str:
        return "ByokChange(…)"


class ByokRow(Struct, frozen=True, kw_only=True):
    """A credential as the API shows it: by its label, never by its secret."""

    id: str
    provider: str
    workspace_id: str = DEFAULT_WORKSPACE
    label: str
    name: str | None
    disabled: bool
    is_fallback: bool
    is_required: bool
    is_byok_only: bool
    declared_zdr: bool | None
    declared_region: None = None
    sort_order: int
    allowed_models: tuple[str, ...] | None
    allowed_api_key_hashes: tuple[str, ...] | None
    allowed_user_ids: tuple[str, ...] | None
    created_at: str


class ByokBody(Struct, frozen=True):
    """One credential."""

    data: ByokRow


class ByoksBody(Struct, frozen=True):
    """A page of credentials, and how many there are."""

    data: tuple[ByokRow, ...]
    total_count: int


class Deleted(Struct, frozen=True):
    """A credential is gone, and its secret with it."""

    deleted: Literal[True] = True


def read_new(body: bytes) -> NewByok:
    """Read the body of `POST /byok`. Raises InvalidRequest."""
    return read(body, NewByok)


def read_change(body: bytes) -> ByokChange:
    """Read the body of `PATCH /byok/{id}`. Raises InvalidRequest."""
    return read(body, ByokChange)


def byok_row(made: OwnCredential) -> ByokRow:
    """Return the row of a credential."""
    return ByokRow(
        id=made.id,
        provider=made.provider,
        label=made.label,
        name=made.name,
        disabled=made.disabled,
        is_fallback=made.is_fallback,
        is_required=made.is_required,
        is_byok_only=made.is_byok_only,
        declared_zdr=made.declared_zdr,
        sort_order=made.sort_order,
        allowed_models=made.allowed_models or None,
        allowed_api_key_hashes=made.allowed_keys or None,
        allowed_user_ids=made.allowed_users or None,
        created_at=iso(made.created_at),
    )
