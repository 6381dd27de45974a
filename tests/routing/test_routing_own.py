"""Accounts' own credentials in a plan: three sections, a copy each, and who is kept out."""

from collections.abc import Sequence
from random import Random
from typing import Any

import pytest
from hypothesis import find, given
from hypothesis import strategies as st
from msgspec import structs

from dragoman.catalog.ask import Ask
from dragoman.catalog.byok import Byok, origin_of
from dragoman.catalog.hosts import Credential
from dragoman.catalog.types import DataPolicy, Endpoint, Provider
from dragoman.core.secret import Secret
from dragoman.routing import own
from dragoman.routing.plan import plan
from dragoman.routing.refusal import refusal
from dragoman.routing.types import Drop, Health, Plan, Seen
from tests.routing.endpoints import (
    DRAWN_ONLY,
    ENDPOINTS,
    HEALTH,
    MINI,
    MODEL,
    MOSTLY,
    SELDOM,
    asks,
    catalog,
    drops,
    endpoint,
    price,
    seen,
    wishing,
)

SLUGS = ("acme", "bolt", "core", "dune")
HOSTS = [
    Provider(slug=slug, name=slug.title(), dialect="openai", base_url=f"https://{slug}.test/v1")
    for slug in SLUGS
]
BEDROCK, VERTEX, ANTHROPIC = (endpoint(slug) for slug in ("acme", "bolt", "core"))


def byok(slug: str, number: int = 1, **changes: Any) -> Byok:
    secret = Secret(f"own-{slug}-{number}")
    id_ = f"byok:{slug}-{number}"
    credential = Credential(id=id_, provider=slug, secret=secret, source="own")
    fields: dict[str, Any] = {"credential": credential, "origin": f"https://{slug}.test"}
    return Byok(**(fields | changes))


def route(
    wants: Ask,
    brought: Sequence[Byok],
    *endpoints: Endpoint,
    health: Health | None = None,
) -> Plan:
    wants = structs.replace(wants, byok=tuple(brought))
    return plan(wants, catalog(*endpoints, providers=HOSTS), health or {}, Random(7))


def shown(the_plan: Plan) -> list[str]:
    """Return the tags in order; one with an own credential has its number."""
    return [
        step.endpoint.tag + (f"#{step.byok.credential.id[-1]}" if step.byok else "")
        for step in the_plan.steps
    ]


def test_with_an_order_and_keys_for_all_own_copies_come_first_in_that_order() -> None:
    wants = wishing(order=("acme", "bolt", "core"))
    brought = [byok("core"), byok("bolt"), byok("acme")]
    found = shown(route(wants, brought, BEDROCK, VERTEX, ANTHROPIC))
    assert found == ["acme#1", "bolt#1", "core#1", "acme", "bolt", "core"]


def test_with_an_order_and_one_key_its_copy_precedes_what_is_named_before_it() -> None:
    wants = wishing(order=("acme", "bolt"))
    assert shown(route(wants, [byok("bolt")], BEDROCK, VERTEX)) == ["bolt#1", "acme", "bolt"]


def test_several_keys_of_a_provider_are_tried_in_their_order_and_fallbacks_last() -> None:
    brought = [byok("acme", 1, fallback=True), byok("acme", 2), byok("acme", 3)]
    found = shown(route(wishing(), brought, BEDROCK, VERTEX))
    assert found[:2] == ["acme#2", "acme#3"]
    assert sorted(found[2:4]) == ["acme", "bolt"]
    assert found[4:] == ["acme#1"]


def test_a_required_key_keeps_the_installations_credential_out_for_this_provider() -> None:
    the_plan = route(wishing(), [byok("acme", required=True)], BEDROCK, VERTEX)
    assert (shown(the_plan), the_plan.refusals) == (["acme#1", "bolt"], ())


def test_a_key_that_is_the_only_way_shuts_the_provider_for_other_models_too() -> None:
    brought = [byok("acme", only=True, models=frozenset({MINI}))]
    the_plan = route(wishing(), brought, BEDROCK, VERTEX)
    assert (shown(the_plan), drops(the_plan)) == (["bolt"], {"acme": "byok_unusable"})
    required = [byok("acme", required=True, models=frozenset({MINI}))]
    assert sorted(shown(route(wishing(), required, BEDROCK, VERTEX))) == ["acme", "bolt"]


def test_what_the_account_declares_of_its_retention_wins_over_the_endpoints() -> None:
    keeps, empties = (endpoint("acme", policy=DataPolicy(zdr=zdr)) for zdr in (False, True))
    wants = wishing(zdr=True)
    assert shown(route(wants, [byok("acme", zdr=True)], keeps)) == ["acme#1"]
    assert shown(route(wants, [byok("acme", zdr=False)], empties)) == ["acme"]
    assert shown(route(wants, [byok("acme")], empties)) == ["acme#1", "acme"]
    assert drops(route(wants, [byok("acme")], keeps)) == {"acme": "not_zdr"}
    two = [byok("acme", 1, zdr=False), byok("acme", 2, zdr=True)]
    assert shown(route(wants, two, keeps)) == ["acme#2"]
    assert shown(route(wishing(), two, keeps)) == ["acme#1", "acme#2", "acme"]


def test_a_key_for_other_models_is_not_there_at_all() -> None:
    brought = [byok("acme", models=frozenset({MINI}), required=True)]
    assert shown(route(wishing(), brought, BEDROCK)) == ["acme"]
    assert shown(route(wishing(MINI), brought, endpoint("acme", model=MINI))) == ["acme#1"]


def test_what_the_caller_forbids_is_left_out_before_copies_are_made() -> None:
    keeps = endpoint("acme", policy=DataPolicy(zdr=False))
    the_plan = route(wishing(zdr=True), [byok("acme", required=True)], keeps)
    assert (shown(the_plan), drops(the_plan)) == ([], {"acme": "not_zdr"})


@pytest.mark.parametrize("changes", [{"configured": False}, {"default_route": False}])
def test_a_key_opens_what_the_installation_would_not_call(changes: Any) -> None:
    closed = endpoint("acme", **changes)
    assert shown(route(wishing(), [byok("acme")], closed)) == ["acme#1"]
    assert shown(route(wishing(), [], closed)) == []


@pytest.mark.parametrize("origin", ["", "http://acme.test", "https://evil.test"])
def test_a_key_is_not_sent_to_an_address_it_was_not_given_for(origin: str) -> None:
    brought = [byok("acme", origin=origin)]
    assert shown(route(wishing(), brought, BEDROCK)) == ["acme"]
    closed = endpoint("acme", configured=False)
    the_plan = route(wishing(), brought, closed)
    assert (shown(the_plan), drops(the_plan)) == ([], {"acme": "byok_unusable"})
    wants = structs.replace(wishing(), byok=tuple(brought))
    error = refusal(the_plan, wants, catalog(closed, providers=HOSTS))
    assert (error.code, "own credential unusable" in error.message) == (404, True)
    required = structs.replace(brought[0], required=True)
    assert shown(route(wishing(), [required], BEDROCK)) == []


def test_a_key_that_cannot_be_used_is_the_reason_only_where_there_is_no_other() -> None:
    closed = endpoint("acme", configured=False)
    brought = [byok("acme", origin="https://evil.test"), byok("bolt"), byok("ghost")]
    the_plan = route(wishing(), brought, closed, VERTEX)
    assert shown(the_plan) == ["bolt#1", "bolt"]
    assert [(each.endpoint.tag, each.drop.value) for each in the_plan.refusals] == [
        ("acme", "byok_unusable")
    ]
    assert the_plan.refusals[0].detail == (
        "the account's own credential was not given for https://acme.test: enter it anew"
    )
    for wants in (wishing(ignore=("acme",)), wishing(ignore=("acme",), zdr=True)):
        assert drops(route(wants, brought, closed))["acme"] == "ignored"
    good = [*brought, byok("acme", 2)]
    assert shown(route(wishing(), good, closed)) == ["acme#2"]
    keeps = endpoint("acme", policy=DataPolicy(zdr=False))
    wants = wishing(zdr=True, ignore=("acme",))
    assert drops(route(wants, [byok("acme")], keeps)) == {"acme": "ignored"}


def test_where_all_models_compete_each_key_serves_its_own() -> None:
    wants = structs.replace(wishing(MODEL, MINI), partition="none")
    brought = [
        byok("acme", 1, models=frozenset({MODEL})),
        byok("acme", 2, models=frozenset({MINI})),
    ]
    the_plan = route(wants, brought, BEDROCK, endpoint("acme", model=MINI))
    copies = {(each.endpoint.model, each.byok) for each in the_plan.steps if each.byok is not None}
    assert copies == {(MODEL, brought[0]), (MINI, brought[1])}
    assert len(the_plan.steps) == 4


def test_each_copy_says_why_it_stands_where_it_stands() -> None:
    brought = [byok("acme", 1), byok("acme", 2, fallback=True), byok("acme", 3), byok("acme", 4)]
    health = {brought[3].rest_id(""): Seen(cooling=True)}
    the_plan = route(wishing(), brought, BEDROCK, VERTEX, health=health)
    assert len(the_plan.steps) == len([*the_plan.steps]) == 6
    assert [(each.byok.credential.id[-1], each.why) for each in the_plan.steps if each.byok] == [
        ("1", own.PRIORITIZED),
        ("3", own.PRIORITIZED),
        ("2", own.FALLBACK),
        ("4", own.RESTING),
    ]


def test_an_address_is_compared_without_its_path_and_not_while_incomplete() -> None:
    assert origin_of("https://Acme.test:8443/v1") == "https://acme.test:8443"
    assert origin_of("https://{REGION}.test/v1") == ""
    assert origin_of("nonsense") == ""


def test_a_resting_key_goes_to_the_end_of_its_model() -> None:
    one, two = byok("acme"), byok("acme", 2)
    for id_ in (one.rest_id(""), one.rest_id(BEDROCK.id)):
        found = route(wishing(), [one, two], BEDROCK, health={id_: Seen(cooling=True)})
        assert shown(found) == ["acme#2", "acme", "acme#1"]
        assert found.steps[2].why == own.RESTING
    only = route(wishing(), [one], BEDROCK, health={one.rest_id(""): Seen(cooling=True)})
    assert shown(only) == ["acme", "acme#1"]


def test_a_rate_limit_of_the_installation_says_nothing_of_own_keys() -> None:
    wants = wishing(order=("acme", "bolt"))
    health = {BEDROCK.id: seen(cooling=True), VERTEX.id: seen(50)}
    found = shown(route(wants, [byok("acme"), byok("bolt")], BEDROCK, VERTEX, health=health))
    assert found == ["acme#1", "bolt#1", "bolt", "acme"]


def test_models_keep_their_order_and_a_partition_of_none_unites_the_sections() -> None:
    mini = endpoint("bolt", model=MINI)
    wants = structs.replace(wishing(MODEL, MINI), partition="model")
    brought = [byok("bolt")]
    assert shown(route(wants, brought, BEDROCK, mini)) == ["acme", "bolt#1", "bolt"]
    united = structs.replace(wants, partition="none")
    assert shown(route(united, brought, BEDROCK, mini))[0] == "bolt#1"


@pytest.mark.parametrize(
    ("wishes", "expected"),
    [
        ({}, ["core#1", "acme#1", "bolt#1", "core", "acme", "bolt"]),
        ({"sort": "throughput"}, ["bolt#1", "acme#1", "core#1", "bolt", "acme", "core"]),
    ],
)
def test_a_partition_of_none_sorts_own_keys_by_price_or_as_is_wished(
    wishes: dict[str, Any], expected: list[str]
) -> None:
    acme, bolt = endpoint("acme", price=price(2)), endpoint("bolt", price=price(3))
    core = endpoint("core", model=MINI, price=price(1))
    health = {acme.id: seen(50), bolt.id: seen(90), core.id: seen(10)}
    brought = [byok(slug) for slug in SLUGS]
    for models in ((MODEL, MINI), (MINI, MODEL)):
        wants = structs.replace(wishing(*models, **wishes), partition="none")
        assert shown(route(wants, brought, acme, bolt, core, health=health)) == expected
    alone = structs.replace(wishing(**wishes), partition="none")
    found = shown(route(alone, brought, acme, bolt, health=health))
    assert found == [each for each in expected if "core" not in each]


def test_without_fallbacks_the_first_endpoint_is_left_with_every_credential() -> None:
    the_plan = route(wishing(allow_fallbacks=False), [byok("bolt")], BEDROCK, VERTEX)
    assert shown(the_plan) == ["bolt#1", "bolt"]
    assert drops(the_plan) == {"acme": "no_fallbacks"}


def test_a_feature_that_only_the_other_side_supports_decides_for_both() -> None:
    able = endpoint("bolt", supports=frozenset({"response_format"}))
    wants = structs.replace(wishing(), parameters=frozenset({"response_format"}))
    the_plan = route(wants, [byok("acme")], BEDROCK, able)
    assert (shown(the_plan), drops(the_plan)) == (["bolt"], {"acme": "others_support"})
    the_plan = route(wants, [byok("bolt")], BEDROCK, able)
    assert (shown(the_plan), drops(the_plan)) == (["bolt#1", "bolt"], {"acme": "others_support"})


def test_a_feature_that_only_an_own_key_reaches_leaves_out_what_lacks_it() -> None:
    able = endpoint("bolt", supports=frozenset({"response_format"}), configured=False)
    wants = structs.replace(wishing(), parameters=frozenset({"response_format"}))
    the_plan = route(wants, [byok("bolt")], BEDROCK, able)
    assert (shown(the_plan), drops(the_plan)) == (["bolt#1"], {"acme": "others_support"})


def test_a_fallback_key_alone_comes_after_the_installation() -> None:
    assert shown(route(wishing(), [byok("acme", fallback=True)], BEDROCK)) == ["acme", "acme#1"]


def test_free_tiers_are_told_apart_with_own_keys_too() -> None:
    free = endpoint("acme", free=True)
    assert drops(route(wishing(), [byok("acme")], free)) == {"acme": "only_as_free"}
    assert shown(route(wishing(f"{MODEL}:free"), [byok("acme")], free)) == ["acme#1", "acme"]
    gone = endpoint("acme", status="inactive")
    assert drops(route(wishing(), [byok("acme")], gone)) == {"acme": "inactive"}


BROUGHT = st.lists(
    st.builds(
        lambda slug, number, fallback, required, only, models, origin: byok(
            slug,
            number,
            fallback=fallback,
            required=required,
            only=only and not fallback,
            models=models,
            **({} if origin else {"origin": ""}),
        ),
        st.sampled_from(SLUGS),
        st.integers(1, 3),
        st.booleans(),
        SELDOM,
        SELDOM,
        st.sampled_from([frozenset[str](), frozenset({MODEL}), frozenset({MINI})]),
        MOSTLY,
    ),
    min_size=1,
    max_size=4,
    unique_by=lambda each: each.credential.id,
)


def test_what_is_drawn_is_served_by_own_keys_and_by_others() -> None:
    def drawn(wants: Ask, brought: list[Byok], endpoints: list[Endpoint]) -> Plan:
        wants = structs.replace(wants, byok=tuple(brought))
        return plan(wants, catalog(*endpoints, providers=HOSTS), {}, Random(7))

    def both(the_plan: Plan) -> bool:
        return {step.byok is None for step in the_plan.steps} == {True, False}

    found = find(st.builds(drawn, asks(), BROUGHT, ENDPOINTS), both, settings=DRAWN_ONLY)
    assert len(found.steps) > 1


@given(asks(), BROUGHT, ENDPOINTS, HEALTH, st.integers(0, 2**32))
def test_the_laws_of_plans_with_own_keys(
    wants: Ask, brought: list[Byok], endpoints: list[Endpoint], health: Health, seed: int
) -> None:
    found = catalog(*endpoints, providers=HOSTS)
    house = plan(wants, found, health, Random(seed))
    wants = structs.replace(wants, byok=tuple(brought))
    the_plan = plan(wants, found, health, Random(seed))
    steps = [*the_plan.steps]
    assert len(steps) == len(the_plan.steps)
    pairs = [(each.target, each.endpoint.id, each.byok) for each in steps]
    assert len(set(map(repr, pairs))) == len(pairs), "no copy twice"
    served = {each.endpoint.id for each in steps}
    for target in wants.targets:
        here = {each.endpoint.id for each in steps if each.target == target}
        assert here <= {each.id for each in endpoints if each.model == target.model}
    if len(wants.targets) == 1:
        out = [each.endpoint.id for each in the_plan.refusals]
        assert len(out) == len(set(out))
        assert served.isdisjoint(out)
        assert served | set(out) == {
            each.id for each in endpoints if each.model == wants.targets[0].model
        }
    for step in steps:
        if step.byok is not None:
            assert step.byok.origin
            assert step.byok.serves(step.target.model)
            assert step.byok.credential.provider == step.endpoint.provider
        else:
            kept_out = [
                each
                for each in brought
                if (each.only or (each.required and each.serves(step.target.model)))
                and each.credential.provider == step.endpoint.provider
            ]
            assert not kept_out
            if wants.preferences.allow_fallbacks:
                assert step.endpoint.id in {each.endpoint.id for each in house.steps}
    drop = {each.drop for each in the_plan.refusals}
    assert Drop.BYOK_UNUSABLE not in drop or any(not each.origin or each.only for each in brought)
