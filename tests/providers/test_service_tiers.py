"""A service tier is asked for where a host sells it at a price that is known, else noted."""

import json
from typing import Any

import pytest

from dragoman.catalog.types import Billing, Price, Rate
from dragoman.core.money import PicoUsd
from dragoman.core.notes import Change
from dragoman.providers.dialect import Outgoing
from dragoman.providers.registry import DIALECTS
from dragoman.providers.tiers import sold
from dragoman.wire.chat import parse_chat
from dragoman.wire.responses.dialect import RESPONSES
from tests.providers.openai_calls import endpoint, provider

SELLS = Billing(rates={"flex": 0.5, "priority": 2})
ALL = ("anthropic", "bedrock", "cohere", "gemini", "openai", "responses")


def write(dialect: str, tier: str, billing: Billing = SELLS) -> Outgoing:
    body = {"model": "a/b", "messages": [{"role": "user", "content": "x"}], "service_tier": tier}
    host = provider(dialect=dialect, billing=billing)
    return DIALECTS[dialect].request(parse_chat(json.dumps(body).encode()), endpoint(), host)


def said(outgoing: Outgoing) -> list[Any]:
    notes = [note for note in outgoing.notes if note.field == "service_tier"]
    return [note.change for note in notes]


@pytest.mark.parametrize(("dialect", "member"), [
    ("openai", "service_tier"), ("responses", "service_tier"), ("gemini", "serviceTier"),
])  # fmt: skip
def test_a_tier_that_is_sold(dialect: str, member: str) -> None:
    outgoing = write(dialect, "flex")
    assert json.loads(outgoing.body)[member] == "flex"
    assert said(outgoing) == []
    assert json.loads(write(dialect, "fast").body)[member] == "priority"


@pytest.mark.parametrize("dialect", ALL)
def test_a_tier_that_is_not_is_noted_once(dialect: str) -> None:
    outgoing = write(dialect, "priority", Billing(rates={"batch": 0.5}))
    assert b"priority" not in outgoing.body
    assert said(outgoing) == [Change.DROPPED]


def test_the_other_name_of_a_tier_is_noted() -> None:
    assert said(write("openai", "fast")) == [Change.RENAMED]


@pytest.mark.parametrize(("billing", "kept"), [(SELLS, "flex"), (Billing(), None)])
def test_a_client_of_the_responses_api(billing: Billing, kept: str | None) -> None:
    body = {"model": "a/b", "input": "x", "service_tier": "flex"}
    call = RESPONSES.parse(json.dumps(body).encode(), {})
    host = provider(dialect="responses", billing=billing)
    outgoing = DIALECTS["responses"].request(call, endpoint(), host)
    assert json.loads(outgoing.body).get("service_tier") == kept
    assert said(outgoing) == ([] if kept else [Change.DROPPED])


def test_rates_of_a_models_own_count_before_the_hosts() -> None:
    price = Price(prompt=PicoUsd(1), completion=PicoUsd(1), rates=(Rate("flex", 500_000),))
    at = type(endpoint())(
        id="e", model="a/b", provider="p", provider_name="P", tag="p", upstream="b", price=price
    )
    host = provider(billing=Billing(rates={"priority": 2}))
    assert (sold("flex", at, host), sold("priority", at, host)) == ("flex", None)
    assert sold("scale", at, provider(kind="aggregator")) == "scale"
