"""The routes by which programs read what happened: activity, analytics, export. Management only.

What they mean is in `dragoman.office.activity`, `analytics` and `export`; each is
bound to the account of the key that asks.
"""

from asyncio import to_thread
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import StreamingResponse

from dragoman.access import keyring
from dragoman.access.types import Caller
from dragoman.catalog.query import choice, given
from dragoman.core.errors import InvalidRequest
from dragoman.office.activity import activity_body, activity_question, keys_of_member
from dragoman.office.analytics import QueryBody, meta_body, query_body, question, read_query
from dragoman.office.export import Form, exported
from dragoman.records.questions import Answer
from dragoman.records.reader import Wanted
from dragoman.web.admission import management
from dragoman.web.outlet import CORS
from dragoman.web.plane import Control
from dragoman.web.responses import json_response

FORMS: tuple[Form, ...] = ("csv", "json")
MEDIA = {"csv": "text/csv; charset=utf-8", "json": "application/x-ndjson"}
FILTERS = frozenset(
    {"format", "since", "until", "model", "provider", "api_key_hash", "user", "session_id"}
)
"""What an export's query may hold."""
MANAGED: dict[str, Any] = {"security": [{"management_key": []}]}


def record_routes(control: Control) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    managed = Annotated[Caller, Depends(management(control.gate))]

    @router.get("/activity", summary="What each endpoint served per day", openapi_extra=MANAGED)
    async def activity(request: Request, caller: managed) -> Response:
        query = given(request.query_params)
        keys = None
        if "user_id" in query:
            keys = await control.ledger.read(keys_of_member(caller.account, query["user_id"]))
        asked = activity_question(query, caller.account, control.clock.wall(), keys)
        found = await control.reader.answer(asked)
        return await to_thread(_activity, found, by_workspace="group_by" in query)

    @router.get("/analytics/meta", summary="What can be asked", openapi_extra=MANAGED)
    async def meta(_caller: managed) -> Response:
        return json_response(meta_body())

    @router.post("/analytics/query", summary="Query analytics data", openapi_extra=_query_schema())
    async def query(request: Request, caller: managed) -> Response:
        wanted = read_query(await request.body())
        began = control.clock.monotonic()
        asked = question(wanted, caller.account, control.clock.wall())
        found = await control.reader.answer(asked)
        names = await _names(control, wanted, caller.account)
        took_ms = (control.clock.monotonic() - began) * 1000
        return await to_thread(_answer, wanted, found, names, took_ms)

    @router.get("/generations/export", summary="Export generations", openapi_extra=MANAGED)
    async def export(request: Request, caller: managed) -> Response:
        asked = given(request.query_params)
        form: Form = choice(asked, "format", FORMS) or "json"
        return StreamingResponse(
            _bytes(control, _wanted(asked, caller.account), form),
            media_type=MEDIA[form],
            headers={
                "content-disposition": f'attachment; filename="generations.{form}"',
                "cache-control": "private, no-store",
                **{name.decode(): value.decode() for name, value in CORS},
            },
        )

    return router


def _activity(found: Answer, *, by_workspace: bool) -> Response:
    """Return the response, in a thread: thousands of rows take tens of milliseconds."""
    return json_response(activity_body(found, by_workspace=by_workspace))


def _answer(wanted: QueryBody, found: Answer, names: dict[str, str], took_ms: float) -> Response:
    """Return the response, in a thread, as `_activity` does."""
    return json_response(query_body(wanted, found, names, took_ms))


async def _bytes(control: Control, wanted: Wanted, form: Form) -> AsyncIterator[bytes]:
    async for piece in exported(control.reader, wanted, form):
        yield piece


def _wanted(query: dict[str, str], account: str) -> Wanted:
    """Return which generations a query means. A filter that nobody knows would mean all of them."""
    if strange := sorted(query.keys() - FILTERS):
        raise InvalidRequest(f"{strange[0]}: is not known; there are {', '.join(sorted(FILTERS))}")
    return Wanted(
        account=account,
        since=_moment(query, "since"),
        before=_moment(query, "until"),
        model=query.get("model"),
        provider=query.get("provider"),
        key_hash=query.get("api_key_hash"),
        user=query.get("user"),
        session_id=query.get("session_id"),
    )


def _moment(query: dict[str, str], name: str) -> float | None:
    if name not in query:
        return None
    try:
        moment = msgspec.convert(query[name], datetime)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()
    except (msgspec.ValidationError, OverflowError, ValueError):
        raise InvalidRequest(f"{name}: give a time such as 2026-01-31T00:00:00Z") from None


async def _names(control: Control, query: QueryBody, account: str) -> dict[str, str]:
    """Return the names of the account's keys, where the answer needs any."""
    if "api_key_id" not in {*query.dimensions, *(each.field for each in query.filters)}:
        return {}
    return await control.ledger.read(keyring.names(account))


def _query_schema() -> dict[str, Any]:
    """Return what the OpenAPI document says of a query."""
    (schema,), parts = msgspec.json.schema_components([QueryBody])
    content = {"application/json": {"schema": _inlined(schema, parts)}}
    return {**MANAGED, "requestBody": {"required": True, "content": content}}


def _inlined(node: Any, parts: dict[str, Any]) -> Any:
    """Return a schema with what it refers to in its place."""
    if isinstance(node, list):
        return [_inlined(each, parts) for each in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return _inlined(parts[node["$ref"].rpartition("/")[2]], parts)
    return {name: _inlined(value, parts) for name, value in node.items()}
