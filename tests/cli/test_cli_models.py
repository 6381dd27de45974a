"""`dragoman models`: what can be called, with what it costs at the cheapest."""

from pathlib import Path

import pytest

from dragoman.catalog.types import Catalog, Endpoint, Model, Price, Status
from dragoman.cli import catalog
from dragoman.cli.models import Line, lines
from dragoman.core.money import PicoUsd
from tests.cli.command import run
from tests.cli.hosts import host, silence

SILENT = "providers: {mine: {base_url: 'http://127.0.0.1:9/v1'}}"


def endpoint(
    provider: str,
    price: int | None,
    *,
    free: bool = False,
    configured: bool = True,
    status: Status = "active",
    context: int | None = None,
) -> Endpoint:
    return Endpoint(
        id=f"{provider}|a/m",
        model="a/m",
        provider=provider,
        provider_name=provider,
        tag=provider,
        upstream="m",
        price=None if price is None else Price(prompt=PicoUsd(price), completion=PicoUsd(price)),
        free=free,
        configured=configured,
        status=status,
        context=context,
    )


def listed(*endpoints: Endpoint, all_: bool) -> list[Line]:
    model = Model(id="a/m", name="M", created=0, endpoints=endpoints)
    return list(lines(Catalog(models={"a/m": model}, providers={}), all_))


def test_without_providers_the_demo_is_listed() -> None:
    ran = run("models")
    assert ran.code == 0
    assert {line.split()[0] for line in ran.out.splitlines()[1:]} == {"demo/parrot", "demo/scholar"}


def test_a_row_has_the_cheapest_price_and_the_largest_context() -> None:
    (row,) = listed(
        endpoint("dear", 9_000_000, context=100),
        endpoint("cheap", 2_000_000, context=50),
        endpoint("unknown", None),
        endpoint("elsewhere", 1_000_000, configured=False, context=999),
        all_=False,
    )
    assert row.prompt_usd_per_million == 2.0
    assert row.context == 100
    assert row.providers == ("cheap", "dear", "unknown")
    assert row.status == "ready"


def test_a_free_tier_is_a_row_of_its_own() -> None:
    found = listed(endpoint("a", 1), endpoint("b", 0, free=True), all_=False)
    assert [row.id for row in found] == ["a/m", "a/m:free"]


@pytest.mark.parametrize(
    ("one", "status"),
    [
        (endpoint("a", 1, configured=False), "not configured"),
        (endpoint("a", 1, status="deprecated"), "deprecated"),
        (endpoint("a", None, status="inactive"), "inactive"),
    ],
)
def test_what_cannot_be_called_is_listed_on_demand_with_its_status(
    one: Endpoint, status: str
) -> None:
    assert listed(one, all_=False) == []
    assert [row.status for row in listed(one, all_=True)] == [status]


def test_words_narrow_the_list_in_any_case_and_order() -> None:
    found = run("models", "MINI", "gpt-5", "--all", "--json").json
    assert "openai/gpt-5-mini" in {row["id"] for row in found}
    assert all("gpt-5" in row["id"] and "mini" in row["id"] for row in found)
    assert "not configured" in run("models", "gpt-5-mini", "--all").out


def test_nothing_found_names_the_nearest() -> None:
    ran = run("models", "demo/parot")
    assert (ran.code, ran.out) == (0, "")
    assert "demo/parrot" in ran.err
    assert run("models", "demo/parot", "--json").json == []


def test_no_model_at_all_tells_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("demo: off")
    assert "OPENAI_API_KEY" in run("models").err


def test_a_host_that_does_not_say_what_it_serves_is_named(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(SILENT)
    ran = run("models", "--json")
    assert ran.json == []
    assert "mine did not list its models: refused" in ran.err


def test_hosts_are_asked_for_what_they_serve_and_not_waited_for_long(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(catalog, "PATIENCE_S", 0.3)
    with host(200, b'{"data": [{"id": "llama"}]}') as url, silence() as hangs:
        (tmp_path / "dragoman.yaml").write_text(
            f"providers: {{quick: {{base_url: '{url}'}}, slow: {{base_url: '{hangs}'}}}}"
        )
        ran = run("models", "--json")
    assert [row["id"] for row in ran.json] == ["quick/llama"]
    assert "slow did not list its models: no answer within 0.3 s" in ran.err


def test_a_host_that_is_down_is_not_taken_for_none(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text("providers: {mine: {base_url: 'http://127.0.0.1:9'}}")
    ran = run("models")
    assert "mine did not list its models" in ran.err
    assert "dragoman doctor" in ran.err
    assert "OPENAI_API_KEY" not in ran.err
