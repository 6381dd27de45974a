"""The dialect at Google Cloud: the model is in the path, the version in the body.

Source: Anthropic's SDK, `lib/vertex/_client.py`; Google's docs, "Claude models", "Make a
streaming call".
"""

import urllib.parse

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.anthropic.draft import Body, encode
from dragoman.providers.anthropic.headers import VERSION, only, others
from dragoman.providers.anthropic.request import FOR_JSON, FOR_STREAM, write_messages
from dragoman.providers.dialect import Outgoing
from dragoman.wire.chat import ChatCall

VERTEX_VERSION = "vertex-2023-10-16"
BETAS = frozenset({
    "computer-use-2025-01-24", "context-1m-2025-08-07", "context-management-2025-06-27",
    "interleaved-thinking-2025-05-14", "web-search-2025-03-05",
})  # fmt: skip
"""Betas that Vertex is known to take; one that it does not know is a 400 there
(github.com/QuantumNous/new-api, issue 2975)."""


def write_vertex(call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Translate a call. The path begins below a project's location."""
    made = write_messages(call, endpoint, provider)
    members: Body = {"anthropic_version": VERTEX_VERSION, **made.members}
    del members["model"]
    betas, notes = only(made.headers, BETAS, provider)
    headers = tuple((name, value) for name, value in betas if name != VERSION)
    verb = "streamRawPredict" if call.stream else "rawPredict"
    model = urllib.parse.quote(endpoint.upstream, safe="@:")
    return Outgoing(
        path=f"/publishers/anthropic/models/{model}:{verb}",
        headers=(FOR_STREAM if call.stream else FOR_JSON) + headers + others(provider),
        body=encode(members),
        notes=(*made.notes, *notes),
    )
