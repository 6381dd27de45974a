"""Puts a call into the words of a provider of the Responses API.

Where the client speaks it, too, what it sent goes out (`native`); otherwise the hub's members are
translated. Nothing is stored at the provider, so what a model thought comes back encrypted.
Source: `openai.types.responses.response_create_params`; OpenAI, "Migrate to the Responses API".
"""

from typing import Any

import msgspec
from msgspec import Raw

from dragoman.catalog.efforts import NO_EFFORT
from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change
from dragoman.providers.additions import additions
from dragoman.providers.dialect import Outgoing
from dragoman.providers.media import check_media
from dragoman.providers.openai.cache_marks import drop_options, fit_marks
from dragoman.providers.openai.draft import Draft
from dragoman.providers.openai.loose_tools import loosened
from dragoman.providers.openai.reasoning import (
    DEFAULT_EFFORT,
    has_switch,
    known_effort,
    nearest_effort,
)
from dragoman.providers.openai.request import GATEWAY_ONLY, OF_TOOLS, opaque
from dragoman.providers.responses.items import KNOWN, Script
from dragoman.providers.strangers import strange_settings, strangers
from dragoman.wire.chat import ChatCall, Reasoning
from dragoman.wire.hub import Members
from dragoman.wire.messages import TEXT_ONLY
from dragoman.wire.responses.raw import NULL, says

PATH = "/responses"

LEAST_OUTPUT = 16
"""The least `max_output_tokens` that OpenAI accepts (API reference, "Create a response")."""

ENCRYPTED = "reasoning.encrypted_content"
LOGPROBS = "message.output_text.logprobs"

_APART = GATEWAY_ONLY | {
    "model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens",
    "reasoning", "reasoning_effort", "include_reasoning", "response_format", "verbosity",
    "logprobs", "top_logprobs", "user",
}  # fmt: skip
"""Members that go by another name, or are no provider's business."""

_OFFERED = frozenset({"tools", "tool_choice"})
"""Members that are put apart, where there is a tool."""

_SAME = frozenset({
    "temperature", "top_p", "parallel_tool_calls", "service_tier", "prompt_cache_key",
    "prompt_cache_options", "prompt_cache_retention", "safety_identifier",
})  # fmt: skip
"""Members that both APIs have by one name."""

_WISH = frozenset({"effort", "summary", "max_tokens", "enabled", "exclude"})
_OWN_WISH = frozenset({"context", "mode"})

_HEADERS = (("Content-Type", "application/json"), ("Accept", "application/json"))
_STREAM_HEADERS = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))
_TRUE = Raw(b"true")
_FALSE = Raw(b"false")
_NO_PARAMETERS = {"type": "object", "properties": {}}

_encode = msgspec.json.Encoder().encode
_members = msgspec.json.Decoder(Members).decode
_tools = msgspec.json.Decoder(list[dict[str, Raw]]).decode


def write_hub(call: ChatCall, endpoint: Endpoint, provider: Provider, form: str) -> Outgoing:
    """Translate a call from the hub, noting every member that did not survive.

    Raises InvalidRequest for a message that cannot be said in this API.
    """
    draft = Draft(endpoint, provider)
    members = call.members
    draft.body["model"] = Raw(_encode(endpoint.upstream))
    script = Script(draft, provider.name, form)
    if call.inputs != TEXT_ONLY:
        check_media(members["messages"], provider)
    messages = fit_marks(draft, "messages", members["messages"])
    script.add(messages)
    tools = members["tools"] if call.tools else None
    for field in dict.fromkeys(strangers(messages, tools, KNOWN)):
        draft.note(Change.DROPPED, field, "the Responses API has no such field")
    for field in strange_settings(members):
        if field.startswith("tool_choice"):  # a form is sent with all that it has
            draft.note(Change.DROPPED, field, "the Responses API has no such field")
    if script.instructions is not None:
        draft.body["instructions"] = script.instructions
    draft.body["input"] = Raw(_encode(script.items))
    _copy(draft, call)
    drop_options(draft)
    limit_output(draft, call)
    _ask_for_text(draft, members)
    include = _ask_for_reasoning(draft, call, endpoint, provider)
    include += _ask_for_logprobs(draft, members)
    if call.tools:
        _offer_tools(draft, call)
    _name_user(draft, call)
    return outgoing(draft, call, provider, include)


def outgoing(draft: Draft, call: ChatCall, provider: Provider, include: list[str]) -> Outgoing:
    """Return the request, with what every one has, and what the host's row adds."""
    body = draft.body
    body["store"] = _FALSE
    if include:
        body["include"] = Raw(_encode(include))
    if call.stream:
        body["stream"] = _TRUE
    for name, value in additions(provider.quirks):
        draft.inject(name, value)
    headers = (_STREAM_HEADERS if call.stream else _HEADERS) + tuple(provider.headers.items())
    return Outgoing(path=PATH, headers=headers, body=_encode(body), notes=tuple(draft.notes))


def limit_output(draft: Draft, call: ChatCall) -> None:
    """Send the limit on output, which may not be lower than the API's least."""
    if call.max_tokens is None:
        return
    limit = max(call.max_tokens, LEAST_OUTPUT)
    if limit != call.max_tokens:
        draft.note(Change.CLAMPED, "max_tokens", f"{limit} is the least that this API accepts")
    draft.body["max_output_tokens"] = Raw(b"%d" % limit)


def can_reason(endpoint: Endpoint, wish: Reasoning | None) -> bool:
    """Whether the model may be told how to reason; what is unknown is believed to whoever asks."""
    supports = endpoint.supports
    if not supports:
        return wish is not None and wish.asked
    return "reasoning" in supports or "reasoning_effort" in supports


def _copy(draft: Draft, call: ChatCall) -> None:
    for name, value in call.members.items():
        if name in _APART or name in call.not_applied or value == NULL:
            continue
        if name in OF_TOOLS and not call.tools:
            draft.note(Change.DROPPED, name, "there are no tools to call")
        elif name in _OFFERED:
            continue
        elif name in _SAME:
            draft.offer(name, value)
        else:
            draft.note(Change.DROPPED, name, "the Responses API has no such field")


def _name_user(draft: Draft, call: ChatCall) -> None:
    """Say who asks, unless the caller has said it in the API's own words."""
    if not call.user:
        return
    if "safety_identifier" in draft.body:
        draft.note(Change.DROPPED, "user", "safety_identifier says who it is")
    elif draft.offer("safety_identifier", Raw(_encode(opaque(call.user)))):
        draft.note(Change.RENAMED, "user", "sent as an opaque id derived from it")


def _ask_for_text(draft: Draft, members: Members) -> None:
    """Say what the text must be: the hub's `response_format` and `verbosity`."""
    text: dict[str, Any] = {}
    form = members.get("response_format", NULL)
    if says(form) and _offered(draft, "response_format", form):
        told = _members(form)
        if says(told.get("json_schema", NULL)):
            told |= _members(told.pop("json_schema"))
        text["format"] = told
    verbosity = members.get("verbosity", NULL)
    if says(verbosity) and _offered(draft, "verbosity", verbosity):
        text["verbosity"] = verbosity
    if text:
        draft.body["text"] = Raw(_encode(text))


def _ask_for_reasoning(
    draft: Draft, call: ChatCall, endpoint: Endpoint, provider: Provider
) -> list[str]:
    """Put the wish to reason; return what is to be included for it."""
    wish = call.reasoning
    if provider.quirks.reasoning == "none" or not can_reason(endpoint, wish):
        if wish is not None and (wish.asked or wish.enabled is False):
            draft.note(Change.DROPPED, "reasoning", "this endpoint takes no wish to reason")
        return []
    told: dict[str, Any] = {}
    if wish is not None:
        effort = _effort(draft, wish, call.max_tokens or endpoint.max_output)
        if effort is not None:
            least = has_switch(call)
            told["effort"] = known_effort(draft, effort, "reasoning.effort", at_least=least)
        summary = wish.summary or ("auto" if wish.asked and not wish.exclude else None)
        if summary is not None and "reasoning.summary" not in provider.quirks.rejects:
            told["summary"] = summary
        told |= _more(draft, call.members.get("reasoning", NULL))
    if told:
        draft.body["reasoning"] = Raw(_encode(told))
    return [ENCRYPTED]


def _effort(draft: Draft, wish: Reasoning, output: int | None) -> str | None:
    """Return the effort that a wish means, noting where it was said in other words."""
    if wish.enabled is False:
        effort, source = NO_EFFORT, "reasoning.enabled"
    elif wish.max_tokens is not None:
        effort = nearest_effort(wish.max_tokens, output) if wish.max_tokens else NO_EFFORT
        source = "reasoning.max_tokens"
    elif wish.effort is None and wish.enabled:
        effort, source = DEFAULT_EFFORT, "reasoning.enabled"
    else:
        return wish.effort
    draft.note(Change.RENAMED, source, f"sent as reasoning.effort {effort}")
    return effort


def _more(draft: Draft, wish: Raw) -> Members:
    """Return the members of the wish that are the API's own, newer ones; note all others."""
    if not says(wish):
        return {}
    said = {name: value for name, value in _members(wish).items() if says(value)}
    for name in said.keys() - _WISH - _OWN_WISH:
        draft.note(Change.DROPPED, f"reasoning.{name}", "the Responses API has no such field")
    return {name: value for name, value in said.items() if name in _OWN_WISH}


def _ask_for_logprobs(draft: Draft, members: Members) -> list[str]:
    if members.get("logprobs") != _TRUE or not _offered(draft, "logprobs", _TRUE):
        return []
    most = members.get("top_logprobs", NULL)
    if says(most):
        draft.body["top_logprobs"] = most
    return [LOGPROBS]


def _offer_tools(draft: Draft, call: ChatCall) -> None:
    tools = loosened(draft, call)
    if not _offered(draft, "tools", tools):
        return
    draft.body["tools"] = Raw(_encode([_tool(each) for each in _tools(tools)]))
    choice = call.members.get("tool_choice", NULL)
    if not says(choice) or not _offered(draft, "tool_choice", choice):
        return
    if bytes(choice)[:1] == b"{":
        function = _members(_members(choice)["function"])
        choice = Raw(_encode({"type": "function", "name": function["name"]}))
    draft.body["tool_choice"] = choice


def _tool(tool: Members) -> dict[str, Any]:
    """Return a function. What chat leaves out means another thing here: `strict` would be true."""
    function = _members(tool["function"])
    return {
        "type": "function",
        "name": function["name"],
        **({"description": function["description"]} if "description" in function else {}),
        "parameters": function.get("parameters", _NO_PARAMETERS),
        "strict": function["strict"] if says(function.get("strict", NULL)) else False,
    }


def _offered(draft: Draft, name: str, value: Raw) -> bool:
    """Say whether a member that goes by another name is taken; if not, it is noted."""
    if not draft.offer(name, value):
        return False
    draft.body.pop(name, None)
    return True
