"""OpenAI's dialect at Azure's older addresses: the deployment in the path, the version asked for.

A row with `dialect: azure` and a base URL that ends in `/openai` is called so; the version is the
row's header `api-version`. The newer API at `/openai/v1` is OpenAI's dialect as it is.

Source: learn.microsoft.com, "Azure OpenAI in Microsoft Foundry Models REST API reference".
"""

import urllib.parse

import msgspec

from dragoman.catalog.types import Endpoint, Provider
from dragoman.providers.dialect import Outgoing
from dragoman.providers.openai.dialect import OpenAiDialect
from dragoman.providers.openai.other_kinds import OtherKindDialect
from dragoman.wire.chat import ChatCall
from dragoman.wire.embeddings import read_vectors

VERSION = "api-version"
DEFAULT_VERSION = "2024-10-21"
"""The last of the data plane that is no preview."""


class AzureDialect(OpenAiDialect):
    """Fulfils `Dialect`. Keeps nothing."""

    __slots__ = ()

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        return _deployed(super().request(call, endpoint, provider), endpoint, provider)


class AzureOtherKind(OtherKindDialect):
    """Fulfils `Dialect` for one kind of request that is no chat. Keeps nothing."""

    __slots__ = ()

    def request(self, call: ChatCall, endpoint: Endpoint, provider: Provider) -> Outgoing:
        """Translate a request for an endpoint, noting every field that did not survive."""
        return _deployed(super().request(call, endpoint, provider), endpoint, provider)


def embeddings() -> AzureOtherKind:
    """Return the dialect of embeddings."""
    return AzureOtherKind("embeddings", read_vectors)


def _deployed(made: Outgoing, endpoint: Endpoint, provider: Provider) -> Outgoing:
    """Return a request to the address of its deployment."""
    told = {name.lower(): value for name, value in provider.headers.items()}
    version = urllib.parse.quote(told.get(VERSION, DEFAULT_VERSION), safe="")
    deployment = urllib.parse.quote(endpoint.upstream, safe="")
    return msgspec.structs.replace(
        made,
        path=f"/deployments/{deployment}{made.path}?{VERSION}={version}",
        headers=tuple(each for each in made.headers if each[0].lower() != VERSION),
    )
