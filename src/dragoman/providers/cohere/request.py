"""Puts a call into the words of Cohere's chat, noting every member that did not survive.

Members of Cohere's own may stand beside those of the hub (`documents`, `citation_options`,
`safety_mode`, …): they are passed on.

Source: Cohere API reference, "Chat"; docs, "Reasoning", "Structured Outputs".
"""

from typing import Any

import msgspec
from msgspec import Raw

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change
from dragoman.providers.anthropic.draft import Draft, encode
from dragoman.providers.cohere.messages import NULL, write_messages
from dragoman.providers.dialect import Outgoing
from dragoman.providers.openai.reasoning import NAMES as REASONING
from dragoman.providers.openai.request import GATEWAY_ONLY
from dragoman.providers.openai.tool_media import media_apart
from dragoman.providers.strangers import unspoken
from dragoman.wire.chat import ChatCall
from dragoman.wire.features import NEUTRAL
from dragoman.wire.hub import Members
from dragoman.wire.messages import TEXT_ONLY

PATH = "/chat"
SHARES = {"minimal": 0.1, "low": 0.2, "medium": 0.5, "high": 0.8, "xhigh": 0.95, "max": 0.95}
"""Effort -> share of the output that thinking may take (OpenRouter docs, reasoning-tokens)."""

Headers = tuple[tuple[str, str], ...]
_FOR_JSON: Headers = (("Content-Type", "application/json"), ("Accept", "application/json"))
_FOR_STREAM: Headers = (("Content-Type", "application/json"), ("Accept", "text/event-stream"))

_OWN = frozenset({"documents", "citation_options", "safety_mode", "strict_tools", "priority"})
_BOUNDED = {
    "temperature": ("temperature", 0.0, 1.0),
    "top_p": ("p", 0.01, 0.99),
    "top_k": ("k", 0.0, 500.0),
    "frequency_penalty": ("frequency_penalty", 0.0, 1.0),
    "presence_penalty": ("presence_penalty", 0.0, 1.0),
}
"""Parameter -> Cohere's name, the least and the most that it may be."""
_NEUTRAL = {**NEUTRAL, "top_p": None}
"""What asks for nothing here: without a word Cohere takes the likelier three quarters (`p`)."""
_TOOLS = frozenset({"tools", "tool_choice", "parallel_tool_calls"})
_SPOKEN = (
    GATEWAY_ONLY
    | REASONING
    | _OWN
    | _TOOLS
    | frozenset({"seed", *_BOUNDED})
    | {"model", "messages", "stream", "stream_options", "max_tokens", "max_completion_tokens"}
    | {"stop", "response_format", "cache_control"}
)
_ASK_NOTHING: dict[str, Any] = {
    **NEUTRAL, "n": 1, "modalities": ["text"], "store": False, "service_tier": "auto",
}  # fmt: skip
_KNOWN = frozenset({"type", "function"})
_OF_FUNCTIONS = frozenset({"name", "description", "parameters", "strict"})

_any = msgspec.json.Decoder().decode
_number = msgspec.json.Decoder(float).decode
_list = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_stops = msgspec.json.Decoder(str | list[str] | None).decode
_format = msgspec.json.Decoder(dict[str, Any]).decode


def write_request(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Translate a call for an endpoint.

    Raises InvalidRequest, naming field and provider, for what cannot be said at all.
    """
    draft = Draft(endpoint, provider)
    _translate(draft, call, endpoint)
    draft.finish()
    headers = _FOR_STREAM if call.stream else _FOR_JSON
    return Outgoing(
        path=PATH,
        headers=headers + tuple(provider.headers.items()),
        body=encode(draft.body),
        notes=draft.notes,
    )


def _translate(draft: Draft, call: ChatCall, endpoint: Endpoint) -> None:
    members, body = call.members, draft.body
    body["model"] = endpoint.upstream
    body["messages"] = write_messages(_with_media_apart(members["messages"], call, draft), draft)
    body["stream"] = call.stream
    if call.max_tokens is not None:
        body["max_tokens"] = call.max_tokens
    _offer_tools(draft, call)
    _bind(draft, members)
    _think(draft, call, endpoint)
    _sample(draft, members)
    if members.get("seed", NULL) != NULL and _taken(draft, "seed"):
        body["seed"] = members["seed"]
    _stop(draft, members.get("stop", NULL))
    for name in sorted(_OWN & members.keys()):
        if members[name] != NULL:
            body[name] = members[name]
    if members.get("cache_control", NULL) != NULL:
        draft.dropped("cache_control", "this provider caches by itself")
    for field in unspoken(call, _SPOKEN, _ASK_NOTHING):
        draft.dropped(field, "this provider's API has no such field")


def _taken(draft: Draft, name: str) -> bool:
    if draft.supports(name):
        return True
    draft.dropped(name, "this endpoint does not support it")
    return False


def _with_media_apart(messages: Raw, call: ChatCall, draft: Draft) -> Raw:
    """Return the conversation with what tools show in a message of the user's, who may."""
    apart = messages if call.inputs == TEXT_ONLY else media_apart(messages)
    if apart is not messages:
        detail = "media in a tool's result are sent in a message of the user's"
        draft.note(Change.RENAMED, "messages.content", detail)
    return apart


def _offer_tools(draft: Draft, call: ChatCall) -> None:
    members = call.members
    if not call.tools or not draft.supports("tools"):
        why = "this endpoint does not support it" if call.tools else "there are no tools to call"
        for name in sorted(_TOOLS & members.keys()):
            if members[name] != NULL and name not in call.not_applied:
                draft.dropped(name, why)
        return
    found = [_tool(tool, draft) for tool in _list(members["tools"])]
    draft.body["tools"] = [tool for tool, _ in found]
    strict = [bound for _, bound in found]
    if any(strict) and "strict_tools" not in members:
        draft.body["strict_tools"] = True
        if not all(strict):
            draft.note(Change.CLAMPED, "tools.function.strict", "all tools are bound, or none")
    if members.get("parallel_tool_calls") == Raw(b"false"):
        draft.dropped("parallel_tool_calls", "this provider's API has no such field")
    _choose(draft, members)


def _choose(draft: Draft, members: Members) -> None:
    """Put the choice into the draft. One tool of several is chosen by sending no other."""
    wish = members.get("tool_choice", NULL)
    said = None if wish == NULL else _any(wish)
    if said in {None, "auto"} if not isinstance(said, dict) else False:
        return
    if not _taken(draft, "tool_choice"):
        return
    if isinstance(said, dict):
        name = said["function"]["name"]
        tools = _list(members["tools"])
        kept = [tool for tool in tools if _any(_members(tool["function"])["name"]) == name]
        draft.body["tools"] = [_tool(tool, draft)[0] for tool in kept]
        draft.note(Change.RENAMED, "tool_choice", "sent as the only tool, which must be called")
        draft.body["tool_choice"] = "REQUIRED"
        return
    draft.body["tool_choice"] = "NONE" if said == "none" else "REQUIRED"


def _tool(tool: Members, draft: Draft) -> tuple[Members, bool]:
    """Return a tool, and whether its calls are to match its schema."""
    function = _members(tool["function"])
    for part, known in ((tool, _KNOWN), (function, _OF_FUNCTIONS)):
        for name in part.keys() - known:
            draft.dropped(f"tools.{name}", "this provider's API has no such field")
    strict = function.pop("strict", NULL) == Raw(b"true")
    kept = {name: value for name, value in function.items() if name in _OF_FUNCTIONS}
    if kept.get("parameters", NULL) == NULL:
        kept["parameters"] = Raw(b'{"type":"object","properties":{}}')
    if kept.get("description") == NULL:
        del kept["description"]
    return {"type": tool["type"], "function": Raw(encode(dict(kept)))}, strict


def _bind(draft: Draft, members: Members) -> None:
    """Ask for JSON, by a schema or without; not together with tools or documents."""
    value = members.get("response_format", NULL)
    if value == NULL:
        return
    wanted = _format(value)
    kind = wanted["type"]
    if kind == "text":
        return
    if "tools" in draft.body or members.get("documents", NULL) != NULL:
        draft.dropped("response_format", "it does not go together with tools or documents here")
        return
    if not draft.supports("response_format", "structured_outputs"):
        draft.dropped("response_format", "this endpoint does not support it")
        return
    if kind not in {"json_schema", "json_object"}:
        draft.dropped("response_format", "this provider's API has no such format")
        return
    form: dict[str, object] = {"type": "json_object"}
    schema = wanted.get("json_schema", {}).get("schema") if kind == "json_schema" else None
    if isinstance(schema, dict):
        form["json_schema"] = schema
        if wanted["json_schema"].get("description"):
            detail = "no place for it here: put it into the schema"
            draft.dropped("response_format.json_schema.description", detail)
    draft.body["response_format"] = form


def _think(draft: Draft, call: ChatCall, endpoint: Endpoint) -> None:
    """Put the wish to reason into the draft: on, off, or with a budget."""
    wish = call.reasoning
    if wish is None:
        return
    off = wish.enabled is False or wish.effort == "none" or wish.max_tokens == 0
    if not (off or wish.asked):
        return
    if not draft.supports("reasoning", "reasoning_effort"):
        draft.dropped("reasoning", "this endpoint takes no wish to reason")
        return
    thinking: dict[str, object] = {"type": "disabled" if off else "enabled"}
    most = call.max_tokens or endpoint.max_output
    if not off and wish.max_tokens:
        thinking["token_budget"] = wish.max_tokens
    elif not off and wish.effort and most:
        budget = max(1, int(most * SHARES[wish.effort]))
        thinking["token_budget"] = budget
        draft.note(Change.RENAMED, "reasoning.effort", f"sent as a budget of {budget} tokens")
    elif not off and wish.effort:
        draft.dropped("reasoning.effort", "no limit is known of which it could be a share")
    draft.body["thinking"] = thinking


def _sample(draft: Draft, members: Members) -> None:
    for name, (here, least, most) in _BOUNDED.items():
        value = members.get(name, NULL)
        if value == NULL or _number(value) == _NEUTRAL[name] or not _taken(draft, name):
            continue
        wanted = _number(value)
        sent = min(max(wanted, least), most)
        if sent == wanted:
            draft.body[here] = value
        else:
            draft.body[here] = int(sent) if name == "top_k" else sent
            draft.note(Change.CLAMPED, name, f"sent as {sent:g}")


def _stop(draft: Draft, value: Raw) -> None:
    said = _stops(value) or []
    wanted = [said] if isinstance(said, str) else said
    if wanted and _taken(draft, "stop"):
        draft.body["stop_sequences"] = wanted
