"""A whole answer, read from its bytes: one that breaks no rule, or the fault that it is."""

from dragoman.providers.dialect import Dialect
from dragoman.providers.openai.faults import fault_of_stream
from dragoman.upstream.faults import AttemptFailed, gave_up, nonsense
from dragoman.wire.halves import without_halves
from dragoman.wire.hub import Answer, concluded
from dragoman.wire.sse import BOM


def read_whole(dialect: Dialect, body: bytes) -> Answer:
    """Return the answer in `body`, of which every choice has ended. Raises AttemptFailed."""
    try:
        whole = _decoded(dialect, body)
    except ValueError as error:
        raise AttemptFailed(nonsense(f"unreadable answer: {error}")) from error
    if whole.fault is not None:
        raise AttemptFailed(fault_of_stream(whole.fault))
    is_open = False
    for choice in whole.choices:
        if choice.finish_reason is None:
            is_open = True
        elif choice.finish_reason == "error":
            raise AttemptFailed(gave_up())
    return concluded(whole) if is_open else whole


def _decoded(dialect: Dialect, body: bytes) -> Answer:
    """Return what a dialect reads in `body`. Raises ValueError.

    Halves of characters are no obstacle, and neither is a byte order mark (RFC 8259, 8.1).
    """
    try:
        return dialect.answer(body)
    except ValueError:
        mended = without_halves(body.removeprefix(BOM))
        if mended == body:
            raise
    return dialect.answer(mended)
