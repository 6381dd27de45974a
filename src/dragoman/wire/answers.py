"""Answers in OpenRouter's words: whole bodies, stream chunks, the usage object.

Bytes that the provider sent are spliced in as they came; only what differs between
the hub and the wire is written here. Shapes: OpenRouter, api_reference/overview and
api_reference/streaming, and recorded traffic where those are silent: every delta
repeats the role, `native_finish_reason` stands beside `finish_reason`, the usage
chunk carries one choice with an empty delta, since naive clients index `choices[0]`.
"""

from collections.abc import Iterable
from functools import lru_cache

import msgspec
from msgspec import UNSET, Raw, Struct, UnsetType

from dragoman.wire.hub import Answer, Choice, Members, Piece, Text
from dragoman.wire.usage import Usage

encode = msgspec.json.Encoder().encode

ROUTING = b',"openrouter_metadata":'
"""What stands before the router metadata, the last member of an answer or an error."""

MOST_NAMES = 1024
"""So many names of models and providers are kept as JSON."""

_NULL = b"null"
_BEFORE_CONTENT = b',"delta":{"role":"assistant","content":'
_AFTER_CONTENT = b'},"finish_reason":null,"native_finish_reason":null}]}\n\n'
_PLAIN = frozenset({"role", "content"})
_ALWAYS = {
    "role": Raw(b'"assistant"'),
    "content": Raw(_NULL),
    "refusal": Raw(_NULL),
    "reasoning": Raw(_NULL),
}
"""What every message has, and what it says of itself where the provider says nothing."""
_REST_OF_PLAIN = b',"refusal":null,"reasoning":null}}'
"""What ends a choice whose message says no more than it has to, as most do."""


class Stamp(Struct, frozen=True, kw_only=True, gc=False):
    """What every part of an answer repeats. `provider` is the display name."""

    id: str
    created: int
    model: str
    provider: str


class Billing(Struct, frozen=True, kw_only=True, gc=False):
    """Costs in USD for the usage object; `cost` None when no price is known."""

    cost: float | None
    upstream: float | None
    prompt: float | None
    completion: float | None
    is_byok: bool = False


class _PromptDetails(Struct):
    cached_tokens: int
    cache_write_tokens: int
    audio_tokens: int
    video_tokens: int = 0


class _CompletionDetails(Struct):
    reasoning_tokens: int
    image_tokens: int
    audio_tokens: int


class CostDetails(Struct, gc=False):
    """What an answer and its parts cost at the provider, in USD."""

    upstream_inference_cost: float | None
    upstream_inference_prompt_cost: float
    upstream_inference_completions_cost: float


class _UsageBody(Struct, gc=False):
    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    cost: float | UnsetType
    is_byok: bool
    prompt_tokens_details: _PromptDetails | Raw
    cost_details: CostDetails | UnsetType
    completion_tokens_details: _CompletionDetails | Raw


_NO_PROMPT_DETAILS = Raw(encode(_PromptDetails(0, 0, 0)))
_NO_COMPLETION_DETAILS = Raw(encode(_CompletionDetails(0, 0, 0)))


def usage_body(usage: Usage, billing: Billing) -> bytes:
    """Return the `usage` object. What it cost is left out where that is unknown.

    Null would be as true, but the official JavaScript clients then refuse the answer.
    """
    prompt: _PromptDetails | Raw = _NO_PROMPT_DETAILS
    if usage.cached or usage.cache_write or usage.prompt_audio:
        prompt = _PromptDetails(usage.cached, usage.cache_write, usage.prompt_audio)
    completion: _CompletionDetails | Raw = _NO_COMPLETION_DETAILS
    if usage.reasoning or usage.completion_image or usage.completion_audio:
        completion = _CompletionDetails(
            usage.reasoning, usage.completion_image, usage.completion_audio
        )
    return encode(
        _UsageBody(
            usage.prompt,
            usage.completion,
            usage.prompt + usage.completion,
            UNSET if billing.cost is None else billing.cost,
            billing.is_byok,
            prompt,
            cost_details(billing),
            completion,
        )
    )


def cost_details(billing: Billing) -> CostDetails | UnsetType:
    """Return what the parts of an answer cost at the provider, nothing where that is unknown."""
    if billing.prompt is None or billing.completion is None:
        return UNSET
    return CostDetails(billing.upstream, billing.prompt, billing.completion)


def answer_body(stamp: Stamp, answer: Answer, usage: bytes, extra: bytes = b"") -> bytes:
    """Return a whole `chat.completion`. `extra` is `,"name":value…`, spliced in at the end."""
    choices = answer.choices
    # All parts are joined once: to format them takes longer, and copies the text four times.
    return b"".join(
        (
            _head(stamp, b"chat.completion"),
            b',"system_fingerprint":',
            _NULL if answer.system_fingerprint is None else encode(answer.system_fingerprint),
            b',"service_tier":',
            _NULL if answer.service_tier is None else encode(answer.service_tier),
            b',"choices":[',
            *(_choice(choices[0]) if len(choices) == 1 else _choices(choices)),
            b'],"usage":',
            usage,
            extra,
            b"}",
        )
    )


def _choices(choices: Iterable[Choice]) -> tuple[bytes]:
    return (b",".join([b"".join(_choice(choice)) for choice in choices]),)


def _choice(choice: Choice) -> tuple[bytes | Raw, ...]:
    """Return the parts of a choice."""
    reason, native = choice.finish_reason, choice.native_finish_reason
    told, message = encode(reason), choice.message
    before = (
        b'{"index":',
        encode(choice.index),
        b',"logprobs":',
        _NULL if choice.logprobs is None else choice.logprobs,
        b',"finish_reason":',
        told,
        b',"native_finish_reason":',
        told if native == reason else encode(native),
    )
    if message.keys() != _PLAIN:
        return (*before, b',"message":', encode(_ALWAYS | message), b"}")
    role, content = message["role"], message["content"]
    return (*before, b',"message":{"role":', role, b',"content":', content, _REST_OF_PLAIN)


@lru_cache(maxsize=MOST_NAMES)
def _name(text: str) -> bytes:
    """Return the name of a model or a provider as JSON: those that answer are few."""
    return encode(text)


class ChunkWriter:
    """Writes the events of one stream: the parts that repeat are encoded once."""

    __slots__ = ("_before", "_before_text", "_tier")

    def __init__(self, stamp: Stamp) -> None:
        self._before = b"data: " + _head(stamp, b"chat.completion.chunk")
        self._tier = b""
        self._before_text = self._text_of(0)

    def tier(self, name: str) -> None:
        """Let all following chunks carry the service tier that the provider reported."""
        self._tier = b',"service_tier":' + encode(name)
        self._before_text = self._text_of(0)

    def text(self, text: Text) -> bytes:
        """Return the event for a piece of text."""
        before = self._text_of(text.index) if text.index else self._before_text
        return b"".join((before, text.content, _AFTER_CONTENT))

    def around(self, choice: int) -> tuple[bytes, bytes]:
        """Return what stands before and after each text of a choice, until the tier changes."""
        return self._text_of(choice) if choice else self._before_text, _AFTER_CONTENT

    def _text_of(self, choice: int) -> bytes:
        """Return what stands before the text of a choice."""
        return b'%b%b,"choices":[{"index":%d%b' % (
            self._before,
            self._tier,
            choice,
            _BEFORE_CONTENT,
        )

    def pieces(self, pieces: tuple[Piece, ...]) -> bytes:
        """Return the event for what one upstream event added."""
        inner = _piece(pieces[0]) if len(pieces) == 1 else b",".join(map(_piece, pieces))
        return b'%b%b,"choices":[%b]}\n\n' % (self._before, self._tier, on_one_line(inner))

    def usage(self, last: Piece, usage: bytes, extra: bytes = b"") -> bytes:
        """Return the last event before `[DONE]`: usage, and the finish reason once more."""
        closing = Piece(
            index=last.index,
            delta={},
            finish_reason=last.finish_reason,
            native_finish_reason=last.native_finish_reason,
        )
        return b'%b%b,"choices":[%b],"usage":%b%b}\n\n' % (
            self._before,
            self._tier,
            _piece(closing),
            usage,
            extra,
        )

    def error(self, error: bytes, usage: bytes | None, extra: bytes = b"") -> bytes:
        """Return the one event that ends a stream which broke after its first content."""
        tail = b"" if usage is None else b',"usage":' + usage
        return (
            b'%b,"error":%b,"choices":[{"index":0,"delta":{"role":"assistant","content":""},'
            b'"finish_reason":"error","native_finish_reason":"error"}]%b%b}\n\n'
            % (self._before, error, tail, extra)
        )

    def debug(self, upstream_body: bytes) -> bytes:
        """Return the event that echoes what was sent upstream (errors-and-debugging, Debugging)."""
        return b'%b,"choices":[],"debug":{"echo_upstream_body":%b}}\n\n' % (
            self._before,
            on_one_line(upstream_body),
        )


def _head(stamp: Stamp, kind: bytes) -> bytes:
    return b'{"id":%b,"object":"%b","created":%d,"model":%b,"provider":%b' % (
        encode(stamp.id),
        kind,
        stamp.created,
        _name(stamp.model),
        _name(stamp.provider),
    )


def on_one_line(json: bytes) -> bytes:
    """Return JSON without the line ends it may have between tokens: they would end the event."""
    if json.find(b"\n") < 0 and json.find(b"\r") < 0:
        return json
    return json.replace(b"\n", b" ").replace(b"\r", b" ")


def _piece(piece: Piece) -> bytes:
    delta = piece.delta
    if piece.finish_reason is None:
        ends = b'"finish_reason":null,"native_finish_reason":null'
    else:
        ends = b'"finish_reason":%b,"native_finish_reason":%b' % (
            encode(piece.finish_reason),
            encode(piece.native_finish_reason),
        )
    logprobs = b"" if piece.logprobs is None else b',"logprobs":' + bytes(piece.logprobs)
    return b'{"index":%d,"delta":%b,%b%b}' % (piece.index, _delta(delta), ends, logprobs)


def _delta(delta: Members) -> bytes:
    """Return a delta with the role and a content: null beside tool calls, else at least empty."""
    content = delta.get("content")
    nothing = _NULL if "tool_calls" in delta else b'""'
    text = nothing if content is None else bytes(content)
    if delta.keys() <= _PLAIN:
        return b'{"role":"assistant","content":%b}' % text
    rest = encode({name: value for name, value in delta.items() if name not in _PLAIN})
    return b'{"role":"assistant","content":%b,%b' % (text, rest[1:])
