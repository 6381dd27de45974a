"""One connection between two processes, by which both can call: pipelined and bounded.

Whatever goes wrong with a call is one of three errors: Unavailable (nobody there, no answer in
time, the line broke), Overloaded (too much at once) or Internal (a defect of the other side).
A call that failed may have been done nevertheless, so what is called must bear being done twice.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from functools import partial
from itertools import count
from typing import Any, Final, Literal, cast

import msgspec
from msgspec import Struct

from dragoman.core.errors import GatewayError, Internal, Overloaded, Unavailable
from dragoman.link.contract import Method, pack
from dragoman.link.frames import BadFrame, Cutter, Frame, Kind, framed

MOST_CALLS: Final = 1000
"""How many calls may wait for an answer, in each direction."""
MOST_UNSENT: Final = 4 * 1024 * 1024
"""Bytes that may wait to be sent before calls are refused; four times that, and the line is cut."""
SILENT: Final = "Another process of the gateway does not answer."
DOWN: Final = "Another process of the gateway is not there."

_log = logging.getLogger(__name__)

Wrong = Literal["unavailable", "overloaded", "internal"]


class Refusal(Struct, frozen=True):
    """Why a call was not done."""

    wrong: Wrong
    message: str

    def error(self) -> GatewayError:
        """Return it as the error that the caller gets."""
        if self.wrong == "internal":
            return Internal(self.message)
        kind = Unavailable if self.wrong == "unavailable" else Overloaded
        return kind(self.message, retry_after_s=1)


class Offer(Struct, frozen=True):
    """A method, and the function that does it here."""

    method: Method
    function: Callable[..., Any]


Offers = Mapping[str, Offer]

_refusal = msgspec.msgpack.Decoder(Refusal).decode


def offers(methods: Mapping[str, Method], doer: object) -> Offers:
    """Return what `doer` does for others, by name."""
    return {name: Offer(method, getattr(doer, name)) for name, method in methods.items()}


class Line(asyncio.Protocol):
    """Fulfils calls by `offers`, and makes calls. `on_lost` is called once, at its end."""

    def __init__(self, offers: Offers, on_lost: Callable[["Line"], None]) -> None:
        self._offers = offers
        self._on_lost = on_lost
        self._cutter = Cutter()
        self._transport: asyncio.Transport | None = None
        self._numbers = count(1)
        self._waiting: dict[int, asyncio.Future[bytes]] = {}
        self._serving: set[asyncio.Task[bytes]] = set()
        self._full = False

    @property
    def is_open(self) -> bool:
        """Whether there is somebody at the other end."""
        return self._transport is not None and not self._transport.is_closing()

    async def call(self, method: Method, body: bytes) -> Any:
        """Have the other side do something; return its result.

        Raises Unavailable, Overloaded or Internal.
        """
        self._check_room()
        number = next(self._numbers)
        answer = asyncio.get_running_loop().create_future()
        self._waiting[number] = answer
        try:
            self._send(Frame(Kind.CALL, number, method.name, msgspec.Raw(body)))
            async with asyncio.timeout(method.patience_s):
                return method.result.decode(await answer)
        except TimeoutError:
            raise Unavailable(f"{SILENT} ({method.name})", retry_after_s=1) from None
        finally:
            del self._waiting[number]

    def tell(self, method: Method, body: bytes) -> None:
        """Send a note. It is lost when nobody is there."""
        if self.is_open:
            self._send(Frame(Kind.NOTE, 0, method.name, msgspec.Raw(body)))

    def cut(self) -> None:
        """Break the line off."""
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the loop once there is somebody."""
        self._transport = cast("asyncio.Transport", transport)
        self._transport.set_write_buffer_limits(high=MOST_UNSENT)

    def data_received(self, data: bytes) -> None:
        """Called by the loop."""
        try:
            for frame in self._cutter.feed(data):
                self._take(frame)
        except BadFrame as error:
            _log.warning("link.bad_frame problem=%s", error)
            self.cut()

    def pause_writing(self) -> None:
        """Called by the transport: the other side reads too slowly."""
        self._full = True

    def resume_writing(self) -> None:
        """Called by the transport."""
        self._full = False

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's own
        """Called by the loop, once, however the line ended."""
        for answer in self._waiting.values():
            if not answer.done():
                answer.set_exception(Unavailable(DOWN, retry_after_s=1))
        for task in self._serving:
            task.cancel()
        self._on_lost(self)

    def _check_room(self) -> None:
        if not self.is_open:
            raise Unavailable(DOWN, retry_after_s=1)
        if self._full or len(self._waiting) >= MOST_CALLS:
            raise Overloaded("Too many calls wait for an answer.", retry_after_s=1)

    def _send(self, frame: Frame) -> None:
        transport = self._transport
        if transport is None or transport.is_closing():
            return
        transport.write(framed(frame))
        if self._full and transport.get_write_buffer_size() > 4 * MOST_UNSENT:
            _log.warning("link.cut reason=unread")
            self.cut()

    def _take(self, frame: Frame) -> None:
        if frame.kind in {Kind.CALL, Kind.NOTE}:
            self._begin(frame)
            return
        answer = self._waiting.get(frame.call)
        if answer is None or answer.done():
            return  # its caller has given up
        if frame.kind is Kind.ANSWER:
            answer.set_result(bytes(frame.body))
        else:
            answer.set_exception(_refusal(frame.body).error())

    def _begin(self, frame: Frame) -> None:
        """Do what the other side asks for."""
        offer = self._offers.get(frame.name)
        if offer is None or offer.method.answered is not (frame.kind is Kind.CALL):
            raise BadFrame(f"there is no {frame.name} here")
        try:
            arguments = offer.method.arguments.decode(frame.body)
        except msgspec.DecodeError as error:
            raise BadFrame(f"{frame.name}: {error}") from error
        if not offer.method.answered:
            offer.function(*arguments)
        elif len(self._serving) >= MOST_CALLS:
            self._refuse(frame.call, Refusal("overloaded", "Too many calls are under way."))
        else:
            task = asyncio.get_running_loop().create_task(_done(offer, arguments))
            self._serving.add(task)
            task.add_done_callback(partial(self._answer, frame.call, frame.name))

    def _answer(self, number: int, name: str, task: "asyncio.Task[bytes]") -> None:
        """Send back what came of a call."""
        self._serving.discard(task)
        if task.cancelled():
            self._refuse(number, Refusal("unavailable", "It is being stopped."))
            return
        error = task.exception()
        if error is None:
            try:
                self._send(Frame(Kind.ANSWER, number, name, msgspec.Raw(task.result())))
            except BadFrame as problem:
                self._refuse(number, Refusal("internal", str(problem)))
        elif isinstance(error, Unavailable | Overloaded):
            wrong: Wrong = "unavailable" if isinstance(error, Unavailable) else "overloaded"
            self._refuse(number, Refusal(wrong, error.message))
        else:
            _log.error("link.call_failed method=%s", name, exc_info=error)
            self._refuse(number, Refusal("internal", f"{name} failed: {type(error).__name__}"))

    def _refuse(self, number: int, refusal: Refusal) -> None:
        self._send(Frame(Kind.REFUSAL, number, "", msgspec.Raw(pack(refusal))))


async def _done(offer: Offer, arguments: tuple[Any, ...]) -> bytes:
    """Do a call and return its result as bytes, unless its caller gives up before."""
    try:
        async with asyncio.timeout(offer.method.patience_s):
            return pack(await offer.function(*arguments))
    except TimeoutError:
        raise Unavailable(SILENT, retry_after_s=1) from None
