"""One attempt: translate, send, and wait for first content or a whole answer.

Each attempt ends in an `Opened` or an `Answered`, or in `AttemptFailed` with a
classified fault, and never leaves a connection behind.
"""

import asyncio

from msgspec import Struct

from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import Provider
from dragoman.core.clock import Clock
from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Note
from dragoman.net.types import NetError, Request, Response, Transport
from dragoman.providers.dialect import Dialect, Fault, Outgoing
from dragoman.providers.openai.faults import fault_of_stream
from dragoman.routing.types import Step
from dragoman.upstream.faults import AttemptFailed, late, nonsense, of_net
from dragoman.upstream.options import UpstreamOptions
from dragoman.upstream.stream import UpstreamStream, cut_off, gave_up
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Answer, Chunk


class Opened(Struct, frozen=True, kw_only=True):
    """A stream whose first content is in: nothing can fail over any more."""

    step: Step
    stream: UpstreamStream
    first: list[Chunk]
    notes: tuple[Note, ...]


class Answered(Struct, frozen=True, kw_only=True):
    """A whole answer."""

    step: Step
    answer: Answer
    notes: tuple[Note, ...]


class Line(Struct, frozen=True, kw_only=True):
    """How a provider is reached: its row, its dialect, what carries the bytes."""

    provider: Provider
    dialect: Dialect
    transport: Transport


class Attempt(Struct, frozen=True, kw_only=True):
    """An attempt about to be made."""

    call: ChatCall
    step: Step
    line: Line
    credential: Credential | None
    deadline: float
    options: UpstreamOptions
    clock: Clock
    sent: list[bytes]
    """Grows by the body of every attempt of the request, for the debug echo."""


MOST_HELD = 16
"""Of what comes before content only so much is kept: a flood of nothing must not fill memory."""


async def stream(attempt: Attempt) -> Opened:
    """Return a stream once its first content is in. Raises AttemptFailed."""
    patience_s = _patience_s(attempt)
    outgoing = _translate(attempt)
    try:
        async with asyncio.timeout(patience_s):
            response = await _send(attempt, outgoing, patience_s)
            try:
                return await _opened(attempt, outgoing, response)
            except BaseException:
                response.close()
                raise
    except TimeoutError:
        raise AttemptFailed(late("no content came", patience_s)) from None


async def answer(attempt: Attempt) -> Answered:
    """Return a whole answer. Raises AttemptFailed."""
    patience_s = _patience_s(attempt)
    outgoing = _translate(attempt)
    try:
        async with asyncio.timeout(patience_s):
            response = await _send(attempt, outgoing, patience_s)
            try:
                body = await response.read()
            finally:
                response.close()
    except NetError as error:
        raise AttemptFailed(of_net(error)) from error
    except TimeoutError:
        raise AttemptFailed(late("the answer did not end", patience_s)) from None
    return Answered(step=attempt.step, answer=_read(attempt, body), notes=outgoing.notes)


def _patience_s(attempt: Attempt) -> float:
    """Return how long the attempt may take to first content, or to all of it."""
    options = attempt.options
    thinks = "reasoning" in attempt.step.endpoint.supports
    if attempt.call.stream:
        patience_s = options.first_content_reasoning_s if thinks else options.first_content_s
    else:
        patience_s = options.answer_reasoning_s if thinks else options.answer_s
    return min(patience_s, attempt.deadline - attempt.clock.monotonic())


def _translate(attempt: Attempt) -> Outgoing:
    line = attempt.line
    try:
        outgoing = line.dialect.request(attempt.call, attempt.step.endpoint, line.provider)
    except RecursionError:
        raise InvalidRequest("the request is nested too deeply to be translated") from None
    attempt.sent.append(outgoing.body)
    return outgoing


async def _send(attempt: Attempt, outgoing: Outgoing, patience_s: float) -> Response:
    """Send, once more if a kept-alive connection died unused, and check the status."""
    line = attempt.line
    request = Request(
        method="POST",
        url=line.provider.base_url + outgoing.path,
        headers=outgoing.headers + _authorization(line.provider, attempt.credential),
        body=outgoing.body,
    )
    limits = attempt.options.limits(patience_s)
    try:
        response = await line.transport.send(request, limits)
    except NetError as error:
        if not error.reused:
            raise AttemptFailed(of_net(error)) from error
        response = await _send_again(line.transport, request, attempt)
    if response.status != 200:
        raise AttemptFailed(await _refusal(line.dialect, response))
    return response


async def _send_again(transport: Transport, request: Request, attempt: Attempt) -> Response:
    try:
        return await transport.send(request, attempt.options.limits(_patience_s(attempt)))
    except NetError as error:
        raise AttemptFailed(of_net(error)) from error


async def _refusal(dialect: Dialect, response: Response) -> Fault:
    """Read an answer that is not a success, and classify it."""
    try:
        async with asyncio.timeout(5):
            body = await response.read()
    except (NetError, TimeoutError):
        body = b""
    finally:
        response.close()
    return dialect.fault(response.status, response.headers, body)


def _authorization(
    provider: Provider, credential: Credential | None
) -> tuple[tuple[str, str], ...]:
    if credential is None or provider.auth == "none":
        return ()
    secret = credential.secret.reveal()
    if provider.auth == "api-key":
        return (("api-key", secret),)
    return (("Authorization", f"Bearer {secret}"),)


async def _opened(attempt: Attempt, outgoing: Outgoing, response: Response) -> Opened:
    upstream = UpstreamStream(
        response,
        attempt.line.dialect.decoder(),
        attempt.clock,
        content_gap_s=attempt.options.content_gap_s,
        deadline=attempt.deadline,
    )
    held: list[Chunk] = []
    while (chunks := await upstream.next()) is not None:
        held += chunks
        if _opens(chunks):
            return Opened(
                step=attempt.step,
                stream=upstream,
                first=held,
                notes=outgoing.notes,
            )
        del held[1:-MOST_HELD]
    raise AttemptFailed(cut_off())


def _opens(chunks: list[Chunk]) -> bool:
    """Whether an answer has begun: with content, or by ending. Raises on an error before that."""
    for chunk in chunks:
        if chunk.fault is not None:
            raise AttemptFailed(fault_of_stream(chunk.fault))
        for piece in chunk.pieces:
            if piece.finish_reason == "error":
                raise AttemptFailed(gave_up())
            if piece.finish_reason or piece.has_content:
                return True
    return False


def _read(attempt: Attempt, body: bytes) -> Answer:
    try:
        whole = attempt.line.dialect.answer(body)
    except ValueError as error:
        raise AttemptFailed(nonsense(f"unreadable answer: {error}")) from error
    if whole.fault is not None:
        raise AttemptFailed(fault_of_stream(whole.fault))
    if any(choice.finish_reason == "error" for choice in whole.choices):
        raise AttemptFailed(gave_up())
    return whole
