"""A conversation as Gemini's `systemInstruction` and `contents`.

Text goes out as the JSON strings that came in. Calls of tools and their results are joined by
name as well as by id (ai.google.dev/gemini-api/docs/function-calling); results that stand
together are one content, as the API counts them against the calls before.

What a model signed is put back where it was (…/docs/thought-signatures): on the call with the
detail's id, on an image (`image:0`), on a thought, or on the text. What others signed stays out.
"""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import InvalidRequest
from dragoman.core.notes import Change
from dragoman.providers.data_urls import is_base64
from dragoman.providers.gemini.draft import Draft
from dragoman.providers.gemini.media import Part, Piece, Url, media
from dragoman.providers.gemini.values import ABSENT, given, said
from dragoman.providers.openai.members import first_byte
from dragoman.providers.strangers import Known

FORMAT = "google-gemini-v1"
"""The format of reasoning details that Gemini signed (OpenRouter, reasoning-tokens)."""
IMAGE = "image:"
"""Before the number of the image, in the id of a detail that signs one."""
UNSIGNED = "skip_thought_signature_validator"
"""What stands for a signature in a history that Gemini did not write (…/thought-signatures)."""

_QUOTE, _LIST = b'"['
_TRUE = Raw(b"true")
_ANY = frozenset({"role", "content", "name", "cache_control"})
KNOWN = Known(
    messages={
        **dict.fromkeys(("system", "developer", "user"), _ANY),
        "tool": _ANY | {"tool_call_id", "is_error"},
        "assistant": _ANY | {
            "tool_calls", "function_call", "refusal", "reasoning", "reasoning_content",
            "reasoning_details", "images", "audio",
        },
    },
    parts=frozenset({
        "type", "text", "refusal", "image_url", "input_audio", "video_url", "file", "cache_control",
    }),
    media={
        "image_url": frozenset({"url", "detail"}),
        "video_url": frozenset({"url"}),
        "input_audio": frozenset({"data", "format"}),
        "file": frozenset({"filename", "file_data", "file_id"}),
    },
    tools=frozenset({"type", "function", "cache_control"}),
)  # fmt: skip
"""What contents have room for, and what is noted here or beside."""


class _Function(Struct, gc=False):
    name: str
    arguments: str


class _Call(Struct, gc=False):
    id: str
    function: _Function


class _Detail(Struct, gc=False):
    type: str = ""
    text: Raw = ABSENT
    summary: Raw = ABSENT
    data: str | None = None
    signature: str | None = None
    format: str | None = None
    id: str | None = None
    index: int | None = None


class _Image(Struct, gc=False):
    image_url: Url | None = None


class _Message(Struct, gc=False):
    role: str
    content: Raw = ABSENT
    name: str | None = None
    tool_calls: list[_Call] | None = None
    tool_call_id: str = ""
    is_error: Raw = ABSENT
    function_call: _Function | None = None
    refusal: Raw = ABSENT
    reasoning: Raw = ABSENT
    reasoning_content: Raw = ABSENT
    reasoning_details: list[_Detail] | None = None
    images: list[_Image] | None = None
    audio: Raw = ABSENT
    cache_control: Raw = ABSENT


class _Signed(Struct, gc=False):
    """The thoughts of a message, and the signatures that belong elsewhere, by id."""

    thoughts: list[Part]
    by_id: dict[str, str]
    others: list[str]


_messages = msgspec.json.Decoder(list[_Message]).decode
_pieces = msgspec.json.Decoder(list[Piece]).decode
_object = msgspec.json.Decoder(dict[str, Raw]).decode
_encode = msgspec.json.Encoder().encode


def converse(draft: Draft, messages: Raw) -> None:
    """Put the conversation into the draft. Raises InvalidRequest."""
    try:
        rows = _messages(messages)
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"messages: {error}") from None
    _Conversation(draft).read(rows)


class _Conversation:
    __slots__ = ("_contents", "_draft", "_names", "_results", "_system")

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._system: list[Part] = []
        self._contents: list[dict[str, Any]] = []
        self._names: dict[str, str] = {}
        """Ids of the calls so far -> the functions' names."""
        self._results: list[Part] | None = None
        """The parts of the content that results go to, while there are nothing but results."""

    def read(self, rows: list[_Message]) -> None:
        for place, row in enumerate(rows):
            self._warn(row)
            _WRITERS[row.role](self, row, f"messages.{place}")
        draft = self._draft
        if not self._contents:
            if not self._system:
                raise InvalidRequest(f"messages: say nothing that {draft.provider.name} could take")
            draft.note(Change.RENAMED, "messages.role", "instructions alone are sent as user's")
            self._contents.append({"role": "user", "parts": self._system})
        elif self._system:
            draft.body["systemInstruction"] = {"parts": self._system}
        draft.body["contents"] = self._contents

    def _warn(self, row: _Message) -> None:
        """Note what has no place in any message."""
        if row.name is not None and row.role != "tool":
            self._draft.drop("messages.name", "this provider's API has no such field")
        if given(row.cache_control):
            self._draft.drop("cache_control", "this provider keeps prompts by itself")

    def _add(self, role: str, parts: list[Part], path: str) -> None:
        self._results = None
        if parts:
            self._contents.append({"role": role, "parts": parts})
        else:
            self._draft.drop(path, "it is empty, which this provider's API does not take")

    def instruct(self, row: _Message, path: str) -> None:
        """Take in instructions."""
        parts = self._parts(row.content, path)
        if self._contents:
            self._draft.note(
                Change.RENAMED, "messages.role", "this provider has instructions at the start only"
            )
            self._add("user", parts, path)
        else:
            self._system += parts

    def user(self, row: _Message, path: str) -> None:
        """Take in what the user says."""
        self._add("user", self._parts(row.content, path), path)

    def result(self, row: _Message, path: str) -> None:
        """Take in a tool's result."""
        name = self._names.get(row.tool_call_id)
        if name is None:
            raise self._draft.refusal(
                f"{path}.tool_call_id", "is not the id of a call in a message before it"
            )
        seen: list[Part] = []
        output = self._output(row.content, path, seen)
        told = "error" if row.is_error == _TRUE else "output"
        result: Part = {"id": row.tool_call_id, "name": name, "response": {told: output}}
        parts: list[Part] = [{"functionResponse": result}]
        if seen and self._draft.family.sees:
            result["parts"] = seen
        else:
            parts += seen
        if self._results is None:
            self._add("user", parts, path)
            self._results = parts
        else:
            self._results += parts

    def _output(self, content: Raw, path: str, seen: list[Part]) -> Raw:
        """Return a result's text as JSON; what is not text is added to `seen`."""
        if content and first_byte(content)[0] == _QUOTE:
            return content
        texts = []
        for part in self._parts(content, path):
            if "text" in part:
                texts.append(bytes(part["text"])[1:-1])
            else:
                seen.append(part)
        return Raw(b'"%b"' % b"\\n".join(texts))

    def answer(self, row: _Message, path: str) -> None:
        """Take in what a model said."""
        signed = self._signed(row)
        parts = signed.thoughts
        words = self._parts(row.content, path)
        if said(row.refusal):
            words.append({"text": row.refusal})
        images = self._images(row, path)
        calls = [self._call(call, f"{path}.tool_calls.{n}") for n, call in _numbered(row)]
        self._sign(signed, words, images, calls)
        if row.function_call is not None:
            self._draft.drop("messages.function_call", "send tool_calls")
        if given(row.audio):
            self._draft.drop("messages.audio", "this provider keeps no recordings")
        self._add("model", [*parts, *words, *images, *(part for _, part in calls)], path)

    def _call(self, call: _Call, path: str) -> tuple[str, Part]:
        function = call.function
        self._names[call.id] = function.name
        args = self._args(function.arguments, f"{path}.function.arguments")
        return call.id, {"functionCall": {"id": call.id, "name": function.name, "args": args}}

    def _args(self, arguments: str, path: str) -> Raw:
        """Return a call's arguments as a JSON object.

        A model that wrote something else is shown what it wrote, for that is what the
        conversation goes on about.
        """
        source = arguments.strip().encode()
        if not source:
            return Raw(b"{}")
        try:
            _object(source)
        except (ValueError, RecursionError):
            self._draft.note(Change.RENAMED, path, "is no JSON object; sent as a member of one")
            return Raw(_encode({"arguments": arguments}))
        return Raw(source)

    def _images(self, row: _Message, path: str) -> list[Part]:
        """Return the images that the model made, in the order in which they are signed."""
        found = []
        for place, image in enumerate(row.images or ()):
            piece = Piece(type="image_url", image_url=image.image_url)
            found.append(media(self._draft, piece, f"{path}.images.{place}"))
        return found

    def _sign(
        self,
        signed: _Signed,
        words: list[Part],
        images: list[Part],
        calls: list[tuple[str, Part]],
    ) -> None:
        """Put signatures where they belong; one that names nothing here belongs to the text."""
        targets = {f"{IMAGE}{place}": part for place, part in enumerate(images)}
        targets.update(calls)
        others = signed.others
        for id_, signature in signed.by_id.items():
            if id_ in targets:
                targets[id_]["thoughtSignature"] = signature
            else:
                others.append(signature)
        for signature in others[-1:]:
            if words and "text" in words[-1]:
                words[-1]["thoughtSignature"] = signature
            elif calls:
                calls[0][1].setdefault("thoughtSignature", signature)
            else:
                words.append({"text": "", "thoughtSignature": signature})
        if calls and self._draft.family.signs and "thoughtSignature" not in calls[0][1]:
            calls[0][1]["thoughtSignature"] = UNSIGNED
            self._draft.note(
                Change.INJECTED,
                "messages.reasoning_details",
                "calls that this model did not sign are marked so that it takes them",
            )

    def _signed(self, row: _Message) -> _Signed:
        signed = _Signed([], {}, [])
        details = row.reasoning_details
        if not details:
            text = next((t for t in (row.reasoning, row.reasoning_content) if t), ABSENT)
            if said(text):
                signed.thoughts.append({"text": text, "thought": True})
            return signed
        for detail in _whole(details):
            if detail.type == "reasoning.encrypted" or detail.signature:
                self._take(signed, detail)
            elif said(text := detail.text or detail.summary):
                signed.thoughts.append({"text": text, "thought": True})
        return signed

    def _take(self, signed: _Signed, detail: _Detail) -> None:
        if detail.format != FORMAT:
            self._draft.drop(
                "messages.reasoning_details", "signed or encrypted for another provider"
            )
        elif not is_base64((detail.data or detail.signature or "").encode()):
            self._draft.drop("messages.reasoning_details", "its signature is not base64")
        elif detail.type == "reasoning.encrypted":
            if detail.data and detail.id:
                signed.by_id[detail.id] = detail.data
            elif detail.data:
                signed.others.append(detail.data)
        else:
            thought: Part = {"text": detail.text or Raw(b'""'), "thought": True}
            signed.thoughts.append({**thought, "thoughtSignature": detail.signature})

    def _parts(self, content: Raw, path: str) -> list[Part]:
        """Return a content as parts, without texts that are empty: the API refuses them."""
        if not said(content):
            return []
        if first_byte(content)[0] == _QUOTE:
            return [{"text": content}]
        return self._list(content, path) if first_byte(content)[0] == _LIST else []

    def _list(self, content: Raw, path: str) -> list[Part]:
        try:
            pieces = _pieces(content)
        except msgspec.ValidationError as error:
            raise InvalidRequest(f"{path}.content: {error}") from None
        parts = []
        for place, piece in enumerate(pieces):
            if given(piece.cache_control):
                self._draft.drop("cache_control", "this provider keeps prompts by itself")
            text = piece.text or piece.refusal
            if not text:
                parts.append(media(self._draft, piece, f"{path}.content.{place}"))
            elif said(text):
                parts.append({"text": text})
        return parts


_WRITERS: Mapping[str, Callable[[_Conversation, _Message, str], None]] = {
    "system": _Conversation.instruct,
    "developer": _Conversation.instruct,
    "user": _Conversation.user,
    "assistant": _Conversation.answer,
    "tool": _Conversation.result,
}


def _numbered(row: _Message) -> list[tuple[int, _Call]]:
    return list(enumerate(row.tool_calls or ()))


def _whole(details: list[_Detail]) -> list[_Detail]:
    """Return details, the fragments of one thought joined: what signs it may come with the last."""
    found: list[_Detail] = []
    for detail in details:
        last = found[-1] if found else None
        if last is None or not _goes_on(last, detail):
            found.append(detail)
            continue
        texts = [bytes(each.text)[1:-1] for each in (last, detail) if said(each.text)]
        last.text = Raw(b'"%b"' % b"".join(texts))
        last.signature = detail.signature
        last.format = detail.format or last.format
    return found


def _goes_on(last: _Detail, detail: _Detail) -> bool:
    return (
        last.type == detail.type == "reasoning.text"
        and last.index is not None
        and last.index == detail.index
        and not last.signature
    )
