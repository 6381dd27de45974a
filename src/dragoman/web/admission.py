"""Who may call a route of the control plane, as FastAPI's dependencies.

The gate knows; here is only where the two headers are that may carry a key.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Header

from dragoman.access.gate import Gate
from dragoman.access.types import Caller


def admission(gate: Gate) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency of routes that any good key may call."""

    async def admitted(
        authorization: Annotated[str | None, Header()] = None,
        x_api_key: Annotated[str | None, Header()] = None,
    ) -> Caller:
        return await gate.admit(authorization, x_api_key)

    return admitted
