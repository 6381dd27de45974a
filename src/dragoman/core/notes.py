"""What was done to a request that its caller did not write, said out loud.

A parameter that an endpoint does not know is dropped *and noted*. Notes are
shown in the router metadata and kept in the generation record.
"""

from enum import StrEnum

from msgspec import Struct


class Change(StrEnum):
    """What happened to a field."""

    DROPPED = "dropped"
    CLAMPED = "clamped"
    RENAMED = "renamed"
    INJECTED = "injected"
    RESOLVED = "resolved"
    NOT_APPLIED = "not_applied"


class Note(Struct, frozen=True, omit_defaults=True):
    """One change: what, to which field, and why. `provider` if only that one needed it."""

    change: Change
    field: str
    detail: str
    provider: str = ""
