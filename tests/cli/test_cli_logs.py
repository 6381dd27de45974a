"""`dragoman logs`: which generations are listed, and what is told of one."""

import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from dragoman.core.money import NanoUsd
from dragoman.core.notes import Change, Note
from dragoman.office.premises import open_premises
from dragoman.records.recorder import store
from dragoman.records.types import Attempt, Generation
from dragoman.wire.usage import Usage
from tests.cli.command import run

# `created_at` is an age in seconds until the fixture writes them down.
GOOD = Generation(
    id="gen-good",
    created_at=60,
    key_hash="0" * 64,
    requested="acme/turbo",
    model="acme/turbo",
    provider="acme",
    provider_name="Acme",
    endpoint="acme|acme/turbo",
    finish_reason="stop",
    native_finish_reason="end_turn",
    usage=Usage(prompt=12, completion=34, cached=5),
    cost_nanos=NanoUsd(2_500_000),
    latency_ms=420,
    generation_ms=1500,
    attempts=(
        Attempt(
            endpoint="acme-2|acme/turbo",
            provider="acme-2",
            provider_name="Acme 2",
            model="acme/turbo",
            status=503,
            code="provider_overloaded",
            latency_ms=20,
            error="come \x1b[31mback later",
        ),
        Attempt(
            endpoint="acme|acme/turbo",
            provider="acme",
            provider_name="Acme",
            model="acme/turbo",
            status=200,
            code=None,
            latency_ms=400,
        ),
    ),
    notes=(Note(Change.DROPPED, "top_k", "is not known to Acme"),),
)
BAD = replace(
    GOOD,
    id="gen-bad",
    created_at=1200,
    status=502,
    error_type="provider_unavailable",
    model=None,
    provider=None,
    provider_name=None,
    price_known=False,
    latency_ms=None,
    attempts=(),
    notes=(),
)
LEFT = replace(GOOD, id="gen-left", created_at=1800, status=499, cancelled=True)
OLD = replace(GOOD, id="gen-old", created_at=7200, requested="x/y", model="x/y", provider="x")


@pytest.fixture
def hash_(data: Path) -> str:
    """Write four generations, one of them by a key called `busy`; return its hash."""
    made: str = run("keys", "create", "busy", "--json").json["hash"]
    premises = open_premises(data)
    now = time.time()
    rows = [
        replace(row, created_at=now - row.created_at)
        for row in (GOOD, BAD, LEFT, replace(OLD, key_hash=made))
    ]
    premises.records.run_now(lambda connection: store(connection, rows))
    premises.close()
    return made


@pytest.mark.usefixtures("hash_")
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ([], ["gen-good", "gen-bad", "gen-left", "gen-old"]),
        (["-n", "1"], ["gen-good"]),
        (["--failed"], ["gen-bad", "gen-left"]),
        (["--failed", "-n", "1"], ["gen-bad"]),
        (["--model", "x/y"], ["gen-old"]),
        (["--provider", "x"], ["gen-old"]),
        (["--since", "1h"], ["gen-good", "gen-bad", "gen-left"]),
        (["--since", "600s"], ["gen-good"]),
        (["--key", "busy"], ["gen-old"]),
        (["--model", "no/such"], []),
    ],
    ids=" ".join,
)
def test_options_narrow_the_list_newest_first(options: list[str], expected: list[str]) -> None:
    ran = run("logs", "--json", *options)
    assert ran.code == 0
    assert [row["id"] for row in ran.json] == expected


@pytest.mark.usefixtures("hash_")
def test_people_get_a_table() -> None:
    lines = run("logs").out.splitlines()
    assert lines[0].split()[:4] == ["TIME", "MODEL", "PROVIDER", "STATUS"]
    for part in ("acme/turbo", "Acme", "200", "12+34", "$0.002500", "0.42 s", "gen-good"):
        assert part in lines[1]
    for part in ("502 provider_unavailable", "?", "-"):
        assert part in lines[2]
    assert "client left" in lines[3]


@pytest.mark.usefixtures("hash_")
@pytest.mark.parametrize("words", [["gen-good"], ["show", "gen-good"]])
def test_one_is_told_in_detail_with_why_each_attempt_failed(words: list[str]) -> None:
    ran = run("logs", *words)
    assert ran.code == 0
    assert "stop / end_turn" in ran.out
    assert "12 in (5 cached), 34 out" in ran.out
    assert "provider_overloaded: come [31mback later" in ran.out
    assert "Note: top_k dropped: is not known to Acme" in ran.out


@pytest.mark.usefixtures("hash_")
def test_one_without_attempts_has_no_table_of_them() -> None:
    assert "Attempts:" not in run("logs", "gen-bad").out


@pytest.mark.usefixtures("hash_")
def test_one_is_json_on_demand() -> None:
    told = run("logs", "gen-good", "--json").json
    assert told["total_cost"] == 0.0025
    assert [attempt["status"] for attempt in told["attempts"]] == [503, 200]


@pytest.mark.usefixtures("hash_")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["gen-none"], 1, "no generation gen-none"),
        (["show"], 2, "give the id"),
        (["a", "b"], 2, "one id at a time"),
        (["--since", "yesterday"], 2, "1h or 7d"),
        (["--key", "nobody"], 1, "No key"),
        (["-n", "0"], 2, "-n"),
    ],
)
def test_what_cannot_be_shown_is_said(arguments: list[str], code: int, words: str) -> None:
    ran = run("logs", *arguments)
    assert ran.code == code
    assert words in ran.err
    assert ran.out == ""


def test_an_empty_list_says_so() -> None:
    run("keys", "create", "idle")
    ran = run("logs")
    assert (ran.code, ran.out) == (0, "")
    assert "No generations" in ran.err


def test_where_there_is_no_gateway_nothing_is_made(data: Path) -> None:
    assert run("logs").code == 2
    assert not data.exists()


def test_before_the_first_request_there_is_nothing_to_be_like() -> None:
    run("keys", "create", "one")
    assert "No generations yet." in run("logs").err
    assert "No generations like that." in run("logs", "--failed").err
    assert "No generations like that." in run("logs", "--model", "a/b").err
