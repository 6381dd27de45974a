"""Vertex AI: one host for Gemini models and those of other makers, each spoken to in its own way.

Gemini models take `generateContent` below `publishers/google`, Claude Messages below
`publishers/anthropic` (`dragoman.providers.anthropic.vertex`), models that Vertex serves as a
service OpenAI's chat (docs.cloud.google.com/vertex-ai, "Call MaaS APIs for open models"). Which
way a model is spoken to, the provider's row says.
"""

from msgspec import structs

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.anthropic.dialect import AnthropicDialect
from dragoman.providers.anthropic.vertex import write_vertex
from dragoman.providers.dialect import Fault, Outgoing
from dragoman.providers.gemini.dialect import GeminiDialect
from dragoman.providers.gemini.faults import fault
from dragoman.providers.gemini.request import write_request
from dragoman.providers.openai.dialect import OpenAiDialect
from dragoman.wire.chat import ChatCall

OPENAPI = "/endpoints/openapi"


class VertexDialect(GeminiDialect):
    """Fulfils `Dialect`: Gemini models at Vertex AI."""

    __slots__ = ()

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        return write_request(call, endpoint, provider, "/publishers/google/models", vertex=True)


class VertexOpenAiDialect(OpenAiDialect):
    """Fulfils `Dialect`: models of other makers that Vertex AI serves as OpenAI would."""

    __slots__ = ()

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        outgoing = super().request(call, endpoint, provider)
        return structs.replace(outgoing, path=OPENAPI + outgoing.path)


class VertexAnthropicDialect(AnthropicDialect):
    """Fulfils `Dialect`: Claude at Vertex AI, which answers as Anthropic and refuses as Google."""

    __slots__ = ()

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        return write_vertex(call, endpoint, provider)

    def fault(self, status: int, headers: dict[str, str], body: bytes) -> Fault:
        """Classify an answer that is not a success."""
        return fault(status, headers, body)
