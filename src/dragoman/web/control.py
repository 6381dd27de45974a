"""The control plane: everything that is not inference, with FastAPI.

It may take its time, so it may be comfortable. Each route says who may call it:
the catalog is public, the rest asks for a key that is good. Paths come in as the
edge knows them, without `/api`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import Match

from dragoman.access.types import Caller
from dragoman.core.errors import GatewayError, Internal, InvalidRequest
from dragoman.ledger.proof import prove
from dragoman.office.credits import credits_body, statement
from dragoman.office.generations import generation
from dragoman.office.key_info import key_info
from dragoman.web.account_routes import account_routes
from dragoman.web.admission import admission, operation
from dragoman.web.alert_routes import alert_routes
from dragoman.web.byok_routes import byok_routes
from dragoman.web.catalog_routes import catalog_routes
from dragoman.web.content_routes import content_routes
from dragoman.web.edge import asked_path, not_found
from dragoman.web.errors import error_body, error_headers
from dragoman.web.health import readiness
from dragoman.web.key_routes import key_routes
from dragoman.web.member_routes import member_routes
from dragoman.web.plane import Control
from dragoman.web.record_routes import record_routes
from dragoman.web.responses import allow_origins, json_response
from dragoman.web.stripe_routes import stripe_routes

METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")


def control_plane(control: Control) -> FastAPI:
    """Return the application that serves every path the edge does not."""
    app = FastAPI(title="Dragoman", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    app.include_router(_health(control))
    app.include_router(catalog_routes(control))
    app.include_router(_account(control))
    app.include_router(_money(control))
    app.include_router(_node(control))
    app.include_router(key_routes(control))
    app.include_router(account_routes(control))
    app.include_router(record_routes(control))
    app.include_router(byok_routes(control))
    app.include_router(content_routes(control))
    app.include_router(member_routes(control))
    if control.alerting is not None:
        app.include_router(alert_routes(control, control.alerting))
    if control.checkout is not None:
        app.include_router(stripe_routes(control, control.checkout))
    app.add_exception_handler(GatewayError, _on_gateway_error)
    app.add_exception_handler(RequestValidationError, _on_invalid)
    app.add_exception_handler(HTTPException, _on_http_error)
    app.add_exception_handler(Exception, _on_defect)
    return app


def _health(control: Control) -> APIRouter:
    """Public: is the process up, and can it serve?"""
    router = APIRouter()

    @router.get("/healthz")
    async def healthz() -> Response:
        return json_response({"status": "ok"})

    @router.get("/readyz")
    async def readyz() -> Response:
        status, body = readiness(await control.problems(), control.troubles())
        return json_response(body, status)

    return router


def _account(control: Control) -> APIRouter:
    """Any good key: what it is, and what it did."""
    router = APIRouter(prefix="/v1")

    keyed = Annotated[Caller, Depends(admission(control.gate))]

    @router.get("/key")
    @router.get("/auth/key")
    async def key(caller: keyed) -> Response:
        now = control.clock.wall()
        found = await key_info(control.ledger, control.reader, caller.key_hash, now, control.free)
        return json_response(found)

    @router.get("/generation")
    async def one_generation(caller: keyed, id: str | None = None) -> Response:  # noqa: A002
        if not id:
            raise InvalidRequest("id: give the id of a generation, as in X-Generation-Id")
        return json_response(await generation(control.reader, id, account=caller.account))

    return router


def _money(control: Control) -> APIRouter:
    """Any good key: what its account was given and used. The operator's: do the books add up?"""
    router = APIRouter(prefix="/v1")

    keyed = Annotated[Caller, Depends(admission(control.gate))]
    operating = Annotated[Caller, Depends(operation(control.gate))]

    @router.get("/credits")
    async def credits_(caller: keyed) -> Response:
        await control.reader.flushed()
        shown = await control.ledger.read(statement(caller.account))
        return json_response(credits_body(shown))

    @router.get("/ledger/proof")
    async def proof(_caller: operating) -> Response:
        return json_response({"data": await control.ledger.read(prove)})

    return router


def _node(control: Control) -> APIRouter:
    """The operator's: which workers this node has, and what they are doing."""
    router = APIRouter(prefix="/v1")

    operating = Annotated[Caller, Depends(operation(control.gate))]

    @router.get("/node")
    async def node(_caller: operating) -> Response:
        return json_response({"data": {"workers": control.staff()}})

    return router


async def _on_gateway_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, GatewayError):
        raise error
    response = Response(error_body(error), error.code, media_type="application/json")
    response.raw_headers.extend(error_headers(error))
    allow_origins(response)
    return response


async def _on_defect(request: Request, _: Exception) -> Response:
    return await _on_gateway_error(request, Internal("an exception that nobody expected"))


async def _on_invalid(request: Request, error: Exception) -> Response:
    if not isinstance(error, RequestValidationError):
        raise error
    first = error.errors()[0]
    where = ".".join(str(step) for step in first["loc"] if step not in {"query", "body", "path"})
    return await _on_gateway_error(request, InvalidRequest(f"{where}: {first['msg']}"))


async def _on_http_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, HTTPException):
        raise error
    if error.status_code == 404:
        return await _on_gateway_error(request, not_found(request.scope))
    if error.status_code != 405:
        return await _on_gateway_error(request, InvalidRequest(str(error.detail)))
    return _wrong_method(request)


def _wrong_method(request: Request) -> Response:
    """Answer with all methods of a path. The framework would name those of one of its routes."""
    methods = ", ".join([*(each for each in METHODS if _leads(request, each)), "OPTIONS"])
    where = asked_path(request.scope)
    body = {
        "error": {
            "code": 405,
            "message": f"{request.method} is not allowed for {where}. Use {methods}.",
            "metadata": {"error_type": "invalid_request"},
        }
    }
    response = json_response(body, 405)
    response.headers["allow"] = methods
    return response


def _leads(request: Request, method: str) -> bool:
    """Say whether the path can be asked for by a method."""
    scope = {**request.scope, "method": method}
    return any(route.matches(scope)[0] is Match.FULL for route in request.app.routes)
