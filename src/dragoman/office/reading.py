"""How the body of a management request is read, and what is said of one that cannot be.

What it must look like is declared as a Struct where its family is; what it may mean there.
"""

from typing import TypeVar

import msgspec
from msgspec import Struct, inspect

from dragoman.core.errors import InvalidRequest
from dragoman.wire.explain import explain
from dragoman.wire.json import members, why_unreadable

B = TypeVar("B", bound=Struct)


def read(body: bytes, kind: type[B]) -> B:
    """Return what a body says. Raises InvalidRequest that names the member, and what would do.

    A member that is given twice is refused, as parsers disagree about which one counts.
    """
    try:
        found = msgspec.json.decode(body, type=kind)
    except msgspec.ValidationError as error:
        path, reason = explain(error, inspect.type_info(kind))
        said = f"{path}: {reason}" if path else f"the body {reason}"
        raise InvalidRequest(f"Invalid request parameters: {said}") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = why_unreadable(body, error)
        raise InvalidRequest(f"Invalid request parameters: {reason}") from error
    members(body)
    return found
