"""Messages of the hub as items of the Responses API.

Reasoning goes back only to who signed it: what another provider signed, or nobody, is left out
and noted. Source: `openai.types.responses.response_input_item_param`.
"""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.openai.draft import Draft
from dragoman.providers.openai.ids import capped_id
from dragoman.providers.strangers import Known
from dragoman.wire.hub import Members
from dragoman.wire.responses.raw import is_string, says
from dragoman.wire.responses.thoughts import ENCRYPTED, SUMMARY

Item = dict[str, Any]

LONGEST_CALL_ID = 64
"""The most letters of a `call_id` ("string too long. Expected a string with maximum length 64")."""
CUT = f"cut to {LONGEST_CALL_ID} letters, the most that this API takes"

_IN_MESSAGES = frozenset({"output_text", "refusal"})
"""Kinds of parts, which are no items for themselves."""

_NO_PLACE = ("name", "audio", "annotations", "function_call", "images")
"""Members of messages for which an item has no room, but for the text."""
_ANY = frozenset({"role", "content", *_NO_PLACE})
KNOWN = Known(
    messages={
        **dict.fromkeys(("system", "developer", "user"), _ANY),
        "tool": _ANY | {"tool_call_id"},
        "assistant": _ANY | {"tool_calls", "refusal", "reasoning", "reasoning_details"},
    },
    parts=frozenset({
        "type", "text", "refusal", "image_url", "input_audio", "file", "prompt_cache_breakpoint",
    }),
    media={
        "image_url": frozenset({"url", "detail"}),
        "file": frozenset({"filename", "file_data", "file_id"}),
    },
    tools=frozenset({"type", "function"}),
)  # fmt: skip
"""What an item has room for, and what is noted here."""


class _Function(Struct, frozen=True, gc=False):
    name: str
    arguments: Raw


class _Call(Struct, frozen=True, gc=False):
    id: str
    function: _Function


class _Detail(Struct, frozen=True, gc=False):
    type: str = ""
    summary: str | None = None
    data: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None


class _Image(Struct, frozen=True, gc=False):
    url: str
    detail: str | None = None


class _File(Struct, frozen=True, gc=False):
    filename: str | None = None
    file_data: str | None = None
    file_id: str | None = None


class _Part(Struct, frozen=True, gc=False):
    type: str
    text: Raw = Raw()
    refusal: Raw = Raw()
    image_url: _Image | None = None
    input_audio: Raw = Raw()
    file: _File | None = None
    prompt_cache_breakpoint: Raw = Raw()


_rows = msgspec.json.Decoder(list[Members]).decode
_text = msgspec.json.Decoder(str).decode
_parts = msgspec.json.Decoder(list[_Part]).decode
_calls = msgspec.json.Decoder(list[_Call]).decode
_details = msgspec.json.Decoder(list[_Detail]).decode
_encode = msgspec.json.Encoder().encode


class Script:
    """Items being made of messages. `form` is the format of what the provider signs."""

    __slots__ = ("_draft", "_form", "_host", "_noted", "_refusals", "instructions", "items")

    def __init__(self, draft: Draft, host: str, form: str) -> None:
        self.items: list[Item] = []
        self.instructions: Raw | None = None
        """The first message, where it is a system's and plain text."""
        self._draft = draft
        self._host = host
        self._form = form
        self._noted: set[str] = set()
        self._refusals = 0

    def add(self, messages: Raw) -> None:
        """Take in messages. Raises InvalidRequest for what cannot be said in this API."""
        for place, row in enumerate(_rows(messages)):
            self._message(row, place)

    def _message(self, row: Members, place: int) -> None:
        role = _text(row["role"])
        for name in _NO_PLACE:
            if says(row.get(name, Raw())):
                self._note(f"messages.{name}", "this API has no place for it")
        content = row.get("content", Raw())
        if role == "assistant":
            self._said(row, f"messages.{place}")
        elif role == "tool":
            output = _plain(self._content(content, f"messages.{place}.content"))
            call_id = self._call_id(_text(row["tool_call_id"]))
            item = {"type": "function_call_output", "call_id": call_id, "output": output}
            self.items.append(item)
        elif role == "system" and place == 0 and is_string(content):
            self.instructions = content
        else:
            told = self._content(content, f"messages.{place}.content")
            self.items.append({"type": "message", "role": role, "content": told})

    def _said(self, row: Members, path: str) -> None:
        """Take in what the assistant said, each thought before what followed it."""
        content = row.get("content", Raw())
        refusals = [row["refusal"]] if is_string(row.get("refusal", Raw())) else []
        said: list[Item] = []
        if is_string(content):
            if bytes(content) != b'""' or not says(row.get("tool_calls", Raw())):
                said.append({"type": "message", "role": "assistant", "content": content})
        elif says(content):
            texts, among = self._parts(content, f"{path}.content")
            said += texts
            refusals = among + refusals
        said += [{"type": "refusal", "refusal": each} for each in refusals]
        if says(row.get("tool_calls", Raw())):
            said += [self._call(call) for call in _calls(row["tool_calls"])]
        for kind, items in groupby(_in_places(said, self._thoughts(row)), key=_kind):
            if kind in _IN_MESSAGES:
                self.items.append(self._output(list(items)))
            else:
                self.items += items

    def _call(self, call: _Call) -> Item:
        return {
            "type": "function_call",
            "call_id": self._call_id(call.id),
            "name": call.function.name,
            "arguments": call.function.arguments,
        }

    def _parts(self, content: Raw, path: str) -> tuple[list[Item], list[Raw]]:
        """Return what the assistant said in parts: texts, and what it refused with."""
        texts: list[Item] = []
        refusals = []
        for place, part in enumerate(_parts(content)):
            if part.type == "text":
                texts.append({"type": "output_text", "text": part.text, "annotations": []})
            elif part.type == "refusal":
                refusals.append(part.refusal)
            else:
                raise self._refused(f"{path}.{place}", part.type)
        return texts, refusals

    def _output(self, parts: list[Item]) -> Item:
        """Return a message as an answer has it: only there refusals have a place. It has an id."""
        self._refusals += 1
        return {
            "type": "message",
            "id": f"msg_{self._refusals}",
            "status": "completed",
            "role": "assistant",
            "content": parts,
        }

    def _call_id(self, id_: str) -> str:
        """Return the id of a call, as long as it may be."""
        made = capped_id(id_, LONGEST_CALL_ID)
        if made != id_:
            self._draft.note(Change.RENAMED, "messages.tool_calls.id", CUT)
        return made

    def _thoughts(self, row: Members) -> list[tuple[int, Item]]:
        """Return the reasoning that this provider signed, item by item.

        With each is how much else the answer had said before it. An index counts the details, too.
        """
        value = row.get("reasoning_details", Raw())
        details = _details(value) if says(value) else []
        own: dict[str | int, Item] = {}
        places: dict[str | int, int] = {}
        seen, unnamed = -1, 0
        before: _Detail | None = None
        left_out = not details and says(row.get("reasoning", Raw()))
        for detail in details:
            seen += before is None or not _goes_on(before, detail)
            if detail.format != self._form or detail.type not in {SUMMARY, ENCRYPTED}:
                left_out, before = True, detail
                continue
            key = detail.id or unnamed
            places.setdefault(key, (detail.index or 0) - seen)
            item = own.setdefault(key, {"type": "reasoning", "summary": []})
            if detail.id:
                item["id"] = detail.id
            if detail.type == ENCRYPTED:
                item["encrypted_content"] = detail.data
                unnamed += not detail.id  # the next without an id is another
            elif before is not None and _goes_on(before, detail):
                item["summary"][-1]["text"] += detail.summary or ""
            else:
                item["summary"].append({"type": "summary_text", "text": detail.summary or ""})
            before = detail
        signed = [(places[key], each) for key, each in own.items() if each.get("encrypted_content")]
        if left_out or len(signed) < len(own):
            self._note(
                "messages.reasoning_details", "only reasoning that this provider signed goes back"
            )
        return signed

    def _content(self, content: Raw, path: str) -> Raw | list[Item]:
        if is_string(content):
            return content
        return [self._part(part, f"{path}.{n}") for n, part in enumerate(_parts(content))]

    def _part(self, part: _Part, path: str) -> Item:
        told: Item
        if part.type == "text":
            told = {"type": "input_text", "text": part.text}
        elif part.type == "image_url" and part.image_url is not None:
            image = part.image_url
            told = {
                "type": "input_image",
                "image_url": image.url,
                "detail": image.detail or "auto",
            }
        elif part.type == "file" and part.file is not None:
            told = {"type": "input_file", **_file(part.file)}
        elif part.type == "input_audio":
            told = {"type": "input_audio", "input_audio": part.input_audio}
        else:
            raise self._refused(path, part.type)
        if says(part.prompt_cache_breakpoint):
            told["prompt_cache_breakpoint"] = part.prompt_cache_breakpoint
        return told

    def _refused(self, path: str, kind: str) -> InvalidRequest:
        return InvalidRequest(f"{path}: {kind} cannot be sent to {self._host}")

    def _note(self, field: str, detail: str) -> None:
        if field not in self._noted:
            self._noted.add(field)
            self._draft.note(Change.DROPPED, field, detail)


def _kind(item: Item) -> str:
    kind: str = item["type"]
    return kind


def _in_places(said: list[Item], thoughts: Iterable[tuple[int, Item]]) -> list[Item]:
    """Return what was said with thoughts among it, each behind as much as came before it."""
    placed: list[Item] = []
    taken = 0
    for before, thought in thoughts:
        placed += said[taken : max(before, taken)]
        taken = max(before, taken)
        placed.append(thought)
    return placed + said[taken:]


def _goes_on(last: _Detail, detail: _Detail) -> bool:
    """Whether a detail is more of the last, as clients have them that only collect a stream."""
    same = (last.type, last.id, last.index) == (detail.type, detail.id, detail.index)
    return same and last.format == detail.format and detail.index is not None


def _file(file: _File) -> Item:
    """Return the members of a file: an address goes by another name than bytes do."""
    data = file.file_data
    is_address = data is not None and not data.startswith("data:") and "://" in data[:16]
    told = {
        "filename": file.filename,
        "file_id": file.file_id,
        "file_url" if is_address else "file_data": data,
    }
    return {name: value for name, value in told.items() if value is not None}


def _plain(output: Raw | list[Item]) -> Raw | list[Item]:
    """Return the text alone where a result is nothing but one: hosts of less know no parts."""
    if isinstance(output, list) and len(output) == 1 and output[0].keys() == {"type", "text"}:
        text: Raw = output[0]["text"]
        return text
    return output
