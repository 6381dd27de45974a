"""Where a cache is to reach: said as Anthropic does or OpenAI, to hosts that refuse either or both.

Clients such as Claude Code mark instructions, messages and tools of every request. OpenAI takes
marks from GPT-5.6 on, by a name of its own, on what is neither the assistant's nor a tool: those
are renamed, all others left out, as OpenRouter does (docs, "Prompt caching", "OpenAI").
"""

from collections.abc import Iterator
from fnmatch import fnmatchcase

import msgspec
from msgspec import Raw

from dragoman.core.notes import Change
from dragoman.providers.openai.draft import Draft
from dragoman.wire.hub import Members

NAME = "cache_control"
BREAKPOINT = "prompt_cache_breakpoint"
OPTIONS = "prompt_cache_options"

_NAMES = (NAME, BREAKPOINT)
_IN_JSON = tuple(f'"{name}"'.encode() for name in _NAMES)
_EXPLICIT = Raw(b'{"mode":"explicit"}')
_NULL = Raw(b"null")
_ASSISTANT = Raw(b'"assistant"')
_CONTENTS = ("content", "output")
"""Members with parts: of a message, and of what a tool put out in the Responses API."""
_TEXT = {"messages": b'"text"', "input": b'"input_text"'}
_WHY = {
    Change.DROPPED: "this provider rejects it here",
    Change.RENAMED: f"this provider calls it {BREAKPOINT}, and keeps it as long as it does itself",
}

_rows = msgspec.json.Decoder(list[Members]).decode
_members = msgspec.json.Decoder(Members).decode
_encode = msgspec.json.Encoder().encode

Said = tuple[Change, str]


def fit_marks(draft: Draft, field: str, rows: Raw) -> Raw:
    """Return `messages`, `input` or `tools` with the marks that may stand there; note the others.

    What has nothing to be changed keeps its bytes.
    """
    rejects = NAME in draft.quirks.rejects
    if not rejects and not draft.quirks.breakpoints:
        return rows
    source = bytes(rows)
    if not any(name in source for name in _IN_JSON):
        return rows
    takes = _takes_breakpoints(draft)
    if not rejects and not takes:
        return rows
    made = _rows(rows)
    said = {each for row in made for each in _fit(row, _TEXT.get(field) if takes else None)}
    for change, name in sorted(said):
        draft.note(change, f"{field}.{name}", _WHY[change])
    return Raw(_encode(made)) if said else rows


def drop_options(draft: Draft) -> None:
    """Take back `prompt_cache_options` from a model that takes no marks: it is a 400 there."""
    if OPTIONS in draft.body and draft.quirks.breakpoints and not _takes_breakpoints(draft):
        del draft.body[OPTIONS]
        draft.note(Change.DROPPED, OPTIONS, "only newer models of this provider take it")


def _takes_breakpoints(draft: Draft) -> bool:
    """Whether the host's model of that name takes marks as OpenAI's newer ones do."""
    return any(fnmatchcase(draft.endpoint.upstream, like) for like in draft.quirks.breakpoints)


def _fit(row: Members, text: bytes | None) -> Iterator[Said]:
    """Fit the marks on one message or tool. `text`: the type of a text, where marks may stand."""
    if row.get("role") == _ASSISTANT:
        text = None
    whole = row.pop(NAME, _NULL)
    placed = False
    for member in _CONTENTS:
        content = row.get(member, _NULL)
        first = bytes(memoryview(content)[:1])
        if first == b'"' and whole != _NULL and text is not None:
            part = {"type": Raw(text), "text": content, BREAKPOINT: _EXPLICIT}
            row[member] = Raw(_encode([part]))
            placed = True
        elif first == b"[" and (parts := _parts(content)):
            if whole != _NULL and text is not None:
                parts[-1].setdefault(NAME, whole)
                placed = True
            said = [each for part in parts for each in _fit_part(part, can=text is not None)]
            if said:
                row[member] = Raw(_encode(parts))
            yield from said
    if whole != _NULL:
        yield (Change.RENAMED if placed else Change.DROPPED), NAME
    if "function" in row and _without(function := _members(row["function"]), _NAMES):
        row["function"] = Raw(_encode(function))
        yield Change.DROPPED, NAME


def _fit_part(part: Members, *, can: bool) -> Iterator[Said]:
    if not can:
        for name in _without(part, _NAMES):
            yield Change.DROPPED, name
    elif part.pop(NAME, _NULL) != _NULL:
        part.setdefault(BREAKPOINT, _EXPLICIT)
        yield Change.RENAMED, NAME


def _without(members: Members, names: tuple[str, ...]) -> list[str]:
    """Take the named members away, and return those that said something."""
    return [name for name in names if members.pop(name, _NULL) != _NULL]


def _parts(content: Raw) -> list[Members]:
    try:
        return _rows(content)
    except msgspec.ValidationError:
        return []
