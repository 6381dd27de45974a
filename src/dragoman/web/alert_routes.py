"""The routes by which alerts are kept: `/alerts`, for management keys.

Bodies are in `dragoman.office.alert_bodies`, what is done with them in `dragoman.office.alerts`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from dragoman.access.types import Caller
from dragoman.catalog.query import count, given
from dragoman.ledger import alert_rows
from dragoman.office import alerts, key_admin
from dragoman.office.alert_bodies import (
    AlertBody,
    AlertChange,
    AlertsBody,
    Deleted,
    NewAlert,
    SecretBody,
    ShownBody,
    TestedBody,
    alert_row,
    delivery_row,
)
from dragoman.office.alerts import Alerting
from dragoman.office.key_admin import Manager
from dragoman.office.reading import read
from dragoman.web.admission import administration
from dragoman.web.key_routes import MOST_SKIPPED, manager_of, needs_management
from dragoman.web.plane import Control
from dragoman.web.responses import json_response

PAGE, LARGEST_PAGE = 50, 100


def alert_routes(control: Control, alerting: Alerting) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    managed = Annotated[Caller, Depends(administration(control.gate))]

    def acting(request: Request, caller: Caller) -> Manager:
        """Return who acts: for the account that `account` names, which the operator may."""
        account = given(request.query_params).get("account")
        return key_admin.manager_for(manager_of(control, caller), account)

    @router.get("/alerts", summary="List the alerts", **needs_management())
    async def list_alerts(request: Request, caller: managed) -> Response:
        query = given(request.query_params)
        offset = count(query, "offset", least=0, most=MOST_SKIPPED) or 0
        limit = count(query, "limit", least=1, most=LARGEST_PAGE) or PAGE
        account = acting(request, caller).account
        found, total = await control.ledger.read(alert_rows.listed(account, offset, limit))
        return json_response(AlertsBody(tuple(map(alert_row, found)), total))

    @router.post("/alerts", summary="Make an alert", **needs_management(NewAlert))
    async def make_alert(request: Request, caller: managed) -> Response:
        new = read(await request.body(), NewAlert)
        made = await control.ledger.run(alerts.make(new, alerting, acting(request, caller)))
        return json_response(SecretBody(alert_row(made.rule), made.secret), 201)

    @router.get("/alerts/{id_}", summary="Show an alert", **needs_management())
    async def get_alert(request: Request, caller: managed, id_: str) -> Response:
        shown = await control.ledger.read(alerts.show(id_, acting(request, caller).account))
        rows = tuple(map(delivery_row, shown.deliveries))
        return json_response(ShownBody(alert_row(shown.rule), rows))

    @router.patch("/alerts/{id_}", summary="Change an alert", **needs_management(AlertChange))
    async def change_alert(request: Request, caller: managed, id_: str) -> Response:
        change = read(await request.body(), AlertChange)
        work = alerts.amend(id_, change, alerting, acting(request, caller))
        return json_response(AlertBody(alert_row(await control.ledger.run(work))))

    @router.delete("/alerts/{id_}", summary="Remove an alert", **needs_management())
    async def remove_alert(request: Request, caller: managed, id_: str) -> Response:
        await control.ledger.run(alerts.remove(id_, acting(request, caller)))
        return json_response(Deleted())

    @router.post("/alerts/{id_}/test", summary="Send a test message", **needs_management())
    async def try_alert(request: Request, caller: managed, id_: str) -> Response:
        tested = await control.ledger.run(alerts.try_out(id_, acting(request, caller)))
        return json_response(TestedBody(tested), 202)

    @router.post("/alerts/{id_}/rotate", summary="Replace the secret", **needs_management())
    async def rotate_secret(request: Request, caller: managed, id_: str) -> Response:
        work = alerts.rotate(id_, alerting, acting(request, caller))
        made = await control.ledger.run(work)
        return json_response(SecretBody(alert_row(made.rule), made.secret))

    return router
