"""The control plane: everything that is not inference, with FastAPI.

It may take its time, so it may be comfortable. Each route says who may call it:
the catalog is public, the rest asks for a key that is good. Paths come in as the
edge knows them, without `/api`.
"""

from typing import Annotated

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dragoman.access.types import Caller
from dragoman.core.errors import GatewayError, Internal, InvalidRequest
from dragoman.office.generations import generation
from dragoman.office.key_info import key_info
from dragoman.web.admission import admission
from dragoman.web.catalog_routes import catalog_routes
from dragoman.web.edge import not_found
from dragoman.web.errors import error_body, error_headers
from dragoman.web.plane import Control
from dragoman.web.responses import allow_origins, json_response


def control_plane(control: Control) -> FastAPI:
    """Return the application that serves every path the edge does not."""
    app = FastAPI(title="Dragoman", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    app.include_router(_health(control))
    app.include_router(catalog_routes(control))
    app.include_router(_account(control))
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
        problems = control.problems()
        if problems:
            return json_response({"status": "unavailable", "problems": problems}, 503)
        return json_response({"status": "ok"})

    return router


def _account(control: Control) -> APIRouter:
    """Any good key: what it is, and what it did."""
    router = APIRouter(prefix="/v1")

    keyed = Annotated[Caller, Depends(admission(control.gate))]

    @router.get("/key")
    @router.get("/auth/key")
    async def key(caller: keyed) -> Response:
        now = control.clock.wall()
        return json_response(await key_info(control.ledger, control.reader, caller.key_hash, now))

    @router.get("/generation")
    async def one_generation(_caller: keyed, id: str | None = None) -> Response:  # noqa: A002
        if not id:
            raise InvalidRequest("id: give the id of a generation, as in X-Generation-Id")
        return json_response(await generation(control.reader, id, key_hash=None))

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
        return await _on_gateway_error(request, not_found(request.scope["path"]))
    body = {
        "error": {
            "code": error.status_code,
            "message": f"{request.method} is not allowed for {request.scope['path'][:200]}.",
            "metadata": {"error_type": "invalid_request"},
        }
    }
    response = json_response(body, error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
