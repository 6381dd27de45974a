"""Where Anthropic's typed tools (`web_search_…`, `bash_…`, `text_editor_…`) can be given. Pure.

They have a type and no schema, so only hosts of the Messages API know what they are; some they run
themselves. Other hosts are not told of them.
"""

from dragoman.catalog.types import Endpoint, Provider
from dragoman.wire.messages import TEXT_ONLY

MESSAGES = frozenset({"anthropic", "vertex-anthropic"})
"""The dialects that are the Messages API."""


def takes_typed_tools(endpoint: Endpoint, row: Provider) -> bool:
    """Whether a client of Messages is answered by the same API here.

    Of a provider that has several dialects it is asked in its client's (`upstream.failover`).
    """
    if endpoint.dialect is not None:
        return endpoint.dialect in MESSAGES
    also = row.also if endpoint.outputs == TEXT_ONLY else ()
    return row.dialect in MESSAGES or not MESSAGES.isdisjoint(also)
