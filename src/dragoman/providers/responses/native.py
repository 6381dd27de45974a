"""Sends on what a client of the same API sent: its bytes, in its order, with what must differ.

That is the model's name at the provider, whether it streams, how long it may get, and that
nothing is stored. What is the gateway's own stays here, as do tools that OpenAI bills by another
measure than tokens and searches, and reasoning that another provider signed.
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from dragoman.catalog.types import Endpoint, Provider
from dragoman.core.notes import Change
from dragoman.providers.dialect import Outgoing
from dragoman.providers.openai.cache_marks import drop_options, fit_marks
from dragoman.providers.openai.draft import Draft
from dragoman.providers.openai.ids import capped_id, has_long_ids
from dragoman.providers.openai.reasoning import known_effort
from dragoman.providers.openai.request import GATEWAY_ONLY, opaque
from dragoman.providers.responses.items import CUT, LONGEST_CALL_ID
from dragoman.providers.responses.origin import opened
from dragoman.providers.responses.request import (
    ENCRYPTED,
    can_reason,
    limit_output,
    outgoing,
)
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members, Native
from dragoman.wire.responses.items import REFERENCE
from dragoman.wire.responses.raw import NULL, is_list, is_object, is_string, says
from dragoman.wire.responses.thoughts import OPENAI, SEALED

OWN = (GATEWAY_ONLY - {"max_tool_calls"}) | {
    "model", "stream", "store", "include", "max_output_tokens", "user", "safety_identifier",
    "background", "previous_response_id", "conversation", "prompt",
}  # fmt: skip
"""Members that are not copied: the gateway's own, and those that it says itself."""

EXTRAS = frozenset({
    "top_k", "min_p", "top_a", "seed", "stop", "repetition_penalty", "frequency_penalty",
    "presence_penalty", "logit_bias", "cache_control", "image_config", "modalities", "n",
})  # fmt: skip
"""OpenRouter's and chat's members, which OpenAI refuses as unknown parameters."""

UNMETERED = frozenset({"code_interpreter", "file_search", "image_generation"})
"""Tools that are billed by session, storage or image: what they cost cannot be told."""

_REASONING = frozenset({"effort", "summary", "generate_summary", "context", "mode"})
_CALL_ID = b'"call_id"'
_THOUGHTS = (b'"reasoning"', b'"item_reference"')
"""What is in the bytes of items some of which may have to stay here."""
_FOREIGN = frozenset({"format", "signature"})
"""Members of reasoning that OpenRouter adds."""
_OFFERED = frozenset({
    "temperature", "top_p", "tools", "tool_choice", "parallel_tool_calls", "service_tier",
})  # fmt: skip
_BETA = "openai-beta"


class _Tool(Struct, gc=False):
    """What decides whether a tool is sent on."""

    type: str = ""
    environment: Raw = Raw()


class _Kind(Struct, gc=False):
    """What decides whether an item is sent on."""

    type: str = ""
    encrypted_content: str | None = None
    format: str | None = None
    signature: str | None = None


_list = msgspec.json.Decoder(list[Raw]).decode
_kinds = msgspec.json.Decoder(list[_Kind]).decode
_tool = msgspec.json.Decoder(_Tool).decode
_members = msgspec.json.Decoder(Members).decode
_rows = msgspec.json.Decoder(list[Members]).decode
_text = msgspec.json.Decoder(str).decode
_texts = msgspec.json.Decoder(list[str]).decode
_encode = msgspec.json.Encoder().encode


def write_native(
    call: ChatCall, native: Native, endpoint: Endpoint, provider: Provider, form: str
) -> Outgoing:
    """Return the request as it goes out, noting every member that did not survive."""
    draft = Draft(endpoint, provider)
    found = native.members
    draft.body["model"] = Raw(_encode(endpoint.upstream))
    for name, value in found.items():
        if name not in OWN and name not in call.not_applied and value != NULL:
            _send(draft, name, value, form)
    said = draft.body.get("input", NULL)
    if is_list(said):
        draft.body["input"] = fit_marks(draft, "input", said)
    drop_options(draft)
    limit_output(draft, call)
    if call.user:
        name = "safety_identifier" if says(found.get("safety_identifier", NULL)) else "user"
        draft.body[name] = Raw(_encode(opaque(call.user)))
        draft.note(Change.RENAMED, name, "sent as an opaque id derived from it")
    include = _texts(found["include"]) if is_list(found.get("include", NULL)) else []
    if can_reason(endpoint, call.reasoning) and ENCRYPTED not in include:
        include.append(ENCRYPTED)
    sent = outgoing(draft, call, provider, include)
    betas = tuple((name, value) for name, value in native.headers if name == _BETA)
    return msgspec.structs.replace(sent, headers=sent.headers + betas) if betas else sent


def _send(draft: Draft, name: str, value: Raw, form: str) -> None:
    """Put one member, as far as the provider may have it."""
    if name in EXTRAS:
        draft.note(Change.DROPPED, name, "the Responses API has no such field")
    elif name == "input":
        draft.body[name] = _with_capped_ids(draft, _input(draft, value, form))
    elif name == "tools":
        if tools := _tools(draft, value):
            draft.offer(name, tools)
    elif name == "reasoning":
        if told := _wish(draft, value):
            draft.body[name] = told
    elif name in _OFFERED:
        draft.offer(name, value)
    else:
        draft.body[name] = value


def _input(draft: Draft, value: Raw, form: str) -> Raw:
    """Return the items without reasoning that this provider cannot read, or would have to keep."""
    text = bytes(value)
    if not is_list(value) or not any(word in text for word in _THOUGHTS):
        return value
    kept: list[Raw | Members] = []
    left_out = changed = False
    for item, kind in zip(_list(value), _kinds(value), strict=True):
        if kind.type == REFERENCE:  # to a thought: others are refused
            draft.note(Change.DROPPED, f"input.{REFERENCE}", "nothing is kept under an id")
            changed = True
            continue
        if kind.type != "reasoning" or _is_plain(kind, form):
            kept.append(item)
            continue
        changed = True
        content = _own_content(kind, form)
        if content is None:
            left_out = True
            continue
        told = {name: inner for name, inner in _members(item).items() if name not in _FOREIGN}
        kept.append(told | {"encrypted_content": Raw(_encode(content))})
    if left_out:
        detail = "only reasoning that this provider signed goes back"
        draft.note(Change.DROPPED, "input.reasoning", detail)
    return Raw(_encode(kept)) if changed else value


def _with_capped_ids(draft: Draft, value: Raw) -> Raw:
    """Return the items with ids of calls that are not too long: another model's may be."""
    if not has_long_ids(bytes(value), _CALL_ID, LONGEST_CALL_ID) or not is_list(value):
        return value
    draft.note(Change.RENAMED, "input.call_id", CUT)
    rows = _rows(value)
    for row in rows:
        if is_string(row.get("call_id", NULL)):
            row["call_id"] = Raw(_encode(capped_id(_text(row["call_id"]), LONGEST_CALL_ID)))
    return Raw(_encode(rows))


def _is_plain(kind: _Kind, form: str) -> bool:
    """Whether reasoning goes out as it came: signed here, so far as it says, and nothing added."""
    content = kind.encrypted_content
    is_foreign = kind.format is not None or kind.signature is not None or form != OPENAI
    return bool(content and not is_foreign and not content.startswith(SEALED))


def _own_content(kind: _Kind, form: str) -> str | None:
    """Return what was signed here, None for what another signed or nobody did."""
    content = kind.encrypted_content
    if not content or kind.format not in {None, form}:
        return None
    if content.startswith(SEALED):
        return opened(content, form)
    return content if form == (kind.format or OPENAI) else None


def _tools(draft: Draft, value: Raw) -> Raw | None:
    """Return the tools less those that the gateway runs, and those whose cost cannot be told."""
    tools = _list(value)
    kept = []
    for tool in tools:
        kind = _tool(tool)
        if kind.type in UNMETERED or (kind.type == "shell" and _is_hosted(kind)):
            draft.note(Change.DROPPED, f"tools.{kind.type}", "what it costs cannot be told")
        elif not kind.type.startswith("openrouter:"):
            kept.append(tool)
    if len(kept) == len(tools):
        return value
    return Raw(_encode(kept)) if kept else None


def _is_hosted(kind: _Tool) -> bool:
    """Whether a shell runs in a container of the provider's, which is billed."""
    environment = kind.environment
    return is_object(environment) and _tool(environment).type != "local"


def _wish(draft: Draft, value: Raw) -> Raw | None:
    """Return the wish to reason without what OpenRouter adds to it."""
    found: Mapping[str, Raw] = _members(value)
    said = found.get("effort", NULL)
    if said != NULL:
        wanted = _text(said)
        effort = known_effort(draft, wanted, "reasoning.effort")
        if effort != wanted:
            found = {**found, "effort": Raw(_encode(effort))}
            value = Raw(_encode(found))
    if _REASONING.issuperset(found):
        return value
    for name in found:
        if name not in _REASONING:
            draft.note(Change.DROPPED, f"reasoning.{name}", "the Responses API has no such field")
    kept = {name: inner for name, inner in found.items() if name in _REASONING}
    return Raw(_encode(kept)) if kept else None
