"""`dragoman catalog build`: from a file or an address to models.json and the report, or a check."""

from pathlib import Path

import pytest

from dragoman.catalog import shipped
from dragoman.cli import catalog_commands
from tests.catalog.source import document, entry
from tests.cli.command import run
from tests.cli.hosts import host

SOURCE = document(openrouter={"openai/gpt-4o": entry("GPT-4o")}, openai={"gpt-4o": entry()})


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.json"
    path.write_bytes(SOURCE)
    return path


def test_a_build_writes_the_models_and_the_report(source: Path, tmp_path: Path) -> None:
    page = tmp_path / "report.md"
    ran = run("catalog", "build", str(source), "--out", str(tmp_path), "--report", str(page))
    assert (ran.code, ran.out) == (0, "")
    assert "1 models, 1 endpoints at 1 hosts; 0 models at three or more." in ran.err
    assert '"id": "openai/gpt-4o"' in (tmp_path / "models.json").read_text()
    assert page.read_text().startswith("# Where the shipped catalog comes from")


def test_a_check_writes_nothing_and_fails_where_something_differs(
    source: Path, tmp_path: Path
) -> None:
    ran = run("catalog", "build", str(source), "--check", "--report", str(tmp_path / "none.md"))
    assert ran.code == 1
    assert "models.json and" in ran.err
    assert not (tmp_path / "none.md").exists()


def test_a_check_passes_where_nothing_differs(
    source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = tmp_path / "report.md"
    (tmp_path / "providers.yaml").write_bytes((shipped.DATA / "providers.yaml").read_bytes())
    monkeypatch.setattr(shipped, "DATA", tmp_path)
    wanted = ("--out", str(tmp_path), "--report", str(page))
    assert run("catalog", "build", str(source), *wanted).code == 0
    assert run("catalog", "build", str(source), "--check", "--report", str(page)).code == 0


def test_a_source_comes_from_an_address(tmp_path: Path) -> None:
    with host(200, SOURCE) as url:
        ran = run("catalog", "build", url, "--out", str(tmp_path))
    assert ran.code == 0, ran.err
    assert (tmp_path / "models.json").exists()


def test_an_address_that_refuses_is_named(tmp_path: Path) -> None:
    with host(404, b"{}") as url:
        ran = run("catalog", "build", url, "--out", str(tmp_path))
    assert ran.code == 1
    assert "answered 404" in ran.err


def test_an_address_where_nobody_is_is_named() -> None:
    ran = run("catalog", "build", "http://127.0.0.1:1/x")
    assert ran.code == 1
    assert "http://127.0.0.1:1/x: " in ran.err


def test_a_file_that_is_none_is_named(tmp_path: Path) -> None:
    ran = run("catalog", "build", str(tmp_path / "none.json"))
    assert ran.code == 2
    assert "No such file" in ran.err


def test_a_file_that_is_too_long_is_refused(source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(catalog_commands, "MOST_BYTES", 10)
    ran = run("catalog", "build", str(source))
    assert ran.code == 2
    assert "longer than 10 bytes" in ran.err


def test_what_is_no_source_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "source.json"
    path.write_text("{}")
    ran = run("catalog", "build", str(path))
    assert ran.code == 2
    assert "source: has no providers" in ran.err


def test_a_directory_that_is_not_there_is_named(source: Path, tmp_path: Path) -> None:
    ran = run("catalog", "build", str(source), "--out", str(tmp_path / "none"))
    assert ran.code == 2
    assert "No such file" in ran.err
