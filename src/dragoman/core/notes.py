"""What was done to a request that its caller did not write, said out loud.

A parameter that an endpoint does not know is dropped *and noted*. Notes are
shown in the router metadata and kept in the generation record.
"""

from collections.abc import Sequence
from enum import StrEnum

from msgspec import Struct
from msgspec.structs import replace

MOST_NOTES = 100
"""So many of a request are kept and shown: a body may hold a million names that nobody knows."""
LONGEST_FIELD = 200


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


def bounded(notes: Sequence[Note]) -> tuple[Note, ...]:
    """Return the notes of a request as they are kept: not too many, none with a name too long."""
    if not notes:
        return ()
    kept = tuple(
        replace(note, field=f"{note.field[:LONGEST_FIELD]}…")
        if len(note.field) > LONGEST_FIELD
        else note
        for note in notes[:MOST_NOTES]
    )
    more = len(notes) - len(kept)
    return (*kept, Note(Change.DROPPED, "…", f"{more} more of such fields")) if more else kept
