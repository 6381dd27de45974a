"""Puts a call into the words of the Messages API.

A call whose client spoke them passes `native`; any other is translated here, member by member,
and what the API has no member for is dropped with a note. `write_messages` is for whoever hosts
these models in a wrapping of their own, too (`vertex`).

Sources: Anthropic's SDK types `MessageCreateParams`; docs, "Messages" and "Errors".
"""

from typing import Any, NamedTuple

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change, Note
from dragoman.providers.anthropic import thinking
from dragoman.providers.anthropic.content import NULL
from dragoman.providers.anthropic.draft import Body, Draft, encode
from dragoman.providers.anthropic.headers import FILES_BETA, Headers, odd_betas, others, written
from dragoman.providers.anthropic.messages import Conversation
from dragoman.providers.anthropic.native import pass_on
from dragoman.providers.anthropic.schema import ask_for_json, described, instruction
from dragoman.providers.anthropic.thinking import Thinking, decide
from dragoman.providers.anthropic.tools import NAMES as TOOLS
from dragoman.providers.anthropic.tools import offer_tools
from dragoman.providers.dialect import Outgoing
from dragoman.providers.openai.request import GATEWAY_ONLY, opaque
from dragoman.providers.strangers import unspoken
from dragoman.providers.tiers import NOT_SOLD
from dragoman.wire.chat import ChatCall
from dragoman.wire.features import NEUTRAL
from dragoman.wire.hub import Members

SPEAKS = "messages"
PATH = "/messages"

FOR_JSON: Headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
FOR_STREAM: Headers = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))

_SAMPLING = ("temperature", "top_p", "top_k")
_SPOKEN = (
    GATEWAY_ONLY
    | TOOLS
    | thinking.NAMES
    | {"model", "messages", "stream", "stream_options", "user", "max_tokens"}
    | {"max_completion_tokens", "temperature", "top_p", "top_k", "stop", "response_format"}
    | {"cache_control", "service_tier"}
)
"""Members that are put into other words here, or have no business upstream."""
_ASK_NOTHING: dict[str, Any] = {**NEUTRAL, "n": 1, "modalities": ["text"], "store": False}
_TIERS = {"auto": "auto", "default": "standard_only"}
LEAST_TOP_P_WITH_THINKING = 0.95

_any = msgspec.json.Decoder().decode
_number = msgspec.json.Decoder(float).decode
_stops = msgspec.json.Decoder(str | list[str] | None).decode
_encode = msgspec.json.Encoder().encode


class Written(NamedTuple):
    """A request in the dialect: members of its body, version and betas, what did not survive."""

    members: Body
    headers: Headers
    notes: tuple[Note, ...]


def write_messages(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Written:
    """Translate a call for an endpoint, noting every member that did not survive.

    Raises InvalidRequest, naming field and provider, for what cannot be said at all.
    """
    draft = Draft(endpoint, provider)
    native = call.native
    if native is not None and native.dialect == SPEAKS:
        pass_on(draft, call, native, endpoint)
        draft.finish()
        notes = draft.notes + odd_betas(provider, native)
        return Written(draft.body, written(provider, native), notes)
    _translate(draft, call, endpoint)
    draft.finish()
    said = draft.body["messages"]
    files = isinstance(said, list) and any(b'"file_id":' in bytes(turn) for turn in said)
    needed = (FILES_BETA,) if files else ()
    return Written(draft.body, written(provider, None, needed), draft.notes)


def write_request(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Translate a call for Anthropic itself, or a host with the same path."""
    made = write_messages(call, endpoint, provider)
    headers = (FOR_STREAM if call.stream else FOR_JSON) + made.headers + others(provider)
    return Outgoing(path=PATH, headers=headers, body=encode(made.members), notes=made.notes)


def _translate(draft: Draft, call: ChatCall, endpoint: Endpoint) -> None:
    members, body = call.members, draft.body
    body["model"] = endpoint.upstream
    body["max_tokens"] = 0
    said = Conversation(members["messages"], draft)
    told = instruction(draft, call)
    if told is not None:
        said.system.say(Raw(_encode(told)))
    forced = offer_tools(draft, call)
    chosen = decide(draft, call, endpoint, said, forced=forced)
    body["max_tokens"] = chosen.max_tokens
    _cache(draft, members.get("cache_control", NULL), said)
    if not said.system.empty:
        body["system"] = _content(said)
    body["messages"] = [turn.json() for turn in said.turns]
    _configure(draft, call, chosen)
    _sample(draft, members, chosen)
    _stop(draft, members.get("stop", NULL))
    if call.stream:
        body["stream"] = True
    if call.user:
        body["metadata"] = {"user_id": opaque(call.user)}
        draft.note(Change.RENAMED, "user", "sent as an opaque id derived from it")
    tier = members.get("service_tier", NULL)
    if tier != NULL:
        name = _TIERS.get(_any(tier))
        if name is None:
            draft.dropped("service_tier", NOT_SOLD)
        else:
            body["service_tier"] = name
    for field in unspoken(call, _SPOKEN, _ASK_NOTHING):
        draft.dropped(field, "this provider's API has no such field")


def _content(said: Conversation) -> object:
    system = said.system
    return system.text if system.text is not None else [Raw(block) for block in system.blocks]


def _cache(draft: Draft, marker: Raw, said: Conversation) -> None:
    """Have the whole prompt cached: by the member for it, or by a mark at its end."""
    if marker == NULL:
        return
    if not draft.rejects("cache_control"):
        draft.body["cache_control"] = marker
        return
    said.mark_end(marker)
    draft.note(Change.RENAMED, "cache_control", "sent as a mark at the end of the conversation")


def _configure(draft: Draft, call: ChatCall, chosen: Thinking) -> None:
    if chosen.config is not None:
        draft.body["thinking"] = chosen.config
    config: dict[str, object] = {}
    if chosen.effort is not None:
        config["effort"] = chosen.effort
    form = ask_for_json(draft, call)
    if form is not None:
        config["format"] = form
        if described(call):
            detail = "no place for it here: put it into the schema"
            draft.dropped("response_format.json_schema.description", detail)
    if config:
        draft.body["output_config"] = config


def _sample(draft: Draft, members: Members, chosen: Thinking) -> None:
    """Send temperature, top_p and top_k, as far as the model takes them as things are."""
    for name in _SAMPLING:
        value = members.get(name, NULL)
        if value == NULL or _number(value) == NEUTRAL[name]:
            continue
        obstacle = _against(draft, name, _number(value), chosen)
        if obstacle is not None:
            draft.dropped(name, obstacle)
        elif name == "temperature" and _number(value) > 1:
            draft.body[name] = 1
            draft.note(Change.CLAMPED, name, "sent as 1, the most")
        else:
            draft.body[name] = value


def _against(draft: Draft, name: str, value: float, chosen: Thinking) -> str | None:
    """Say why one of them is not sent, None if it is."""
    if not draft.takes.samples:
        return "this model takes no sampling parameters"
    if not draft.supports(name):
        return "this endpoint does not support it"
    if chosen.on and not _goes_with_thinking(name, value):
        return "it does not go together with reasoning"
    if name == "top_p" and "temperature" in draft.body and not draft.takes.samples_twice:
        return "this model takes temperature or top_p, not both"
    return None


def _goes_with_thinking(name: str, value: float) -> bool:
    """Docs, "Extended thinking", feature compatibility."""
    if name == "temperature":
        return value == 1
    return name == "top_p" and value >= LEAST_TOP_P_WITH_THINKING


def _stop(draft: Draft, value: Raw) -> None:
    said = _stops(value) or []
    wanted = [said] if isinstance(said, str) else said
    if not wanted:
        return
    if not draft.supports("stop"):
        draft.dropped("stop", "this endpoint does not support it")
        return
    kept = [each for each in wanted if each.strip()]
    if len(kept) < len(wanted):
        draft.dropped("stop", "a sequence of white space, which this provider refuses")
    if kept:
        draft.body["stop_sequences"] = kept
