"""A call in an endpoint's dialect. A large one is translated aside, and holds up nobody."""

import asyncio

import msgspec

from dragoman.catalog.types import Endpoint
from dragoman.core.errors import InvalidRequest
from dragoman.providers.dialect import Outgoing
from dragoman.upstream.faults import AttemptFailed, untranslatable
from dragoman.upstream.line import Line
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import BULKY_BYTES


async def translated(call: ChatCall, line: Line, endpoint: Endpoint) -> Outgoing:
    """Return the request in the endpoint's dialect. Raises AttemptFailed where it has no words."""
    members = call.members
    if len(members.get("messages", b"")) + len(members.get("tools", b"")) < BULKY_BYTES:
        return _translate(call, line, endpoint)
    return await asyncio.to_thread(_translate, call, line, endpoint)


def _translate(call: ChatCall, line: Line, endpoint: Endpoint) -> Outgoing:
    native = call.native
    foreign = native is not None and native.dialect != line.dialect.speaks
    if native is not None and foreign and native.needs is not None:
        raise AttemptFailed(
            untranslatable(f"{native.needs}: cannot be sent to {line.provider.name}")
        )
    try:
        outgoing = line.dialect.request(call, endpoint, line.provider)
    except InvalidRequest as error:
        raise AttemptFailed(untranslatable(error.message)) from error
    except RecursionError:
        text = "the request is nested too deeply to be translated"
        raise AttemptFailed(untranslatable(text)) from None
    if native is None:
        return outgoing
    more = native.notes if foreign else native.changes
    return msgspec.structs.replace(outgoing, notes=more + outgoing.notes) if more else outgoing
