"""The control plane: everything that is not inference, with FastAPI.

It may take its time, so it may be comfortable. Each route says who may call it:
the catalog is public, the rest asks for a key that is good. Paths come in as the
edge knows them, without `/api`.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from dragoman.access.types import Caller
from dragoman.catalog import listing
from dragoman.catalog.types import Catalog, Model
from dragoman.core.errors import GatewayError, Internal, InvalidRequest, NotFound
from dragoman.office.generations import generation
from dragoman.office.key_info import key_info
from dragoman.web.edge import not_found
from dragoman.web.errors import error_body, error_headers
from dragoman.web.outlet import CORS
from dragoman.web.plane import Control

MOST_PER_PAGE = 1000

_encode = msgspec.json.Encoder().encode


def control_plane(control: Control) -> FastAPI:
    """Return the application that serves every path the edge does not."""
    app = FastAPI(title="Dragoman", docs_url=None, redoc_url=None, openapi_url="/v1/openapi.json")
    app.include_router(_health(control))
    app.include_router(_catalog(control))
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
        return _json({"status": "ok"})

    @router.get("/readyz")
    async def readyz() -> Response:
        problems = control.problems()
        if problems:
            return _json({"status": "unavailable", "problems": problems}, 503)
        return _json({"status": "ok"})

    return router


def _catalog(control: Control) -> APIRouter:
    """Public: what can be called, and where."""
    router = APIRouter(prefix="/v1")

    @router.get("/models")
    async def models(
        offset: Annotated[int, Query(ge=0)] = 0,
        limit: Annotated[int | None, Query(ge=1, le=MOST_PER_PAGE)] = None,
    ) -> Response:
        rows = listing.model_rows(control.catalog())
        return _json(listing.page(rows, offset=offset, limit=limit))

    @router.get("/models/count")
    async def count() -> Response:
        return _data({"count": len(listing.model_rows(control.catalog()))})

    @router.get("/model/{author}/{slug:path}")
    async def model(author: str, slug: str) -> Response:
        return _data(listing.model_row(_found(control.catalog(), author, slug)))

    @router.get("/models/{author}/{slug:path}/endpoints")
    async def endpoints(author: str, slug: str) -> Response:
        return _data(listing.model_endpoints(_found(control.catalog(), author, slug)))

    @router.get("/providers")
    async def providers() -> Response:
        return _data(listing.provider_rows(control.catalog()))

    return router


def _found(catalog: Catalog, author: str, slug: str) -> Model:
    model = listing.find(catalog, f"{author}/{slug}")
    if model is None:
        raise NotFound(f"{author}/{slug} is not a model of this gateway's catalog")
    return model


def _account(control: Control) -> APIRouter:
    """Any good key: what it is, and what it did."""
    router = APIRouter(prefix="/v1")

    async def admitted(
        authorization: Annotated[str | None, Header()] = None,
        x_api_key: Annotated[str | None, Header()] = None,
    ) -> Caller:
        return await control.gate.admit(authorization, x_api_key)

    keyed = Annotated[Caller, Depends(admitted)]

    @router.get("/key")
    @router.get("/auth/key")
    async def key(caller: keyed) -> Response:
        now = control.clock.wall()
        return _json(await key_info(control.ledger, control.reader, caller.key_hash, now))

    @router.get("/generation")
    async def one_generation(_caller: keyed, id: str | None = None) -> Response:  # noqa: A002
        if not id:
            raise InvalidRequest("id: give the id of a generation, as in X-Generation-Id")
        return _json(await generation(control.reader, id, key_hash=None))

    return router


def _json(body: Any, status: int = 200) -> Response:
    response = Response(_encode(body), status, media_type="application/json")
    response.headers["cache-control"] = "private, no-store"
    _allow_origins(response)
    return response


def _data(value: Any) -> Response:
    return _json({"data": value})


def _allow_origins(response: Response) -> None:
    response.raw_headers.extend(CORS)


async def _on_gateway_error(_: Request, error: Exception) -> Response:
    if not isinstance(error, GatewayError):
        raise error
    response = Response(error_body(error), error.code, media_type="application/json")
    response.raw_headers.extend(error_headers(error))
    _allow_origins(response)
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
    response = _json(body, error.status_code)
    for name, value in (error.headers or {}).items():
        response.headers[name] = value
    return response
