"""`dragoman usage`, `export` and `logs -f`: what was used, on screen and in files."""

import csv
import errno
import io
import json
import time
from datetime import UTC
from pathlib import Path
from typing import Any
from unittest.mock import MagicMock

import pytest
from msgspec.structs import replace

from dragoman.cli.usage import BAR, bar
from dragoman.core.money import NanoUsd
from dragoman.office.premises import open_premises
from dragoman.records.recorder import store
from dragoman.records.types import Generation
from tests.cli.command import run
from tests.records.samples import PLAIN


def write(data: Path, *made: Generation) -> None:
    premises = open_premises(data)
    premises.records.run_now(lambda connection: store(connection, made))
    premises.close()


@pytest.fixture
def hash_(data: Path) -> str:
    """Write four generations of the last days, two by a key called `busy`; return its hash."""
    made: str = run("keys", "create", "busy", "--json").json["hash"]
    now = time.time()
    write(
        data,
        *(
            replace(
                PLAIN,
                id=f"gen-{number}",
                created_at=now - days * 86_400,
                key_hash=made if number < 2 else "0" * 64,
                model=f"acme/m{number % 2}",
                cost_nanos=NanoUsd(10**9 * (number + 1)),
                title="\x1b[31mApp",
                tags={"team": "a"},
                latency_ms=500,
            )
            for number, days in enumerate((0, 1, 2, 20))
        ),
    )
    return made


@pytest.mark.usefixtures("hash_")
def test_usage_by_model_is_a_table_with_bars_the_dearest_first() -> None:
    lines = run("usage").out.splitlines()
    assert lines[0].split() == [
        "MODEL",
        "SHARE",
        "REQUESTS",
        "IN",
        "OUT",
        "COST",
        "ERRORS",
        "P50",
        "P99",
    ]
    assert [line.split()[0] for line in lines[1:]] == ["acme/m0", "acme/m1"]
    assert lines[1].split()[1] == "█" * BAR
    assert "$4.0000" in lines[1]


def test_usage_by_key_says_its_name(hash_: str) -> None:
    found = run("usage", "--by", "key", "--since", "30d", "--json").json
    assert {row["api_key_id"]: row["request_count"] for row in found["data"]} == {
        "busy": "2",
        "0" * 64: "2",
    }
    only = run("usage", "--by", "day", "--key", hash_, "--csv").out
    rows = list(csv.DictReader(io.StringIO(only)))
    assert [row["request_count"] for row in rows] == ["1", "1"]


def test_a_csv_has_as_many_rows_as_are_asked_for_and_else_all(data: Path) -> None:
    now = time.time()
    many = [replace(PLAIN, id=f"gen-{n}", created_at=now, model=f"acme/m{n}") for n in range(25)]
    write(data, *many)

    def rows(*arguments: str) -> int:
        return len(list(csv.DictReader(io.StringIO(run("usage", "--csv", *arguments).out))))

    assert (rows(), rows("-n", "3"), rows("-n", "30")) == (25, 3, 25)
    assert len(run("usage").out.splitlines()) == 1 + 20
    assert len(run("usage", "--json").json["data"]) == 20


@pytest.mark.usefixtures("hash_")
def test_a_name_is_no_formula_in_a_csv(data: Path) -> None:
    write(data, replace(PLAIN, id="gen-f", created_at=time.time(), user="=1+1", title="@x"))
    for by, name in (("user", "'=1+1"), ("app", "'@x")):
        rows = list(csv.DictReader(io.StringIO(run("usage", "--by", by, "--csv").out)))
        assert name in [row[by] for row in rows]


@pytest.mark.usefixtures("hash_")
@pytest.mark.parametrize(
    "by", ["provider", "endpoint", "app", "tag", "user", "session", "hour", "week", "month"]
)
def test_usage_by_anything_else(by: str) -> None:
    ran = run("usage", "--by", by)
    assert ran.code == 0
    assert "\x1b" not in ran.out


def test_usage_by_what_is_not_known_is_told_what_is() -> None:
    ran = run("usage", "--by", "colour")
    assert ran.code == 2
    assert "--by: 'colour' is not one of model, provider, endpoint, key, app, user" in ran.err
    assert "month" in run("usage", "--help").out


def test_what_cannot_be_asked_is_a_sentence(data: Path, hash_: str) -> None:
    assert data.exists()
    assert hash_
    for words in (
        ("--by", "planet"),
        ("--since", "soon"),
        ("--since", "99999d"),
        ("--since", "99999999d"),
    ):
        ran = run("usage", *words)
        assert ran.code == 2
        assert words[1].removesuffix("d") in ran.err or "ten years" in ran.err
    assert run("usage", "--key", hash_, "--since", "1s", "--by", "hour").code == 0


@pytest.mark.parametrize(("part", "shown"), [(1.0, "█" * BAR), (0.0, " "), (0.5 / BAR, "▌")])
def test_a_bar_is_as_long_as_its_part(part: float, shown: str) -> None:
    assert bar(part) == shown


def test_an_export_is_csv_or_json_lines(hash_: str, tmp_path: Path) -> None:
    rows = list(csv.DictReader(io.StringIO(run("export").out)))
    assert [row["id"] for row in rows] == ["gen-3", "gen-2", "gen-1", "gen-0"]
    file = tmp_path / "mine.jsonl"
    run("export", "--format", "json", "--key", hash_, "-o", str(file))
    lines = [json.loads(line) for line in file.read_text().splitlines()]
    assert [(line["id"], line["tags"], line["cost_usd"]) for line in lines] == [
        ("gen-1", {"team": "a"}, 2.0),
        ("gen-0", {"team": "a"}, 1.0),
    ]
    again = run("export", "-o", str(file))
    assert again.code == 2
    assert "File exists" in again.err


@pytest.mark.usefixtures("hash_")
def test_parquet_says_what_it_needs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    assert "--output" in run("export", "--format", "parquet").err
    monkeypatch.setattr("dragoman.cli.export.import_module", missing)
    ran = run("export", "--format", "parquet", "-o", str(tmp_path / "x.parquet"))
    assert ran.code == 2
    assert "pip install 'pyarrow>=21'" in ran.err


@pytest.mark.usefixtures("hash_")
def test_parquet_holds_what_csv_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow = MagicMock()
    monkeypatch.setattr("dragoman.cli.export.import_module", lambda _: arrow)
    run("export", "--format", "parquet", "-o", str(tmp_path / "x.parquet"))
    ((rows,), given) = arrow.Table.from_pylist.call_args
    assert [row["id"] for row in rows] == ["gen-3", "gen-2", "gen-1", "gen-0"]
    assert given["schema"] is arrow.schema.return_value
    ((columns,), _) = arrow.schema.call_args
    assert [name for name, _ in columns] == list(rows[0])
    assert dict(columns)["cost_usd"] is arrow.float64.return_value
    assert dict(columns)["byok_cost_usd"] is arrow.float64.return_value
    assert dict(columns)["is_byok"] is arrow.bool_.return_value
    assert dict(columns)["tags"] is arrow.string.return_value
    assert dict(columns)["created_at"] is arrow.timestamp.return_value
    assert all(row["created_at"].tzinfo is UTC for row in rows)


@pytest.mark.usefixtures("hash_")
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_an_export_that_fails_leaves_no_half_of_a_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    def full(*_: Any, **__: Any) -> Any:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("dragoman.cli.export.import_module", lambda _: MagicMock())
    for name in ("_write", "_write_parquet"):
        monkeypatch.setattr(f"dragoman.cli.export.{name}", full)
    file = tmp_path / "export"
    ran = run("export", "--format", form, "-o", str(file))
    assert (ran.code, "No space left" in ran.err, file.exists()) == (1, True, False)
    file.write_text("mine")
    ran = run("export", "--format", form, "-o", str(file))
    assert (ran.code, "File exists" in ran.err, file.read_text()) == (2, True, "mine")


def test_following_shows_each_new_one_once(
    data: Path, hash_: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    naps: list[float] = []

    def nap(seconds: float) -> None:
        naps.append(seconds)
        if len(naps) > 3:
            raise KeyboardInterrupt
        write(data, replace(PLAIN, id=f"gen-new-{len(naps)}", created_at=time.time() - 5))

    monkeypatch.setattr("dragoman.cli.logs.time.sleep", nap)
    try:
        ran = run("logs", "-f", "-n", "1")
    except KeyboardInterrupt:
        pytest.fail("an interrupt is an ordinary end")
    lines = ran.out.splitlines()
    ids = ["ID", "gen-0", "gen-new-1", "gen-new-2", "gen-new-3"]
    assert [line.split()[-1] for line in lines] == ids
    places = {line.rindex(id_) for line, id_ in zip(lines, ids, strict=True)}
    assert len(places) == 1, "the columns of what comes later are those of the head"
    assert hash_
