"""What a Messages request says that the hub's form cannot, gathered while it is read."""

from collections.abc import Container

from dragoman.core.notes import Change, Note
from dragoman.wire.hub import Members

ANTHROPIC_ONLY = "only providers of Anthropic's API know it"
_NOTHING = frozenset({b"null", b"[]"})


class Gleanings:
    """Notes, one for each field, which hold where the provider speaks another dialect."""

    __slots__ = ("_notes",)

    def __init__(self) -> None:
        self._notes: dict[str, Note] = {}

    def dropped(self, field: str, why: str = ANTHROPIC_ONLY) -> None:
        """Note that something is left out."""
        self._notes.setdefault(field, Note(Change.DROPPED, field, why))

    def changed(self, change: Change, field: str, how: str) -> None:
        """Note that something is said in another way."""
        self._notes.setdefault(field, Note(change, field, how))

    def strangers(self, said: Members, known: Container[str], path: str) -> None:
        """Note the members of what stands at `path` that nobody here knows."""
        for name, value in said.items():
            if name not in known and bytes(value) not in _NOTHING:
                self.dropped(f"{path}.{name}")

    @property
    def notes(self) -> tuple[Note, ...]:
        """All that was noted, in the order of the request."""
        return tuple(self._notes.values())
