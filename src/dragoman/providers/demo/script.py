"""From a request to what a demo host does: a status, headers, and bytes with pauses between.

Pure: the same request, host, seed and time give the same script. Playing it is
`dragoman.upstream.demo`'s job.
"""

import hashlib
from math import inf
from typing import Literal

import msgspec
from msgspec import Struct, structs

from dragoman.providers.demo import answer, faults
from dragoman.providers.demo.answer import Identity, Stream
from dragoman.providers.demo.ask import Ask, Refusal, read
from dragoman.providers.demo.faults import Fault
from dragoman.providers.demo.reply import replies
from dragoman.providers.demo.speeds import SPEEDS, Speed

Ending = Literal["end", "cut", "hang"]

Frame = tuple[float, bytes]
"""Seconds to wait, then bytes to send."""

_JSON = "application/json"
_EVENTS = "text/event-stream; charset=utf-8"
_PAGE = b"<!DOCTYPE html><html><head><title>502 Bad Gateway</title></head><body></body></html>"
_BROKEN_EVENT = b'data: {"id":"chatcmpl-demo","choices":[{"index":0,"delta":{"cont\n\n'
_ERROR = answer.error_body("This demo host was asked to fail.", "server_error", None)
_CODES = {
    401: "invalid_api_key",
    402: "insufficient_quota",
    404: "model_not_found",
    429: "rate_limit_exceeded",
}


class Script(Struct, frozen=True, kw_only=True):
    """What a host does: waits `head_s` seconds, sends a head, then frames, then `ending`.

    `head_s` is infinite for a host that never answers. After the last frame the body
    is complete (`end`), the connection breaks (`cut`), or nothing comes any more (`hang`).
    """

    head_s: float = 0.0
    status: int = 200
    headers: dict[str, str]
    frames: tuple[Frame, ...] = ()
    ending: Ending = "end"


def script(body: bytes, *, provider: str, seed: int, now: float) -> Script:
    """Return what `provider` does with a chat request.

    `seed` and `now` (Unix seconds) only name and date the answer. Raises KeyError for
    a provider that is not in SPEEDS.
    """
    speed = SPEEDS[provider]
    try:
        ask = read(body)
        fault, notice = _fault(ask, provider)
        if fault is not None and fault.kind in _INSTEAD:
            return _INSTEAD[fault.kind](fault, speed)
        given = replies(ask, notice)
    except Refusal as refusal:
        return refused(refusal.status, refusal.message, refusal.code)
    identity = _identity(body, seed, now)
    if ask.stream:
        return _streamed(answer.stream(ask, given, identity), fault, speed)
    return _whole(answer.whole(ask, given, identity), fault, speed)


def refused(status: int, message: str, code: str | None = None) -> Script:
    """Return an error in OpenAI's shape ("Error codes")."""
    body = _error(status, message, code or _CODES.get(status))
    return Script(status=status, headers={"content-type": _JSON}, frames=((0.0, body),))


def _fault(ask: Ask, provider: str) -> tuple[Fault | None, str | None]:
    """Return the fault to act out, or what to say to a marker that makes no sense."""
    try:
        return faults.wanted(ask.instructions, provider), None
    except ValueError as error:
        return None, str(error)


def _identity(body: bytes, seed: int, now: float) -> Identity:
    digest = hashlib.sha256(b"%d %d " % (seed, int(now * 1000)) + body).hexdigest()
    return Identity(id=f"chatcmpl-{digest[:29]}", created=int(now))


def _error(status: int, message: str, code: str | None) -> bytes:
    kind = "server_error" if status >= 500 else "invalid_request_error"
    return msgspec.json.encode(answer.error_body(message, kind, code))


def _status(fault: Fault, _: Speed) -> Script:
    status = int(fault.number)
    return refused(status, f"This demo host was asked to answer {status}.")


def _retry_after(fault: Fault, _: Speed) -> Script:
    limited = refused(429, "This demo host was asked to be busy.")
    wait = {"retry-after": f"{fault.number:g}"}
    return structs.replace(limited, headers=limited.headers | wait)


def _empty(_: Fault, speed: Speed) -> Script:
    return Script(head_s=speed.first_token_s, headers={"content-type": _JSON})


def _html(_: Fault, speed: Speed) -> Script:
    headers = {"content-type": "text/html"}
    return Script(head_s=speed.first_token_s, headers=headers, frames=((0.0, _PAGE),))


_INSTEAD = {"status": _status, "retry-after": _retry_after, "empty": _empty, "html": _html}
"""Faults that take the place of an answer; the others spoil one."""


def _head_s(fault: Fault | None, speed: Speed, *, streamed: bool) -> float:
    if fault is None:
        return speed.first_token_s
    if fault.kind == "hang" and not (streamed and fault.number):
        return inf
    return speed.first_token_s + (fault.number if fault.kind == "slow" else 0.0)


def _streamed(events: Stream, fault: Fault | None, speed: Speed) -> Script:
    pause_s = 1 / speed.tokens_per_s
    paced = tuple((pause_s if i else 0.0, each) for i, each in enumerate(events.tokens))
    closing = tuple((0.0, each) for each in events.closing)
    frames, ending = _spoilt(paced, closing, fault)
    return Script(
        head_s=_head_s(fault, speed, streamed=True),
        headers={"content-type": _EVENTS, "cache-control": "no-cache"},
        frames=(*((0.0, each) for each in events.opening), *frames),
        ending=ending,
    )


def _spoilt(
    paced: tuple[Frame, ...], closing: tuple[Frame, ...], fault: Fault | None
) -> tuple[tuple[Frame, ...], Ending]:
    if fault is None:
        return paced + closing, "end"
    place = int(fault.number)
    match fault.kind:
        case "cut":
            return paced[:place], "cut"
        case "hang":
            return paced[:place], "hang"
        case "sse-error":
            return (*paced[:place], (0.0, answer.event(_ERROR))), "end"
        case "malformed":
            return (*paced[:place], (0.0, _BROKEN_EVENT), *paced[place:], *closing), "end"
    return paced + closing, "end"


def _whole(body: bytes, fault: Fault | None, speed: Speed) -> Script:
    kind = fault.kind if fault else None
    if kind in {"cut", "malformed"}:
        body = body[: len(body) // 2]
    if kind == "sse-error":
        body = msgspec.json.encode(_ERROR)
    return Script(
        head_s=_head_s(fault, speed, streamed=False),
        headers={"content-type": _JSON},
        frames=((0.0, body),),
        ending="cut" if kind == "cut" else "end",
    )
