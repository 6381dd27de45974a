"""`dragoman route explain`: the plan as a table and as JSON."""

import json
from pathlib import Path

import pytest

from tests.cli.command import run

TWO_HOSTS = """
providers:
  acme:
    base_url: http://127.0.0.1:9100/v1
    models:
      acme/turbo: {context: 128000, price: {prompt: 0.0000025, completion: 0.00001}}
  acme-2:
    base_url: http://127.0.0.1:9101/v1
    models:
      acme/turbo: {context: 128000, price: {prompt: 0.000005, completion: 0.00002}}
"""


@pytest.fixture(autouse=True)
def _two_hosts(tmp_path: Path) -> None:
    (tmp_path / "dragoman.yaml").write_text(TWO_HOSTS)


def test_the_plan_is_json_with_positions_prices_and_reasons() -> None:
    ran = run("route", "explain", "acme/turbo:floor", "--json")
    assert ran.code == 0
    steps = ran.json["steps"]
    assert [(step["position"], step["tag"]) for step in steps] == [(1, "acme"), (2, "acme-2")]
    assert steps[0]["prompt_usd_per_million"] == 2.5
    assert steps[0]["completion_usd_per_million"] == 10
    assert all(step["why"] for step in steps)
    assert ran.json["requested"] == ["acme/turbo:floor"]
    assert ran.json["refused"] == []
    assert ran.json["notes"] == []


def test_people_get_a_table_and_are_told_that_health_is_unknown() -> None:
    ran = run("route", "explain", "acme/turbo:floor")
    assert ran.code == 0
    lines = ran.out.splitlines()
    assert lines[0].split() == ["#", "PROVIDER", "ENDPOINT", "$/M", "IN", "$/M", "OUT", "WHY"]
    assert lines[1].split()[:5] == ["1", "acme", "acme|acme/turbo", "2.5", "10"]
    assert "health is unknown" in ran.err


def test_what_is_left_out_is_listed_with_its_reason() -> None:
    ran = run("route", "explain", "openai/gpt-4o")
    assert ran.code == 0
    assert "Left out:" in ran.out
    assert "not_configured" in ran.out
    assert "OPENAI_API_KEY" in ran.out
    assert "A request would get: No endpoints found" in ran.err


@pytest.mark.parametrize("by", ["file", "stdin"])
def test_a_request_of_ones_own_is_planned_with_the_model_of_the_command(
    by: str, tmp_path: Path
) -> None:
    body = json.dumps(
        {
            "model": "someone/else",
            "messages": [{"role": "user", "content": "Hi"}],
            "provider": {"only": ["acme-2"]},
            "web_search_options": {},
        }
    )
    (tmp_path / "request.json").write_text(body)
    name = "request.json" if by == "file" else "-"
    ran = run("route", "explain", "ACME/turbo", "--request", name, "--json", stdin=body)
    assert [step["tag"] for step in ran.json["steps"]] == ["acme-2"]
    assert [(row["tag"], row["reason"]) for row in ran.json["refused"]] == [("acme", "not_in_only")]
    assert "model" in {note["field"] for note in ran.json["notes"]}
    assert "Note: model resolved" in run("route", "explain", "ACME/turbo").out


def test_an_unknown_model_is_wrong_usage_and_the_nearest_are_named() -> None:
    ran = run("route", "explain", "acme/turbot")
    assert ran.code == 2
    assert "acme/turbo" in ran.err


@pytest.mark.parametrize(
    ("body", "words"),
    [("{", "not valid JSON"), ("[]", "JSON object"), ("{}", "messages")],
)
def test_a_request_that_cannot_be_read_is_wrong_usage(body: str, words: str) -> None:
    ran = run("route", "explain", "acme/turbo", "--request", "-", stdin=body)
    assert ran.code == 2
    assert words in ran.err


def test_a_request_file_that_is_not_there_is_wrong_usage() -> None:
    ran = run("route", "explain", "acme/turbo", "--request", "nowhere.json")
    assert ran.code == 2
    assert "nowhere.json" in ran.err
