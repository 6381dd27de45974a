"""One upstream stream: bytes to events to chunks, with the patience it deserves.

Until there is content somebody waits for each piece (`next`); from then on pieces are
pushed to whoever takes them, from where the bytes arrive (`pour`), and no task wakes.

Faults come out as `AttemptFailed`. Whether that means failover or an in-band error
is decided by who reads: before first content `dragoman.upstream.attempt`, after it
the relay.
"""

import math
from collections.abc import AsyncIterator, Callable

from msgspec import Struct

from dragoman.core.clock import Clock
from dragoman.net.types import NetError, Response
from dragoman.providers.dialect import Fault, Glance, Parser, StreamDecoder
from dragoman.upstream.faults import AttemptFailed, late, nonsense, of_net, out_of_time
from dragoman.upstream.patience import Patience, Timekeeper
from dragoman.wire.halves import Halves
from dragoman.wire.hub import Chunk, Text

DONE = b"[DONE]"
THE_END = Chunk(ended=True)
NEVER = -math.inf

MOST_BYTES = 128 * 1024 * 1024
"""Three times the longest answers, of 128,000 tokens in as many events. What writes an answer's
end for the client may have to keep all of it: one without an end would take all memory."""

AFTER_S = 0.05
"""So long after the deadline silence is ended: by then every clock agrees that it has passed."""

COUNTED_S = 1.0
"""How long there may be silence once every choice has said why it ended and usage has come: what
may still come is the mark of the end, mostly in the same packet."""
UNCOUNTED_S = 5.0
"""How long where usage has not come: it is what the answer is charged by, and the client waits."""

Take = Callable[[list[Chunk | Text], float], bool]
"""Takes chunks and the monotonic time they came at; says whether it wants more now."""
Hear = Callable[[Text, float], bool]
"""Does what `Take` does for a text alone, as most of a stream comes."""


class Bounds(Struct, frozen=True, kw_only=True, gc=False):
    """How long a stream may go on: between two contents, and until a monotonic time at most.

    `choices` is how many were asked for, `most_bytes` how much may come.
    """

    content_gap_s: float
    deadline: float
    timekeeper: Timekeeper
    choices: int = 1
    most_bytes: int = MOST_BYTES


class UpstreamStream:
    """What an upstream has still to say. Whoever holds it must close it."""

    __slots__ = (
        "_body",
        "_broken",
        "_choices",
        "_content_gap_s",
        "_deadline",
        "_decoder",
        "_ended",
        "_glance",
        "_glance_until",
        "_halves",
        "_hear",
        "_last_content",
        "_left_bytes",
        "_now",
        "_parser",
        "_spoke",
        "_take",
        "_timekeeper",
        "done",
        "response",
        "said_done",
    )

    def __init__(
        self,
        response: Response,
        parser: Parser,
        decoder: StreamDecoder,
        clock: Clock,
        bounds: Bounds,
    ) -> None:
        self.response = response
        self.done = False
        """Whether there is nothing more to read."""
        self.said_done = False
        """Whether the upstream itself marked the end."""
        self._broken: Fault | None = None
        self._spoke = False
        self._body: AsyncIterator[bytes] = response.chunks()
        self._decoder = decoder
        self._parser = parser
        self._glance: Glance = getattr(decoder, "glance", _sees_nothing)
        self._glance_until = NEVER
        """Until when the next bytes may be looked at alone."""
        self._halves: Halves | None = None
        self._now = clock.monotonic
        self._content_gap_s = bounds.content_gap_s
        self._deadline = bounds.deadline
        self._timekeeper = bounds.timekeeper
        self._choices = bounds.choices
        self._ended: frozenset[int] = frozenset()
        self._last_content = clock.monotonic()
        self._left_bytes = bounds.most_bytes
        self._take: Take
        self._hear: Hear

    async def next(self) -> list[Chunk | Text] | None:
        """Return the chunks of the next bytes, maybe none; None at the end.

        Raises AttemptFailed when the stream breaks, makes no sense, goes silent
        or outlives the request's deadline.
        """
        if self._broken is not None:
            raise AttemptFailed(self._broken)
        if self.done:
            return None
        try:
            data: bytes | None = await self._body.__anext__()
        except StopAsyncIteration:
            data = None
        except NetError as error:
            raise AttemptFailed(of_net(error)) from error
        self.done = data is None
        self._left_bytes -= len(data or b"")
        chunks = self._read_in_time(data, self._now())
        if not chunks and self._broken is not None:
            raise AttemptFailed(self._broken)
        return chunks

    async def pour(self, take: Take, hear: Hear | None = None) -> None:
        """Hand chunks over as they come, until told to stop or there is nothing more to read.

        A text that comes alone goes to `hear`, if there is one: to take it is quicker.
        Raises AttemptFailed as `next` does, and when the deadline passes in silence.
        """
        if self._broken is None and not self.done:
            self._take, self._hear = take, hear or self._take_alone
            left_s = self._deadline + AFTER_S - self._now()
            try:
                with Patience(self._timekeeper, left_s):
                    await self._pour()
            except NetError as error:
                raise AttemptFailed(of_net(error)) from error
            except TimeoutError:
                raise AttemptFailed(out_of_time()) from None
            finally:
                del self._take, self._hear  # they hold this stream, and cycles are dear
        if self._broken is not None:
            raise AttemptFailed(self._broken)

    async def _pour(self) -> None:
        ended = await self.response.pour(self._pass_on)
        if ended and not self.done:
            self.done = True
            self._hand_over(None, self._now())

    def close(self) -> None:
        """Let go of the connection: kept if the answer has ended, else cut."""
        if self.said_done:
            self.response.release()
        else:
            self.response.close()

    def _pass_on(self, data: bytes) -> bool:
        """Hand over what is in `data`; say whether there is reason to read on."""
        now = self._now()
        self._left_bytes -= len(data)
        if now <= self._glance_until and self._left_bytes >= 0:
            text = self._glance(data)
            if text is not None:
                self._last_content = now
                return self._hear(text, now)
        return self._hand_over(data, now)

    def _hand_over(self, data: bytes | None, now: float) -> bool:
        """Hand over the chunks in `data`, which came at `now`, or at the end."""
        chunks = self._read_in_time(data, now)
        sees = self._glance is not _sees_nothing and self._parser.idle
        self._glance_until = self._deadline if sees else NEVER
        wanted = not chunks or self._take(chunks, now)
        return wanted and not self.done and self._broken is None

    def _take_alone(self, text: Text, now: float) -> bool:
        return self._take([text], now)

    def _read_in_time(self, data: bytes | None, now: float) -> list[Chunk | Text]:
        """Return the chunks in `data`, which came at `now`, unless they came too late."""
        if now > self._deadline:
            self._broken = out_of_time()
            return []
        if self._left_bytes < 0:
            self._broken = nonsense("a stream that is longer than any answer")
            return []
        chunks = self._decode(data)
        if chunks:
            self._last_content = now
        elif self._broken is None and now - self._last_content > self._content_gap_s:
            self._broken = late("no content came", self._content_gap_s)
        return chunks

    def _decode(self, data: bytes | None) -> list[Chunk | Text]:
        """Return the chunks in `data`. What cannot be read breaks the stream after them."""
        chunks: list[Chunk | Text] = []
        feed = self._decoder.feed
        try:
            for event in self._events(data):
                if event == DONE:
                    self.done = self.said_done = True
                    break
                try:
                    chunk = feed(event)
                except ValueError as error:
                    chunk = self._read_again(event, error)
                if chunk is not None:
                    chunks.append(chunk)
                    if type(chunk) is Chunk:
                        self._look_for_an_end(chunk)
                        if self.done:
                            break
        except ValueError as error:
            self._broken = nonsense(f"unreadable stream: {error}")
        return chunks

    def _read_again(self, event: bytes, error: ValueError) -> Chunk | Text | None:
        """Return what an event adds that could not be read: it may be one with nothing in it.

        The mark of the end may have blanks around it, and a text may end in half a character.
        Raises the `error` if it is nonsense after all.
        """
        word = event.strip()
        if not word:
            return None
        if word == DONE:
            return THE_END
        if self._halves is None:
            self._halves = Halves()
        mended = self._halves.joined(event)
        if mended == event:
            raise error
        return self._decoder.feed(mended)

    def _look_for_an_end(self, chunk: Chunk) -> None:
        """Take note that the answer ends, or that of all choices, and expect no more for long.

        Some hosts neither mark the end nor close. Silence ends the answer then (by the sweep of
        `net`), and so does a comment that comes too late; as it is whole, neither is a fault.
        """
        if chunk.ended:
            self.done = self.said_done = True
            return
        for piece in chunk.pieces:
            if piece.finish_reason is not None:
                self._ended |= {piece.index}
        if len(self._ended) >= self._choices:
            rest_s = UNCOUNTED_S if chunk.usage is None else COUNTED_S
            self.response.idle_s = min(self.response.idle_s, rest_s)
            self._content_gap_s = min(self._content_gap_s, rest_s)

    def _events(self, data: bytes | None) -> list[bytes]:
        """Return the data of the events that `data` completes, or that the end does."""
        if data is not None:
            events = self._parser.feed(data)
            self._spoke = self._spoke or bool(events)
            return events
        rest = self._parser.rest()
        last = self._parser.flush()
        if last is None and not self._spoke and rest.lstrip().startswith(b"{"):
            # Asked for a stream, some hosts answer whole: mostly when they refuse with a 200.
            return [rest]
        return [] if last is None else [last]


def _sees_nothing(_: bytes) -> None:
    """Do what `glance` does for decoders that have none."""
