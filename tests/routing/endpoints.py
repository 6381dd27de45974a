"""Endpoints, catalogs and requests to try the rules on: everything that is not said is plain."""

from collections.abc import Iterable
from random import Random
from typing import Any

from hypothesis import Phase, settings
from hypothesis import strategies as st

from dragoman.catalog.ask import Ask, Target
from dragoman.catalog.types import Catalog, DataPolicy, Endpoint, Model, Price, Provider
from dragoman.core.money import PicoUsd
from dragoman.routing.plan import plan
from dragoman.routing.types import Health, Percentiles, Plan, Seen
from dragoman.wire.preferences import MaxPrice, Preferences

MODEL = "acme/turbo"
MINI = "acme/mini"
TARGET = Target(asked=MODEL, model=MODEL)


def price(prompt: int, completion: int | None = None, **others: Any) -> Price:
    """Return a price in pico-dollars, the same for prompt and completion unless said."""
    both = PicoUsd(prompt), PicoUsd(prompt if completion is None else completion)
    return Price(prompt=both[0], completion=both[1], **others)


def endpoint(slug: str = "acme", **changes: Any) -> Endpoint:
    """Return a configured endpoint of `acme/turbo` at a provider, with what is changed."""
    base, _, variant = slug.partition("/")
    model = changes.get("model", MODEL)
    fields: dict[str, Any] = {
        "id": f"{slug}|{model}" + (":free" if changes.get("free") else ""),
        "model": model,
        "provider": base,
        "provider_name": base.title() + (f" {variant.title()}" if variant else ""),
        "tag": slug,
        "upstream": "turbo",
        "price": price(1_000_000),
    }
    return Endpoint(**(fields | changes))


def catalog(*endpoints: Endpoint, providers: Iterable[Provider] = ()) -> Catalog:
    """Return a catalog of these endpoints; `acme/turbo` and `acme/mini` are always in it."""
    ids = dict.fromkeys((MODEL, MINI, *(each.model for each in endpoints)))
    models = {
        id_: Model(
            id=id_,
            name=id_,
            created=0,
            endpoints=tuple(each for each in endpoints if each.model == id_),
        )
        for id_ in ids
    }
    return Catalog(models=models, providers={each.slug: each for each in providers})


def ask(*models: str, **changes: Any) -> Ask:
    """Return a request for models as named, `acme/turbo` by default; `x:free` means free ones."""
    targets = tuple(
        Target(asked=name, model=name.removesuffix(":free"), free=name.endswith(":free"))
        for name in models or (MODEL,)
    )
    return Ask(**({"targets": targets} | changes))


def wishing(*models: str, **wishes: Any) -> Ask:
    """Return a plain request with these provider preferences."""
    return ask(*models, preferences=Preferences(**wishes))


def route(
    wants: Ask, *endpoints: Endpoint, health: Health | None = None, rng: Random | None = None
) -> Plan:
    """Return the plan for a request over these endpoints."""
    return plan(wants, catalog(*endpoints), health or {}, rng or Random(7))


def tags(the_plan: Plan) -> list[str]:
    """Return the tags of the endpoints to try, in order."""
    return [step.endpoint.tag for step in the_plan.steps]


def drops(the_plan: Plan) -> dict[str, str]:
    """Return the reason for each tag that was left out."""
    return {each.endpoint.tag: each.drop.value for each in the_plan.refusals}


def seen(p50: float | None = None, *, latency: float | None = None, **changes: Any) -> Seen:
    """Return what was seen of an endpoint: one throughput, one latency at all percentiles."""
    return Seen(
        throughput=None if p50 is None else flat(p50),
        latency_s=None if latency is None else flat(latency),
        **changes,
    )


def flat(value: float) -> Percentiles:
    """Return a distribution that is one value."""
    return Percentiles(p50=value, p75=value, p90=value, p99=value)


# What Hypothesis draws from: few slugs and figures, so that rules and ties are hit often. Most of
# what is drawn asks for little and can much: where each rule refused half, no plan had a step.

SELDOM = st.sampled_from([False] * 9 + [True])
DRAWN_ONLY = settings(phases=(Phase.generate,), database=None, max_examples=2000)
"""For `find`, where what is found need not be small."""
MOSTLY = st.sampled_from([True] * 9 + [False])

SLUGS = st.sampled_from(["acme", "bolt", "bolt/fast", "core", "dune"])
PRICES = st.none() | st.builds(
    price,
    st.integers(0, 4).map(lambda usd: usd * 1_000_000),
    st.integers(0, 4).map(lambda usd: usd * 1_000_000),
)
EVERY_FEATURE = ("tools", "response_format", "verbosity", "seed")
FEATURES = st.frozensets(st.sampled_from(EVERY_FEATURE))
TEXT, IMAGES = frozenset({"text"}), frozenset({"text", "image"})
POLICIES = st.builds(
    lambda trains, zdr: DataPolicy(trains=trains, zdr=zdr),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, True, False]),
)
ENDPOINTS = st.lists(
    st.builds(
        endpoint,
        SLUGS,
        model=st.sampled_from([MODEL, MODEL, MODEL, MINI]),
        price=PRICES,
        free=SELDOM,
        supports=st.just(frozenset(EVERY_FEATURE)) | FEATURES,
        inputs=st.sampled_from([TEXT, IMAGES, IMAGES]),
        context=st.sampled_from([None, None, None, 100, 10_000]),
        max_output=st.sampled_from([None, None, None, 50, 5_000]),
        quantization=st.sampled_from(["unknown", "fp8", "mxfp4"]),
        policy=POLICIES,
        distillable=MOSTLY,
        configured=MOSTLY,
        default_route=MOSTLY,
        status=MOSTLY.flatmap(
            lambda well: st.just("active") if well else st.sampled_from(["inactive", "deprecated"])
        ),
    ),
    min_size=2,
    max_size=7,
    unique_by=lambda each: each.id,
)
LIMITS = st.none() | st.builds(
    lambda prompt: MaxPrice(prompt=PicoUsd(prompt * 1_000_000)), st.integers(0, 4)
)
PREFERENCES = st.builds(
    Preferences,
    order=st.lists(SLUGS, max_size=2).map(tuple),
    only=st.just(()) | st.just(()) | st.lists(SLUGS, min_size=1, max_size=3).map(tuple),
    ignore=st.just(()) | st.lists(SLUGS, max_size=2).map(tuple),
    allow_fallbacks=MOSTLY,
    require_parameters=SELDOM,
    deny_data_collection=SELDOM,
    zdr=SELDOM,
    distillable=SELDOM,
    quantizations=st.sampled_from([frozenset()] * 4 + [frozenset({"fp8"}), frozenset({"fp4"})]),
    sort=st.sampled_from([None, "price", "throughput", "latency", "exacto"]),
    max_price=LIMITS,
    min_throughput=st.sampled_from([(), (("p50", 20.0),)]),
    max_latency=st.sampled_from([(), (("p90", 2.0),)]),
)
TARGETS = st.lists(
    st.builds(
        lambda model, free, sort: Target(asked=model, model=model, free=free, sort=sort),
        st.sampled_from([MODEL, MODEL, MINI]),
        SELDOM,
        st.sampled_from([None, "throughput", "price"]),
    ),
    min_size=1,
    max_size=2,
    unique_by=lambda target: (target.model, target.free),
).map(tuple)


def asks(preferences: st.SearchStrategy[Preferences] = PREFERENCES) -> st.SearchStrategy[Ask]:
    """Return requests of every kind."""
    return st.builds(
        Ask,
        targets=TARGETS,
        preferences=preferences,
        partition=st.sampled_from(["model", "none"]),
        text_bytes=st.sampled_from([0, 0, 0, 6 * 101, 6 * 10_001]),
        max_tokens=st.sampled_from([None, 10, 60]),
        parameters=st.just(frozenset[str]()) | FEATURES,
        inputs=st.sampled_from([TEXT, TEXT, IMAGES]),
    )


HEALTH = st.dictionaries(
    st.sampled_from([f"{slug}|{MODEL}" for slug in ("acme", "bolt", "bolt/fast", "core")]),
    st.builds(
        Seen,
        outage=st.booleans(),
        cooling=st.booleans(),
        throughput=st.none() | st.sampled_from([10.0, 20.0, 30.0]).map(flat),
        latency_s=st.none() | st.sampled_from([1.0, 2.0, 3.0]).map(flat),
    ),
)
