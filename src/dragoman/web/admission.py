"""Who may call a route of the control plane, as FastAPI's dependencies.

The gate knows; here is only where the two headers are that may carry a key.
"""

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Header

from dragoman.access.callers import check_administration, check_management
from dragoman.access.gate import Gate
from dragoman.access.types import DEFAULT_ACCOUNT, Caller
from dragoman.core.errors import PermissionDenied
from dragoman.office.account_admin import NOT_THE_OPERATOR


def admission(gate: Gate) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency of routes that any good key may call."""

    async def admitted(
        authorization: Annotated[str | None, Header()] = None,
        x_api_key: Annotated[str | None, Header()] = None,
    ) -> Caller:
        return await gate.admit(authorization, x_api_key)

    return admitted


def management(gate: Gate) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency of routes that management keys alone may call."""
    admit = admission(gate)

    async def managing(caller: Annotated[Caller, Depends(admit)]) -> Caller:
        check_management(caller)
        return caller

    return managing


def administration(gate: Gate) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency of routes that concern a whole account, and so not mere members."""
    admit = admission(gate)

    async def administering(caller: Annotated[Caller, Depends(admit)]) -> Caller:
        check_administration(caller)
        return caller

    return administering


def operation(gate: Gate) -> Callable[..., Awaitable[Caller]]:
    """Return the dependency of routes that show the installation: the operator's alone."""
    administer = administration(gate)

    async def operating(caller: Annotated[Caller, Depends(administer)]) -> Caller:
        if caller.account != DEFAULT_ACCOUNT:
            raise PermissionDenied(NOT_THE_OPERATOR)
        return caller

    return operating
