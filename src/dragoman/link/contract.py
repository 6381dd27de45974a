"""A contract: the methods that one process offers another, read from a Protocol class.

Arguments and results are whatever msgspec can encode and decode by their annotations, so
a method is added by writing it down:

    class Keeper(Protocol):
        async def key(self, hash_: str, verifier: str) -> Key | None: ...

        @patient(10.0)
        async def record(self, generations: tuple[bytes, ...]) -> None: ...

        def leave(self, slot: Slot) -> None: ...

A coroutine is answered, and whoever calls it waits at most for as long as it is `patient`,
a quarter of a second by default; then the work is stopped, too. A plain method is a *note*:
it is sent and forgotten, and lost when nobody is there.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar, get_type_hints

import msgspec
from msgspec import Struct

T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])

PATIENCE_S: Final = 0.25
_PATIENCE = "link_patience_s"


def patient(seconds: float) -> Callable[[F], F]:
    """Let callers of a method wait this long for its answer."""

    def mark(method: F) -> F:
        setattr(method, _PATIENCE, seconds)
        return method

    return mark


class Method(Struct, frozen=True):
    """One method: how its arguments and its result travel. Not `answered` is a note."""

    name: str
    answered: bool
    patience_s: float
    signature: inspect.Signature
    arguments: msgspec.msgpack.Decoder[tuple[Any, ...]]
    result: msgspec.msgpack.Decoder[Any]

    def packed(self, given: tuple[Any, ...], named: Mapping[str, Any]) -> bytes:
        """Return the arguments of a call as bytes."""
        if named or len(given) != len(self.signature.parameters):
            bound = self.signature.bind(*given, **named)
            bound.apply_defaults()
            given = bound.args
        return _encode(given)


class Contract(Generic[T]):
    """All methods of a Protocol class, by name."""

    def __init__(self, protocol: Callable[..., T]) -> None:
        self.methods = {
            name: _method(name, function)
            for name, function in inspect.getmembers(protocol, inspect.isfunction)
            if not name.startswith("_")
        }


_encode = msgspec.msgpack.Encoder().encode


def pack(value: object) -> bytes:
    """Return a result as bytes."""
    return _encode(value)


def _method(name: str, function: Callable[..., Any]) -> Method:
    hints = get_type_hints(function)
    full = inspect.signature(function)
    parameters = [p for p in full.parameters.values() if p.name != "self"]
    types = tuple(hints[parameter.name] for parameter in parameters)
    arguments: Any = tuple[types] if types else tuple[()]  # type: ignore[valid-type]
    return Method(
        name=name,
        answered=inspect.iscoroutinefunction(function),
        patience_s=getattr(function, _PATIENCE, PATIENCE_S),
        signature=full.replace(parameters=parameters),
        arguments=msgspec.msgpack.Decoder(arguments),
        result=msgspec.msgpack.Decoder(hints.get("return", type(None))),
    )
