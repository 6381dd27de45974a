"""The routes about an account's members: `/organization/members`.

Source of the list: OpenRouter's OpenAPI document. To add, change and remove is ours; there it
is done on a page.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dragoman.access import members
from dragoman.access.types import Caller
from dragoman.catalog.query import count, given
from dragoman.core.errors import NotFound
from dragoman.office import members as office
from dragoman.office.key_bodies import Deleted
from dragoman.office.members import (
    LARGEST_PAGE,
    PAGE,
    MemberBody,
    MemberChange,
    MembersBody,
    NewMember,
    member_row,
    read_change,
    read_new,
    together,
)
from dragoman.web.admission import administration, management
from dragoman.web.key_routes import MOST_SKIPPED, manager_of, needs_management
from dragoman.web.plane import Control
from dragoman.web.responses import json_response

PATH = "/organization/members"


def member_routes(control: Control) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    managed = Annotated[Caller, Depends(management(control.gate))]
    administered = Annotated[Caller, Depends(administration(control.gate))]

    @router.get(PATH, summary="List organization members", **needs_management())
    async def list_members(request: Request, caller: managed) -> Response:
        query = given(request.query_params)
        offset = count(query, "offset", least=0, most=MOST_SKIPPED) or 0
        limit = count(query, "limit", least=1, most=LARGEST_PAGE) or PAGE
        found, total = await control.ledger.read(members.listed(caller.account, offset, limit))
        if not total:
            raise NotFound("This account has no members")
        return json_response(MembersBody(tuple(map(member_row, found)), total))

    @router.post(PATH, summary="Add a member", **needs_management(NewMember))
    async def add_member(request: Request, caller: administered) -> Response:
        work = office.add(read_new(await request.body()), manager_of(control, caller))
        return json_response(MemberBody(member_row(await control.ledger.run(work))), 201)

    @router.patch(f"{PATH}/{{id_}}", summary="Change a member", **needs_management(MemberChange))
    async def change_member(request: Request, caller: administered, id_: str) -> Response:
        change = read_change(await request.body())
        hashes = await control.ledger.read(members.keys_of(caller.account, id_))
        used = await control.reader.usages(hashes, control.clock.wall())
        work = office.amend(id_, change, manager_of(control, caller), together(used.values()))
        return json_response(MemberBody(member_row(await control.ledger.run(work))))

    @router.delete(f"{PATH}/{{id_}}", summary="Remove a member", **needs_management())
    async def remove_member(caller: administered, id_: str) -> Response:
        await control.ledger.run(office.remove(id_, manager_of(control, caller)))
        return json_response(Deleted())

    return router
