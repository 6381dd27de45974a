"""`POST /messages/count_tokens`: how many tokens a request would take, before it is made.

Source: Anthropic, "Count tokens in a Message": the answer is `{"input_tokens": n}`. Who counts
is given; what is no exact count is told so by a header.
"""

from asyncio import to_thread
from collections.abc import Awaitable, Callable
from typing import Final

from msgspec import Struct

from dragoman.access.callers import check_inference
from dragoman.access.credentials import plain_hash
from dragoman.access.gate import Gate
from dragoman.core.errors import GatewayError
from dragoman.relay.estimate import estimated_tokens
from dragoman.relay.tokens import TokenCounter
from dragoman.web.inference import Scope, refuse
from dragoman.web.intake import body, headers_of, text
from dragoman.web.options import ServerOptions
from dragoman.web.outlet import JSON, Headers, Receive, Send, reply
from dragoman.wire.anthropic.dialect import MESSAGES
from dragoman.wire.chat import ChatCall

HOW: Final = b"x-dragoman-token-count"
"""The header that says how the tokens were counted: `exact`, or `estimate`."""


class Count(Struct, frozen=True, gc=False):
    """A number of tokens, and whether it is the model's own count."""

    tokens: int
    exact: bool = False


Counter = Callable[[ChatCall], Awaitable[Count]]
"""Counts the tokens of a request."""


async def estimate(call: ChatCall) -> Count:
    """Count by the bytes of a request."""
    return Count(estimated_tokens(call))


def by_ranks(counter: TokenCounter) -> Counter:
    """Return what counts with a tokenizer, and by the bytes of a request where that cannot be."""

    async def count(call: ChatCall) -> Count:
        found = await counter.count(call.members)
        return Count(found.tokens) if found.by == "ranks" else await estimate(call)

    return count


class Counting(Struct, frozen=True):
    """What the route works with."""

    gate: Gate
    options: ServerOptions
    counter: Counter = estimate

    async def serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request. Its errors are in Anthropic's envelope."""
        try:
            count = await self._count(scope, receive)
        except GatewayError as error:
            await refuse(send, error, [], MESSAGES)
            return
        how: Headers = [(HOW, b"exact" if count.exact else b"estimate")]
        await reply(send, 200, b'{"input_tokens":%d}' % count.tokens, [*JSON, *how])

    async def _count(self, scope: Scope, receive: Receive) -> Count:
        headers = headers_of(scope["headers"])
        caller = self.gate.known(plain_hash(headers)) or await self.gate.admit(
            text(headers, b"authorization"), text(headers, b"x-api-key")
        )
        if caller.terms is not None:
            check_inference(caller.terms)
        raw = await body(headers, receive, self.options)
        return await self.counter(await to_thread(MESSAGES.parse, raw, headers))
