"""`dragoman models`: what can be called, with what it costs at the cheapest."""

from pathlib import Path

import pytest

from dragoman.catalog.types import Catalog, Endpoint, Model, Price, Status
from dragoman.cli import catalog
from dragoman.cli.models import Line, chosen, line
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
    known = Catalog(models={"a/m": model}, providers={})
    return [line(row) for row in chosen(known, {"availability": "all"} if all_ else {})]


def test_without_providers_the_demo_is_listed() -> None:
    ran = run("models")
    assert ran.code == 0
    assert {line.split()[0] for line in ran.out.splitlines()[1:]} == {"demo/parrot", "demo/scholar"}
    assert "2 more can be called and do not chat: --all" in ran.err
    for narrowed in (["parrot"], ["--needs", "tools"], ["--all"]):
        assert "more" not in run("models", *narrowed).err


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
    for row in found:
        text = f"{row['id']} {row['name']}".lower()
        assert "gpt-5" in text
        assert "mini" in text
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


def ids(*arguments: str) -> list[str]:
    return [row["id"] for row in run("models", *arguments, "--json").json]


@pytest.fixture
def shop(tmp_path: Path) -> None:
    """A host of one's own, with models that differ in what people ask for."""
    (tmp_path / "dragoman.yaml").write_text(
        """
        demo: off
        providers:
          shop:
            base_url: http://127.0.0.1:9/v1
            discover: false
            models:
              a/cheap: {context: 8000, price: {prompt: 0.0000001, completion: 0.0000002},
                        supports: []}
              a/dear: {context: 200000, price: {prompt: 0.00001, completion: 0.00002},
                       inputs: [text, image], supports: [tools, response_format]}
              b/unknown: {context: 32000, supports: [tools]}
        """
    )


@pytest.mark.usefixtures("shop")
@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("--sort price", ["a/cheap", "a/dear", "b/unknown"]),
        ("--sort COST", ["a/cheap", "a/dear", "b/unknown"]),
        ("--sort context", ["a/dear", "b/unknown", "a/cheap"]),
        ("--needs tools", ["a/dear", "b/unknown"]),
        ("--needs tools,image", ["a/dear"]),
        ("--needs tools --needs json", ["a/dear"]),
        ("--needs embeddings", []),
        ("--max-price 1", ["a/cheap"]),
        ("--context 32k", ["a/dear", "b/unknown"]),
        ("--author B", ["b/unknown"]),
        ("--author a --author b --context 100k", ["a/dear"]),
        ("--provider shop cheap", ["a/cheap"]),
        ("--free", []),
        ("list cheap", ["a/cheap"]),
    ],
)
def test_filters_narrow_the_list_and_an_order_sorts_it(arguments: str, found: list[str]) -> None:
    listed_ids = ids(*arguments.split())
    assert (listed_ids if "--sort" in arguments else sorted(listed_ids)) == found


def test_free_tiers_are_found_among_all() -> None:
    found = ids("--free", "--all")
    assert found
    assert all(id_.endswith(":free") or id_.startswith("~") for id_ in found)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("--sort magic", ["--sort", "'magic'", "price", "context"]),
        ("--needs magic", ["--needs", "'magic'", "tools", "image", "json"]),
        ("--author openia", ["--author", "'openia'", "openai"]),
        ("--provider groqq", ["--provider", "'groqq'", "groq"]),
        ("--max-price much", ["--max-price", "'much'"]),
        ("--context wide", ["--context", "'wide'", "200k"]),
    ],
)
def test_a_value_that_is_not_known_is_wrong_usage_and_says_what_is(
    arguments: str, words: list[str]
) -> None:
    ran = run("models", *arguments.split())
    assert (ran.code, ran.out) == (2, "")
    for word in words:
        assert word in ran.err


@pytest.mark.parametrize("order", ["speed", "latency"])
def test_an_order_that_only_a_running_gateway_knows_is_said_to_be_one(order: str) -> None:
    ran = run("models", "--sort", order)
    assert ran.code == 0
    assert f"Only a running gateway measures {order}" in ran.err


@pytest.mark.usefixtures("shop")
def test_filters_that_leave_nothing_do_not_blame_the_keys() -> None:
    ran = run("models", "--needs", "video")
    assert "like that" in ran.err
    assert "API_KEY" not in ran.err


def test_help_shows_the_options_and_the_way_to_compare() -> None:
    ran = run("models", "--help")
    assert "--needs" in ran.out
    assert "models compare" in ran.out
