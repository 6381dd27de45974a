"""Puts a call into the words of one host: a body spliced from the caller's own bytes.

Most members go out as they came in. What is the gateway's own stays here; what the
endpoint or the host will not have is dropped or renamed, with a note (`draft`).
Members nobody knows are forwarded: they are how providers' own features are reached.

Messages are forwarded as they came too, unless a quirk names one of their members
(`messages.reasoning_details` in `rejects` or `renames`).
"""

import hashlib
from collections.abc import Mapping

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Endpoint, Provider, Quirks
from dragoman.core.notes import Change, Note
from dragoman.providers.additions import additions
from dragoman.providers.dialect import Outgoing
from dragoman.providers.media import check_media
from dragoman.providers.openai.cache_marks import drop_options, fit_marks
from dragoman.providers.openai.draft import CHOOSY, Draft
from dragoman.providers.openai.ids import with_capped_ids, with_short_ids
from dragoman.providers.openai.loose_tools import loosened
from dragoman.providers.openai.members import NULL
from dragoman.providers.openai.reasoning import NAMES as REASONING
from dragoman.providers.openai.reasoning import ask_for_reasoning
from dragoman.providers.openai.roles import without_developers
from dragoman.providers.openai.tool_media import media_apart
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members
from dragoman.wire.messages import TEXT_ONLY

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
OF_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
"""Members that OpenAI refuses where there is no tool, be it an empty list or the wish for none."""

_PLACED = frozenset({"model", "messages", "max_tokens", "stream"})
_COMMON = _PLACED | {
    "temperature", "top_p", "top_k", "min_p", "frequency_penalty", "presence_penalty",
    "repetition_penalty", "seed", "stop",
}  # fmt: skip
"""Members that most calls are made of: what becomes of one depends on no other."""

_OTHER_LIMIT = {
    "max_tokens": "max_completion_tokens",
    "max_completion_tokens": "max_tokens",
}
_MESSAGES = "messages."
_TRUE = Raw(b"true")
_WITH_USAGE = Raw(b'{"include_usage":true}')

Headers = tuple[tuple[str, str], ...]
_FOR_JSON: Headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
_FOR_STREAM: Headers = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_objects = msgspec.json.Decoder(list[Members]).decode


def write_request(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Translate a call for an endpoint, noting every member that did not survive.

    The credential is not part of it: whoever sends adds it. Raises InvalidRequest for media that
    the host cannot read.
    """
    quirks = provider.quirks
    if _suits(call, endpoint, quirks):
        return _outgoing(call, provider, _common(call, endpoint, quirks), ())
    return _translated(call, endpoint, provider)


def _suits(call: ChatCall, endpoint: Endpoint, quirks: Quirks) -> bool:
    """Whether a call has common members only, and none to be dropped, renamed, added or noted."""
    members, supports = call.members, endpoint.supports
    is_short = _PLACED.issuperset(members)
    return (
        (is_short or _COMMON.issuperset(members))
        and call.inputs == TEXT_ONLY
        and "messages" in members
        and not (quirks.rejects or quirks.renames or quirks.adds or quirks.short_ids)
        and not (quirks.breakpoints or quirks.longest_id)
        and quirks.developer
        and not (call.user or call.reasoning)
        and NULL not in members.values()
        and (
            not supports
            or (
                (is_short or supports.issuperset(members.keys() - _PLACED))
                and ("max_tokens" in supports or "max_completion_tokens" not in supports)
            )
        )
        and not (call.native and call.native.failed)
    )


def _common(call: ChatCall, endpoint: Endpoint, quirks: Quirks) -> Mapping[str, Raw | str]:
    """Return the body for a call that suits, in the order that all others have."""
    members = call.members
    body: dict[str, Raw | str] = {"model": endpoint.upstream, "messages": members["messages"]}
    if not _PLACED.issuperset(members):
        body |= {name: value for name, value in members.items() if name not in _PLACED}
    if "max_tokens" in members:
        body["max_tokens"] = members["max_tokens"]
    if call.stream:
        body["stream"] = _TRUE
        if quirks.stream_usage:
            body["stream_options"] = _WITH_USAGE
    return body


def _translated(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Translate any call, one member after the other."""
    draft = Draft(endpoint, provider)
    members, quirks = call.members, provider.quirks
    draft.body["model"] = Raw(_encode(endpoint.upstream))
    if "messages" in members:
        draft.body["messages"] = _messages(draft, _said(draft, call, provider), quirks)
        if quirks.short_ids:
            _shorten_ids(draft)
        if quirks.longest_id is not None:
            _cap_ids(draft, quirks.longest_id)
        if not quirks.developer:
            _instruct_as_system(draft)
    _copy(draft, call)
    _fit_marks(draft)
    _limit_output(draft, members, endpoint, quirks)
    ask_for_reasoning(draft, call, endpoint, quirks)
    _offer_cache_control(draft, members, provider)
    if call.stream:
        _ask_for_stream(draft, members, quirks)
    if call.user and draft.offer("user", Raw(_encode(opaque(call.user)))):
        draft.note(Change.RENAMED, "user", "sent as an opaque id derived from it")
    for name, value in additions(quirks):
        draft.inject(name, value)
    return _outgoing(call, provider, draft.body, tuple(draft.notes))


def _outgoing(
    call: ChatCall, provider: Provider, body: Mapping[str, Raw | str], notes: tuple[Note, ...]
) -> Outgoing:
    headers = _FOR_STREAM if call.stream else _FOR_JSON
    if provider.headers:
        headers += tuple(provider.headers.items())
    return Outgoing(path=PATH, headers=headers, body=_encode(body), notes=notes)


def opaque(user: str) -> str:
    """Return a stable id for an end user that does not tell who it is.

    OpenRouter, user-tracking: providers are told users apart, never their names.
    """
    return "user-" + hashlib.sha256(user.encode()).hexdigest()[:32]


def _copy(draft: Draft, call: ChatCall) -> None:
    idle = call.not_applied
    for name, value in call.members.items():
        if name in _APART or name in idle:
            continue
        if value == NULL and name in _NULL_MEANS_ABSENT:
            continue
        if name in OF_TOOLS and not call.tools:
            draft.note(Change.DROPPED, name, "there are no tools to call")
        else:
            draft.offer(name, loosened(draft, call) if name == "tools" else value)


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
    if not draft.offer("stream", _TRUE):
        return
    sent = members.get("stream_options", NULL)
    options = {} if sent == NULL else _members(sent)
    options["include_usage"] = _TRUE
    if quirks.stream_usage:
        draft.offer("stream_options", Raw(_encode(options)))
    elif len(options) > 1:
        draft.note(Change.DROPPED, "stream_options", "this provider does not know it")


def _said(draft: Draft, call: ChatCall, provider: Provider) -> Raw:
    """Return the conversation, in it no media, and no failures, that OpenAI has no place for."""
    messages = call.members["messages"]
    if call.native and call.native.failed:
        messages = _without_failures(draft, messages)
    if call.inputs == TEXT_ONLY:
        return messages
    check_media(messages, provider)
    if provider.kind == "aggregator":
        return messages
    apart = media_apart(messages)
    if apart is not messages:
        detail = "media in a tool's result are sent in a message of the user's"
        draft.note(Change.RENAMED, _MESSAGES + "content", detail)
    return apart


def _without_failures(draft: Draft, messages: Raw) -> Raw:
    """Return messages of a client of another API less the marks of tools that failed."""
    rows = _objects(messages)
    for row in rows:
        row.pop("is_error", None)
    draft.note(Change.DROPPED, _MESSAGES + "is_error", "only the content says so here")
    return Raw(_encode(rows))


def _messages(draft: Draft, messages: Raw, quirks: Quirks) -> Raw:
    """Return the messages without the members that the host rejects, renamed as it wants."""
    if not quirks.rejects and not quirks.renames:
        return messages
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


def _fit_marks(draft: Draft) -> None:
    for name in ("messages", "tools"):
        if name in draft.body:
            draft.body[name] = fit_marks(draft, name, draft.body[name])
    drop_options(draft)


def _shorten_ids(draft: Draft) -> None:
    draft.body["messages"], changed = with_short_ids(draft.body["messages"])
    if changed:
        detail = "put into nine letters and digits, which this provider takes"
        draft.note(Change.RENAMED, _MESSAGES + "tool_calls.id", detail)


def _cap_ids(draft: Draft, most: int) -> None:
    draft.body["messages"], changed = with_capped_ids(draft.body["messages"], most)
    if changed:
        detail = f"cut to {most} letters, the most that this provider takes"
        draft.note(Change.RENAMED, _MESSAGES + "tool_calls.id", detail)


def _instruct_as_system(draft: Draft) -> None:
    messages = draft.body["messages"]
    draft.body["messages"] = without_developers(messages)
    if draft.body["messages"] is not messages:
        detail = "developer is sent as system, which this provider knows"
        draft.note(Change.RENAMED, _MESSAGES + "role", detail)


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
