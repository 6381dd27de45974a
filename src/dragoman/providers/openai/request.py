"""Puts a call into the words of one host: a body spliced from the caller's own bytes.

Most members go out as they came in. What is the gateway's own stays here; what the
endpoint or the host will not have is dropped or renamed, with a note (`draft`).
Members nobody knows are forwarded: they are how providers' own features are reached.

Messages are forwarded as they came too, unless a quirk names one of their members
(`messages.reasoning_details` in `rejects` or `renames`).
"""

import hashlib

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Endpoint, Provider, Quirks
from dragoman.core.notes import Change
from dragoman.providers.dialect import Outgoing
from dragoman.providers.openai.draft import CHOOSY, Draft
from dragoman.providers.openai.members import NULL
from dragoman.providers.openai.reasoning import NAMES as REASONING
from dragoman.providers.openai.reasoning import ask_for_reasoning
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members

PATH = "/chat/completions"

GATEWAY_ONLY = frozenset({
    "models", "fallback_models", "route", "provider", "plugins", "transforms", "preset", "usage",
    "session_id", "trace", "metadata", "debug", "structured_outputs", "max_tool_calls",
    "stop_server_tools_when", "web_search_options", "x_search_filter",
})  # fmt: skip
"""Acted on here, or said by shaping to be without effect; never a provider's business."""

_APART = (
    GATEWAY_ONLY
    | REASONING
    | {"model", "messages", "stream", "stream_options", "user"}
    | {"max_tokens", "max_completion_tokens", "cache_control"}
)
"""Members that are not simply copied."""

_NULL_MEANS_ABSENT = CHOOSY | {
    "n", "modalities", "audio", "image_config", "service_tier",
    "prompt_cache_key", "prompt_cache_options",
}  # fmt: skip
_OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
"""Members that OpenAI refuses where there is no tool, be it an empty list or the wish for none."""

_OTHER_LIMIT = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
_MESSAGES = "messages."
_TRUE = Raw(b"true")
_JSON = ("Content-Type", "application/json")
_ACCEPT_JSON = ("Accept", "application/json")
_ACCEPT_STREAM = ("Accept", "text/event-stream")

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_objects = msgspec.json.Decoder(list[Members]).decode
_value = msgspec.json.Decoder(Raw).decode


def write_request(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Translate a call for an endpoint, noting every member that did not survive.

    The credential is not part of it: whoever sends adds it.
    """
    draft = Draft(endpoint, provider)
    members, quirks = call.members, provider.quirks
    draft.body["model"] = Raw(_encode(endpoint.upstream))
    if "messages" in members:
        draft.body["messages"] = _messages(draft, members["messages"], quirks)
    _copy(draft, call)
    _limit_output(draft, members, endpoint, quirks)
    ask_for_reasoning(draft, call, endpoint, quirks)
    _offer_cache_control(draft, members, provider)
    if call.stream:
        _ask_for_stream(draft, members, quirks)
    if call.user and draft.offer("user", Raw(_encode(opaque(call.user)))):
        draft.note(Change.RENAMED, "user", "sent as an opaque id derived from it")
    for name, source in quirks.adds.items():
        draft.inject(name, _json(source))
    return Outgoing(
        path=PATH,
        headers=(
            _JSON,
            _ACCEPT_STREAM if call.stream else _ACCEPT_JSON,
            *provider.headers.items(),
        ),
        body=_encode(draft.body),
        notes=tuple(draft.notes),
    )


def opaque(user: str) -> str:
    """Return a stable id for an end user that does not tell who it is.

    OpenRouter, user-tracking: providers are told users apart, never their names.
    """
    return "user-" + hashlib.sha256(user.encode()).hexdigest()[:32]


def _json(source: str) -> Raw:
    """Return a quirk's value: JSON as it stands, anything else as a string."""
    try:
        return _value(source)
    except msgspec.DecodeError:
        return Raw(_encode(source))


def _copy(draft: Draft, call: ChatCall) -> None:
    idle = call.not_applied
    for name, value in call.members.items():
        if name in _APART or name in idle:
            continue
        if value == NULL and name in _NULL_MEANS_ABSENT:
            continue
        if name in _OF_TOOLS and not call.tools:
            draft.note(Change.DROPPED, name, "there are no tools to call")
        else:
            draft.offer(name, value)


def _limit_output(draft: Draft, members: Members, endpoint: Endpoint, quirks: Quirks) -> None:
    """Send the limit on output under the name that the endpoint knows, whatever its name was."""
    sent = [name for name in reversed(_OTHER_LIMIT) if members.get(name, NULL) != NULL]
    if not sent:
        return
    name, value = sent[0], members[sent[0]]
    other = _OTHER_LIMIT[name]
    if len(sent) > 1:
        draft.note(Change.DROPPED, other, f"{name} was sent too, and limits the same")
    supports = endpoint.supports
    if name not in supports and other in supports and other not in quirks.renames:
        draft.note(Change.RENAMED, name, f"this endpoint calls it {other}")
        name = other
    draft.offer(name, value)


def _offer_cache_control(draft: Draft, members: Members, provider: Provider) -> None:
    """Pass the top-level marker to hosts of the same API only; it is not OpenAI's."""
    marker = members.get("cache_control", NULL)
    if marker == NULL:
        return
    if provider.kind == "aggregator":
        draft.offer("cache_control", marker)
    else:
        draft.note(Change.DROPPED, "cache_control", "this provider's API has no such field")


def _ask_for_stream(draft: Draft, members: Members, quirks: Quirks) -> None:
    """Ask for a stream, and for its usage where that is not sent unasked."""
    draft.offer("stream", _TRUE)
    sent = members.get("stream_options", NULL)
    options = {} if sent == NULL else _members(sent)
    options["include_usage"] = _TRUE
    if quirks.stream_usage:
        draft.offer("stream_options", Raw(_encode(options)))
    elif len(options) > 1:
        draft.note(Change.DROPPED, "stream_options", "this provider does not know it")


def _messages(draft: Draft, messages: Raw, quirks: Quirks) -> Raw:
    """Return the messages without the members that the host rejects, renamed as it wants."""
    rejected = [n[len(_MESSAGES) :] for n in quirks.rejects if n.startswith(_MESSAGES)]
    renamed = {
        old[len(_MESSAGES) :]: new.removeprefix(_MESSAGES)
        for old, new in quirks.renames.items()
        if old.startswith(_MESSAGES)
    }
    if not rejected and not renamed:
        return messages
    source = bytes(messages)
    if not any(f'"{name}"'.encode() in source for name in (*rejected, *renamed)):
        return messages
    return _edited(draft, messages, sorted(rejected), renamed)


def _edited(draft: Draft, messages: Raw, rejected: list[str], renamed: dict[str, str]) -> Raw:
    rows = _objects(messages)
    dropped: set[str] = set()
    moved: set[str] = set()
    for row in rows:
        for name in rejected:
            if row.pop(name, None) is not None:
                dropped.add(name)
        for old, new in renamed.items():
            if old in row:
                row.setdefault(new, row.pop(old))
                moved.add(old)
    for name in sorted(dropped):
        draft.note(Change.DROPPED, _MESSAGES + name, "this provider rejects it")
    for name in sorted(moved):
        draft.note(Change.RENAMED, _MESSAGES + name, f"this provider calls it {renamed[name]}")
    return Raw(_encode(rows))
