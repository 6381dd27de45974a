"""A request being put together for one endpoint, and what had to be said about it."""

from collections.abc import Mapping

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change, Note
from dragoman.providers.additions import additions
from dragoman.providers.anthropic.models import Traits, traits
from dragoman.wire.hub import Members

Body = dict[str, object]
"""Members of a body: bytes where they are kept, values where they are made here."""

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_NULL = Raw(b"null")


class Draft:
    """Collects the members of a body, and notes: one for a field and a reason, however often."""

    __slots__ = ("_notes", "_quirks", "_supports", "body", "provider", "takes")

    def __init__(self, endpoint: Endpoint, provider: Provider) -> None:
        self.body: Body = {}
        self.provider = provider
        self.takes: Traits = traits(endpoint.upstream)
        self._quirks = provider.quirks
        self._supports = endpoint.supports
        self._notes: dict[Note, None] = {}

    @property
    def notes(self) -> tuple[Note, ...]:
        """All that was said, in the order in which it was said first."""
        return tuple(self._notes)

    def note(self, change: Change, field: str, detail: str) -> None:
        """Say that a field did not survive as it was."""
        self._notes[Note(change, field, detail, self.provider.slug)] = None

    def dropped(self, field: str, detail: str) -> None:
        """Say that a field is not sent."""
        self.note(Change.DROPPED, field, detail)

    def strangers(self, row: Members, known: frozenset[str], path: str = "messages") -> None:
        """Say which members of a message, or of what stands at `path`, are not sent."""
        if known.issuperset(row):
            return
        for name in row:
            if name not in known and row[name] != _NULL:
                self.dropped(f"{path}.{name}", "this provider's API has no such field")

    def input(self, arguments: Raw) -> bytes:
        """Return a call's arguments, a JSON string, as an object; say where they are none."""
        text = _text(arguments)
        if not text.strip():
            return b"{}"
        try:
            _members(text)
        except (ValueError, RecursionError):
            field = "messages.tool_calls.function.arguments"
            detail = "no JSON object; sent as the text of a member of one"
            self.note(Change.RENAMED, field, detail)
            return b'{"arguments":%b}' % arguments
        return text.encode()

    def supports(self, *names: str) -> bool:
        """Whether the endpoint lists one of these parameters, or lists none at all."""
        return not self._supports or not self._supports.isdisjoint(names)

    def lists(self, name: str, *, otherwise: bool) -> bool:
        """Whether the endpoint lists a parameter; `otherwise` where it lists none at all."""
        return name in self._supports if self._supports else otherwise

    def finish(self) -> None:
        """Do to the body what the host's quirks demand, by its own names."""
        quirks, body = self._quirks, self.body
        for name in sorted(quirks.rejects & body.keys()):
            del body[name]
            self.dropped(name, "this provider rejects it")
        for old, new in quirks.renames.items():
            if old in body:
                body.setdefault(new, body.pop(old))
                self.note(Change.RENAMED, old, f"this provider calls it {new}")
        for name, value in additions(quirks):
            if name not in body:
                body[name] = value
                self.note(Change.INJECTED, name, "this provider needs it")

    def rejects(self, name: str) -> bool:
        """Whether the host answers a member with an error."""
        return name in self._quirks.rejects


def encode(body: Mapping[str, object]) -> bytes:
    """Return a body as bytes."""
    return _encode(body)
