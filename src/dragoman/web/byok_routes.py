"""The routes by which programs keep an account's own credentials: `/byok`, for management keys.

Bodies and their meaning are in `dragoman.office.byok_bodies`, what is done with them in
`dragoman.office.byok`.
"""

import logging
from typing import Annotated, TypeVar

from fastapi import APIRouter, Depends, Header, Request, Response

from dragoman.access import own_credentials
from dragoman.access.types import Caller
from dragoman.catalog.names import provider_slug
from dragoman.catalog.query import count, given
from dragoman.core.errors import Unavailable
from dragoman.office import byok, key_admin
from dragoman.office.byok import Safe
from dragoman.office.byok_bodies import (
    ByokBody,
    ByokChange,
    ByoksBody,
    Deleted,
    NewByok,
    byok_row,
    read_change,
    read_new,
)
from dragoman.store.custody import CustodyError
from dragoman.store.sql import Work
from dragoman.web.admission import administration
from dragoman.web.key_routes import MOST_SKIPPED, manager_of, needs_management
from dragoman.web.plane import Control
from dragoman.web.responses import json_response

T = TypeVar("T")

PAGE, LARGEST_PAGE = 50, 100

_log = logging.getLogger(__name__)


def byok_routes(control: Control) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    managed = Annotated[Caller, Depends(administration(control.gate))]
    safe = Safe(control.vault, control.mint.pepper)

    @router.get("/byok", summary="List the account's own credentials", **needs_management())
    async def list_byok(request: Request, caller: managed) -> Response:
        wanted = _wanted(request, caller.account, control)
        found, total = await control.ledger.read(own_credentials.listed(wanted))
        return json_response(ByoksBody(tuple(map(byok_row, found)), total))

    @router.post("/byok", summary="Add an own credential", **needs_management(NewByok))
    async def add_byok(
        request: Request,
        caller: managed,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        new = read_new(await request.body())
        manager = manager_of(control, caller)
        work = byok.add(new, control.catalog(), safe, manager, idempotency_key)
        kept = await _done(control, work)
        response = json_response(ByokBody(byok_row(kept.credential)), 201)
        if kept.replayed:
            response.headers["idempotent-replayed"] = "true"
        return response

    @router.get("/byok/{id_}", summary="Get an own credential", **needs_management())
    async def get_byok(caller: managed, id_: str) -> Response:
        found = await control.ledger.read(byok.one(id_, caller.account))
        return json_response(ByokBody(byok_row(found)))

    @router.patch("/byok/{id_}", summary="Change an own credential", **needs_management(ByokChange))
    async def change_byok(request: Request, caller: managed, id_: str) -> Response:
        change = read_change(await request.body())
        manager = manager_of(control, caller)
        work = byok.amend(id_, change, control.catalog(), control.vault, manager)
        return json_response(ByokBody(byok_row(await _done(control, work))))

    @router.delete("/byok/{id_}", summary="Delete an own credential", **needs_management())
    async def delete_byok(caller: managed, id_: str) -> Response:
        await control.ledger.run(byok.delete(id_, manager_of(control, caller)))
        return json_response(Deleted())

    return router


async def _done(control: Control, work: Work[T]) -> T:
    """Do work that seals a secret. Raises Unavailable where the node has no key to do it with."""
    try:
        return await control.ledger.run(work)
    except CustodyError as error:
        _log.error("byok.locked cause=%s", error)
        raise Unavailable("This node cannot seal credentials; its log says why.") from error


def _wanted(request: Request, account: str, control: Control) -> own_credentials.Wanted:
    query = given(request.query_params)
    key_admin.check_workspace(query.get("workspace_id"))
    provider = query.get("provider")
    if provider is not None:
        provider = provider_slug(control.catalog(), provider) or provider
    return own_credentials.Wanted(
        account=account,
        provider=provider,
        offset=count(query, "offset", least=0, most=MOST_SKIPPED) or 0,
        limit=count(query, "limit", least=1, most=LARGEST_PAGE) or PAGE,
    )
