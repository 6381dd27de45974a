"""`dragoman models compare`: facts, prices and the cost of a workload, side by side."""

from pathlib import Path
from typing import Any

import pytest

from dragoman.catalog.types import Endpoint, Model, Price
from dragoman.cli.comparison import comparison, standing
from dragoman.cli.workload import Workload
from dragoman.core.money import PicoUsd
from tests.cli.command import run

SILENT = "providers: {mine: {base_url: 'http://127.0.0.1:9/v1'}}"
WORK = Workload(prompt_tokens=1_000_000, completion_tokens=0)


def endpoint(provider: str, usd: int | None, **fields: Any) -> Endpoint:
    price = Price(prompt=PicoUsd(usd * 10**6), completion=PicoUsd(0)) if usd is not None else None
    known = {"id": f"{provider}|a/m", "model": "a/m", "provider": provider, "price": price}
    return Endpoint(
        **{**known, "provider_name": provider, "tag": provider, "upstream": "m", **fields}
    )


def cheapest(*endpoints: Endpoint, all_: bool = True, work: Workload = WORK) -> list[str]:
    model = Model(id="a/m", name="M", created=0, endpoints=endpoints)
    (compared,) = comparison([model], work, all_).models
    return [offer.tag for offer in compared.offers if offer.cheapest]


@pytest.mark.parametrize(
    ("endpoints", "status"),
    [
        ([endpoint("a", 1)], "ready"),
        ([endpoint("a", 1, default_route=False)], "if named"),
        ([endpoint("a", 1, configured=False)], "not configured"),
        ([endpoint("a", 1, status="deprecated")], "deprecated"),
        ([endpoint("a", 1, status="inactive"), endpoint("b", 1)], "ready"),
    ],
)
def test_a_standing_says_why_a_request_cannot_be_served(
    endpoints: list[Endpoint], status: str
) -> None:
    assert standing(endpoints) == status


def test_the_cheapest_is_sought_among_those_that_can_be_called() -> None:
    absent = endpoint("absent", 1, configured=False)
    assert cheapest(endpoint("dear", 9), endpoint("cheap", 2), absent) == ["cheap"]
    assert cheapest(absent, endpoint("retired", 0, status="deprecated")) == ["absent"]


def test_of_equals_all_are_cheapest_and_the_unknown_never_is() -> None:
    assert cheapest(endpoint("a", 2), endpoint("b", 2), endpoint("c", None)) == ["a", "b"]
    assert cheapest(endpoint("c", None)) == []


def test_what_has_no_room_is_not_the_cheapest() -> None:
    work = Workload(prompt_tokens=100, completion_tokens=1, requests=1)
    small = endpoint("small", 1, context=100)
    assert cheapest(small, endpoint("wide", 5, context=101), work=work) == ["wide"]


def test_facts_are_of_what_can_be_called_unless_all_are_wanted() -> None:
    model = Model(
        id="a/m",
        name="M",
        created=0,
        endpoints=(
            endpoint("dear", 9, context=50, supports=frozenset({"tools"})),
            endpoint("cheap", 2, context=20),
            endpoint("absent", 1, configured=False, context=99),
            endpoint("gift", 0, free=True, context=999),
        ),
    )
    ready, all_ = (comparison([model], WORK, each).models[0] for each in (False, True))
    assert (ready.context, all_.context) == (50, 99)
    assert ready.parameters == ("tools",)
    assert ready.providers == ("cheap", "dear")
    span = ready.prompt_usd_per_million
    assert span is not None
    assert (span.cheapest, span.least, span.most) == (2.0, 2.0, 9.0)
    assert [offer.tag for offer in all_.offers] == ["cheap", "dear", "absent"]


def test_models_stand_side_by_side_and_the_cheapest_is_marked() -> None:
    ran = run("models", "compare", "demo/parrot", "DEMO/Scholar")
    assert ran.code == 0
    facts, offers = ran.out.split("What 1,000,000 tokens in, 200,000 out cost:")
    assert [line.split()[1:] for line in facts.splitlines() if line.startswith("model ")] == [
        ["demo/parrot", "demo/scholar"]
    ]
    assert "0.2 (0.2 to 0.6)" in facts
    marked = [line.split() for line in offers.splitlines() if "cheapest" in line]
    assert [(line[0], line[1], line[5]) for line in marked] == [
        ("demo/parrot", "demo-thrifty", "0.28"),
        ("demo/scholar", "demo-thrifty", "0.28"),
    ]


def test_a_workload_is_priced_exactly() -> None:
    work = "10k in, 2k out, 500 a day"
    found = run("models", "compare", "demo/parrot", "--workload", work, "--json").json
    assert found["workload"] == {
        "prompt_tokens": 10_000, "completion_tokens": 2000, "requests": 500, "period": "day",
    }  # fmt: skip
    offers = found["models"][0]["offers"]
    assert [offer["cost_nano_usd"] for offer in offers] == [
        500 * (10_000 * 200 + 2000 * 400),
        500 * (10_000 * 400 + 2000 * 800),
        500 * (10_000 * 600 + 2000 * 1200),
    ]
    assert offers[0]["cost_usd"] == 1.4
    assert "$ PER DAY" in run("models", "compare", "demo/parrot", "--workload", work).out


def test_tokens_can_be_given_apart() -> None:
    ran = run("models", "compare", "demo/parrot", "--prompt-tokens", "1", "--completion-tokens=0")
    assert "What 1 tokens in, 0 out cost:" in ran.out
    assert "0.0000002" in ran.out


def test_what_is_not_known_or_not_ready_is_said() -> None:
    out = run("models", "compare", "gpt-4o", "--all", "--workload", "1M in, 1 requests").out
    assert "not configured, too long" in out
    assert "openai/gpt-4o" in out


def test_an_unknown_price_is_a_question(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(
        "providers: {mine: {base_url: 'http://127.0.0.1:9/v1', models: {a/m: {}}}}"
    )
    (offer,) = run("models", "compare", "a/m", "--json").json["models"][0]["offers"]
    assert (offer["cost_usd"], offer["cheapest"]) == (None, False)
    assert "?" in run("models", "compare", "a/m").out


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["demo/parot"], "demo/parrot"),
        (["demo/parrot", "--workload", "lots"], "10k in, 2k out"),
        (["demo/parrot", "--prompt-tokens", "lots"], "200k"),
        (["demo/parrot", "--workload", "1 in", "--prompt-tokens", "1"], "leave out"),
        ([], "MODEL"),
    ],
)
def test_wrong_usage_says_what_is_right(arguments: list[str], said: str) -> None:
    ran = run("models", "compare", *arguments)
    assert (ran.code, ran.out) == (2, "")
    assert said in ran.err


def test_a_host_that_does_not_say_what_it_serves_is_named(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(SILENT + "\ndemo: on")
    assert "mine did not list its models" in run("models", "compare", "demo/parrot").err
