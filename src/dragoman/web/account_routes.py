"""The routes by which an operator's programs manage accounts and their credit: `/accounts`.

For management keys only; bodies and rules are in `dragoman.office.account_admin`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Header, Request, Response

from dragoman.access.types import Caller
from dragoman.catalog.query import count, given
from dragoman.office import account_admin as accounts
from dragoman.office.account_admin import NewAccount, NewCredit, NewRefund, Outcome
from dragoman.office.reading import read
from dragoman.web.admission import administration
from dragoman.web.key_routes import MOST_SKIPPED, manager_of, needs_management
from dragoman.web.plane import Control
from dragoman.web.responses import json_response, raw_json_response

PAGE, LARGEST_PAGE = 50, 100

Repeat = Annotated[str | None, Header(alias="idempotency-key")]


def account_routes(control: Control) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    managed = Annotated[Caller, Depends(administration(control.gate))]

    @router.get("/accounts", summary="List the accounts", **needs_management())
    async def list_accounts(request: Request, caller: managed) -> Response:
        query = given(request.query_params)
        offset = count(query, "offset", least=0, most=MOST_SKIPPED) or 0
        limit = count(query, "limit", least=1, most=LARGEST_PAGE) or PAGE
        await control.reader.flushed()
        work = accounts.show_all(caller.account, offset, limit)
        return json_response(await control.ledger.read(work))

    @router.post("/accounts", summary="Open a prepaid account", **needs_management(NewAccount))
    async def open_account(request: Request, caller: managed, repeat: Repeat = None) -> Response:
        manager = manager_of(control, caller)
        accounts.check_operator(manager)
        new = read(await request.body(), NewAccount)
        work = accounts.open_(new, control.free_credit, manager, repeat)
        return _answered(await control.ledger.run(work), 201)

    @router.get("/accounts/{id_}", summary="Show an account", **needs_management())
    async def get_account(caller: managed, id_: str) -> Response:
        accounts.check_visible(manager_of(control, caller), id_)
        await control.reader.flushed()
        return json_response(await control.ledger.read(accounts.show(id_)))

    @router.post("/accounts/{id_}/credits", summary="Add credit", **needs_management(NewCredit))
    async def add_credit(
        request: Request, caller: managed, id_: str, repeat: Repeat = None
    ) -> Response:
        manager = manager_of(control, caller)
        accounts.check_visible(manager, id_)
        accounts.check_operator(manager)
        new = read(await request.body(), NewCredit)
        return _answered(await control.ledger.run(accounts.add(id_, new, manager, repeat)))

    @router.post("/accounts/{id_}/refunds", summary="Pay back", **needs_management(NewRefund))
    async def refund_credit(
        request: Request, caller: managed, id_: str, repeat: Repeat = None
    ) -> Response:
        manager = manager_of(control, caller)
        accounts.check_visible(manager, id_)
        accounts.check_operator(manager)
        new = read(await request.body(), NewRefund)
        await control.reader.flushed()
        return _answered(await control.ledger.run(accounts.refund(id_, new, manager, repeat)))

    return router


def _answered(outcome: Outcome, status: int = 200) -> Response:
    response = raw_json_response(outcome.body, status)
    if outcome.replayed:
        response.headers["idempotent-replayed"] = "true"
    return response
