"""OpenAI chat with OpenRouter's fields, as a client dialect: the hub's own."""

from collections.abc import Mapping
from typing import Final

import msgspec
from msgspec import Raw, structs

from dragoman.core.errors import GatewayError
from dragoman.wire.answers import ROUTING, ChunkWriter, Stamp, answer_body, encode, usage_body
from dragoman.wire.chat import ChatCall, parse_chat
from dragoman.wire.dialect import EventWriter, Spent, Told
from dragoman.wire.errors import error_object
from dragoman.wire.hub import Answer, Chunk, Piece
from dragoman.wire.sse import DONE

_TOOL_CALLS: Final = "tool_calls"

_rows = msgspec.json.Decoder(list[Raw]).decode


class ChatDialect:
    """Fulfils `ClientDialect`. Keeps nothing."""

    __slots__ = ()
    name = "chat"
    one_choice = False

    def parse(self, body: bytes, _headers: Mapping[bytes, bytes]) -> ChatCall:
        """Read and check a request. Raises InvalidRequest or InvalidPrompt."""
        return parse_chat(body)

    def writer(self, told: Told) -> EventWriter:
        """Return what writes the events of one stream."""
        return ChatWriter(ChunkWriter(told.stamp))

    def answer(self, told: Told, answer: Answer, spent: Spent, routing: bytes) -> bytes:
        """Return a whole `chat.completion`."""
        return answer_body(told.stamp, answer, usage_body(spent.usage, spent.billing), routing)

    def refusal(self, error: GatewayError, _told: Told | None) -> tuple[int, bytes]:
        """Return status and body for a request that failed before its answer began."""
        return error.code, refusal_body(error)


CHAT: Final = ChatDialect()


class ChatWriter:
    """Fulfils `EventWriter`: every event is a `chat.completion.chunk`."""

    __slots__ = ("_chunks", "around", "text")

    def __init__(self, chunks: ChunkWriter) -> None:
        self._chunks = chunks
        self.text = chunks.text
        self.around = chunks.around

    def chunk(self, chunk: Chunk, pieces: tuple[Piece, ...]) -> bytes:
        """Return the event for a chunk, of which `pieces` are passed on."""
        if chunk.service_tier is not None:
            self._chunks.tier(chunk.service_tier)
        if len(pieces) == 1 and _TOOL_CALLS in pieces[0].delta:
            return b"".join([self._chunks.pieces((each,)) for each in _one_by_one(pieces[0])])
        return self._chunks.pieces(pieces) if pieces else b""

    def end(self, ends: Mapping[int, Piece], spent: Spent, routing: bytes) -> bytes:
        """Return the usage event and the mark of the end."""
        usage = usage_body(spent.usage, spent.billing)
        return self._chunks.usage(ends[min(ends)], usage, routing) + DONE

    def error(self, error: GatewayError, spent: Spent | None, routing: bytes) -> bytes:
        """Return the one event that ends a stream which broke."""
        usage = None if spent is None else usage_body(spent.usage, spent.billing)
        return self._chunks.error(error_object(error), usage, routing)

    def debug(self, upstream_body: bytes, asked: Stamp) -> bytes:
        """Return the event that echoes what was sent upstream, `asked` being who got it."""
        return ChunkWriter(asked).debug(upstream_body)


def _one_by_one(piece: Piece) -> list[Piece]:
    """Return a piece that begins several calls as one for each, the end with the last.

    Gemini says them at once, OpenAI one after the other, and clients (LlamaIndex) see only
    the first that an event holds.
    """
    value = bytes(piece.delta[_TOOL_CALLS])
    calls = _rows(value) if value[:1] == b"[" else []
    if len(calls) < 2:
        return [piece]
    made = [
        Piece(index=piece.index, delta={_TOOL_CALLS: Raw(b"[%b]" % bytes(call))}) for call in calls
    ]
    made[0] = structs.replace(made[0], delta=piece.delta | made[0].delta, logprobs=piece.logprobs)
    made[-1] = structs.replace(
        made[-1],
        finish_reason=piece.finish_reason,
        native_finish_reason=piece.native_finish_reason,
    )
    return made


def refusal_body(error: GatewayError) -> bytes:
    """Return the whole body: the error, and the routing where the caller asked for it."""
    body = b'{"error":' + error_object(error)
    if error.routing is not None:
        body += ROUTING + encode(error.routing)
    return body + b"}"
