"""`dragoman prices` and `dragoman reconcile`: what they print, book and refuse."""

import json
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from dragoman.catalog import tariff
from dragoman.catalog.types import Price
from dragoman.core.money import NanoUsd, PicoUsd
from dragoman.office.premises import open_premises
from dragoman.records import prices
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from dragoman.wire.usage import Usage
from tests.cli.command import run

OLD = Price(prompt=PicoUsd(1_000_000), completion=PicoUsd(2_000_000))
MADE = Generation(
    id="gen-1",
    created_at=0.0,
    key_hash="0" * 64,
    requested="acme/turbo",
    model="acme/turbo",
    provider="acme",
    provider_name="Acme",
    endpoint="acme|acme/turbo",
    usage=Usage(prompt=100, completion=50),
    cost_nanos=NanoUsd(200_000),
    price_id=tariff.version(OLD),
)
SETTINGS = """
providers:
  acme:
    base_url: https://acme.example/v1
    billing: {search: 0.01, rates: {batch: 0.5}, cache_write_1h: 2}
    models:
      acme/turbo:
        upstream: turbo-1
        price:
          prompt: 5e-7
          completion: 2e-6
          rates: {flex: 0.25}
          tiers: [{above: 1000, prompt: 1e-6}]
      acme/dear: {}
"""


@pytest.fixture(autouse=True)
def _installation(data: Path, tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(SETTINGS)
    run("keys", "create", "laptop")
    now = time.time()
    twins = [replace(MADE, id=f"gen-{number}", created_at=now - 60) for number in range(3)]
    premises = open_premises(data)
    kept = {tariff.version(OLD): tariff.canonical(OLD)}
    premises.records.run_now(prices.keep(kept, now))
    premises.records.run_now(lambda connection: store(connection, twins))
    premises.close()


def rerate(*arguments: str) -> tuple[int, str, str]:
    ran = run("prices", "rerate", "--since", "1d", *arguments)
    return ran.code, ran.out, ran.err


def test_prices_are_shown_on_the_terms_of_the_host() -> None:
    ran = run("prices", "show", "acme/turbo")
    assert ran.code == 0
    heads, row, tier = ran.out.splitlines()
    assert heads.split() == [
        "ENDPOINT", "VERSION", "PROMPT", "COMPLETION", "WRITE", "1H", "SEARCH", "RATES",
    ]  # fmt: skip
    assert row.split()[2:] == ["0.5", "2", "1", "0.01", "flex", "x0.25"]
    assert tier.split() == ["above", "1,000", "tokens", "1", "-", "2", "-"]


def test_prices_as_json_name_their_version() -> None:
    (shown,) = run("prices", "show", "acme/turbo", "--json").json
    assert shown["price"] == {
        "prompt": "0.0000005",
        "completion": "0.000002",
        "cache_write_1h": "0.000001",
        "search": "0.01",
        "tiers": [{"min_prompt_tokens": 1000, "prompt": "0.000001", "cache_write_1h": "0.000002"}],
        "rates": {"flex": 0.25},
    }
    assert len(shown["version"]) == 16
    (unknown,) = run("prices", "show", "acme/dear", "--json").json
    assert (unknown["price"], unknown["version"]) == (None, None)
    assert "unknown" in run("prices", "show", "acme/dear").out


def test_a_dry_run_shows_the_differences_and_books_nothing() -> None:
    code, out, _ = rerate("--to-catalog", "--dry-run")
    assert code == 0
    assert "$0.000600000" in out
    assert "$0.000450000" in out
    assert "$0.000150000" in out
    report = json.loads(rerate("--to-catalog", "--dry-run", "--json")[1])
    (line,) = report["differences"]["lines"]
    assert (line["generations"], line["less"], report["done"]) == (3, 150_000, None)


def test_a_correction_is_booked_once_and_the_books_add_up() -> None:
    code, out, _ = rerate("--to-catalog", "--yes")
    assert code == 0
    assert "Booked for 3 generations: $0.000150000 given back, $0.000000000 charged." in out
    code, out, err = rerate("--to-catalog", "--yes")
    assert (code, out) == (0, "")
    assert "Nothing costs something else." in err
    assert "3 left alone: it stands at that price already." in err
    assert run("ledger", "verify").code == 0
    assert "prices.rerate" in run("audit").out


def test_it_asks_before_it_books() -> None:
    asked = run("prices", "rerate", "--since", "1d", "--to-catalog", stdin="n\n")
    assert asked.code == 1
    assert "up to 3 generations, downwards?" in asked.err
    assert "Booked" not in asked.out
    assert "Nothing was changed." in asked.err
    agreed = run("prices", "rerate", "--since", "1d", "--to-catalog", stdin="y\n")
    assert "Booked for 3 generations" in agreed.out


def test_a_file_of_higher_prices_is_charged_with_charge_only(tmp_path: Path) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text("acme/turbo: {prompt: 3e-6, completion: 2e-6}")
    code, out, err = rerate("--price-file", str(file), "--yes")
    assert (code, "Booked for 0 generations" in out) == (0, True)
    assert "3 would cost more, and were left" in err
    code, out, _ = rerate("--price-file", str(file), "--yes", "--charge", "--model", "acme/turbo")
    assert "$0.000600000 charged" in out
    assert run("ledger", "verify").code == 0


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("acme/none: {prompt: 1e-6, completion: 1e-6}", "no endpoint and of no model"),
        ("acme/turbo: {prompt: 0, completion: 0}", "says nothing"),
        ("acme/turbo: {prompt: -1, completion: 0}", "is not a price"),
        ("acme/turbo: {input: 1}", "input"),
        ("- a", "Expected `object`"),
        ("a: [", "expected"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(tmp_path: Path, content: str, words: str) -> None:
    file = tmp_path / "prices.yaml"
    file.write_text(content)
    code, _, err = rerate("--price-file", str(file), "--yes")
    assert (code, words in err) == (2, True), err


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--to-catalog", "--price-file", "x.yaml"),
        ("--price-file", "gone.yaml"),
        ("--to-catalog", "--json"),
        ("--to-catalog", "--until", "2026-02-31"),
        ("--to-catalog", "--until", "soon"),
    ],
)
def test_what_cannot_be_meant_is_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert rerate(*arguments)[0] == 2


def day(age_s: float = 60) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(time.time() - age_s))


def reconcile(tmp_path: Path, usd: str, *arguments: str) -> tuple[int, str, str]:
    file = tmp_path / "export.csv"
    file.write_text(f"date,model,input_tokens,output_tokens,cost\n{day()},turbo-1,300,150,{usd}\n")
    ran = run("reconcile", str(file), "--provider", "csv", *arguments)
    return ran.code, ran.out, ran.err


def test_an_export_that_agrees_ends_well(tmp_path: Path) -> None:
    code, out, err = reconcile(tmp_path, "0.0006", "--of", "acme")
    assert (code, err) == (0, "")
    assert "turbo-1" in out
    assert "0.00%" in out
    assert "In all $0.000600 by ours, $0.000600 by theirs." in out


def test_an_export_that_differs_fails_beyond_the_tolerance(tmp_path: Path) -> None:
    code, out, err = reconcile(tmp_path, "0.0005", "--of", "acme")
    assert (code, "20.00%" in out) == (1, True)
    assert "The worst drift is 20.00%, beyond 1 %." in err
    assert reconcile(tmp_path, "0.0005", "--of", "acme", "--tolerance", "20")[0] == 0
    report = json.loads(reconcile(tmp_path, "0.0005", "--of", "acme", "--json")[1])
    assert (report["holds"], report["rows"][0]["theirs"]["usd"]) == (False, "0.0005")


def test_an_export_of_openai_is_compared_with_requests_to_openai(tmp_path: Path) -> None:
    file = tmp_path / "usage.json"
    result = {"model": "gpt-4o", "input_tokens": 7, "output_tokens": 1, "num_model_requests": 1}
    page = {"data": [{"start_time": 1_730_419_200, "results": [result]}]}
    file.write_text(json.dumps(page))
    assert "goes on" not in run("reconcile", str(file), "--provider", "openai").err
    file.write_text(json.dumps(page | {"has_more": True}))
    ran = run("reconcile", str(file), "--provider", "openai")
    assert "The export goes on (has_more)" in ran.err
    assert (ran.code, "only theirs" in ran.out) == (1, True)
    assert "In all $0.000000 by ours, the export tells no cost." in ran.out


@pytest.mark.parametrize(
    "arguments",
    [(), ("--of", "nobody"), ("--of", "acme", "--map", "day"), ("--of", "acme", "--map", "day=x")],
)
def test_an_export_whose_meaning_is_not_told_is_wrong_usage(
    tmp_path: Path, arguments: tuple[str, ...]
) -> None:
    assert reconcile(tmp_path, "1", *arguments)[0] == 2


def test_a_file_that_is_not_there_is_wrong_usage() -> None:
    assert run("reconcile", "gone.json", "--provider", "openai").code == 2
