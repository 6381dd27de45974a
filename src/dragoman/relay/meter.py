"""Measures an answer as it passes: what it said, how it ended, what it took. No I/O."""

from msgspec import structs

from dragoman.catalog.types import Provider
from dragoman.core.clock import Clock
from dragoman.core.notes import Change, Note
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer, Chunk, Members, Piece, Text, calls_tools
from dragoman.wire.usage import Usage

BYTES_PER_TOKEN = 4
"""English text under the tokenizers in use; only for answers without usage."""

QUOTES = len('""')


class Meter:
    """Sees every chunk of one stream. `ends` maps a choice's index to how it ended.

    `begun` are the choices that brought content, `called` those that called tools.
    """

    __slots__ = (
        "begun",
        "called",
        "ends",
        "first_content",
        "last_content",
        "now",
        "produced_bytes",
        "reported",
        "service_tier",
        "upstream_id",
    )

    def __init__(self, clock: Clock) -> None:
        self.now = clock.monotonic
        self.begun: set[int] = set()
        self.called: set[int] = set()
        self.ends: dict[int, Piece] = {}
        self.first_content: float | None = None
        self.last_content: float | None = None
        self.produced_bytes = 0
        self.reported: Usage | None = None
        self.service_tier: str | None = None
        self.upstream_id: str | None = None

    @property
    def complete(self) -> bool:
        """Whether every choice that was begun has ended, and there was one."""
        return bool(self.ends) and self.begun <= self.ends.keys()

    @property
    def said_all(self) -> bool:
        """Whether there was content, and all of it: then an error is too late to matter."""
        return bool(self.begun) and self.complete

    @property
    def choices(self) -> int:
        """How many alternatives the provider gave."""
        return max(len(self.begun), len(self.ends))

    @property
    def withheld(self) -> bool:
        """Whether a filter ended an answer of which the provider counts nothing."""
        if self.reported is None or self.reported.completion:
            return False
        return any(end.finish_reason == "content_filter" for end in self.ends.values())

    def see(self, chunk: Chunk, now: float) -> tuple[Piece, ...]:
        """Take in a chunk that came at `now`, monotonic; return what of it is passed on.

        A piece without content is not, and neither is content of a choice that
        has already ended.
        """
        if chunk.usage is not None:
            self.reported = chunk.usage
        if chunk.upstream_id is not None:
            self.upstream_id = chunk.upstream_id
        if chunk.service_tier is not None:
            self.service_tier = chunk.service_tier
        pieces = chunk.pieces
        if len(pieces) == 1:
            return pieces if self._passes(pieces[0], now) else ()
        return tuple(piece for piece in pieces if self._passes(piece, now))

    def hear(self, text: Text, now: float) -> bool:
        """Take in text; say whether it is passed on, which it is unless its choice has ended."""
        index = text.index
        if index in self.ends:
            return False
        if index not in self.begun:
            self.begun.add(index)
            if self.first_content is None:
                self.first_content = now
        self.last_content = now
        self.produced_bytes += len(text.content) - QUOTES
        return True

    def whole(self, answer: Answer) -> None:
        """Take in a whole answer."""
        self.reported = answer.usage
        self.upstream_id = answer.upstream_id
        self.service_tier = answer.service_tier
        self.first_content = self.last_content = self.now()
        if len(answer.choices) > 1:
            self.begun.update(choice.index for choice in answer.choices)
        for choice in answer.choices:
            self.produced_bytes += _size(choice.message)
            if choice.finish_reason is not None:
                self.ends[choice.index] = Piece(
                    index=choice.index,
                    delta={},
                    finish_reason=choice.finish_reason,
                    native_finish_reason=choice.native_finish_reason,
                )

    def usage(self, call: ChatCall) -> Usage:
        """Return what the provider counted, with estimates from bytes for what it did not.

        Anthropic counts what goes in when a stream begins, with what of it was cached.
        """
        said = self.reported
        if said is not None and said.source == "upstream":
            return said
        said = said or Usage()
        return structs.replace(
            said,
            prompt=said.prompt or call.text_bytes // BYTES_PER_TOKEN,
            completion=said.completion or -(-self.produced_bytes // BYTES_PER_TOKEN),
            source="estimated",
        )

    def _passes(self, piece: Piece, now: float) -> bool:
        if piece.index in self.ends:
            return False
        if piece.has_content:
            if self.first_content is None:
                self.first_content = now
            self.last_content = now
            self.begun.add(piece.index)
            if calls_tools(piece.delta):
                self.called.add(piece.index)
            self.produced_bytes += _size(piece.delta)
        elif piece.finish_reason is None:
            return False
        if piece.finish_reason is not None:
            self.ends[piece.index] = piece
        return True


def untold(meter: Meter, provider: Provider) -> Note:
    """Return the note for alternatives that the client's API has no room for."""
    detail = f"the first of {meter.choices} is told: this API has no more; the usage is of all"
    return Note(Change.DROPPED, "choices", detail, provider=provider.slug)


def _size(members: Members) -> int:
    size = 0
    for name, value in members.items():
        if name != "role":
            size += len(value) - QUOTES
    return size
