"""The routes about what was said: reading it, and letting it be stored; and of accounts' settings.

Source: OpenRouter's OpenAPI document, `GET /generation/content`. The settings of accounts
are ours: there they are those of a workspace.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dragoman.access.types import Caller
from dragoman.core.errors import InvalidRequest
from dragoman.office.account_settings import AccountChange, amend, read_change
from dragoman.office.contents import content_body
from dragoman.office.key_admin import manager_for
from dragoman.web.admission import administration, admission
from dragoman.web.key_routes import manager_of, needs_management
from dragoman.web.plane import Control
from dragoman.web.responses import allow_origins, json_response


def content_routes(control: Control) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    keyed = Annotated[Caller, Depends(admission(control.gate))]
    administered = Annotated[Caller, Depends(administration(control.gate))]

    @router.get("/generation/content", summary="What was said in a generation")
    async def content(caller: keyed, id: str | None = None) -> Response:  # noqa: A002
        if not id:
            raise InvalidRequest("id: give the id of a generation, as in X-Generation-Id")
        body = await content_body(control.contents, id, caller)
        response = Response(body, media_type="application/json")
        response.headers["cache-control"] = "private, no-store"
        allow_origins(response)
        return response

    @router.patch("/accounts/{id_}", summary="Change an account", **needs_management(AccountChange))
    async def change_account(request: Request, caller: administered, id_: str) -> Response:
        manager = manager_for(manager_of(control, caller), id_)
        work = amend(id_, read_change(await request.body()), manager.act)
        return json_response(await control.ledger.run(work))

    return router
