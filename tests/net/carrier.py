"""An exchange without a socket: a carrier that takes notes, and bytes given by hand."""

from collections.abc import Coroutine
from typing import TypeVar

import pytest

from dragoman.net.exchange import Exchange
from dragoman.net.types import Limits, NetError

T = TypeVar("T")


class FakeCarrier:
    """A connection that notes what it is told."""

    def __init__(self, *, reused: bool = False) -> None:
        self.reused = reused
        self.done: list[str] = []

    def pause(self) -> None:
        self.done.append("pause")

    def resume(self) -> None:
        self.done.append("resume")

    def cut(self) -> None:
        self.done.append("cut")

    def finish(self) -> None:
        self.done.append("finish")


def exchange(
    carrier: FakeCarrier | None = None, method: str = "POST", limits: Limits | None = None
) -> Exchange:
    return Exchange(carrier or FakeCarrier(), method, limits or Limits(), head_deadline=100.0)


def fed(*pieces: bytes, method: str = "POST", limits: Limits | None = None) -> Exchange:
    one = exchange(method=method, limits=limits)
    for piece in pieces:
        one.feed(piece)
    return one


def finished(step: Coroutine[object, object, T]) -> T:
    """Return what a coroutine returns that has nothing to wait for."""
    try:
        step.send(None)
    except StopIteration as stop:
        result: T = stop.value
        return result
    step.close()
    raise AssertionError("it waits")


def failure(one: Exchange) -> NetError:
    """Return what waiting for the head raises."""
    with pytest.raises(NetError) as raised:
        finished(one.head())
    return raised.value
