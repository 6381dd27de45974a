"""One upstream stream: bytes to events to chunks, with the patience it deserves.

Faults come out as `AttemptFailed`. Whether that means failover or an in-band error
is decided by who reads: before first content `dragoman.upstream.attempt`, after it
the relay.
"""

from collections.abc import AsyncIterator

from dragoman.core.clock import Clock
from dragoman.net.types import NetError, Response
from dragoman.providers.dialect import Fault, Kind, StreamDecoder
from dragoman.upstream.faults import AttemptFailed, late, nonsense, of_net
from dragoman.wire.hub import Chunk
from dragoman.wire.sse import Event, SseParser

DONE = b"[DONE]"


class UpstreamStream:
    """What an upstream has still to say. Whoever holds it must close it."""

    __slots__ = (
        "_body",
        "_broken",
        "_clock",
        "_content_gap_s",
        "_deadline",
        "_decoder",
        "_last_content",
        "_parser",
        "_spoke",
        "done",
        "response",
        "said_done",
    )

    def __init__(
        self,
        response: Response,
        decoder: StreamDecoder,
        clock: Clock,
        *,
        content_gap_s: float,
        deadline: float,
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
        self._parser = SseParser()
        self._clock = clock
        self._content_gap_s = content_gap_s
        self._deadline = deadline
        self._last_content = clock.monotonic()

    async def next(self) -> list[Chunk] | None:
        """Return the chunks of the next bytes, maybe none; None at the end.

        Raises AttemptFailed when the stream breaks, makes no sense, goes silent
        or outlives the request's deadline.
        """
        if self._broken is not None:
            raise AttemptFailed(self._broken)
        if self.done:
            return None
        try:
            data = await anext(self._body, None)
        except NetError as error:
            raise AttemptFailed(of_net(error)) from error
        now = self._clock.monotonic()
        if now > self._deadline:
            raise AttemptFailed(out_of_time())
        self.done = data is None
        chunks = self._decode(data)
        if chunks:
            self._last_content = now
        elif now - self._last_content > self._content_gap_s:
            raise AttemptFailed(late("no content came", self._content_gap_s))
        return chunks

    def close(self) -> None:
        """Let go of the connection: kept if the answer has ended, else cut."""
        if self.said_done:
            self.response.release()
        else:
            self.response.close()

    def _decode(self, data: bytes | None) -> list[Chunk]:
        """Return the chunks in `data`. What cannot be read breaks the stream after them."""
        chunks: list[Chunk] = []
        try:
            for event in self._events(data):
                self._spoke = True
                if event.data == DONE:
                    self.done = self.said_done = True
                    break
                chunk = self._decoder.feed(event.data)
                if chunk is not None:
                    chunks.append(chunk)
        except ValueError as error:
            self._broken = nonsense(f"unreadable stream: {error}")
            if not chunks:
                raise AttemptFailed(self._broken) from error
        return chunks

    def _events(self, data: bytes | None) -> list[Event]:
        if data is not None:
            return self._parser.feed(data)
        rest = self._parser.rest()
        last = self._parser.flush()
        if last is None and not self._spoke and rest.startswith(b"{"):
            # Asked for a stream, some hosts answer whole: mostly when they refuse with a 200.
            last = Event("", rest)
        return [] if last is None else [last]


def out_of_time() -> Fault:
    """Return the fault of an answer that outlives the deadline of its request."""
    return Fault(
        kind=Kind.TIMEOUT,
        error_type="timeout",
        message="the answer did not end within the time a request may take",
        status=200,
        code="deadline",
    )


def gave_up() -> Fault:
    """Return the fault of an answer whose finish reason is that the provider failed."""
    return Fault(
        kind=Kind.TRANSIENT,
        error_type="provider_unavailable",
        message="the provider ended the answer with an error",
        status=200,
        code="error",
    )


def cut_off() -> Fault:
    """Return the fault of a stream that ended without saying why: never a silent `stop`."""
    return Fault(
        kind=Kind.TRANSIENT,
        error_type="provider_unavailable",
        message="the provider's stream ended before the answer did",
        status=200,
        code="eof",
    )
