"""The nouns of the catalog, as frozen values.

A *model* is what a caller names (`openai/gpt-4o`). An *endpoint* is that model at
one provider, at a price. A *provider* is a host with a dialect and an address.
Unknown is a value: None, `unknown`, or absent from a set, and never a guess.
"""

import re
from fnmatch import fnmatchcase
from typing import Annotated, Literal

from msgspec import Meta, Struct

from dragoman.core.money import PicoUsd

TEMPLATE = re.compile(r"\{([A-Z0-9_]+)\}")
"""A variable of the environment that a provider's address waits for."""

Status = Literal["active", "inactive", "deprecated"]
Quantization = Literal[
    "int4", "int8", "fp4", "mxfp4", "nvfp4", "fp6", "fp8", "mxfp8", "fp16", "bf16", "fp32",
    "unknown",
]  # fmt: skip


Kind = Literal["host", "aggregator", "plan", "local", "demo"]
"""`host` serves models itself, first-party or cloud; an `aggregator` resells other hosts; a
`plan` is a subscription with terms of its own; `local` runs on the operator's machine."""


class PriceTier(Struct, frozen=True, kw_only=True):
    """Prices for requests whose prompt is longer than `min_prompt_tokens`. None: as below it."""

    min_prompt_tokens: int
    prompt: PicoUsd | None = None
    completion: PicoUsd | None = None
    cache_read: PicoUsd | None = None
    cache_write: PicoUsd | None = None
    cache_write_1h: PicoUsd | None = None
    cache_read_marked: PicoUsd | None = None


class Rate(Struct, frozen=True):
    """What tokens cost in a service tier such as `flex`, in millionths of the price.

    Also on other terms, as `Usage.terms` has them: `speed:fast`.
    """

    tier: str
    ppm: int


class Price(Struct, frozen=True, kw_only=True):
    """What one unit costs in pico-dollars. None: this provider does not bill it apart.

    `cache_read` None means cached tokens cost as much as others, `reasoning` None
    as much as completion tokens.
    """

    prompt: PicoUsd
    completion: PicoUsd
    cache_read: PicoUsd | None = None
    cache_write: PicoUsd | None = None
    reasoning: PicoUsd | None = None
    image: PicoUsd | None = None
    request: PicoUsd | None = None
    cache_write_1h: PicoUsd | None = None
    audio: PicoUsd | None = None
    """Of a token of audio in the prompt; None: as any other prompt token."""
    audio_output: PicoUsd | None = None
    image_output: PicoUsd | None = None
    """Of a token of an image in the answer; None: as any other token of it."""
    search: PicoUsd | None = None
    """Of one search that the provider itself makes for an answer."""
    tiers: tuple[PriceTier, ...] = ()
    """By rising `min_prompt_tokens`; the last that matches decides (OpenRouter, `overrides`)."""
    rates: tuple[Rate, ...] = ()
    """By service tier; a tier that is not named costs the full price. Fees are not reduced."""
    cache_read_marked: PicoUsd | None = None
    """Of a cached token, where the caller marked what to cache; None: as any other from a cache."""


class DatedPrice(Struct, frozen=True, kw_only=True):
    """A price, and the Unix time from which it holds. None: unknown."""

    since: int
    price: Price | None


class DataPolicy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a provider does with prompts. None is unknown, and treated as the worse answer."""

    trains: bool | None = None
    retains: bool | None = None
    zdr: bool | None = None
    source: str | None = None
    """Where this was read: a page of the provider."""
    dated: str | None = None
    """When it was read, as YYYY-MM or YYYY-MM-DD."""

    @property
    def collects(self) -> bool:
        """Whether `data_collection: deny` must leave this provider out: it may train on prompts."""
        return self.trains is not False

    @property
    def keeps_nothing(self) -> bool:
        """Whether `zdr: true` may use this provider."""
        return self.zdr is True


class Quirks(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where a host departs from its dialect: data, so that no host needs code."""

    rejects: frozenset[str] = frozenset()
    """Parameters that the host answers with an error; `messages.x` is member x of a message."""
    renames: dict[str, str] = {}
    """Parameter -> the host's name for it; `messages.x` as above."""
    adds: dict[str, str] = {}
    """Parameter -> a value to send where the caller sends none, as JSON or plain text."""
    stream_usage: bool = True
    """Whether usage in a stream must be asked for with `stream_options`."""
    reasoning: Literal["effort", "object", "none"] = "effort"
    """How reasoning is asked for: `reasoning_effort`, OpenRouter's object, or not at all."""
    developer: bool = True
    """Whether the role `developer` is known; where it is not, its messages are the system's."""
    short_ids: bool = False
    """Whether ids of calls of tools must be nine letters and digits, as Mistral's."""
    longest_id: Annotated[int, Meta(ge=16)] | None = None
    """How many letters ids of calls of tools may have, where that is limited."""
    breakpoints: tuple[str, ...] = ()
    """Models, by name or pattern, that take marks for caches as `prompt_cache_breakpoint`."""
    images: frozenset[str] = frozenset()
    """Media types of images that the host takes as data, if they are known. Others are not sent."""


class Billing(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host bills, as far as that is the same for all its models."""

    reports_usd: bool = False
    """Whether its usage objects say what it charged, in USD, and that is the bill."""
    cache_read: float | None = None
    """Of a token read from the cache: how many times the price of a prompt token."""
    cache_read_marked: float | None = None
    """The same where the caller marked what to cache, and the host bills that otherwise."""
    cache_write: float | None = None
    """The same of a token written to it."""
    cache_write_1h: float | None = None
    """The same of a token kept there for an hour."""
    rates: dict[str, float] = {}
    """Service tier, or a term such as `speed:fast` -> how many times the price of tokens."""
    rates_of: dict[str, dict[str, float]] = {}
    """The host's name of a model, or a pattern of names -> what of `rates` is other there."""
    search: float | str | None = None
    """Of one search that the host makes itself, in USD."""

    def rates_with(self, upstream: str) -> dict[str, float]:
        """Return the rates of the host's model of that name; of patterns the last counts."""
        found = dict(self.rates)
        for like, rates in self.rates_of.items():
            if fnmatchcase(upstream, like):
                found |= rates
        return found


Auth = Literal["bearer", "api-key", "x-api-key", "x-goog-api-key", "sigv4", "gcp", "entra", "none"]
"""How a provider lets in: with a header that holds the secret, by what is derived from it, or
anybody."""


OtherKind = Literal["embeddings", "rerank"]
"""What is asked for in requests that are no chat."""


class Service(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How a host serves another kind of request than chat, where that is a matter of its own."""

    url: str | None = None
    """The whole address, where it is not below `base_url`."""
    quirks: Quirks = Quirks()


class Provider(Struct, frozen=True, kw_only=True):
    """A host of models: a row of data."""

    slug: str
    name: str
    dialect: str
    base_url: str
    dialects: dict[str, str] = {}
    """Pattern of the host's names of models, `*` standing for anything -> what is spoken with
    those, where that is not `dialect`. The first that fits counts."""
    aliases: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    """Dialects that it speaks as well, with all its models: for clients of the same."""
    keys: tuple[str, ...] = ()
    """Environment variables that may hold a credential, best first."""
    auth: Auth = "bearer"
    headers: dict[str, str] = {}
    quirks: Quirks = Quirks()
    policy: DataPolicy = DataPolicy()
    billing: Billing = Billing()
    services: dict[OtherKind, Service] = {}
    """Kinds of requests that differ; `quirks` are those of chat."""
    cancels: bool = False
    """Whether closing the connection stops a stream's generation and its bill."""
    stream_upstream: bool = False
    """Whether whole answers are asked for as streams, and gathered."""
    kind: Kind = "host"
    """Only a `host` or a `demo` is a default route; the others have to be named by the caller,
    or declared by the operator."""
    lists: bool = True
    """Whether its `GET /models` tells what can be called with a key."""
    source: str | None = None
    """The provider's id in the source of the shipped catalog, where it is not the slug."""
    headquarters: str | None = None
    datacenters: tuple[str, ...] = ()
    terms_url: str | None = None
    privacy_url: str | None = None
    status_url: str | None = None

    def waits_for(self) -> list[str]:
        """Return the variables that its address wants and has not, each once."""
        return list(dict.fromkeys(TEMPLATE.findall(self.base_url)))

    def spoken_with(self, upstream: str) -> str | None:
        """Return what is spoken with the host's model of that name; None: the host's `dialect`."""
        fits = (name for like, name in self.dialects.items() if fnmatchcase(upstream, like))
        return next(fits, None)


class Endpoint(Struct, frozen=True, kw_only=True):
    """A model at a provider. `id` is unique in the catalog: `tag|model[:variant]`."""

    id: str
    model: str
    provider: str
    provider_name: str
    tag: str
    upstream: str
    """The model's name at the provider."""
    price: Price | None
    """None: unknown. Never first in the lottery, refused where a limit applies."""
    free: bool = False
    """A declared free tier, served under `model:free` only."""
    context: int | None = None
    max_output: int | None = None
    inputs: frozenset[str] = frozenset({"text"})
    outputs: frozenset[str] = frozenset({"text"})
    supports: frozenset[str] = frozenset()
    """Names of request parameters, OpenRouter's `supported_parameters`."""
    efforts: tuple[str, ...] = ()
    """The reasoning efforts of its model, strongest first; empty: unknown or none."""
    quantization: Quantization = "unknown"
    policy: DataPolicy = DataPolicy()
    distillable: bool = False
    status: Status = "active"
    region: str | None = None
    """Where the provider serves it, if the tag says so."""
    default_route: bool = True
    """Whether it is planned for a caller who does not name its provider."""
    dialect: str | None = None
    """What is spoken here, where that is not the provider's dialect."""
    typed_tools: bool = False
    """Whether it can be given Anthropic's typed tools (`dragoman.catalog.typed_tools`)."""
    upcoming: tuple[DatedPrice, ...] = ()
    """Prices that will hold later, by rising `since`; `price` is the one of the moment."""
    configured: bool = True
    """Whether this installation has what it takes to call the provider."""


class Model(Struct, frozen=True, kw_only=True):
    """What callers name, and all endpoints that serve it, free ones included."""

    id: str
    name: str
    created: int
    endpoints: tuple[Endpoint, ...]
    description: str = ""
    context: int | None = None
    inputs: frozenset[str] = frozenset({"text"})
    outputs: frozenset[str] = frozenset({"text"})
    knowledge: str | None = None
    hugging_face_id: str | None = None
    reasoning: bool = False
    efforts: tuple[str, ...] = ()
    """The reasoning efforts it knows, strongest first; empty: unknown or none."""
    open_weights: bool | None = None
    family: str | None = None
    deprecated: bool = False


class Alias(Struct, frozen=True, kw_only=True):
    """An operator's own name for a weighted choice of models. Weights are relative."""

    name: str
    targets: tuple[tuple[str, float], ...]


class Renamed(Struct, frozen=True, kw_only=True):
    """An id that leads to another: retired, a family's name, or another spelling. With its date."""

    name: str
    target: str
    dated: str
    reason: str


class Catalog(Struct, frozen=True, kw_only=True):
    """The snapshot that one request sees from beginning to end."""

    models: dict[str, Model]
    providers: dict[str, Provider]
    aliases: dict[str, Alias] = {}
    renamed: dict[str, Renamed] = {}
    """Lower-cased retired or alternative id -> what it leads to; wins over a model of that id."""
    spellings: dict[str, str] = {}
    """Lower-cased id of a model, name of an alias, or other spelling -> the id or name."""
    latest: dict[str, str] = {}
    """`~author/family-latest` in lower case -> the id of the family's newest model."""
    free: tuple[str, ...] = ()
    """Ids of the models that have a free endpoint which can be called."""
    configured: frozenset[str] = frozenset()
    """Slugs of the real providers that this installation can call."""
    provider_names: dict[str, str] = {}
    """Lower-cased slug, name or alias of a provider -> its slug."""
    letters: dict[str, int] = {}
    """Id of a model or name of an alias -> what `names.nearest` compares, made beforehand."""
