"""The routes by which programs manage keys: `/keys`, for management keys only.

Bodies and their meaning are in `dragoman.office.key_bodies`, what is done with them in
`dragoman.office.key_admin`.
"""

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Header, Request, Response

from dragoman.access import keyring
from dragoman.access.audit import Act
from dragoman.access.callers import role_of
from dragoman.access.types import Caller, Key
from dragoman.catalog.query import count, flag, given
from dragoman.office import key_admin
from dragoman.office.key_admin import PAGE, Manager
from dragoman.office.key_bodies import (
    Deleted,
    KeyBody,
    KeyChange,
    KeyRow,
    KeysBody,
    NewKey,
    amended,
    grant_of,
    key_row,
    made_body,
    read_change,
    read_new,
)
from dragoman.records.reader import KeyUsage
from dragoman.web.admission import management
from dragoman.web.plane import Control
from dragoman.web.responses import json_response

MOST_SKIPPED = 10**9
UNUSED = KeyUsage()


def key_routes(control: Control) -> APIRouter:
    """Return the routes, by the paths that the edge knows."""
    router = APIRouter(prefix="/v1")
    managed = Annotated[Caller, Depends(management(control.gate))]

    def acting(request: Request, caller: Caller) -> Manager:
        """Return who acts: for the account that `account` names, which the operator may."""
        account = given(request.query_params).get("account")
        return key_admin.manager_for(manager_of(control, caller), account)

    @router.get("/keys", summary="List the inference keys", **needs_management())
    async def list_keys(request: Request, caller: managed) -> Response:
        wanted = _wanted(request, acting(request, caller))
        now = control.clock.wall()
        found = await control.ledger.read(key_admin.listed(wanted, now))
        return json_response(KeysBody(await _rows(control, found)))

    @router.post("/keys", summary="Make an inference key", **needs_management(NewKey))
    async def make_key(
        request: Request,
        caller: managed,
        idempotency_key: Annotated[str | None, Header()] = None,
    ) -> Response:
        new = read_new(await request.body())
        grant = grant_of(new, control.catalog())
        manager = key_admin.manager_for(manager_of(control, caller), new.account)
        work = key_admin.make(new, grant, control.mint, manager, idempotency_key)
        made = await control.ledger.run(work)
        response = json_response(made_body(made.key, made.text), 201)
        if made.replayed:
            response.headers["idempotent-replayed"] = "true"
        return response

    @router.get("/keys/{hash_}", summary="Get an inference key", **needs_management())
    async def get_key(request: Request, caller: managed, hash_: str) -> Response:
        manager = acting(request, caller)
        key = await control.ledger.read(key_admin.one(hash_, manager.account, manager.only))
        return await _shown(control, key)

    @router.patch("/keys/{hash_}", summary="Change an inference key", **needs_management(KeyChange))
    async def change_key(request: Request, caller: managed, hash_: str) -> Response:
        change = read_change(await request.body())
        catalog = control.catalog()
        used = await control.reader.usage(hash_, control.clock.wall())
        work = key_admin.amend(
            hash_, lambda key: amended(key, change, catalog), acting(request, caller), used
        )
        return await _shown(control, await control.ledger.run(work))

    @router.delete("/keys/{hash_}", summary="Delete an inference key", **needs_management())
    async def delete_key(request: Request, caller: managed, hash_: str) -> Response:
        await control.ledger.run(key_admin.delete(hash_, acting(request, caller)))
        return json_response(Deleted())

    return router


def needs_management(body: type | None = None) -> dict[str, Any]:
    """Return what the OpenAPI document says of a route: who may call it, and with what body."""
    extra: dict[str, Any] = {"security": [{"management_key": []}]}
    if body is not None:
        (_,), parts = msgspec.json.schema_components([body])
        content = {"application/json": {"schema": parts[body.__name__]}}
        extra["requestBody"] = {"required": True, "content": content}
    return {"openapi_extra": extra}


def _wanted(request: Request, manager: Manager) -> keyring.Wanted:
    query = given(request.query_params)
    key_admin.check_workspace(query.get("workspace_id"))
    return keyring.Wanted(
        account=manager.account,
        creator=manager.only,
        offset=count(query, "offset", least=0, most=MOST_SKIPPED) or 0,
        limit=PAGE,
        disabled=flag(query, "include_disabled") or False,
        expired=flag(query, "include_expired") or False,
    )


def manager_of(control: Control, caller: Caller) -> Manager:
    """Return for which account a management key does something, and as whom."""
    act = Act(actor=f"key:{caller.key_hash}", at=control.clock.wall())
    member = None if caller.terms is None else caller.terms.member
    return Manager(caller.account, act, member, role_of(caller))


async def _rows(control: Control, keys: tuple[Key, ...]) -> tuple[KeyRow, ...]:
    hashes = [key.hash for key in keys]
    used = await control.reader.usages(hashes, control.clock.wall())
    return tuple(key_row(key, used.get(key.hash, UNUSED)) for key in keys)


async def _shown(control: Control, key: Key) -> Response:
    (row,) = await _rows(control, (key,))
    return json_response(KeyBody(row))
