"""One attempt: translate, send, and wait for first content or a whole answer.

A whole answer may be asked for as a stream (`dragoman.upstream.asking`); then it is gathered.

Each attempt ends in an `Opened` or an `Answered`, or in `AttemptFailed` with a
classified fault, and never leaves a connection behind.
"""

import asyncio
import math
from contextlib import closing

import msgspec
from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.core.clock import Clock
from dragoman.core.notes import Note
from dragoman.net.head import PLAIN
from dragoman.net.types import Limits, NetError, Request, Response, Transport
from dragoman.providers.dialect import Fault, Outgoing
from dragoman.routing.types import Step
from dragoman.upstream.faults import (
    AttemptFailed,
    cut_off,
    hung,
    late,
    of_net,
    without_tokens,
)
from dragoman.upstream.gatherer import Gatherer, Watch, fault_in
from dragoman.upstream.hangs import NOBODY, UNWATCHED, Hangs, Silence, Waiter
from dragoman.upstream.line import Headers, Line, authorization
from dragoman.upstream.moves import piece_pause_s
from dragoman.upstream.options import UpstreamOptions
from dragoman.upstream.patience import Patience, Timekeeper
from dragoman.upstream.several import Part, together
from dragoman.upstream.stream import Bounds, UpstreamStream
from dragoman.upstream.translation import translated
from dragoman.upstream.whole import read_whole
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import LARGE_BYTES, Answer, Chunk, Text
from dragoman.wire.sse import BOM
from dragoman.wire.usage import Usage


class Opened(Struct, frozen=True, kw_only=True):
    """A stream whose first content is in: nothing can fail over any more."""

    step: Step
    stream: UpstreamStream
    first: list[Chunk | Text]
    notes: tuple[Note, ...]
    speaks: str = "chat"
    """The client dialect that the provider's events are in."""
    credential: Credential | None = None
    """What it was opened with, which an error further on may echo."""


class Answered(Struct, frozen=True, kw_only=True, gc=False):
    """A whole answer."""

    step: Step
    answer: Answer
    notes: tuple[Note, ...]
    gathered: bool = False
    """Whether it came as a stream, of which its `Watch` has seen all."""
    speaks: str = "chat"
    """The client dialect that the provider's body is in."""


class Attempt(Struct, frozen=True, kw_only=True):
    """An attempt about to be made."""

    call: ChatCall
    """As it is to be asked here, which may be for a stream where the client wants none."""
    notes: tuple[Note, ...] = ()
    """What of it differs from the client's words."""
    step: Step
    line: Line
    credential: Credential | None
    deadline: float
    options: UpstreamOptions
    clock: Clock
    timekeeper: Timekeeper
    sent: list[bytes]
    """Grows by the body of every attempt of the request, for the debug echo."""
    watch: Watch | None = None
    """Who sees an answer that is gathered; None where the client gets a stream."""
    hangs: Hangs = UNWATCHED
    """Who watches streams that wait for content."""
    waiter: Waiter = NOBODY


MOST_DIGITS = 10
"""Of a number of tokens in a header: what is longer is none."""

REFUSAL_S = 5.0
"""How long the body of an answer that is an error may take."""

MOST_HELD = 16
"""Of what comes before content only so much is kept: a flood of nothing must not fill memory."""

MOST_NATIVE = 256
"""So many events may come before content that clients of the provider's dialect get as they are:
none of them may be missing, so after that the answer has begun."""


async def stream(attempt: Attempt) -> Opened:
    """Return a stream once its first content is in. Raises AttemptFailed."""
    patience_s = _patience_s(attempt)
    outgoing = await _translated(attempt)
    hangs, now = attempt.hangs, attempt.clock.monotonic
    patience = Patience(attempt.timekeeper, patience_s)
    silence = Silence(attempt.step.endpoint.id, patience, patience_s, now(), attempt.waiter)
    began_at: float | None = None
    hangs.begin(silence)
    try:
        with patience:
            response = await _send(attempt, outgoing, patience_s)
            silence.heard_at = now()
            try:
                opened = await _opened(attempt, outgoing, response, silence)
            except BaseException:
                response.close()
                raise
            began_at = silence.heard_at
            return opened
    except TimeoutError:
        fault = hung() if silence.ended else late("no content came", patience_s)
        raise AttemptFailed(fault) from None
    finally:
        hangs.over(silence, began_at)


async def answer(attempt: Attempt) -> Answered:
    """Return a whole answer. Raises AttemptFailed, and what ends one that is gathered."""
    if attempt.call.stream and attempt.watch is not None:
        return await _gathered(attempt, attempt.watch)
    patience_s = _patience_s(attempt)
    outgoing = await _translated(attempt)
    tokens: int | None = None
    try:
        with Patience(attempt.timekeeper, patience_s):
            if outgoing.more or outgoing.counted:
                part = await _counted(attempt, outgoing, patience_s)
                body, tokens = part.body, part.tokens
            else:
                response = await _send(attempt, outgoing, patience_s)
                try:
                    body = await response.read()
                finally:
                    response.close()
    except NetError as error:
        raise AttemptFailed(of_net(error)) from error
    except TimeoutError:
        raise AttemptFailed(late("the answer did not end", patience_s)) from None
    notes = attempt.notes + outgoing.notes
    if attempt.call.kind != "chat" and len(body) >= LARGE_BYTES:
        whole = await asyncio.to_thread(read_whole, attempt.line.dialect, body)
    else:
        whole = read_whole(attempt.line.dialect, body)
    if tokens is not None and whole.usage is None:
        whole = msgspec.structs.replace(whole, usage=Usage(prompt=tokens))
    speaks = attempt.line.dialect.speaks
    return Answered(step=attempt.step, answer=whole, notes=notes, speaks=speaks)


async def _counted(attempt: Attempt, outgoing: Outgoing, patience_s: float) -> Part:
    """Ask with each of the bodies. Return all answers as one, and the tokens their heads tell of.

    Raises AttemptFailed and NetError.
    """

    async def ask(body: bytes) -> Part:
        one = msgspec.structs.replace(outgoing, body=body)
        response = await _send(attempt, one, patience_s)
        try:
            answered = await response.read()
        except NetError as error:
            raise AttemptFailed(of_net(error)) from error
        finally:
            response.close()
        told = response.headers.get(outgoing.counted, "") if outgoing.counted else ""
        is_number = told.isdecimal() and len(told) < MOST_DIGITS
        return Part(answered, int(told) if is_number else None)

    def again(fault: Fault) -> float | None:
        return piece_pause_s(fault, until - attempt.clock.monotonic())

    until = attempt.clock.monotonic() + patience_s
    most_bytes = attempt.options.limits(patience_s).body_bytes
    return await together((outgoing.body, *outgoing.more), ask, most_bytes, again)


async def _gathered(attempt: Attempt, watch: Watch) -> Answered:
    """Return a whole answer that is asked for as a stream. Its patience is a whole answer's.

    When that runs out over a connection that does not end, what has ended on it is an answer.
    """
    patience_s = _patience_s(attempt)
    outgoing = await _translated(attempt)
    gatherer: Gatherer | None = None
    try:
        with Patience(attempt.timekeeper, patience_s):
            response = await _send(attempt, outgoing, patience_s)
            with closing(_read_as_stream(attempt, response)) as upstream:
                first = await _first(attempt, upstream)
                watch.begin(attempt.step)
                gatherer = Gatherer(upstream, watch, attempt.options.limits(patience_s).body_bytes)
                whole = await gatherer.all_after(first, attempt.clock.monotonic())
    except TimeoutError:
        if gatherer is None or not gatherer.complete:
            raise AttemptFailed(late("the answer did not end", patience_s)) from None
        whole = gatherer.answer()
    notes = attempt.notes + outgoing.notes
    return Answered(step=attempt.step, answer=whole, notes=notes, gathered=True)


def _patience_s(attempt: Attempt) -> float:
    """Return how long the attempt may take to first content, or to all of it."""
    options = attempt.options
    thinks = "reasoning" in attempt.step.endpoint.supports
    if attempt.call.stream and attempt.watch is None:
        patience_s = options.first_content_reasoning_s if thinks else options.first_content_s
    else:
        patience_s = options.answer_reasoning_s if thinks else options.answer_s
    return min(patience_s, attempt.deadline - attempt.clock.monotonic())


async def _translated(attempt: Attempt) -> Outgoing:
    """Return the request to be sent, and keep its bodies. Raises AttemptFailed."""
    outgoing = await translated(attempt.call, attempt.line, attempt.step.endpoint)
    attempt.sent.append(outgoing.body)
    if outgoing.more:
        attempt.sent.extend(outgoing.more)
    return outgoing


async def _send(attempt: Attempt, outgoing: Outgoing, patience_s: float) -> Response:
    """Send, and check the status.

    Once more if a kept-alive connection died unused, or a kept token has become good for nothing.
    """
    line = attempt.line
    unsigned = request = Request(
        method="POST",
        url=outgoing.url or line.provider.base_url + outgoing.path,
        headers=outgoing.headers + _lets_in(attempt),
        body=outgoing.body,
    )
    signer, credential = line.signer, None
    if signer is not None:
        byok = attempt.step.byok
        credential = attempt.credential if byok is None else byok.credential
        if credential is not None:
            request = await signer.signed(request, credential)
    try:
        response = await line.transport.send(request, _limits(attempt, patience_s))
    except NetError as error:
        if not error.reused:
            raise AttemptFailed(of_net(error)) from error
        response = await _send_again(line.transport, request, attempt)
    if response.status == 200:
        return response
    if (
        response.status == 401
        and signer is not None
        and credential is not None
        and signer.refused(request, credential)
    ):
        response.close()
        request = await signer.signed(unsigned, credential)
        response = await _send_again(line.transport, request, attempt)
        if response.status == 200:
            return response
    fault = await _refusal(attempt, response)
    raise AttemptFailed(fault if signer is None else without_tokens(fault, request))


async def _send_again(transport: Transport, request: Request, attempt: Attempt) -> Response:
    try:
        return await transport.send(request, _limits(attempt, _patience_s(attempt)))
    except NetError as error:
        raise AttemptFailed(of_net(error)) from error


def _limits(attempt: Attempt, patience_s: float) -> Limits:
    """Return the transport's limits. What is gathered may be silent like a whole answer.

    The wait for the head is rounded up to a second, so that what limits were made for is asked
    for again: it is the patience that ends an attempt.
    """
    limits = attempt.options.limits(math.ceil(patience_s))
    if attempt.watch is not None and attempt.call.stream:
        return msgspec.structs.replace(limits, idle_s=max(limits.idle_s, patience_s))
    return limits


async def _refusal(attempt: Attempt, response: Response) -> Fault:
    """Read an answer that is not a success, and classify it."""
    try:
        with Patience(attempt.timekeeper, REFUSAL_S):
            body = await response.read()
    except (NetError, TimeoutError):
        body = b""
    finally:
        response.close()
    headers = response.headers
    if headers.get("content-encoding", "").lower() not in PLAIN:
        body = b""  # which nobody could read; the status tells enough
    return attempt.line.dialect.fault(response.status, headers, body.removeprefix(BOM))


def _lets_in(attempt: Attempt) -> Headers:
    """Return the headers that the provider lets in with, none where a signer sees to it."""
    line, byok = attempt.line, attempt.step.byok
    if line.signer is not None:
        return ()
    if byok is not None:
        return authorization(line.provider, byok.credential)
    return line.authorization(attempt.credential)


async def _opened(
    attempt: Attempt, outgoing: Outgoing, response: Response, silence: Silence
) -> Opened:
    upstream = _read_as_stream(attempt, response)
    return Opened(
        step=attempt.step,
        first=await _first(attempt, upstream, silence),
        stream=upstream,
        notes=attempt.notes + outgoing.notes,
        speaks=attempt.line.dialect.speaks,
        credential=attempt.credential,
    )


def _read_as_stream(attempt: Attempt, response: Response) -> UpstreamStream:
    bounds = Bounds(
        content_gap_s=attempt.options.content_gap_s,
        deadline=attempt.deadline,
        timekeeper=attempt.timekeeper,
        choices=attempt.call.choices,
    )
    dialect = attempt.line.dialect
    return UpstreamStream(response, dialect.parser(), dialect.decoder(), attempt.clock, bounds)


async def _first(
    attempt: Attempt, upstream: UpstreamStream, silence: Silence | None = None
) -> list[Chunk | Text]:
    """Return the chunks up to the first content, or to an end without any."""
    held: list[Chunk | Text] = []
    while (chunks := await upstream.next()) is not None:
        if silence is not None:
            silence.heard_at = attempt.clock.monotonic()
        held += chunks
        if _opens(chunks) or len(held) > MOST_NATIVE:
            return held
        if not any(isinstance(chunk, Chunk) and chunk.native for chunk in held[-MOST_HELD:]):
            del held[1:-MOST_HELD]
    raise AttemptFailed(cut_off())


def _opens(chunks: list[Chunk | Text]) -> bool:
    """Whether an answer has begun: with content, or by ending. Raises on an error before that."""
    for chunk in chunks:
        if isinstance(chunk, Text):
            return True
        fault = fault_in(chunk)
        if fault is not None:
            raise AttemptFailed(fault)
        if any(piece.finish_reason or piece.has_content for piece in chunk.pieces):
            return True
    return False
