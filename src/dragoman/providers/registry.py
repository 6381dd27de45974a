"""All dialects by the name that a provider's row gives.

The demo providers speak OpenAI's dialect; only the way to them differs. Of those who speak the
Responses API each signs reasoning for itself (OpenRouter, `ReasoningFormat`). What is no chat has a
dialect of its own, `<dialect>-<kind>` (`dragoman.catalog.assemble.dialect_of`).
"""

from collections.abc import Mapping
from types import MappingProxyType

from dragoman.providers.anthropic.dialect import AnthropicDialect
from dragoman.providers.bedrock import embedding as bedrock
from dragoman.providers.bedrock.dialect import BedrockDialect
from dragoman.providers.cohere import embedding as cohere
from dragoman.providers.cohere.dialect import CohereDialect
from dragoman.providers.dialect import Dialect
from dragoman.providers.gemini.dialect import GeminiDialect
from dragoman.providers.gemini.embedding import studio_embeddings, vertex_embeddings
from dragoman.providers.gemini.vertex import (
    VertexAnthropicDialect,
    VertexDialect,
    VertexOpenAiDialect,
)
from dragoman.providers.openai import azure
from dragoman.providers.openai.azure import AzureDialect
from dragoman.providers.openai.dialect import OpenAiDialect
from dragoman.providers.openai.other_kinds import embeddings, rerank
from dragoman.providers.responses.dialect import ResponsesDialect

_OPENAI = OpenAiDialect()
_EMBEDDINGS, _RERANK = embeddings(), rerank()

DIALECTS: Mapping[str, Dialect] = MappingProxyType(
    {
        "openai": _OPENAI,
        "demo": _OPENAI,
        "openai-embeddings": _EMBEDDINGS,
        "demo-embeddings": _EMBEDDINGS,
        "cohere-embeddings": cohere.embeddings(),
        "openai-rerank": _RERANK,
        "cohere-rerank": _RERANK,
        "demo-rerank": _RERANK,
        "azure-embeddings": azure.embeddings(),
        "gemini-embeddings": studio_embeddings(),
        "vertex-embeddings": vertex_embeddings(),
        "bedrock-embeddings": bedrock.embeddings(),
        "anthropic": AnthropicDialect(),
        "azure": AzureDialect(),
        "bedrock": BedrockDialect(),
        "cohere": CohereDialect(),
        "gemini": GeminiDialect(),
        "vertex": VertexDialect(),
        "vertex-openai": VertexOpenAiDialect(),
        "vertex-anthropic": VertexAnthropicDialect(),
        "responses": ResponsesDialect(),
        "responses-azure": ResponsesDialect("azure-openai-responses-v1"),
        "responses-xai": ResponsesDialect("xai-responses-v1"),
    }
)
