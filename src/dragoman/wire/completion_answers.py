"""Answers to legacy completions: whole ones, and streams event by event. See `completions`.

Shape: OpenAI API reference, "Completions". A choice has OpenRouter's `native_finish_reason`
too, and `reasoning` where a model thought. Log probabilities stand in lists beside each other,
with the place of each token in the text (`text_offset`).
"""

from collections.abc import Mapping

import msgspec
from msgspec import Raw, Struct

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import Stamp, encode, on_one_line, usage_body
from dragoman.wire.chat import ChatCall
from dragoman.wire.dialect import Around, Spent
from dragoman.wire.errors import error_object
from dragoman.wire.hub import Choice, Chunk, Members, Piece, Text
from dragoman.wire.sse import DONE

_NULL = b"null"
_EMPTY = Raw(b'""')
_QUOTE = b'"'
_AFTER_TEXT = b',"logprobs":null,"finish_reason":null,"native_finish_reason":null}]}\n\n'


class _Likely(Struct, gc=False):
    token: str = ""
    logprob: float | None = None


class _Token(Struct, gc=False):
    token: str = ""
    logprob: float | None = None
    top_logprobs: list[_Likely] = []


class _Logprobs(Struct, gc=False):
    content: list[_Token] | None = None


class _Lists(Struct, gc=False):
    tokens: list[str]
    token_logprobs: list[float | None]
    top_logprobs: list[dict[str, float | None]]
    text_offset: list[int]


_read_logprobs = msgspec.json.Decoder(_Logprobs).decode
_read_text = msgspec.json.Decoder(str).decode
_read_flag = msgspec.json.Decoder(bool | None).decode
_read_prompt = msgspec.json.Decoder(str | list[str]).decode


def echoed(call: ChatCall) -> str:
    """Return the prompt if the request wants it repeated before the answer, else nothing."""
    members = {} if call.native is None else call.native.members
    echo = members.get("echo")
    if echo is None or not _read_flag(echo):
        return ""
    prompt = _read_prompt(members["prompt"])
    return prompt if isinstance(prompt, str) else prompt[0]


def head(stamp: Stamp) -> bytes:
    """Return the beginning of an answer or an event, up to the provider."""
    return b'{"id":%b,"object":"text_completion","created":%d,"model":%b,"provider":%b' % (
        encode(stamp.id),
        stamp.created,
        encode(stamp.model),
        encode(stamp.provider),
    )


def choice_body(choice: Choice, before: str) -> bytes:
    """Return one alternative of a whole answer, with `before` in front of its text."""
    text = _text(choice.message.get("content", _EMPTY))
    if before:
        text = encode(before + _read_text(text))
    return _choice(
        choice.index,
        text,
        logprobs(choice.logprobs, len(before)),
        (choice.finish_reason, choice.native_finish_reason),
        choice.message,
    )


def logprobs(source: Raw | None, offset: int) -> bytes:
    """Return chat's log probabilities in lists, the first token at `offset`; null if unreadable."""
    found = _tokens(source)
    if found is None:
        return _NULL
    offsets = []
    for each in found:
        offsets.append(offset)
        offset += len(each.token)
    return encode(
        _Lists(
            [each.token for each in found],
            [each.logprob for each in found],
            [{one.token: one.logprob for one in each.top_logprobs} for each in found],
            offsets,
        )
    )


class CompletionWriter:
    """Fulfils `EventWriter`: every event is a `text_completion`."""

    __slots__ = ("_before", "_echo", "_head", "_lengths")

    def __init__(self, stamp: Stamp, echo: str) -> None:
        self._head = b"data: " + head(stamp)
        self._before = self._head + b',"choices":[{"index":0,"text":'
        self._echo = echo
        self._lengths: dict[int, int] = {}
        """Letters of each choice so far, as far as its tokens were told of."""

    def text(self, text: Text) -> bytes:
        """Return the event for a piece of text."""
        if text.index or self._echo:
            return self.chunk(
                Chunk(), (Piece(index=text.index, delta={"content": Raw(text.content)}),)
            )
        return b"".join((self._before, text.content, _AFTER_TEXT))

    def around(self, choice: int) -> Around | None:
        """Return what stands before and after each text of the first choice."""
        return None if choice or self._echo else (self._before, _AFTER_TEXT)

    def chunk(self, _chunk: Chunk, pieces: tuple[Piece, ...]) -> bytes:
        """Return the event for a chunk, of which `pieces` are passed on."""
        if not pieces:
            return b""
        return self._event(b",".join(map(self._piece, pieces)), b"")

    def end(self, ends: Mapping[int, Piece], spent: Spent, routing: bytes) -> bytes:
        """Return the event with the usage, and the end of the stream."""
        last = next(iter(ends.values()))
        closing = Piece(
            index=last.index,
            delta={},
            finish_reason=last.finish_reason,
            native_finish_reason=last.native_finish_reason,
        )
        self._echo = ""
        usage = b',"usage":' + usage_body(spent.usage, spent.billing)
        return self._event(self._piece(closing), usage + routing) + DONE

    def error(self, error: GatewayError, spent: Spent | None, routing: bytes) -> bytes:
        """Return the one event that ends a stream which broke."""
        tail = b',"error":' + error_object(error)
        if spent is not None:
            tail += b',"usage":' + usage_body(spent.usage, spent.billing)
        self._echo = ""
        ended = Piece(index=0, delta={}, finish_reason="error", native_finish_reason="error")
        return self._event(self._piece(ended), tail + routing)

    def debug(self, upstream_body: bytes, asked: Stamp) -> bytes:
        """Return the event that echoes what was sent upstream, `asked` being who got it."""
        echo = b',"choices":[],"debug":{"echo_upstream_body":%b}}\n\n' % on_one_line(upstream_body)
        return b"data: " + head(asked) + echo

    def _event(self, choices: bytes, tail: bytes) -> bytes:
        return on_one_line(b'%b,"choices":[%b]%b}' % (self._head, choices, tail)) + b"\n\n"

    def _piece(self, piece: Piece) -> bytes:
        text = _text(piece.delta.get("content", _EMPTY))
        if self._echo and piece.index not in self._lengths:
            text = encode(self._echo + _read_text(text))
        place = self._lengths.setdefault(piece.index, len(self._echo))
        written = logprobs(piece.logprobs, place)
        if written is not _NULL:
            self._lengths[piece.index] = place + sum(
                len(each.token) for each in _tokens(piece.logprobs) or ()
            )
        how = (piece.finish_reason, piece.native_finish_reason)
        return _choice(piece.index, text, written, how, piece.delta)


def _choice(
    index: int, text: bytes, logprobs_: bytes, how: tuple[str | None, str | None], said: Members
) -> bytes:
    reasoning = said.get("reasoning")
    thought = b"" if reasoning is None else b',"reasoning":' + bytes(reasoning)
    return (
        b'{"index":%d,"text":%b,"logprobs":%b,"finish_reason":%b,"native_finish_reason":%b%b}'
        % (index, text, logprobs_, encode(how[0]), encode(how[1]), thought)
    )


def _text(content: Raw) -> bytes:
    """Return the JSON string of a message's content; what is no text is none."""
    value = bytes(content)
    return value if value.startswith(_QUOTE) else bytes(_EMPTY)


def _tokens(source: Raw | None) -> list[_Token] | None:
    if source is None:
        return None
    try:
        return _read_logprobs(source).content
    except (ValueError, RecursionError):
        return None
