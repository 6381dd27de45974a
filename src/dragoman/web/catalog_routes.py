"""The routes of the catalog: what can be called, where, at what price. Public, but for one.

What the rows hold is decided in `catalog.listing`, which of them are meant in
`catalog.filters`; `display` makes them. Answers carry a tag, so that a client can ask
cheaply whether its copy is still good; HEAD works wherever GET does.
"""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Annotated
from urllib.parse import urlencode

from fastapi import APIRouter, Depends, Request, Response
from msgspec import UNSET, structs

from dragoman.access.types import Caller, Terms
from dragoman.catalog import listing
from dragoman.catalog.codex import codex_models
from dragoman.catalog.feed import CONTENT_TYPE, feed
from dragoman.catalog.listing import Listed
from dragoman.catalog.names import nearest
from dragoman.catalog.query import flag, given
from dragoman.catalog.types import Catalog, Model
from dragoman.catalog.window import read_window
from dragoman.core.errors import NotFound
from dragoman.routing.slugs import any_names
from dragoman.web.admission import admission
from dragoman.web.display import Display, Shelf, models_page
from dragoman.web.plane import Control
from dragoman.web.responses import Page, kept_json, kept_response, page

ADDRESS = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?|\[[0-9a-fA-F:.]{2,45}\](:[0-9]{1,5})?")
PAGING = frozenset({"offset", "limit", "after_id", "before_id"})


def catalog_routes(control: Control) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    shelf = Shelf(control)

    async def models(request: Request) -> Response:
        return await _models(request, shelf.display(), "/api/v1/models")

    async def user_models(
        request: Request, caller: Annotated[Caller, Depends(admission(control.gate))]
    ) -> Response:
        return await _models(request, shelf.display(), "/api/v1/models/user", caller)

    async def embeddings_models(request: Request) -> Response:
        path, only = "/api/v1/embeddings/models", {"output_modalities": "embeddings"}
        return await _models(request, shelf.display(), path, only=only)

    async def count(request: Request) -> Response:
        found = await shelf.display().chosen(_query(request))
        return kept_json(request, {"data": {"count": len(found)}})

    async def model(request: Request, name: str) -> Response:
        return kept_json(request, {"data": listing.model_row(_found(control.catalog(), name))})

    async def bare_model(request: Request, name: str) -> Response:
        return kept_json(request, listing.model_row(_found(control.catalog(), name)))

    async def endpoints(request: Request, name: str) -> Response:
        found = _found(control.catalog(), name)
        measure = await shelf.display().measured(found.endpoints)
        return kept_json(request, {"data": listing.model_endpoints(found, measure)})

    async def providers(request: Request) -> Response:
        return kept_json(request, {"data": listing.provider_rows(control.catalog())})

    async def zdr_endpoints(request: Request) -> Response:
        return kept_response(request, await shelf.display().zdr())

    _add(router, "/models", models, "List the models")
    _add(router, "/embeddings/models", embeddings_models, "List the models that make embeddings")
    _add(router, "/models/count", count, "Count the models that GET /models would list")
    _add(router, "/models/user", user_models, "List the models that the caller can use")
    _add(router, "/models/{name:path}/endpoints", endpoints, "List all endpoints of a model")
    _add(router, "/models/{name:path}", bare_model, "Get a model as OpenAI's clients read it")
    _add(router, "/model/{name:path}", model, "Get a model")
    _add(router, "/providers", providers, "List all providers")
    _add(router, "/endpoints/zdr", zdr_endpoints, "List all endpoints that retain nothing")
    return router


def _add(
    router: APIRouter, path: str, route: Callable[..., Awaitable[Response]], summary: str
) -> None:
    router.add_api_route(path, route, methods=["GET"], summary=summary)
    router.add_api_route(path, route, methods=["HEAD"], include_in_schema=False)


async def _models(
    request: Request,
    display: Display,
    path: str,
    caller: Caller | None = None,
    only: Mapping[str, str] = MappingProxyType({}),
) -> Response:
    """Return a list of models; `only` is what its path asks for beside the query."""
    query = {**_query(request), **only}
    terms, own = (None, ()) if caller is None else (caller.terms, caller.byok)
    if not query and terms is None and not own:
        return kept_response(request, await display.plain())
    found, base = await display.chosen(query, own), _base(request)
    made = await display.apart(lambda: _page(found, query, terms, path, base))
    return kept_response(request, made)


def _page(
    found: Sequence[Listed], query: Mapping[str, str], terms: Terms | None, path: str, base: str
) -> Page:
    """Return the part of a list that a query asks for. Raises InvalidRequest."""
    rows = [each.row for each in found if terms is None or _allowed(each, terms)]
    window = read_window(query, [row.id for row in rows])
    filters = urlencode({name: value for name, value in query.items() if name not in PAGING})
    body = listing.page(
        rows,
        offset=window.offset,
        limit=window.limit,
        path=f"{path}?{filters}" if filters else path,
    )
    flag(query, "use_rss_chat_links")  # read, so that nonsense is refused; there is no chat page
    if flag(query, "use_rss"):
        return page(feed(body.data, base), CONTENT_TYPE)
    codex = codex_models(body.data) if "client_version" in query else UNSET
    return models_page(structs.replace(body, models=codex))


def _allowed(listed: Listed, terms: Terms) -> bool:
    """Say whether the allowlists of a key leave it an endpoint of the row."""
    if terms.allowed_models and listed.model.id not in terms.allowed_models:
        return False
    return not terms.allowed_providers or any(
        any_names(terms.allowed_providers, endpoint) for endpoint in listed.endpoints
    )


def _query(request: Request) -> dict[str, str]:
    """Return the parameters that have a value, those given several times as a list."""
    query: dict[str, str] = {}
    for name, value in request.query_params.multi_items():
        query[name] = f"{query[name]},{value}" if name in query else value
    return given(query)


def _found(catalog: Catalog, name: str) -> Model:
    model = listing.find(catalog, name)
    if model is None:
        near = ", ".join(nearest(name, catalog.models, known=catalog.letters))
        hint = f" Did you mean {near}?" if near else ""
        raise NotFound(f"{name[:200]} is not a model of this gateway's catalog.{hint}")
    return model


def _base(request: Request) -> str:
    """Return where this gateway is for the caller, by the Host header if it is one."""
    host = request.headers.get("host", "")
    if not ADDRESS.fullmatch(host):
        name, port = request.scope.get("server") or ("localhost", None)
        host = f"{name}:{port}" if port else name
    return f"{request.scope.get('scheme', 'http')}://{host}"
