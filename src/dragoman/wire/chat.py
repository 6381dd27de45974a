"""A chat request: the members we act on, typed and checked, and all members as they came.

Shapes are declared in `fields`, `messages` and `tools`, what spans several members
in `rules`. Nothing is added to a request and no name is resolved: that is the
business of `shaping` and `routing`.
"""

from typing import Any, Literal

import msgspec
from msgspec import Raw, Struct, inspect

from dragoman.core.errors import InvalidPrompt, InvalidRequest
from dragoman.wire import rules
from dragoman.wire.explain import explain
from dragoman.wire.features import has_functions, not_applied, parameters, settings, wants_json
from dragoman.wire.fields import ChatFields, OrdinaryFields
from dragoman.wire.hub import Members, Native
from dragoman.wire.json import TOO_DEEP, members, object_members
from dragoman.wire.messages import TEXT_ONLY, survey
from dragoman.wire.preferences import Preferences
from dragoman.wire.provider_object import parse_provider
from dragoman.wire.reasoning import Reasoning, fold
from dragoman.wire.tools import is_server_tool, without_server_tools

__all__ = ["ChatCall", "Members", "Raw", "Reasoning", "parse_chat", "parse_members"]


NO_WISHES = Preferences()
Kind = Literal["chat", "embeddings", "rerank"]
ORDINARY = frozenset(OrdinaryFields.__struct_fields__)


class ChatCall(Struct, frozen=True, kw_only=True, gc=False):
    """A validated chat request.

    `members` holds every top-level member with its bytes as sent, for forwarding
    what needs no change; only tools that a gateway would run are taken out. The
    other fields are what routing, relay and records act on. `models` has all the
    names to try, `model` first. `not_applied` names fields that are accepted and
    valid but have no effect yet. `native` is the request in its client's own dialect, if that
    is another; then `members` are what it comes to in the hub's. `kind` says what is asked for:
    what is no chat has `members` of its own kind, and is never streamed. Where a call holds several
    texts that are read apart, `prompts` says how many, and `window_bytes` how long the longest is.
    """

    members: Members
    model: str | None
    models: tuple[str, ...]
    stream: bool
    max_tokens: int | None
    parameters: frozenset[str]
    inputs: frozenset[str]
    text_bytes: int
    outputs: frozenset[str] = TEXT_ONLY
    preferences: Preferences = NO_WISHES
    partition: Literal["model", "none"] = "model"
    route_by_price: bool = False
    reasoning: Reasoning | None = None
    tools: bool = False
    json_output: bool = False
    session_id: str | None = None
    cache_key: str | None = None
    """`prompt_cache_key`: what its requests share is in a provider's cache."""
    user: str | None = None
    tags: dict[str, str] = {}
    trace: dict[str, Any] = {}
    echo_upstream_body: bool = False
    not_applied: tuple[str, ...] = ()
    native: Native | None = None
    kind: Kind = "chat"
    prompts: int = 1
    window_bytes: int | None = None
    choices: int = 1
    """How many answers are asked for."""


_SHAPE = inspect.type_info(ChatFields)
_decode = msgspec.json.Decoder(ChatFields).decode
_decode_ordinary = msgspec.json.Decoder(OrdinaryFields).decode
_encode = msgspec.json.Encoder().encode


def parse_chat(body: bytes) -> ChatCall:
    """Read and check the body of a chat request. Raises InvalidRequest or InvalidPrompt."""
    return _call(members(body), body)


def parse_members(found: Members) -> ChatCall:
    """Read and check a chat request that is already in members. Raises as `parse_chat`."""
    return _call(found, _encode(found))


def _call(found: Members, body: bytes) -> ChatCall:
    if ORDINARY.issuperset(found):
        return _ordinary(found, body)
    rules.check_names(found)
    fields = _fields(body)
    rules.check_values(fields, found)
    reasoning = _reasoning(fields, found)
    preferences, ignored = _preferences(found)
    partition, by_price = rules.partition(fields, preferences)
    content = survey(fields.messages)
    idle = (*ignored, *not_applied(fields, found))
    return ChatCall(
        members=_forwarded(fields, found),
        model=fields.model,
        models=rules.models(fields.model, fields.models, fields.fallback_models),
        preferences=preferences,
        partition=partition,
        route_by_price=by_price,
        stream=fields.stream is True,
        max_tokens=fields.max_completion_tokens or fields.max_tokens,
        parameters=parameters(fields, found, reasoning),
        inputs=content.inputs,
        outputs=frozenset(fields.modalities or ("text",)),
        text_bytes=content.text_bytes,
        reasoning=reasoning,
        tools=has_functions(fields),
        json_output=wants_json(fields),
        session_id=fields.session_id,
        cache_key=fields.prompt_cache_key,
        user=fields.user,
        tags=fields.metadata or {},
        trace=fields.trace or {},
        echo_upstream_body=fields.debug is not None and fields.debug.echo_upstream_body is True,
        not_applied=tuple(dict.fromkeys(idle)),
        choices=fields.n or 1,
    )


def _ordinary(found: Members, body: bytes) -> ChatCall:
    """Return a call that has none but ordinary members: what the others say is left out."""
    try:
        fields = _decode_ordinary(body)
    except (msgspec.ValidationError, RecursionError):
        fields = _fields(body)  # which says what is wrong
    content = survey(fields.messages)
    return ChatCall(
        members=found,
        model=fields.model,
        models=rules.models(fields.model),
        stream=fields.stream is True,
        max_tokens=fields.max_tokens,
        parameters=frozenset(settings(fields, found)),
        inputs=content.inputs,
        text_bytes=content.text_bytes,
    )


def _fields(body: bytes) -> ChatFields:
    """Decode the members that have a shape, or say which has another one."""
    try:
        return _decode(body)
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None
    except msgspec.ValidationError as error:
        path, reason = explain(error, _SHAPE)
    message = f"{path}: {reason}"
    field = path.partition(".")[0]
    if field == "messages":
        raise InvalidPrompt(message)
    if field in {"model", "models", "fallback_models"}:
        raise rules.no_model(message)
    raise InvalidRequest(message)


def _preferences(found: Members) -> tuple[Preferences, tuple[str, ...]]:
    """Return the caller's preferences, and the members of `provider` that have no effect."""
    if "provider" not in found:
        return NO_WISHES, ()
    return parse_provider(found["provider"])


def _reasoning(fields: ChatFields, found: Members) -> Reasoning | None:
    """Return the wish to reason, whose members must each be given once."""
    if fields.reasoning is not None:
        object_members(found["reasoning"], "reasoning")
    return fold(fields)


def _forwarded(fields: ChatFields, found: Members) -> Members:
    if fields.tools and any(map(is_server_tool, fields.tools)):
        return without_server_tools(found, fields.tool_choice)
    return found
