"""The Python client of a gateway: `Client`, `AsyncClient`, and the calls that people know.

    answer = ChatCompletion.create(model="…", messages=[…], routing_preference="cost")
    models = list_models(sort_by="cost", capability="tools")

Documented in docs/client.md.
"""

from dragoman.client.answers import Chunk, Completion, Model, Record
from dragoman.client.concurrent import AsyncClient
from dragoman.client.errors import (
    BrokenAnswer,
    ClientError,
    ConnectionFailed,
    InvalidRequest,
    NotFound,
    PaymentRequired,
    PermissionDenied,
    RateLimited,
    Refused,
    ServerFailed,
    Unauthenticated,
)
from dragoman.client.snippets import ChatCompletion, alist_models, list_models
from dragoman.client.stream import AsyncStream, Stream
from dragoman.client.sync import Client

__all__ = [
    "AsyncClient",
    "AsyncStream",
    "BrokenAnswer",
    "ChatCompletion",
    "Chunk",
    "Client",
    "ClientError",
    "Completion",
    "ConnectionFailed",
    "InvalidRequest",
    "Model",
    "NotFound",
    "PaymentRequired",
    "PermissionDenied",
    "RateLimited",
    "Record",
    "Refused",
    "ServerFailed",
    "Stream",
    "Unauthenticated",
    "alist_models",
    "list_models",
]
