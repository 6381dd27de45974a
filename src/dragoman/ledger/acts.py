"""What a worker's journal says of requests: begun, under way, ended. To bytes and back. Pure.

A request that ends leaves one `Final`, with all that is to be booked and recorded. One that
was sent to a provider has a `Start` before it, and a `Progress` for each second of a stream,
so that a worker that is killed leaves behind what is needed to conclude it.

Members are told by their place, so new ones are added at the end, with a default.
"""

from collections.abc import Callable
from typing import Final as Constant
from typing import Generic, TypeVar

import msgspec
from msgspec import Struct

from dragoman.core.money import NanoUsd
from dragoman.ledger.types import Draw, Settled

R = TypeVar("R")


class Start(Struct, frozen=True, array_like=True, tag="s", gc=False):
    """A request is about to be sent to a provider. `hold` is what was set aside, in nano-USD."""

    id: str
    at: float
    """Unix time."""
    account: str
    key_hash: str
    requested: str
    streamed: bool
    hold: int = 0
    purses: tuple[str, ...] = ()
    user: str | None = None
    inclusive: tuple[str, ...] = ()
    """Those of the purses that count what a provider bills the account itself, too."""


class Progress(Struct, frozen=True, array_like=True, tag="p", gc=False):
    """How far an answer has come: what it costs if no more of it is ever heard of.

    `cost` is what the account pays, fee included; tokens are estimates.
    """

    id: str
    endpoint: str
    provider: str
    provider_name: str
    model: str
    prompt: int
    completion: int
    cost: int
    hold: int = 0
    """What was set aside by then: more than at first, where a stream took further slices."""
    included: int = 0
    """What inclusive purses are charged: no more than was set aside in them."""
    billed: int | None = None
    """What the provider bills the account itself; None for a credential of the installation."""
    fee_ppm: int = 0
    """The account's fee on top of the cost, in millionths."""


class Final(Struct, Generic[R], frozen=True, array_like=True, tag="f", gc=False):
    """A request has ended. `record` is what is kept of it, which the ledger does not read."""

    id: str
    account: str
    cost: NanoUsd
    """What the account pays, fee included, in nano-USD."""
    overrun: NanoUsd
    draws: tuple[Draw, ...]
    record: R


Act = Start | Progress | Final[R]

encode: Constant = msgspec.msgpack.Encoder().encode
# An act is an array of less than 16 members: a byte, the tag, the id (MessagePack's fixstr, str 8).
_START = b"\xa1s"
_STR_8, _FIXSTR, _SIZE, _LEAST = 0xD9, 0xA0, 0x1F, 5


def reader(record: type[R]) -> Callable[[bytes], Act[R]]:
    """Return what reads acts, and their records as this type.

    It raises msgspec.DecodeError for what is none.
    """
    kinds = Start | Progress | Final[record]  # type: ignore[valid-type]
    return msgspec.msgpack.Decoder(kinds).decode


decode: Constant = reader(msgspec.Raw)


def begun(payload: bytes) -> bytes | None:
    """Return the id of what a `Start` begins, as bytes; None for any other act.

    It is found by its place, so that one whose end is known need not be read.
    """
    if not payload.startswith(_START, 1) or len(payload) < _LEAST:
        return None
    kind, size = payload[3], payload[4]
    if kind == _STR_8:
        return payload[5 : 5 + size]
    return payload[4 : 4 + (kind & _SIZE)] if kind & ~_SIZE == _FIXSTR else None


def settled(final: Final[R], offset: int) -> Settled:
    """Return what is to be booked for a request whose last record ends at `offset`."""
    return Settled(offset, final.account, final.cost, final.draws, final.overrun)


def concluded(start: Start, progress: Progress | None, offset: int) -> Settled:
    """Return what is to be booked for a request of which no end is known, and none will be.

    What had come of a stream is charged, as far as it was held. Of one of which nothing
    is known the customer pays nothing, and its hold goes to suspense.
    """
    if progress is None:
        lost = NanoUsd(start.hold)
        return Settled(offset=offset, account=start.account, cost=NanoUsd(0), lost=lost)
    held = max(start.hold, progress.hold)
    cost = min(progress.cost, held) if start.purses else progress.cost
    drawn = dict.fromkeys(start.purses, cost) | dict.fromkeys(start.inclusive, progress.included)
    return Settled(
        offset=offset,
        account=start.account,
        cost=NanoUsd(cost),
        overrun=NanoUsd(progress.cost - cost),
        draws=tuple(Draw(purse, NanoUsd(amount)) for purse, amount in drawn.items()),
    )
