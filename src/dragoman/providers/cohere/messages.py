"""A conversation in the hub's words, as Cohere's: nearly OpenAI's, but for thoughts and media.

What a model thought goes back as a part of its answer, or as the plan it made before it called
tools: nobody signs it. Members that Cohere's messages do not have are left out.

Source: Cohere API reference, "Chat", `messages`; "Using Cohere's Models to Work with Image Inputs".
"""

import msgspec
from msgspec import Raw

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.anthropic.draft import Draft
from dragoman.providers.data_urls import plain
from dragoman.providers.media import check_image
from dragoman.providers.strangers import CALL, CALLED
from dragoman.wire.hub import Members

NULL = Raw(b"null")
_NOTHING = (NULL, Raw(b'""'), Raw(b"[]"))
_ROLES = {"developer": "system"}
_KNOWN = {
    "system": frozenset({"role", "content"}),
    "developer": frozenset({"role", "content"}),
    "user": frozenset({"role", "content"}),
    "tool": frozenset({"role", "content", "tool_call_id"}),
    "assistant": frozenset({
        "role", "content", "tool_calls", "refusal", "reasoning", "reasoning_content",
        "reasoning_details", "tool_plan", "citations",
    }),
}  # fmt: skip
_TOLD = ("reasoning", "reasoning_content")
_OF_TEXTS = frozenset({"type", "text"})
_OF_IMAGES = frozenset({"type", "image_url"})
_IMAGES = frozenset({"image/gif", "image/jpeg", "image/png", "image/webp"})

_rows = msgspec.json.Decoder(list[Members]).decode
_list = msgspec.json.Decoder(list[Raw]).decode
_members = msgspec.json.Decoder(Members).decode
_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.Encoder().encode


def write_messages(messages: Raw, draft: Draft) -> list[Members]:
    """Return a checked conversation as Cohere takes it. Raises InvalidRequest for other media."""
    return [_message(row, f"messages.{place}", draft) for place, row in enumerate(_rows(messages))]


def _message(row: Members, path: str, draft: Draft) -> Members:
    role = _text(row["role"])
    for name in row.keys() - _KNOWN[role]:
        if row[name] != NULL:
            draft.dropped(f"messages.{name}", "this provider's API has no such field")
    made: Members = {"role": Raw(_encode(_ROLES.get(role, role)))}
    content = row.get("content", NULL)
    if role == "assistant":
        return made | _answer(row, content, path, draft)
    if role == "tool":
        made["tool_call_id"] = row["tool_call_id"]
    made["content"] = _content(content, f"{path}.content", draft, media=role == "user")
    return made


def _content(content: Raw, path: str, draft: Draft, *, media: bool = False) -> Raw:
    """Return a text or parts, in which only texts are, and images where there may be `media`."""
    if bytes(content)[:1] != b"[":
        return content
    parts = [
        _part(part, f"{path}.{n}", draft, media=media) for n, part in enumerate(_rows(content))
    ]
    return Raw(b"[%b]" % b",".join(parts))


def _part(part: Members, path: str, draft: Draft, *, media: bool) -> bytes:
    kind = _text(part["type"])
    if kind == "refusal":
        draft.note(Change.RENAMED, "messages.content.refusal", "sent as text")
        return b'{"type":"text","text":%b}' % part["refusal"]
    if kind == "text":
        known, value = _OF_TEXTS, b'{"type":"text","text":%b}' % part["text"]
    elif kind == "image_url" and media:
        known, value = _OF_IMAGES, b'{"type":"image_url","image_url":%b}' % part["image_url"]
        url = plain(_members(part["image_url"])["url"])
        check_image(url, f"{path}.image_url.url", draft.provider.name, _IMAGES)
    else:
        raise InvalidRequest(f"{path}: {draft.provider.name} takes no {kind} here")
    for name in part.keys() - known:
        if part[name] != NULL:
            draft.dropped(f"messages.content.{name}", "this provider's API has no such field")
    return value


def _answer(row: Members, content: Raw, path: str, draft: Draft) -> Members:
    """Return what the assistant said, thought and called."""
    made: Members = {}
    calls = row.get("tool_calls", NULL)
    thought = next((row[name] for name in _TOLD if row.get(name, NULL) not in _NOTHING), None)
    if calls not in _NOTHING:
        made["tool_calls"] = Raw(b"[%b]" % b",".join([_call(call, draft) for call in _rows(calls)]))
        if row.get("tool_plan", NULL) not in _NOTHING:
            made["tool_plan"] = row["tool_plan"]
        elif thought is not None:
            made["tool_plan"] = thought
            thought = None
    if row.get("citations", NULL) not in _NOTHING:
        made["citations"] = row["citations"]
    details = row.get("reasoning_details", NULL)
    told = thought is not None or "tool_plan" in made
    if details not in _NOTHING and (not told or _are_signed(details)):
        draft.dropped("messages.reasoning_details", "this provider signs and takes none")
    if row.get("refusal", NULL) not in _NOTHING:
        content = row["refusal"] if content in _NOTHING else _refused(content, row["refusal"])
        draft.note(Change.RENAMED, "messages.refusal", "sent as text")
    if content not in _NOTHING:
        made["content"] = _content(content, f"{path}.content", draft)
    if thought is not None:
        made["content"] = _with_thought(thought, made.get("content"))
    return made


def _are_signed(details: Raw) -> bool:
    """Whether details hold more than can be read: what another provider signed, or encrypted."""
    return any(
        row.get(name, NULL) not in _NOTHING
        for row in _rows(details)
        for name in ("signature", "data")
    )


def _refused(content: Raw, refusal: Raw) -> Raw:
    """Return content with what the model said in place of an answer behind it."""
    last = b'{"type":"text","text":%b}' % refusal
    if bytes(content)[:1] == b"[":
        return Raw(b"[%b]" % b",".join([*(bytes(part) for part in _list(content)), last]))
    return Raw(b'[{"type":"text","text":%b},%b]' % (content, last))


def _with_thought(thought: Raw, content: Raw | None) -> Raw:
    """Return content with what the model thought before it."""
    first = b'{"type":"thinking","thinking":%b}' % thought
    if content is None:
        return Raw(b"[%b]" % first)
    if bytes(content)[:1] == b"[":
        inner = bytes(content)[1:-1].strip()
        return Raw(b"[%b%b%b]" % (first, b"," if inner else b"", inner))
    return Raw(b'[%b,{"type":"text","text":%b}]' % (first, content))


def _call(call: Members, draft: Draft) -> bytes:
    function = _members(call["function"])
    draft.strangers(call, CALL, "messages.tool_calls")
    draft.strangers(function, CALLED, "messages.tool_calls.function")
    return b'{"id":%b,"type":"function","function":{"name":%b,"arguments":%b}}' % (
        call["id"],
        function["name"],
        b'"{}"' if function["arguments"] == Raw(b'""') else function["arguments"],
    )
