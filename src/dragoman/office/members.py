"""Members of accounts: who they are, what they may do, what they may spend. One transaction each.

An account needs none. A member's role counts for management keys that belong to the member,
the budget for all inference keys that do. The audit entry is part of the transaction.
"""

import secrets
import string
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Any, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, structs
from sqlalchemy import Connection

from dragoman.access import audit, keyring, members
from dragoman.access.types import Member, Reset, Role
from dragoman.core.errors import Conflict, InvalidRequest, NotFound, PermissionDenied
from dragoman.core.money import NANO, NanoUsd, usd
from dragoman.ledger import entries
from dragoman.office.alert_options import EMAIL
from dragoman.office.key_admin import NOWHERE, Manager
from dragoman.office.key_bodies import Usd
from dragoman.office.key_info import iso
from dragoman.office.keys import change as change_key
from dragoman.office.limits import impose_budget
from dragoman.office.reading import read
from dragoman.records.reader import SUMS, KeyUsage
from dragoman.store.sql import Work

PAGE, LARGEST_PAGE = 50, 100
LETTERS = string.digits + string.ascii_letters
ID_RANDOM = 27
"""As many as in OpenRouter's ids of users."""
BUDGET = ("limit_nanos", "limit_reset")

Name = Annotated[str, Meta(min_length=1, max_length=100)]


class NewMember(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `POST /organization/members`. The limit is in USD."""

    email: str
    name: Name
    role: Role = "member"
    limit: Usd | None = None
    limit_reset: Reset | None = None


class MemberChange(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The body of `PATCH /organization/members/{id}`. What is absent stays; null clears."""

    name: Name | UnsetType = UNSET
    role: Role | UnsetType = UNSET
    limit: Usd | UnsetType | None = UNSET
    limit_reset: Reset | UnsetType | None = UNSET


class MemberRow(Struct, frozen=True, kw_only=True):
    """A member as OpenRouter shows one; `name`, `member_role` and the budget in USD are ours."""

    id: str
    email: str
    first_name: str | None
    last_name: str | None
    role: Literal["org:admin", "org:member"]
    name: str
    member_role: Role
    limit: float | None
    limit_reset: Reset | None
    created_at: str


class MemberBody(Struct, frozen=True):
    """One member."""

    data: MemberRow


class MembersBody(Struct, frozen=True):
    """A page of members."""

    data: tuple[MemberRow, ...]
    total_count: int


def read_new(body: bytes) -> NewMember:
    """Read the body of `POST /organization/members`. Raises InvalidRequest."""
    return read(body, NewMember)


def read_change(body: bytes) -> MemberChange:
    """Read the body of `PATCH /organization/members/{id}`. Raises InvalidRequest."""
    return read(body, MemberChange)


def add(new: NewMember, manager: Manager) -> Work[Member]:
    """Add a member to the account.

    Raises InvalidRequest at once for a name or address that is none; when it runs Conflict for
    an address that a member has, PermissionDenied for an owner whom no owner adds.
    """
    email = new.email.strip().lower()
    if not EMAIL.fullmatch(email) or not email.isprintable():
        raise InvalidRequest(f"email: {new.email[:100]!r} is not an address")
    made = Member(
        id="user_" + "".join(secrets.choice(LETTERS) for _ in range(ID_RANDOM)),
        account=manager.account,
        name=_checked_name(new.name),
        email=email,
        role=new.role,
        limit_nanos=_nanos(new.limit),
        limit_reset=new.limit_reset,
        created_at=manager.act.at,
    )

    def work(connection: Connection) -> Member:
        _check_role(manager, made.role)
        owner = entries.find_account(connection, made.account)
        if owner.kind == "house" or owner.closed_at is not None:
            raise InvalidRequest(
                f"The account {owner.id} has no members: it is closed or the house's"
            )
        keyring.touch(connection)  # of two who add at once the other waits here
        if members.by_email(connection, made.account, email) is not None:
            raise Conflict(f"email: {email} belongs to a member already", should_retry=False)
        members.add(connection, made)
        impose_budget(connection, made, KeyUsage())
        detail = structs.asdict(made)
        said = {name: detail[name] for name in ("name", "email", "role") if detail[name]}
        said |= {name: detail[name] for name in BUDGET if detail[name] is not None}
        audit.append(connection, manager.act, "member.create", f"member:{made.id}", said)
        return made

    return work


def find(account: str, wanted: str) -> Work[Member]:
    """Find a member by id or address. Raises NotFound."""

    def work(connection: Connection) -> Member:
        found = members.live(connection, account, wanted)
        found = found or members.by_email(connection, account, wanted.strip().lower())
        if found is None:
            raise NotFound(f"The account {account} has no member {wanted[:100]!r}")
        return found

    return work


def amend(id_: str, change: MemberChange, manager: Manager, used: KeyUsage) -> Work[Member]:
    """Change a member, whose keys have `used` so much together.

    Raises NotFound, and PermissionDenied for what only owners do.
    """
    said: dict[str, Any] = {
        name: value for name, value in structs.asdict(change).items() if value is not UNSET
    }
    if "limit" in said:
        said["limit_nanos"] = _nanos(said.pop("limit"))
    if "name" in said:
        said["name"] = _checked_name(said["name"])

    def work(connection: Connection) -> Member:
        before = _one(connection, id_, manager)
        after = structs.replace(before, **said)
        _check_role(manager, before.role, after.role)
        if any(getattr(before, name) != getattr(after, name) for name in BUDGET):
            impose_budget(connection, after, used, before)
        return _written(connection, before, after, manager)

    return work


def remove(id_: str, manager: Manager) -> Work[Member]:
    """Remove a member, and disable the keys that are the member's. Raises as `amend` does."""

    def work(connection: Connection) -> Member:
        before = _one(connection, id_, manager)
        _check_role(manager, before.role)
        after = structs.replace(before, removed_at=manager.act.at)
        for hash_ in members.keys_of(before.account, id_)(connection):
            key = keyring.by_hash(hash_)(connection)
            if key is not None and key.revoked_at is None and not key.disabled:
                change_key(connection, key, structs.replace(key, disabled=True), manager.act)
        return _written(connection, before, after, manager)

    return work


def member_row(member: Member) -> MemberRow:
    """Return a member as the API shows one."""
    first, _, last = member.name.partition(" ")
    return MemberRow(
        id=member.id,
        email=member.email,
        first_name=first,
        last_name=last or None,
        role="org:member" if member.role == "member" else "org:admin",
        name=member.name,
        member_role=member.role,
        limit=None if member.limit_nanos is None else usd(NanoUsd(member.limit_nanos)),
        limit_reset=member.limit_reset,
        created_at=iso(member.created_at),
    )


def together(used: Iterable[KeyUsage]) -> KeyUsage:
    """Return what some keys have used, added up."""
    every = tuple(used)
    return KeyUsage(**{name: NanoUsd(sum(getattr(each, name) for each in every)) for name in SUMS})


def _one(connection: Connection, id_: str, manager: Manager) -> Member:
    keyring.touch(connection)
    found = members.live(connection, manager.account, id_)
    if found is None:
        raise NotFound(NOWHERE)
    return found


def _written(connection: Connection, before: Member, after: Member, manager: Manager) -> Member:
    """Write what became of a member, if anything did, and tell the audit log what."""
    old, new = structs.asdict(before), structs.asdict(after)
    said = {name: [old[name], new[name]] for name in new if old[name] != new[name]}
    if said:
        members.replace(connection, after)
        action = "member.delete" if "removed_at" in said else "member.update"
        audit.append(connection, manager.act, action, f"member:{after.id}", said)
    return after


def _check_role(manager: Manager, *roles: Role) -> None:
    """Raise PermissionDenied where an owner is concerned, and no owner acts."""
    if manager.role != "owner" and "owner" in roles:
        raise PermissionDenied("Only owners can add, change or remove owners")


def _checked_name(name: str) -> str:
    name = name.strip()
    if not name or not name.isprintable():
        raise InvalidRequest("name: give 1 to 100 printable characters")
    return name


def _nanos(limit: float | None) -> int | None:
    if limit is None:
        return None
    nanos = Decimal(str(limit)) * NANO
    if nanos != nanos.to_integral_value():
        raise InvalidRequest("limit: finer than 0.000000001 USD")
    return int(nanos)
