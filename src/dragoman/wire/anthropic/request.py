"""Reads a Messages request: into a call in the hub's form, with the request as it came beside it.

Providers of Anthropic's API are sent what came (`ChatCall.native`), less what is OpenRouter's
business, the gateway's own tools, and reasoning that Anthropic did not sign. All others are
sent the hub's form; what that cannot say is in the notes of `native`.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct, inspect

from dragoman.core.errors import InvalidPrompt, InvalidRequest
from dragoman.core.notes import Change
from dragoman.wire import rules
from dragoman.wire.anthropic.blocks import NULL, given
from dragoman.wire.anthropic.conversation import Conversation
from dragoman.wire.anthropic.errors import ThreadRefused
from dragoman.wire.anthropic.fields import (
    ExactFields,
    Message,
    MessagesFields,
    Metadata,
    OutputConfig,
)
from dragoman.wire.anthropic.foreign import Foreign
from dragoman.wire.anthropic.gleanings import Gleanings
from dragoman.wire.anthropic.tools import Choice, Tools, read_choice, read_tools
from dragoman.wire.anthropic.wishes import Thinking, format_of, reasoning_of
from dragoman.wire.chat import ChatCall, parse_members
from dragoman.wire.explain import explain
from dragoman.wire.hub import Members, Native
from dragoman.wire.json import TOO_DEEP, members

NAME = "messages"

SHARED = frozenset({
    "models", "provider", "route", "plugins", "session_id", "trace", "user",
    "stop_server_tools_when", "preset", "debug", "transforms",
})  # fmt: skip
"""OpenRouter's members, which the hub has by the same names, and Anthropic does not."""

SAME = frozenset({
    "model", "max_tokens", "stream", "temperature", "top_p", "top_k", "cache_control",
})  # fmt: skip
"""Members that are the same in both."""

READ = frozenset({
    "messages", "fallbacks", "system", "stop_sequences", "metadata", "tools", "tool_choice",
    "thinking", "output_config", "output_format", "service_tier", "speed",
})  # fmt: skip
"""Members that the hub says in another way, or that are noted here."""

ANTHROPIC_HEADERS = (b"anthropic-version", b"anthropic-beta", b"x-anthropic-beta")
LONGEST_HEADER = 8192

MOST_FALLBACKS = rules.MOST_MODELS
MOST_STOPS = 4
"""As many stop sequences as the hub has (OpenAI, "Create chat completion")."""

TIERS = {"auto": "auto", "standard_only": "default", "default": "default", "priority": "priority",
         "flex": "flex", "fast": "fast", "scale": "scale"}  # fmt: skip

_SPOKEN = SAME | SHARED | READ
_WITHIN: Mapping[str, type[Struct]] = {
    "metadata": Metadata,
    "output_config": OutputConfig,
    "thinking": Thinking,
    "tool_choice": Choice,
}
"""Members that are objects, of which some members may be nobody's here."""
_NOTHING = (b"null", b"[]")
_SHAPE = inspect.type_info(MessagesFields)
_decode = msgspec.json.Decoder(MessagesFields).decode
_exact = msgspec.json.Decoder(ExactFields).decode
_rows = msgspec.json.Decoder(list[Members]).decode
_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode


def parse_messages(body: bytes, headers: Mapping[bytes, bytes]) -> ChatCall:
    """Read and check a request. Raises InvalidRequest or InvalidPrompt, which name the member."""
    sent = members(body)
    rules.check_names(sent)
    if sent.get("thread", NULL) != NULL:
        raise ThreadRefused("thread: is not accepted; nothing is kept, send all of 'messages'")
    found = Gleanings()
    fields = _fields(body, sent, found)
    conversation = Conversation(found)
    if fields.system is not None:
        conversation.system(fields.system)
    for place, message in enumerate(fields.messages):
        conversation.turn(message, place)
    tools = read_tools(fields.tools or [], found)
    hub = _hub(sent, fields, found, tools)
    hub["messages"] = Raw(_encode(conversation.messages))
    native = Native(
        dialect=NAME,
        members=_own(sent, fields, tools, conversation.foreign),
        headers=_headers(headers),
        notes=found.notes,
        changes=conversation.foreign.changes,
        tools=tools.types,
        failed=conversation.failed,
        loose=tools.loose,
    )
    return msgspec.structs.replace(parse_members(hub), native=native)


def _fields(body: bytes, sent: Members, found: Gleanings) -> MessagesFields:
    try:
        return _exact(body)
    except (msgspec.ValidationError, RecursionError):
        fields = _any_turns(body)
    for row in _rows(sent["messages"]):
        found.strangers(row, Message.__struct_fields__, "messages")
    return fields


def _any_turns(body: bytes) -> MessagesFields:
    try:
        return _decode(body)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
    except msgspec.ValidationError as error:
        path, reason = explain(error, _SHAPE)
    message = f"{path}: {reason}"
    if path.partition(".")[0] in {"messages", "system"}:
        raise InvalidPrompt(message)
    if path == "model":
        raise rules.no_model(message)
    raise InvalidRequest(message)


def _hub(sent: Members, fields: MessagesFields, found: Gleanings, tools: Tools) -> Members:
    """Return all members of the request in the hub's form but the conversation."""
    hub = {name: value for name, value in sent.items() if name in SAME or name in SHARED}
    said: dict[str, object] = {
        "models": _fallbacks(fields, sent),
        "stop": _stops(fields.stop_sequences or [], found),
        "tools": tools.rows,
        "reasoning": reasoning_of(fields, found),
        "response_format": format_of(fields, found),
        "service_tier": _tier(fields, found),
    }
    if fields.metadata is not None and not given(hub.get("user", NULL)):
        said["user"] = fields.metadata.user_id
    if given(fields.tool_choice):
        chosen = read_choice(fields.tool_choice, tools, found)
        said["tool_choice"], said["parallel_tool_calls"] = chosen
    _note_others(sent, fields, found)
    return hub | {
        name: Raw(_encode(value)) for name, value in said.items() if value not in (None, [], "")
    }


def _fallbacks(fields: MessagesFields, sent: Members) -> list[str]:
    fallbacks = fields.fallbacks or []
    if fallbacks and given(sent.get("models", NULL)):
        raise InvalidRequest("fallbacks: cannot be combined with 'models'")
    if len(fallbacks) > MOST_FALLBACKS:
        raise InvalidRequest(f"'fallbacks' array must have {MOST_FALLBACKS} items or fewer.")
    return [fallback.model for fallback in fallbacks]


def _stops(sequences: list[str], found: Gleanings) -> list[str]:
    if len(sequences) > MOST_STOPS:
        how = f"only the first {MOST_STOPS} are sent"
        found.changed(Change.CLAMPED, "stop_sequences", how)
    return sequences[:MOST_STOPS]


def _tier(fields: MessagesFields, found: Gleanings) -> str | None:
    tier = fields.service_tier
    if tier is None:
        return None
    if tier not in TIERS:
        found.dropped("service_tier")
    return TIERS.get(tier)


def _note_others(sent: Members, fields: MessagesFields, found: Gleanings) -> None:
    """Note the members that only Anthropic's API has, and those that nobody knows."""
    if fields.speed not in {None, "standard"}:
        found.dropped("speed")
    if fields.output_config is not None and fields.output_config.task_budget is not None:
        found.dropped("output_config.task_budget")
    for name, value in sent.items():
        if name not in _SPOKEN and bytes(value) not in _NOTHING:
            found.dropped(name)
        elif name in _WITHIN and given(value):
            found.strangers(_members(value), _WITHIN[name].__struct_fields__, name)


def _own(sent: Members, fields: MessagesFields, tools: Tools, foreign: Foreign) -> Members:
    """Return what a provider of Anthropic's API is sent: the members as they came."""
    own = {name: value for name, value in sent.items() if name not in SHARED}
    own.pop("fallbacks", None)
    if len(tools.own) < len(fields.tools or ()):
        _offer(own, tools.own)
    own["messages"] = foreign.without(own["messages"])
    return own


def _offer(own: Members, tools: list[Raw]) -> None:
    """Put these tools in the place of those that were sent."""
    if tools:
        own["tools"] = Raw(_encode(tools))
    else:
        own.pop("tools", None)
        own.pop("tool_choice", None)


def _headers(headers: Mapping[bytes, bytes]) -> tuple[tuple[str, str], ...]:
    """Return the headers that mean something to providers of Anthropic's API."""
    return tuple(
        (name.decode(), value.decode("latin-1"))
        for name in ANTHROPIC_HEADERS
        if (value := headers.get(name)) and len(value) <= LONGEST_HEADER
    )
