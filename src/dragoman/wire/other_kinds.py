"""What requests of other kinds than chat have in common: whom they ask, and for whom.

Embeddings and reranking share with chat the names of models, the `provider` object and what
is recorded; the rest is their own (`embeddings`, `rerank`). None of them is streamed.
"""

from collections.abc import Mapping
from typing import Annotated, Any, TypeVar

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType, inspect

from dragoman.core.errors import InvalidRequest
from dragoman.wire import rules
from dragoman.wire.answers import CostDetails, Stamp, cost_details, encode
from dragoman.wire.chat import NO_WISHES, ChatCall, Kind
from dragoman.wire.chat_dialect import ChatDialect
from dragoman.wire.dialect import Spent
from dragoman.wire.explain import explain
from dragoman.wire.fields import Debug, Metadata
from dragoman.wire.hub import Members
from dragoman.wire.json import TOO_DEEP
from dragoman.wire.preferences import Preferences
from dragoman.wire.provider_object import parse_provider
from dragoman.wire.shapes import AnyObject, ModelName

_NULL = b"null"
_IDLE = ("preset", "plugins", "transforms")
"""Fields of chat that are accepted everywhere, and have no effect here."""


class CommonFields(Struct, frozen=True, kw_only=True):
    """The members that all kinds of requests have."""

    model: ModelName | None = None
    models: list[ModelName] | None = None
    fallback_models: list[ModelName] | None = None
    provider: AnyObject | None = None
    stream: bool | None = None
    debug: Debug | None = None
    user: Annotated[str, Meta(max_length=512)] | None = None
    session_id: Annotated[str, Meta(max_length=256)] | None = None
    metadata: Metadata | None = None
    trace: dict[str, Any] | None = None


class Asked(Struct, frozen=True, kw_only=True, gc=False):
    """What is in a request: how much text in all, in how many parts, of which the longest."""

    inputs: frozenset[str]
    text_bytes: int
    prompts: int
    window_bytes: int


Fields = TypeVar("Fields", bound=CommonFields)


class Reader:
    """Reads the members that have a shape, and words what is wrong with one."""

    __slots__ = ("_decoder", "_shape")

    def __init__(self, fields: type[Any]) -> None:
        self._decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder(fields)
        self._shape = inspect.type_info(fields)

    def read(self, body: bytes) -> Any:
        """Return the members. Raises InvalidRequest naming the one that has another shape."""
        try:
            return self._decoder.decode(body)
        except RecursionError:
            raise InvalidRequest(TOO_DEEP) from None
        except msgspec.ValidationError as error:
            path, reason = explain(error, self._shape)
        message = f"{path}: {reason}"
        if path.partition(".")[0] in {"model", "models", "fallback_models"}:
            raise rules.no_model(message)
        raise InvalidRequest(message)


def call_of(kind: Kind, fields: CommonFields, found: Members, asked: Asked) -> ChatCall:
    """Return the call for a request of another kind. Raises InvalidRequest.

    `found` are all its members, which are forwarded.
    """
    rules.check_names(found)
    rules.check_kept(fields, found)
    if fields.stream:
        raise InvalidRequest(f"stream: there is no stream of {kind}; leave it out")
    preferences: Preferences = NO_WISHES
    ignored: tuple[str, ...] = ()
    if "provider" in found:
        preferences, ignored = parse_provider(found["provider"])
    debug = fields.debug
    return ChatCall(
        kind=kind,
        members=found,
        model=fields.model,
        models=rules.models(fields.model, fields.models, fields.fallback_models),
        stream=False,
        max_tokens=0,  # nothing is written
        parameters=frozenset(),
        inputs=asked.inputs,
        outputs=frozenset({kind}),
        text_bytes=asked.text_bytes,
        prompts=asked.prompts,
        window_bytes=asked.window_bytes,
        preferences=preferences,
        partition=_partition(preferences),
        session_id=fields.session_id,
        user=fields.user,
        tags=fields.metadata or {},
        trace=fields.trace or {},
        echo_upstream_body=debug is not None and debug.echo_upstream_body is True,
        not_applied=(*ignored, *(n for n in _IDLE if n in found and bytes(found[n]) != _NULL)),
    )


class UnstreamedDialect(ChatDialect):
    """A client dialect without streams. Its refusals are chat's."""

    __slots__ = ()


class _Usage(Struct, gc=False):
    prompt_tokens: int
    total_tokens: int
    cost: float | UnsetType
    is_byok: bool
    cost_details: CostDetails | UnsetType


def embeddings_usage(spent: Spent) -> bytes:
    """Return the `usage` object of embeddings. What they cost is left out where unknown."""
    prompt, billing = spent.usage.prompt, spent.billing
    cost = UNSET if billing.cost is None else billing.cost
    return encode(_Usage(prompt, prompt, cost, billing.is_byok, cost_details(billing)))


class _RerankUsage(Struct, gc=False, omit_defaults=True):
    search_units: int | UnsetType
    total_tokens: int
    cost: float | UnsetType
    is_byok: bool | UnsetType = UNSET


def rerank_usage(spent: Spent) -> bytes:
    """Return the `usage` object of reranking: by search where the provider counts those."""
    usage, billing = spent.usage, spent.billing
    return encode(
        _RerankUsage(
            usage.searches or UNSET,
            usage.prompt,
            UNSET if billing.cost is None else billing.cost,
            billing.is_byok or UNSET,
        )
    )


def stamp_members(stamp: Stamp) -> bytes:
    """Return `"id":…,"model":…,"provider":…`, which every answer carries."""
    names: Mapping[str, str] = {"id": stamp.id, "model": stamp.model, "provider": stamp.provider}
    return encode(names)[1:-1]


def _partition(preferences: Preferences) -> Any:
    return preferences.partition or "model"
