"""A request whose client spoke the dialect: its bytes pass, and caches of prompts stay warm.

Changed are the model, the limits and what is the gateway's own; and what the model that was found
is known to answer with an error, since the client may have meant another (a fallback). The client's
own words for the same wish come first, and every change is noted.
"""

import msgspec
from msgspec import Raw, Struct

from dragoman.catalog.types import Endpoint
from dragoman.core.notes import Change
from dragoman.providers.anthropic.content import EMPTY, NULL
from dragoman.providers.anthropic.draft import Draft
from dragoman.providers.anthropic.thinking import (
    DEFAULT_EFFORT,
    DEFAULT_OUTPUT,
    LEAST_BUDGET,
    SHARES,
    nearest,
)
from dragoman.providers.openai.request import opaque
from dragoman.wire.chat import ChatCall
from dragoman.wire.hub import Members, Native

GATEWAY_ONLY = frozenset({
    "debug", "fallback_models", "fallbacks", "max_tool_calls", "models", "plugins", "preset",
    "provider", "route", "session_id", "stop_server_tools_when", "trace", "transforms", "usage",
    "user",
})  # fmt: skip
"""Acted on here; never a provider's business."""

CHOICES = "n"
"""Chat's, which Anthropic does not know. A host of this API that did would answer, and bill, what
nobody is shown."""

_UNSIGNED = (b'"signature":""', b'"signature": ""')
_SYSTEM_ROLES = (b'"role":"system"', b'"role": "system"')
_RESULTS = (b'"tool_result"',)
_THOUGHTS = ("thinking", "redacted_thinking")
_SYSTEM, _ASSISTANT = Raw(b'"system"'), Raw(b'"assistant"')
_THINKING, _NO_BLOCKS = Raw(b'"thinking"'), Raw(b"[]")
_SAMPLING = ("temperature", "top_p", "top_k")

_rows = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_integer = msgspec.json.Decoder(int).decode
_encode = msgspec.json.Encoder().encode


class _Thinking(Struct, gc=False):
    type: str = ""
    budget_tokens: int | None = None
    display: Raw = NULL


class _Typed(Struct, gc=False):
    type: str = ""


class _Effort(Struct, gc=False):
    effort: str | None = None


_thinking = msgspec.json.Decoder(_Thinking).decode
_typed = msgspec.json.Decoder(_Typed).decode
_effort = msgspec.json.Decoder(_Effort).decode


def pass_on(draft: Draft, call: ChatCall, native: Native, endpoint: Endpoint) -> None:
    """Put the members of a native request into the draft, changed as little as may be."""
    body = draft.body
    for name, value in native.members.items():
        if name == CHOICES and value != NULL:
            draft.dropped(name, "a message is one choice")
        elif name not in GATEWAY_ONLY:
            body[name] = value
    body["model"] = endpoint.upstream
    _limit(draft, call, native.members, endpoint)
    if call.stream:
        body["stream"] = True
    else:
        body.pop("stream", None)
    if call.user and "metadata" not in body:
        body["metadata"] = {"user_id": opaque(call.user)}
        draft.note(Change.RENAMED, "user", "sent as an opaque id derived from it")
    if draft.takes.known:
        _fit(draft, native.members)
    messages = native.members.get("messages", NULL)
    _fit_messages(draft, messages)
    if draft.takes.known:
        _fit_continuation(draft, messages)


def _limit(draft: Draft, call: ChatCall, members: Members, endpoint: Endpoint) -> None:
    """Send the limit of output that was decided on, or one that the API can do with."""
    said = members.get("max_tokens", NULL)
    if call.max_tokens is not None:
        if said == NULL or _integer(said) != call.max_tokens:
            draft.body["max_tokens"] = call.max_tokens
    elif said == NULL:
        most = endpoint.max_output or DEFAULT_OUTPUT
        draft.body["max_tokens"] = most
        draft.note(Change.INJECTED, "max_tokens", f"{most}: this provider needs a limit")


def _fit(draft: Draft, members: Members) -> None:
    """Put in another way, or leave out, what this model answers with an error."""
    takes, body = draft.takes, draft.body
    if members.get("thinking", NULL) != NULL:
        _fit_thinking(draft, members["thinking"])
    if not takes.samples:
        for name in _SAMPLING:
            if body.pop(name, NULL) != NULL:
                draft.dropped(name, "this model takes no sampling parameters")
    if members.get("output_config", NULL) != NULL:
        _fit_effort(draft, members["output_config"])
    choice = members.get("tool_choice", NULL)
    if not takes.forced and choice != NULL and _typed(choice).type in {"any", "tool"}:
        rest = {k: v for k, v in _members(choice).items() if k not in {"type", "name"}}
        body["tool_choice"] = {"type": "auto", **rest}
        draft.note(Change.CLAMPED, "tool_choice", "sent as auto: this model cannot be made to call")


def _fit_thinking(draft: Draft, value: Raw) -> None:
    wish = _thinking(value)
    config = _fitting(draft, wish, value)
    if config is value:
        return
    if isinstance(config, dict):
        draft.body["thinking"] = config
        if config["type"] == wish.type:
            draft.note(Change.CLAMPED, "thinking", "a budget has to be below max_tokens")
            return
        detail = f"{wish.type} sent as {config['type']}, which this model takes"
        draft.note(Change.RENAMED, "thinking", detail)
    else:
        del draft.body["thinking"]
        draft.dropped("thinking", f"this model cannot be told {wish.type!r}")


def _fitting(draft: Draft, wish: _Thinking, value: Raw) -> dict[str, object] | Raw | None:
    """Return what says as much as the model can be told; the same if it can be told it all."""
    takes = draft.takes
    if wish.type == "enabled" and not takes.budget:
        return _adaptive(wish) if takes.adaptive else None
    if wish.type == "adaptive" and not takes.adaptive:
        return _budgeted(draft)
    if wish.type == "enabled" and _outgrows(draft, wish):
        return _budgeted(draft)
    if wish.type in {"disabled", "between_tools"}:
        if takes.off == "never":
            return None
        word = "between_tools" if takes.off == "between_tools" else "disabled"
        return value if word == wish.type else {"type": word}
    return value


def _outgrows(draft: Draft, wish: _Thinking) -> bool:
    """Whether the limit was lowered here to less than the budget, which the API refuses."""
    limit = draft.body["max_tokens"]
    return isinstance(limit, int) and wish.budget_tokens is not None and wish.budget_tokens >= limit


def _adaptive(wish: _Thinking) -> dict[str, object]:
    display = Raw(b'"summarized"') if wish.display == NULL else wish.display
    return {"type": "adaptive", "display": display}


def _budgeted(draft: Draft) -> dict[str, object] | None:
    """Return thinking with a budget for a model that cannot decide by itself, None for none."""
    limit = draft.body["max_tokens"]
    most = _integer(limit) if isinstance(limit, Raw) else limit
    if not isinstance(most, int):
        return None
    if not draft.takes.budget or most <= LEAST_BUDGET:
        return None
    budget = max(int(most * SHARES[DEFAULT_EFFORT]), LEAST_BUDGET)
    return {"type": "enabled", "budget_tokens": min(budget, most - 1)}


def _fit_effort(draft: Draft, value: Raw) -> None:
    wanted = _effort(value).effort
    if wanted is None or wanted in draft.takes.efforts or wanted not in SHARES:
        return
    config: dict[str, object] = dict(_members(value))
    found = nearest(draft, wanted, "output_config.effort")
    if found is None:
        del config["effort"]
    else:
        config["effort"] = found
    draft.body["output_config"] = config
    if not config:
        del draft.body["output_config"]


def _fit_messages(draft: Draft, messages: Raw) -> None:
    """Change the conversation where it holds what the model refuses; look closer only then."""
    takes = draft.takes
    lifts = takes.known and not takes.system_turns and _holds(messages, _SYSTEM_ROLES)
    unsigned = _holds(messages, _UNSIGNED)
    if not (lifts or unsigned):
        return
    rows = _rows(messages)
    kept = _lifted(draft, rows) if lifts else rows
    if unsigned:
        kept = _signed(draft, kept)
    if kept is not rows:
        draft.body["messages"] = kept


def _fit_continuation(draft: Draft, messages: Raw) -> None:
    """Do not think with a budget where tools are answered that were called without a thought.

    The API refuses that ("Expected `thinking` or `redacted_thinking`, but found `tool_use`").
    It is so after an answer of another model, and where the client let the model decide
    (`adaptive`), which one with budgets was found for.
    """
    if not _holds(messages, _RESULTS) or not _budgets(draft.body.get("thinking")):
        return
    made = draft.body.get("messages")
    rows = made if isinstance(made, list) else _rows(messages)
    if len(rows) > 1 and _begins(rows[-1], "tool_result") and not _begins(rows[-2], *_THOUGHTS):
        del draft.body["thinking"]
        draft.dropped("thinking", "the calls that are answered here came without a signed thought")


def _budgets(thinking: object) -> bool:
    if isinstance(thinking, Raw):
        return _thinking(thinking).type == "enabled"
    return isinstance(thinking, dict) and thinking.get("type") == "enabled"


def _begins(row: Members, *types: str) -> bool:
    """Say whether a message begins with a block of one of these types."""
    content = row.get("content", NULL)
    blocks = _list(content) if bytes(content)[:1] == b"[" else []
    return bool(blocks) and _typed(blocks[0]).type in types


def _lifted(draft: Draft, rows: list[Members]) -> list[Members]:
    """Put the system's messages before the conversation: the model knows no others."""
    lifted = [row for row in rows if row.get("role") == _SYSTEM]
    if not lifted:
        return rows
    blocks = _blocks(draft.body.get("system"))
    for row in lifted:
        blocks += _blocks(row.get("content"))
    draft.body["system"] = blocks
    detail = "the system's are sent ahead of the conversation: this model knows no others"
    draft.note(Change.RENAMED, "messages", detail)
    return [row for row in rows if row.get("role") != _SYSTEM]


def _blocks(content: object) -> list[Raw]:
    source = bytes(content) if isinstance(content, Raw) else b"null"
    if source[:1] == b'"':
        return [Raw(b'{"type":"text","text":%b}' % source)]
    return _list(source) if source[:1] == b"[" else []


def _signed(draft: Draft, rows: list[Members]) -> list[Members]:
    """Leave out thoughts that nobody signed: another model's, which Claude refuses."""
    made = [_without_unsigned(row) for row in rows]
    if all(new is old for new, old in zip(made, rows, strict=True)):
        return rows
    draft.dropped("messages.content", "thoughts without a signature, which are not Claude's")
    return [row for row in made if row.get("content") != _NO_BLOCKS]


def _without_unsigned(row: Members) -> Members:
    content = row.get("content", NULL)
    if row.get("role") != _ASSISTANT or bytes(content)[:1] != b"[":
        return row
    parts = _rows(content)
    signed = [part for part in parts if not _is_unsigned(part)]
    return row if len(signed) == len(parts) else {**row, "content": Raw(_encode(signed))}


def _is_unsigned(part: Members) -> bool:
    return part.get("type") == _THINKING and part.get("signature", EMPTY) == EMPTY


def _holds(messages: Raw, words: tuple[bytes, ...]) -> bool:
    source = bytes(messages)
    return any(source.find(word) >= 0 for word in words)
